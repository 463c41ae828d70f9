"""Tokens of the hub stay with the process that reads from it or publishes; those that only compute do not get one.

They come from where Hugging Face's tools keep them, HF_TOKEN or the file of `hf auth login`; nothing here reads them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def without_tokens(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process that asks no hub: it is given no token, and looks for none on the disk."""
    kept = {name: value for name, value in environment.items() if name not in NAMES}
    return {**kept, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}


def forget_tokens() -> None:
    """Of this process's own variables, once it has loaded what it needs: what it starts inherits none.

    What it loads once more comes from the cache: a hub that knows nobody would say that there is no private repository.
    """
    os.environ.update(without_tokens(os.environ))
    for name in NAMES:
        os.environ.pop(name, None)
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:  # it has read the variables
        vars(constants).update(HF_HUB_OFFLINE=True, HF_HUB_DISABLE_IMPLICIT_TOKEN=True)
