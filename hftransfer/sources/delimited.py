"""Delimited text (csv, tsv): every cell stays the text it is, and every row knows its line.

`007`, `NA`, `null` and `None` are text. An empty cell is null: delimited text has no other way to write one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hftransfer.errors import DataError
from hftransfer.sources.base import SHOWN_ROWS, some
from hftransfer.sources.places import suffix_of
from hftransfer.sources.text_files import FileRows, read_text

if TYPE_CHECKING:
    import pyarrow as pa

NAMES = {",": "`,`", ";": "`;`", "\t": "tab", "|": "`|`"}
SAMPLE = 1 << 16
CHUNK = 1 << 16
LONGEST_CELL = 1 << 28


def read_delimited(path: Path, delimiter: str | None = None) -> FileRows:
    """The rows of a csv or tsv file; the delimiter (one of `,` `;` tab `|`) is found unless given.

    Raises DataError, naming lines: an empty file, a header only, a column named twice, rows that do not have
    the header's number of cells, an open quote, and what `read_text` finds.
    """
    text = read_text(path)
    usual = "\t" if suffix_of(path) == ".tsv" else ","
    taken = delimiter or _sniff(text, usual)
    findings = (
        (f"{path.name}: columns are separated by {NAMES[taken]}",) if not delimiter and taken != usual else ()
    )
    with _long_cells():
        if taken == "\t" and '"' in text:
            return _tab_separated(text, path, findings)
        return _parse(text, path, taken, findings, quotes=True)


def _sniff(text: str, usual: str) -> str:
    """The delimiter that cuts the header in two or more and most rows like it.

    The suffix's own where none does.
    """
    sample, cut = text[:SAMPLE], len(text) > SAMPLE

    def fitness(delimiter: str) -> tuple[float, bool, int]:
        rows = [row for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row]
        rows = rows[:-1] if cut and len(rows) > 1 else rows
        columns = len(rows[0])
        alike = sum(len(row) == columns for row in rows) / len(rows)
        return (alike if columns > 1 else -1.0, delimiter == usual, columns)

    with _long_cells():
        return max(NAMES, key=fitness)


def _tab_separated(text: str, path: Path, findings: tuple[str, ...]) -> FileRows:
    """Tab-separated text comes in two conventions: cells in double quotes, or quotes as ordinary characters.

    The first is tried first. It is not believed where it fails, or where it makes one row of several lines,
    if every line alone is a whole row.
    """
    failure: DataError | None = None
    quoted: FileRows | None = None
    try:
        quoted = _parse(text, path, "\t", findings, quotes=True)
    except DataError as error:
        failure = error
    lines = sum(bool(line.strip("\r\n")) for line in io.StringIO(text, newline=""))
    if quoted is not None and quoted.table.num_rows == lines - 1:
        return quoted
    try:
        note = f"{path.name}: double quotes are taken as ordinary characters"
        return _parse(text, path, "\t", (*findings, note), quotes=False)
    except DataError:
        if quoted is None:
            raise failure or RuntimeError from None
        return quoted


def _parse(text: str, path: Path, delimiter: str, findings: tuple[str, ...], *, quotes: bool) -> FileRows:
    import numpy as np
    import pyarrow as pa

    rows = _rows_with_lines(text, path, delimiter=delimiter, quotes=quotes)
    header_line, header = next((line, row) for line, row in rows if row)
    _check_header(header, path, header_line)
    chunks: list[list[pa.Array]] = []
    cells: list[list[str]] = []
    lines: list[int] = []
    ragged: list[tuple[int, int]] = []
    blank = trailing = 0
    for line, row in rows:
        if not row:
            trailing += 1
            continue
        blank, trailing = blank + trailing, 0
        if len(row) != len(header):
            ragged.append((line, len(row)))
            continue
        cells.append(row)
        lines.append(line)
        if len(cells) == CHUNK:
            chunks.append(_arrays(cells))
            cells.clear()
    if ragged:
        raise _ragged_error(path, header, ragged, delimiter)
    if not lines:
        raise DataError(f"{path} holds a header ({', '.join(header)}) and no rows")
    if cells:
        chunks.append(_arrays(cells))
    table = pa.Table.from_batches([pa.RecordBatch.from_arrays(chunk, names=header) for chunk in chunks])
    notes = (f"{path.name}: {blank} blank lines skipped",) if blank else ()
    return FileRows(table, np.array(lines), (*findings, *notes))


def _rows_with_lines(
    text: str, path: Path, *, delimiter: str, quotes: bool
) -> Iterator[tuple[int, list[str]]]:
    """(line on which it starts, cells) of every row; a blank line is a row without cells."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    start = 1
    try:
        for row in reader:
            yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}: the row that starts in line {start} cannot be read: {error}",
            hint="a double quote is opened and not closed, or stands inside a cell; "
            'inside a cell in quotes write it twice: ""',
        ) from None


def _check_header(header: list[str], path: Path, line: int) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(
            f"{path}: line {line} names more than one column {some(twice)}",
            hint=f"give every column a name of its own; the header is: {', '.join(header)}",
        )


def _ragged_error(path: Path, header: list[str], ragged: list[tuple[int, int]], delimiter: str) -> DataError:
    shown = ", ".join(f"line {line} has {cells}" for line, cells in ragged[:SHOWN_ROWS])
    more = f" and {len(ragged) - SHOWN_ROWS} more" if len(ragged) > SHOWN_ROWS else ""
    names = f"{len(header)} column{'s' if len(header) > 1 else ''} ({', '.join(header)})"
    return DataError(
        f"{path}: {len(ragged)} row{'s do' if len(ragged) > 1 else ' does'} not fit the header's {names}: "
        f"{shown}{more}",
        hint=f"a cell that holds {NAMES.get(delimiter, f'`{delimiter}`')} must stand in double quotes; "
        "if another character separates the columns, write data.delimiter",
    )


def _arrays(cells: list[list[str]]) -> list[pa.Array]:
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [pa.array(column, pa.string()) for column in zip(*cells, strict=True)]
    return [pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column) for column in columns]


@contextmanager
def _long_cells() -> Iterator[None]:
    """Cells longer than the csv module's own 131072 characters, while a file is read."""
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)
