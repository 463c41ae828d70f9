"""Rows that a finished run is asked about and was not made from: a file, a folder, standard input or a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hftransfer.errors import DataError, did_you_mean
from hftransfer.files import plain
from hftransfer.recipe import DataSection, Recipe
from hftransfer.sources import Source, open_source
from hftransfer.sources.base import name_some
from hftransfer.sources.standard_input import NAME, STANDARD_INPUT, StandardInput


def section_for(
    recipe: Recipe, source: Any, roles: Sequence[str], columns: Mapping[str, str] | None
) -> DataSection:
    """The recipe's columns for these roles, or those given (role -> name), and its groups, over other rows.

    Raises DataError.
    """
    known = {**recipe.data.columns, **(columns or {})}
    unknown = [role for role in columns or {} if role not in roles]
    if unknown:
        raise DataError(f"the model has no column `{unknown[0]}`", hint=did_you_mean(unknown[0], roles))
    return DataSection(
        source=str(source) if isinstance(source, Path) else source,
        columns={role: name for role, name in known.items() if role in roles},
        hold_out=recipe.data.hold_out,
    )


def open_rows(data: DataSection) -> tuple[Source, str]:
    """(the rows to ask about, what they are called)."""
    if isinstance(data.source, str) and data.source == STANDARD_INPUT:
        return StandardInput(sys.stdin.buffer), NAME
    source = open_source(data)
    source.check()
    return source, Path(data.source).name if isinstance(data.source, str) else "table"


def only_table(source: Source) -> Any:
    """All columns of a source's only split. Raises DataError when it has several."""
    tables = source.load()
    if len(tables) > 1:
        raise DataError(f"{source.describe()} has several splits: {', '.join(tables)}", hint="name one file")
    return next(iter(tables.values()))


def counted(word: str, rows: Sequence[int]) -> str:
    """Rows, by their numbers from 0, as a user finds them in what was given. word: what one of them is called."""
    return name_some(word, [row + 1 for row in rows]) + " (counted from 1)"


def shown(value: Any) -> str:
    """An input as text: an image or a sound by its path, words as a sentence."""
    if isinstance(value, Mapping):
        return (
            str(value["path"] or "bytes") if "path" in value else json.dumps(plain(value), ensure_ascii=False)
        )
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
