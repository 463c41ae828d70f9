"""JSON lines (one object a line), and a JSON file that is one list of objects. Types are kept as written."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from hftransfer.errors import DataError
from hftransfer.sources.records import columns_of, table_of
from hftransfer.sources.text_files import FileRows, read_text


def read_json_lines(path: Path, wanted: Collection[str] | None = None) -> FileRows:
    """The rows of a jsonl file; a key that a row lacks is null there. wanted: see `records.table_of`.

    Raises DataError naming lines: an empty file, a line that is no JSON object, a column of several types.
    """
    import numpy as np

    text = read_text(path)
    if text.lstrip().startswith("["):
        return _one_list(text, path, wanted)
    records: list[Mapping[str, Any]] = []
    lines: list[int] = []
    blank = trailing = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.isspace():
            trailing += 1
            continue
        blank, trailing = blank + trailing, 0
        records.append(_object(line, path, number))
        lines.append(number)
    columns = columns_of(records, name=str(path))
    table = table_of(columns, name=str(path), where=lambda row: f"line {lines[row]}", wanted=wanted)
    notes = (f"{path.name}: {blank} blank lines skipped",) if blank else ()
    return FileRows(table, np.array(lines), notes)


def _object(line: str, path: Path, number: int) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        what = (
            f"{error.msg}, at character {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else "too deep"
        )
        raise DataError(
            f"{path}: line {number} is not JSON ({what}): {_short(line)}",
            hint="every line is one JSON object",
        ) from None
    if not isinstance(value, dict):
        raise DataError(
            f"{path}: line {number} is not a JSON object: {_short(line)}",
            hint='every line is one row, as {"text": "...", "label": "..."}',
        )
    return value


def _one_list(text: str, path: Path, wanted: Collection[str] | None) -> FileRows:
    try:
        records = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(
            f"{path} starts as a JSON list and is not one: {error}",
            hint="write one JSON object a line, or one list of objects",
        ) from None
    odd = next((row for row, record in enumerate(records) if not isinstance(record, dict)), None)
    if odd is not None:
        raise DataError(
            f"{path}: row {odd + 1} of the list is not a JSON object: {_short(repr(records[odd]))}"
        )
    if not records:
        raise DataError(f"{path} holds an empty list: no rows")
    columns = columns_of(records, name=str(path))
    return FileRows(table_of(columns, name=str(path), where=lambda row: f"row {row + 1}", wanted=wanted))


def _short(line: str) -> str:
    return line if len(line) <= 60 else line[:57] + "..."
