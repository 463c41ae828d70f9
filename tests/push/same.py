"""What a hub holds, beside the run that was pushed there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub import LoopbackHub


def ours(hub: LoopbackHub, repo: str = "me/desk") -> list[Any]:
    """The commits but the hub's own first."""
    return hub.repo(repo).commits[:-1]


def same_bytes(hub: LoopbackHub, run: Path, repo: str = "me/desk") -> bool:
    """Whether every file of the run's model lies there; the card alone is another."""
    model = {
        path.relative_to(run / "model").as_posix(): path
        for path in (run / "model").rglob("*")
        if path.is_file()
    }
    there = set(hub.repo(repo).files)
    return set(model) <= there and all(
        hub.content(repo, name) == path.read_bytes() for name, path in model.items() if name != "README.md"
    )
