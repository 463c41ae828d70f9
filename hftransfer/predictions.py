"""Predictions as a table, one row for every row that was asked about."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hftransfer.errors import DataError
from hftransfer.files import beside, plain
from hftransfer.tasks.base import Task
from hftransfer.tasks.predictions import Prediction, Predictions

if TYPE_CHECKING:
    import pyarrow as pa

HEAVY = ("image", "audio", "mask")
"""Kinds of columns that a table of predictions leaves out."""


def table(rows: Any, task: Task, predictions: Predictions, labels: Sequence[str]) -> pa.Table:
    """Columns: row (from 0 in its source), the task's inputs but images and sounds, the target where rows have one,
    the prediction and what belongs to it, what the task keeps beside (`Predictions.beside`), and, of one label a row,
    scores (one for every label, in order).

    rows: a datasets.Dataset of N rows with the task's roles as columns.
    """
    import numpy as np
    import pyarrow as pa

    columns: dict[str, Any] = {"row": rows["row"][:]} if "row" in rows.column_names else {}
    for role in task.inputs:
        if role in rows.column_names and task.columns[role].kind not in HEAVY:
            columns[role] = rows[role][:]
    if task.target is not None and task.target in rows.column_names:
        columns[task.target] = task.told(rows, labels)
    columns |= added(predictions.answers)
    columns |= predictions.beside
    if isinstance(predictions.scores, np.ndarray):
        columns["scores"] = list(predictions.scores)
    return pa.table({name: pa.array(list(values)) for name, values in columns.items()})


def added(answers: Sequence[Prediction]) -> dict[str, list[Any]]:
    """The columns that predictions make, `prediction` first."""
    told = [answer.columns() for answer in answers]
    return {name: [one[name] for one in told] for name in (told[0] if told else ())}


def write_predictions(
    path: Path, rows: Any, task: Task, predictions: Predictions, labels: Sequence[str]
) -> None:
    """Write `table` as parquet, beside its place and renamed into it."""
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    new = beside(path, "new")
    pq.write_table(table(rows, task, predictions, labels), new)
    new.replace(path)


Output = Path | TextIO
"""A file, of the kind that its ending says, or a stream of text that JSON lines are written to."""


def check_output(path: Output) -> None:
    """Raise DataError unless rows can be written there: a known kind of file that does not exist yet."""
    if not isinstance(path, Path):
        return
    if path.suffix not in WRITERS:
        raise DataError(f"cannot write {path}: unknown kind of file", hint=f"known: {', '.join(WRITERS)}")
    if path.exists():
        raise DataError(
            f"{path} exists already; nothing was written", hint="give another --output, or remove it"
        )
    if not path.absolute().parent.is_dir():
        raise DataError(f"cannot write {path}: there is no folder {path.parent}")


def check_rows(table: Any, task: Task, path: Output) -> None:
    """Raise DataError unless `write_rows` can write this datasets.Dataset, every column of it and the task's, there."""
    import pyarrow as pa

    for name in task.added:
        if name in table.column_names:
            raise DataError(f"the rows have a column `{name}` already", hint="rename it")
    suffix = path.suffix if isinstance(path, Path) else ".jsonl"
    for field in table.features.arrow_schema if suffix != ".parquet" else ():
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            raise DataError(
                f"the column `{field.name}` holds bytes, which {suffix} cannot hold",
                hint="write a .parquet file instead",
            )


def write_rows(table: Any, answers: Sequence[Prediction], path: Output) -> None:
    """Write a datasets.Dataset with the predictions' columns added, in its order; a file beside `path` and renamed.

    Every other column keeps its values. In .csv and .tsv lists and mappings are written as JSON; in them and in
    .jsonl an image is written as its path. Raises DataError where the table has such a column already.
    """
    import pyarrow as pa

    columns: pa.Table = table.with_format("arrow")[:]
    for name, values in added(answers).items():
        if name in columns.column_names:
            raise DataError(f"the rows have a column `{name}` already", hint="rename it")
        columns = columns.append_column(name, pa.array(values))
    if not isinstance(path, Path):
        _write_json_lines(columns, path)
        return
    new = beside(path, "new")
    WRITERS[path.suffix](columns, new)
    new.replace(path)


def _write_parquet(columns: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(columns, path)


def _write_jsonl(columns: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8") as stream:
        _write_json_lines(columns, stream)


def _write_json_lines(columns: pa.Table, stream: TextIO) -> None:
    for row in columns.to_pylist():
        values = {name: _image_as_path(value) for name, value in row.items()}
        stream.write(json.dumps(plain(values), ensure_ascii=False) + "\n")


def _write_delimited(columns: pa.Table, path: Path, *, delimiter: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        writer.writerow(columns.column_names)
        writer.writerows([_cell(value) for value in row.values()] for row in columns.to_pylist())


def _cell(value: Any) -> Any:
    value = _image_as_path(value)
    return json.dumps(plain(value), ensure_ascii=False) if isinstance(value, list | dict) else value


def _image_as_path(value: Any) -> Any:
    return value["path"] if isinstance(value, dict) and value.keys() == {"bytes", "path"} else value


WRITERS: Mapping[str, Callable[[Any, Path], None]] = {
    ".csv": partial(_write_delimited, delimiter=","),
    ".tsv": partial(_write_delimited, delimiter="\t"),
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
