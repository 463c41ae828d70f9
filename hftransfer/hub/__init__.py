"""To a hub and back: `push` publishes a finished run in one commit, `fetch` brings a published one here.

Tokens come from where Hugging Face's own tools keep them (HF_TOKEN, `hf auth login`), and go nowhere else.
"""

from hftransfer.hub.contents import File, chosen, contents
from hftransfer.hub.fetch import fetch, is_repo
from hftransfer.hub.push import Pushed, Pushing, push
from hftransfer.hub.remote import check_rights

__all__ = ["File", "Pushed", "Pushing", "check_rights", "chosen", "contents", "fetch", "is_repo", "push"]
