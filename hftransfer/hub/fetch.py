"""Bring a published run here."""

from __future__ import annotations

import re
from pathlib import Path

from hftransfer.errors import InputError, RunDirectoryError, nearest
from hftransfer.files import sha256
from hftransfer.hub.contents import SUFFIXES
from hftransfer.hub.remote import HubError, Tell, again, explained
from hftransfer.locate import MODEL_CARD, RUN_RECIPE, RUN_RESULT

DIGEST = re.compile(r"[0-9a-f]{64}")
SHOWN = 10
"""Runs that are named where another was looked for."""
REPO = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")


def is_repo(name: str) -> bool:
    """Whether this may be OWNER/NAME or OWNER/NAME@REVISION: no folder here has that name."""
    return REPO.fullmatch(name) is not None and not Path(name).exists()


def fetch(repo: str, tell: Tell = lambda text: None) -> Path:
    """The folder of a published run, OWNER/NAME or OWNER/NAME@REVISION, downloaded once into Hugging Face's cache.

    With HF_HUB_OFFLINE what is in the cache is taken, and nobody is asked. tell: is told of every wait.
    Raises InputError, HubError.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError

    name, _, revision = repo.partition("@")
    try:
        with explained(name, f"{repo} is no folder here; fetching it from the hub"):
            folder = again(
                f"fetching {repo}",
                lambda: _downloaded(name, revision or None),
                tell,
            )
    except LocalEntryNotFoundError as error:
        raise InputError(
            f"{repo} is not a folder here, not in the cache, and the hub cannot be asked",
            hint=_near(name)
            or "check the name and the network; a run is the folder that `hftransfer run` names at its end",
        ) from error
    _check_whole(folder, repo)
    if not (folder / RUN_RESULT).is_file():
        raise RunDirectoryError(
            f"{repo} was not pushed by hftransfer: it holds no {RUN_RESULT}",
            hint="open it with transformers.pipeline, or start from it: checkpoint: " + name,
        )
    return folder


def _near(name: str) -> str | None:
    """What `runs/frozn` may have meant, where a folder `runs` is here; else what that holds."""
    folder = Path(name).parent
    there = sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    close = nearest(Path(name).name, there)
    if close or not there:
        return f"did you mean `{folder / close}`?" if close else None
    more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
    return f"the folder {folder} holds {', '.join(there[:SHOWN])}{more}"


def _downloaded(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = [f"*{suffix}" for suffix in SUFFIXES] + [MODEL_CARD, RUN_RECIPE]
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except LocalEntryNotFoundError as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise error.__cause__ from None  # the hub could be asked: it was busy, or refused
        raise
    except OSError as error:
        if type(error) is OSError:  # of the cache: a file that is not as long as was said
            told = str(error).splitlines()[0]
            raise HubError(f"fetching {name}: {told}", hint="try again: it is fetched anew") from error
        raise


def _check_whole(folder: Path, repo: str) -> None:
    """Large files lie in the cache under their sha256, which nobody compares with what has arrived. Raises HubError."""
    for path in folder.rglob("*"):
        kept = path.resolve()
        if DIGEST.fullmatch(kept.name) and path.is_file() and sha256(kept) != kept.name:
            kept.unlink()
            raise HubError(
                f"fetching {repo}: {path.relative_to(folder)} has other bytes here than there, and was removed",
                hint="try again: it is fetched anew",
            )
