"""Which files the hub wants as large ones, and which an upload leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pathspec import GitIgnoreSpec

if TYPE_CHECKING:
    from hub.repository import Repository
    from hub.state import State

LARGE = 10 * 2**20  # bytes: the hub takes no larger file into git itself


def is_large(
    state: State, repository: Repository, revision: str, path: str, size: int, sample: bytes
) -> bool:
    """Too large for git, binary, or named by the repository's .gitattributes. Empty files never are."""
    if size == 0:
        return False
    if size > LARGE or b"\0" in sample:
        return True
    attributes = text_of(state, repository, revision, ".gitattributes")
    patterns = [line.split()[0] for line in attributes.splitlines() if "filter=lfs" in line]
    return GitIgnoreSpec.from_lines(patterns).match_file(path)


def is_ignored(state: State, repository: Repository, revision: str, path: str, gitignore: str | None) -> bool:
    """By the .gitignore that comes with the upload, or else the repository's own."""
    rules = text_of(state, repository, revision, ".gitignore") if gitignore is None else gitignore
    return GitIgnoreSpec.from_lines(rules.splitlines()).match_file(path)


def text_of(state: State, repository: Repository, revision: str, path: str) -> str:
    file = repository.at(revision).files.get(path)
    return state.content(file).decode() if file else ""
