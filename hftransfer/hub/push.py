"""Publish a finished run: one commit, which is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.errors import InputError
from hftransfer.files import sha256
from hftransfer.hub.contents import File, chosen, contents, is_stale
from hftransfer.hub.remote import HubError, Repository, Tell, again, check_rights, explained, look
from hftransfer.locate import MODEL_CARD
from hftransfer.recipe import Weights
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MARK = "hftransfer-push:"
"""Of a commit's description: by what follows a push knows its own commit again when the hub's answer was lost."""


@dataclass(frozen=True)
class Pushing:
    """What is about to be pushed. left: what is not, and why."""

    repo: str
    files: tuple[File, ...]
    left: tuple[str, ...]

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Pushed:
    """A published run. commit: its id. removed: files of an older model that went in the same commit. unchanged: the
    repository held just this already."""

    repo: str
    url: str
    commit: str
    private: bool
    files: int
    bytes: int
    removed: tuple[str, ...] = ()
    unchanged: bool = False


def prepared(run: str | Path, repo: str, *, weights: Weights | None = None) -> Pushing:
    """The files that `push` would send; asks nobody. Raises InputError, RunDirectoryError."""
    result = Result.read(Path(run))
    run_dir = RunDirectory(result.run_dir)
    weights = chosen(run_dir, weights)
    files, left = contents(run_dir, weights)
    return Pushing(repo, tuple(_with_card(files, result, repo, weights)), tuple(left))


def _with_card(files: Sequence[File], result: Result, repo: str, weights: Weights) -> list[File]:
    """With a card whose examples name the repository; one that somebody has edited stays as it is."""
    from hftransfer.report import card  # reads tables: a recipe is checked without

    own = RunDirectory(result.run_dir).card
    if own.is_file() and sha256(own) != result.card:
        return list(files)
    text = card(result, repo=repo, weights=weights)
    return [*(file for file in files if file.path != MODEL_CARD), File(MODEL_CARD, text=text)]


def push(
    run: str | Path,
    repo: str = "",
    *,
    public: bool = False,
    weights: Weights | None = None,
    tell: Tell = lambda text: None,
) -> Pushed:
    """Publish a finished run's model as `repo` (OWNER/NAME), in one commit; private unless `public`.

    Name, rights and card are checked first. What the hub has already is not sent again; weights of an older model go in
    the same commit. The commit is made on the repository as it was looked at: where somebody else's came between, it is
    refused. What came out is kept in the run directory. tell: is told of every wait,
    and of what is not pushed. Raises InputError for what the user can mend, HubError; the run is as it was either way.
    """
    from huggingface_hub import HfApi

    if not repo:
        raise InputError(
            "push() needs the repository that the model is to go to",
            hint="write its name, OWNER/NAME: result.push('me/my-model'), or ht.push(RUN, 'me/my-model')",
        )
    pushing = prepared(run, repo, weights=weights)
    for one in pushing.left:
        tell(f"not pushed: {one}")
    api: HfApi = HfApi()
    try:
        there = check_rights(repo, public=public, tell=tell)
        with explained(repo, f"pushing to {repo}"):
            _check_card(pushing, tell)
            if there.head is None:
                there = _created(api, repo, public, tell)
            pushed = _commit(api, pushing, there, tell)
    except HubError as error:
        error.hint = (
            error.hint or f"the run is as it was; try again: {again_command(run, repo, public, weights)}"
        )
        raise
    RunDirectory(Path(run)).save_pushed(vars(pushed))
    return pushed


def again_command(run: str | Path, repo: str, public: bool, weights: Weights | None) -> str:
    """What a user types to push once more."""
    options = " --public" * public + (f" --weights {weights}" if weights else "")
    return f"hftransfer push {run} {repo}{options}"


def _check_card(pushing: Pushing, tell: Tell) -> None:
    """The hub refuses a commit whose card it cannot read: better before gigabytes are sent."""
    from huggingface_hub import ModelCard
    from yaml import YAMLError

    file = next((file for file in pushing.files if file.path == MODEL_CARD), None)
    if file is None:
        return
    with file.open() as stream:
        text = stream.read()
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            again("having the card checked", lambda: ModelCard(text.decode()).validate(), tell)
    except (ValueError, YAMLError) as error:
        raise InputError(
            f"the hub does not take the card: {str(error).strip().splitlines()[0]}",
            hint=f"mend {file.local or MODEL_CARD}",
        ) from error
    for warning in said:
        tell(f"of the card the hub says: {' '.join(str(warning.message).split())}")


def _created(api: HfApi, repo: str, public: bool, tell: Tell) -> Repository:
    again(f"creating {repo}", lambda: api.create_repo(repo, private=not public, exist_ok=True), tell)
    made = look(api, repo, tell)
    if made.private == public:
        raise HubError(f"{repo} was created as a {'private' if made.private else 'public'} repository")
    return made


def _commit(api: HfApi, pushing: Pushing, there: Repository, tell: Tell) -> Pushed:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    repo, new = pushing.repo, [file for file in pushing.files if not _is_there(file, there)]
    stale = sorted(path for path in there.files if is_stale(path, {file.path for file in pushing.files}))
    if not new and not stale and there.head is not None:
        return _pushed(api, pushing, there, there.head, (), unchanged=True)
    mark = _mark(pushing, there)

    def ours() -> str | None:
        """The newest commit, where it is this one."""
        newest = api.list_repo_commits(repo)[:1]
        return newest[0].commit_id if newest and mark in f"{newest[0].title} {newest[0].message}" else None

    def commit() -> str:
        with ExitStack() as streams:
            # Anew for every attempt: the library lets no operation be used twice.
            made = api.create_commit(
                repo,
                [CommitOperationAdd(file.path, streams.enter_context(file.open())) for file in new]
                + [CommitOperationDelete(path, is_folder=False) for path in stale],
                commit_message="Push a fine-tuned model",
                commit_description=mark,
                parent_commit=there.head,
            )
        return made.oid

    size = sum(file.size for file in new)
    tell(f"sending {len(new)} files, {size / 1e6:,.1f} MB, to {repo}")
    try:
        with _quiet():
            found = again(f"pushing to {repo}", commit, tell, done=ours)
    except HfHubHTTPError as error:
        if error.response.status_code != 412:
            raise
        known = again(f"looking at the commits of {repo}", ours, tell)
        if known is None:
            raise HubError(
                f"pushing to {repo}: somebody else's commit came between; nothing of yours was changed there"
            ) from error
        found = known
    return _pushed(api, pushing, look(api, repo, tell), found, tuple(stale))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what huggingface_hub says of its storages, and, once more, of the card."""
    import huggingface_hub.utils as theirs

    log: Any = theirs.logging
    level = log.get_verbosity()
    log.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.set_verbosity(level)


def _is_there(file: File, there: Repository) -> bool:
    size, digest = there.files.get(file.path, (-1, ""))
    return size == file.size and digest == (file.sha256 if len(digest) == len(file.sha256) else file.blob)


def _mark(pushing: Pushing, there: Repository) -> str:
    told = json.dumps([there.head, *([file.path, file.sha256] for file in pushing.files)])
    return f"{MARK} {hashlib.sha256(told.encode()).hexdigest()}"


def _pushed(
    api: HfApi,
    pushing: Pushing,
    now: Repository,
    commit: str,
    removed: tuple[str, ...],
    *,
    unchanged: bool = False,
) -> Pushed:
    """Raises HubError where what is there is not what was sent."""
    wrong = [file.path for file in pushing.files if not _is_there(file, now)]
    if wrong and now.head == commit:
        raise HubError(f"{pushing.repo} does not hold what was sent: {', '.join(wrong[:4])}")
    url = f"{api.endpoint}/{pushing.repo}"
    facts: dict[str, Any] = {"repo": pushing.repo, "url": url, "commit": commit, "private": now.private}
    return Pushed(
        **facts, files=len(pushing.files), bytes=pushing.bytes, removed=removed, unchanged=unchanged
    )
