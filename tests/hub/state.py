"""What the hub knows: users and their tokens, organisations, repositories, and the requests it has seen."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.blobs import Blobs, File
from hub.cards import card_metadata
from hub.errors import Conflict, RepoNotFound
from hub.faults import Planned
from hub.large import is_large
from hub.repository import Repository

# The start of what the hub puts into every new repository: which names are kept as large files.
GITATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in (
        *("*.7z", "*.arrow", "*.bin", "*.bz2", "*.ckpt", "*.ftz", "*.gz", "*.h5", "*.joblib", "*.lfs.*"),
        *("*.mlmodel", "*.model", "*.msgpack", "*.npy", "*.npz", "*.onnx", "*.ot", "*.parquet", "*.pb"),
        *("*.pickle", "*.pkl", "*.pt", "*.pth", "*.rar", "*.safetensors", "saved_model/**/*", "*.tar.*"),
        *("*.tar", "*.tflite", "*.tgz", "*.wasm", "*.xz", "*.zip", "*.zst", "*tfevents*"),
    )
).encode()


@dataclass(frozen=True)
class Token:
    value: str
    user: str
    role: str  # read or write


@dataclass
class Seen:
    """One request, without secrets: `user` stands for the token, None for none or a wrong one."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    stage: str  # see server.ROUTES: info, download, preupload, upload, commit, ...; "" where no route fits
    user: str | None = None
    authorized: bool = False  # whether a token came with it, right or wrong
    status: int | None = None  # None: the connection was cut instead
    fault: str = ""  # the planned fault it met

    @property
    def user_agent(self) -> str:
        return self.headers.get("User-Agent", "")


@dataclass
class Upload:
    """A large file on its way: it becomes the repository's once it is found whole."""

    repository: Repository
    sha256: str
    size: int
    parts: dict[int, bytes] = field(default_factory=dict)  # by number, from 1

    @property
    def content(self) -> bytes:
        return b"".join(self.parts[number] for number in sorted(self.parts))


@dataclass
class State:
    """Everything that is set back between tests."""

    blobs: Blobs
    page: int = 1000  # rows of a listing in one answer
    part_size: int | None = None  # larger uploads go in parts of this many bytes; None: always in one
    organisations: dict[str, set[str]] = field(default_factory=dict)  # name -> members
    tokens: dict[str, Token] = field(default_factory=dict)
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)  # (type, id.lower())
    uploads: dict[str, Upload] = field(default_factory=dict)  # by the secret part of their address
    requests: list[Seen] = field(default_factory=list)
    faults: list[Planned] = field(default_factory=list)

    def add_token(self, user: str, role: str = "write") -> str:
        value = f"hf_{secrets.token_hex(17)}"
        self.tokens[value] = Token(value, user, role)
        return value

    def namespaces(self, user: str) -> set[str]:
        """Where `user` may write: the own name, and every organisation with this member."""
        return {user, *(name for name, members in self.organisations.items() if user in members)}

    def repository(self, type: str, id: str) -> Repository:
        found = self.repositories.get((type, id.lower()))
        if found is None:
            raise RepoNotFound("Repository not found")
        return found

    def create(self, type: str, id: str, *, private: bool = False, gated: str | bool = False) -> Repository:
        """A repository with the one commit that the hub itself makes."""
        if (type, id.lower()) in self.repositories:
            raise Conflict(f"You already created this {type} repo: {id}")
        made = Repository(type, id, private=private, gated=gated)
        made.commit("main", {".gitattributes": self.blobs.add(GITATTRIBUTES, lfs=False)}, "initial commit")
        self.repositories[type, id.lower()] = made
        return made

    def add_files(
        self,
        repository: Repository,
        files: Mapping[str, bytes] | Path,
        *,
        title: str = "Add files",
        revision: str = "main",
    ) -> str:
        """The files, or a folder's, added to what `revision` has in one commit; its oid."""
        if isinstance(files, Path):
            found = sorted(path for path in files.rglob("*") if path.is_file())
            files = {path.relative_to(files).as_posix(): path.read_bytes() for path in found}
        tree = dict(repository.at(revision).files)
        for path, content in files.items():
            large = is_large(self, repository, revision, path, len(content), content[:512])
            tree[path] = self.blobs.add(content, lfs=large)
            if large:
                repository.lfs.add(tree[path].sha256)
        return repository.commit(revision, tree, title).oid

    def content(self, file: File) -> bytes:
        return self.blobs.read(file.sha256)

    def card(self, repository: Repository, revision: str) -> dict[str, object]:
        """The metadata at the top of the README.md at `revision`; empty where there is none."""
        readme = repository.at(revision).files.get("README.md")
        return card_metadata(self.content(readme).decode(errors="replace")) if readme else {}
