"""How a recipe says that its rows were a table in memory: there is no file to name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MEMORY = "memory: "


def in_memory(source: Any) -> bool:
    """Whether a source holds rows, and not the names of files or of a Hub dataset."""
    if isinstance(source, Mapping):
        return any(in_memory(part) for part in source.values())
    if isinstance(source, list):
        return bool(source) and isinstance(source[0], Mapping)
    return not isinstance(source, str)


def described(source: Any) -> str:
    """`memory: 120 rows`, or `memory: train 100 rows, test 20 rows`."""
    if isinstance(source, Mapping):
        return MEMORY + ", ".join(f"{split} {_rows(part)}" for split, part in source.items())
    return MEMORY + _rows(source)


def _rows(table: Any) -> str:
    return f"{len(table)} rows" if hasattr(table, "__len__") else f"a {type(table).__name__}"
