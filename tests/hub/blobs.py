"""Contents by their sha256 in a folder, and the names that git gives to contents, folders and commits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class File:
    """One version of a file as git sees it: an LFS file's `oid` names its pointer, not its content."""

    oid: str  # git blob sha1, 40 hex digits
    sha256: str  # of the content
    size: int  # of the content, bytes
    lfs: bool

    @property
    def etag(self) -> str:
        """What the hub calls this content, and clients name their cached blobs by."""
        return self.sha256 if self.lfs else self.oid


class Blobs:
    """Contents in `folder`, one file each, named by sha256."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, content: bytes, *, lfs: bool) -> File:
        sha256 = hashlib.sha256(content).hexdigest()
        self.path(sha256).write_bytes(content)
        oid = git_oid(b"blob", pointer(sha256, len(content)) if lfs else content)
        return File(oid, sha256, len(content), lfs)

    def lfs_file(self, sha256: str) -> File:
        """The file whose content was uploaded before; KeyError where it was not."""
        if not self.path(sha256).is_file():
            raise KeyError(sha256)
        size = self.path(sha256).stat().st_size
        return File(git_oid(b"blob", pointer(sha256, size)), sha256, size, lfs=True)

    def read(self, sha256: str) -> bytes:
        return self.path(sha256).read_bytes()

    def path(self, sha256: str) -> Path:
        return self.folder / sha256


def pointer(sha256: str, size: int) -> bytes:
    """What git keeps in place of a large file (git-lfs specification, version 1)."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def git_oid(kind: bytes, content: bytes) -> str:
    return hashlib.sha1(b"%s %d\0%s" % (kind, len(content), content)).hexdigest()


def folder_oids(files: Mapping[str, File]) -> dict[str, str]:
    """Path of every folder ("" is the root) -> the sha1 that git gives it."""
    children: dict[str, dict[str, tuple[bytes, str]]] = {"": {}}
    for path, file in files.items():
        folder, _, name = path.rpartition("/")
        children.setdefault(folder, {})[name] = (b"100644", file.oid)
        while folder:
            folder = folder.rpartition("/")[0]
            children.setdefault(folder, {})
    oids: dict[str, str] = {}
    for folder in sorted(children, key=lambda path: (-path.count("/") if path else 1, path)):
        entries = children[folder].items()
        # git sorts a folder as if its name ended in a slash
        lines = sorted((name + "/" * (mode == b"40000"), mode, name, oid) for name, (mode, oid) in entries)
        oids[folder] = git_oid(
            b"tree",
            b"".join(
                b"%s %s\0%s" % (mode, name.encode(), bytes.fromhex(oid)) for _, mode, name, oid in lines
            ),
        )
        if folder:
            above, _, name = folder.rpartition("/")
            children[above][name] = (b"40000", oids[folder])
    return oids
