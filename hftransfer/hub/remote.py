"""Talking to a hub: what may go wrong, in words, and what is tried again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from hftransfer.errors import HFTransferError, InputError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Tell = Callable[[str], None]
T = TypeVar("T")

ATTEMPTS = 5
LONGEST = 60.0
"""Seconds that are waited at most between two attempts, whatever the hub asks for."""
UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError)
BUSY = (408, 425, 429, 500, 502, 503, 504)


class HubError(HFTransferError):
    """The hub did not do what it was asked for; the run is as it was."""


@dataclass(frozen=True)
class Repository:
    """A model repository as it is now. head: its newest commit, None where there is no repository yet. files: path ->
    (size in bytes, digest: sha256 of what lies in LFS, else git's)."""

    name: str
    head: str | None
    private: bool
    files: dict[str, tuple[int, str]]


def again(what: str, ask: Callable[[], T], tell: Tell, *, done: Callable[[], T | None] = lambda: None) -> T:
    """Ask the hub; where it is busy or out of reach, wait and ask again, `ATTEMPTS` times in all.

    done: looked at before asking again: the answer, where the hub did it and its answer was lost. Raises HubError.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    passing: tuple[type[Exception], ...] = (*_passing(), RuntimeError)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return ask()
        except passing as raised:
            error = _first_cause(raised)
            if isinstance(error, RuntimeError | OfflineModeIsEnabled):
                raise  # nothing that waiting mends
            status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
            # Of an upload that broke, the library sends again what is left of the stream: nothing, which is refused.
            half_sent = status == 400 and raised is not error
            if status is not None and status not in BUSY and not half_sent:
                raise error from raised
            if attempt == ATTEMPTS:
                raise HubError(f"{what}: {_words(error)}, {ATTEMPTS} times") from error
            wait = _wait(error, attempt)
            tell(f"{what}: {_words(error)}; trying again in {wait:.0f} s ({attempt} of {ATTEMPTS})")
            time.sleep(wait)
            found = _unless_it_fails(done)
            if found is not None:
                return found
    raise AssertionError


def _first_cause(error: Exception) -> Exception:
    """What the network or the hub did: huggingface_hub wraps it in a RuntimeError where it uploads."""
    cause = error
    while isinstance(cause, RuntimeError) and isinstance(cause.__cause__, Exception):
        cause = cause.__cause__
    return cause


def _unless_it_fails(done: Callable[[], T | None]) -> T | None:
    try:
        return done()
    except _passing():
        return None  # then it is asked again, and told by that


def _passing() -> tuple[type[Exception], ...]:
    """What a network does, damaged answers among it; the HTTP library's own errors share no base with Python's."""
    from huggingface_hub.errors import HfHubHTTPError

    http_error = next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")
    return (http_error, ConnectionError, TimeoutError, *UNREADABLE)


def _wait(error: Exception, attempt: int) -> float:
    asked = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
    seconds = float(asked) if asked.replace(".", "", 1).isdigit() else 2.0 ** (attempt - 1)
    return min(LONGEST, seconds)


def _words(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the hub answered {response.status_code}"
    if isinstance(error, UNREADABLE):
        return "the hub's answer cannot be read"
    return f"no answer ({type(error).__name__})"


@contextmanager
def explained(repo: str, doing: str) -> Iterator[None]:
    """The hub's refusals in the words of this project. Raises HubError, or InputError where the user can mend it."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except OfflineModeIsEnabled:
        raise InputError(f"{doing}: HF_HUB_OFFLINE is set", hint="unset HF_HUB_OFFLINE") from None
    except LocalTokenNotFoundError:
        raise InputError(
            f"{doing}: there is no token", hint="log in with `hf auth login`, or set HF_TOKEN"
        ) from None
    except GatedRepoError as error:
        raise InputError(
            f"{doing}: {repo} is gated, and this account has not been let in",
            hint=f"ask for access on its page: {_page(repo)}",
        ) from error
    except RevisionNotFoundError as error:
        raise InputError(f"{doing}: {repo} has no such revision") from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"{doing}: there is no {repo} that this account may see",
            hint="check the name; for a private one log in with `hf auth login`, or set HF_TOKEN",
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status == 401:
            raise InputError(
                f"{doing}: the hub does not know this token",
                hint="log in again: hf auth login; or mend HF_TOKEN",
            ) from error
        if status == 403:
            raise InputError(
                f"{doing}: this token may not do that in {repo}",
                hint="make one that may write: https://huggingface.co/settings/tokens",
            ) from error
        raise HubError(f"{doing}: the hub answered {status}: {_first_line(error)}") from error


def _page(repo: str) -> str:
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{repo}"


def _first_line(error: Exception) -> str:
    told = getattr(error, "server_message", None) or str(error)
    return str(told).strip().splitlines()[0] if str(told).strip() else "no reason given"


def check_rights(repo: str, *, public: bool, tell: Tell = lambda text: None) -> Repository:
    """Whether this account may push to `repo`, new or old. Changes nothing.

    Raises InputError: no token, a name that the hub does not take, a namespace of others, a public repository where a
    private one was asked for; HubError when the hub cannot be asked.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    doing = f"pushing to {repo}"
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise InputError(
            f"{repo} is no name of a repository: {error}", hint="write OWNER/NAME, as in me/my-model"
        ) from None
    api: HfApi = HfApi()
    with explained(repo, doing):
        me = again(f"asking who {repo} is pushed by", lambda: api.whoami(), tell)
        if "/" not in repo:
            raise InputError(f"{repo} names no owner", hint=f"write {me['name']}/{repo}")
        owner = repo.partition("/")[0]
        try:
            found = look(api, repo, tell)
        except RepositoryNotFoundError:
            may = [me["name"], *(one["name"] for one in me.get("orgs", []))]
            if owner not in may:
                raise InputError(
                    f"{doing}: {me['name']} may not write there",
                    hint=f"write one of these owners: {', '.join(may)}",
                ) from None
            if _reads_only(me):
                raise InputError(
                    f"{doing}: this token may only read",
                    hint="make one that may write: https://huggingface.co/settings/tokens",
                ) from None
            return Repository(repo, None, not public, {})
        again(f"asking whether {me['name']} may write there", lambda: api.auth_check(repo, write=True), tell)
    if not found.private and not public:
        raise InputError(
            f"{doing}: {repo} is public, and nothing was said of publishing",
            hint="say --public, or choose another name",
        )
    return found


def look(api: HfApi, repo: str, tell: Tell) -> Repository:
    """A repository as it is now. Raises what huggingface_hub raises."""
    info = again(f"looking at {repo}", lambda: api.model_info(repo, files_metadata=True), tell)
    files: dict[str, tuple[int, str]] = {}
    for one in info.siblings or ():
        lfs: Any = one.lfs
        files[one.rfilename] = (one.size or 0, lfs.sha256 if lfs else one.blob_id or "")
    return Repository(repo, info.sha, bool(info.private), files)


def _reads_only(me: dict[str, Any]) -> bool:
    token = (me.get("auth") or {}).get("accessToken") or {}
    return token.get("role") == "read"
