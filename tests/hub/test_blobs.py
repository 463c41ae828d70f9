"""The hub's names for contents and folders are git's: clients compare them with what they compute themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hub.blobs import Blobs, folder_oids, pointer


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_files_and_folders_have_the_names_that_git_gives_them(tmp_path: Path) -> None:
    contents = {
        "b.txt": b"b\n",
        "a/x.txt": b"x",
        "a/deep/y": b"\0",
        "a.txt": b"before the folder a",
        "z/only": b"",
    }
    (tmp_path / "blobs").mkdir()
    blobs = Blobs(tmp_path / "blobs")
    files = {path: blobs.add(content, lfs=False) for path, content in contents.items()}
    work = tmp_path / "work"
    for path, content in contents.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(content)
    git(work, "init", "--quiet")
    git(work, "add", ".")
    oids = folder_oids(files)
    assert oids[""] == git(work, "write-tree")
    assert oids["a"] == git(work, "write-tree", "--prefix=a/")
    assert oids["a/deep"] == git(work, "write-tree", "--prefix=a/deep/")
    assert oids["z"] != oids["a"]
    assert files["a/x.txt"].oid == git(work, "hash-object", "a/x.txt")


def test_a_large_file_is_named_by_its_content_and_kept_in_git_as_a_pointer(tmp_path: Path) -> None:
    file = Blobs(tmp_path).add(b"weights", lfs=True)
    (tmp_path / "pointer").write_bytes(pointer(file.sha256, 7))
    git(tmp_path, "init", "--quiet")
    assert file.oid == git(tmp_path, "hash-object", "pointer")
    assert (file.etag, file.size) == (file.sha256, 7)
    small = Blobs(tmp_path).add(b"weights", lfs=False)
    assert (small.etag, small.sha256) == (small.oid, file.sha256)
