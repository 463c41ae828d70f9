"""A repository on the hub: commits, and the branches, tags and pull requests that point at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hub.blobs import File, folder_oids, git_oid
from hub.errors import Conflict, EntryNotFound, PreconditionFailed, RevisionNotFound


@dataclass(frozen=True)
class Commit:
    oid: str
    parents: tuple[str, ...]
    title: str
    description: str
    author: str
    date: datetime
    files: Mapping[str, File]  # path -> file: the whole tree, not the difference

    @property
    def folders(self) -> dict[str, str]:
        """Path of every folder -> its git sha1; "" is the root."""
        return folder_oids(self.files)


@dataclass
class Repository:
    """`id` is "namespace/name"; `refs` maps "refs/heads/main", "refs/tags/v1", "refs/pr/1" to commits."""

    type: str  # model or dataset
    id: str
    private: bool = False
    gated: str | bool = False  # "auto", "manual" or False
    disabled: bool = False
    granted: set[str] = field(default_factory=set)  # users who may read the files of a gated repository
    refs: dict[str, str] = field(default_factory=dict)
    history: dict[str, Commit] = field(default_factory=dict)  # every commit ever made, by oid
    lfs: set[str] = field(default_factory=set)  # sha256 of the large contents that were uploaded to it
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def namespace(self) -> str:
        return self.id.split("/")[0]

    @property
    def head(self) -> Commit:
        return self.at("main")

    @property
    def commits(self) -> list[Commit]:
        """The commits of main, newest first; the last one is the hub's own "initial commit"."""
        return self.log("main")

    @property
    def files(self) -> Mapping[str, File]:
        """path -> file at the head of main."""
        return self.head.files

    def ref(self, revision: str) -> str | None:
        """The full name of a branch, tag or pull request; None for anything else."""
        names = (revision, f"refs/heads/{revision}", f"refs/tags/{revision}")
        return next((name for name in names if name in self.refs), None)

    def at(self, revision: str) -> Commit:
        """The commit that a branch, tag, pull request or commit hash means."""
        name = self.ref(revision)
        oid = self.refs[name] if name else revision
        if oid not in self.history:
            raise RevisionNotFound(f"Invalid rev id: {revision}")
        return self.history[oid]

    def log(self, revision: str) -> list[Commit]:
        """`revision` and what led to it, newest first."""
        commits = [self.at(revision)]
        while commits[-1].parents:
            commits.append(self.history[commits[-1].parents[0]])
        return commits

    def commit(
        self,
        revision: str,
        files: Mapping[str, File],
        title: str,
        *,
        description: str = "",
        author: str = "hub",
    ) -> Commit:
        """The tree `files` as a new commit on a branch or pull request, whose ref moves to it."""
        name = self.ref(revision) or f"refs/heads/{revision}"
        if name.startswith("refs/tags/"):
            raise Conflict(f"{revision} is a tag: commits go to branches and pull requests.")
        parents = (self.refs[name],) if name in self.refs else ()
        date = datetime.now(UTC)
        text = [f"tree {folder_oids(files)['']}", *(f"parent {oid}" for oid in parents)]
        stamp = f"{author} <{author}@loopback> {date.timestamp():.6f} +0000"
        text += [f"author {stamp}", f"committer {stamp}", "", title, description]
        oid = git_oid(b"commit", "\n".join(text).encode())
        made = Commit(oid, parents, title, description, author, date, dict(files))
        self.history[oid] = made
        self.refs[name] = oid
        return made

    def open_pull_request(self, revision: str) -> int:
        """A new ref refs/pr/N at the commit `revision` means; its number."""
        number = 1 + sum(name.startswith("refs/pr/") for name in self.refs)
        self.refs[f"refs/pr/{number}"] = self.at(revision).oid
        return number

    def check_parent(self, revision: str, parent: str | None) -> None:
        """A commit says which commit it was made for; 412 once another came in between."""
        if parent is not None and self.at(revision).oid != parent:
            raise PreconditionFailed("A commit has happened since. Please refresh and try again.")

    def file(self, revision: str, path: str) -> tuple[Commit, File]:
        commit = self.at(revision)
        if path not in commit.files:
            raise EntryNotFound("Entry not found", commit=commit.oid)
        return commit, commit.files[path]
