"""Predictions as a table, one row for every row that was asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError
from hftransfer.files import beside
from hftransfer.tasks.base import Predictions

if TYPE_CHECKING:
    import pyarrow as pa


def table(rows: Any, inputs: Sequence[str], predictions: Predictions, labels: Sequence[str]) -> pa.Table:
    """Columns: row (from 0 in its source), the task's text inputs, label where rows have one, prediction, score
    (of the prediction) and scores (one for every label, in order).

    rows: a datasets.Dataset of N rows with the task's roles as columns.
    """
    import numpy as np
    import pyarrow as pa

    columns: dict[str, Any] = {"row": rows["row"]} if "row" in rows.column_names else {}
    columns |= {role: rows[role] for role in inputs if role in rows.column_names and role != "image"}
    if "label" in rows.column_names:
        columns["label"] = [labels[index] for index in rows["label"]]
    columns["prediction"] = [labels[index] for index in predictions.ids]
    columns["score"] = predictions.scores[np.arange(len(predictions.ids)), predictions.ids]
    columns["scores"] = list(predictions.scores)
    return pa.table({name: pa.array(list(values)) for name, values in columns.items()})


def write_predictions(
    path: Path, rows: Any, inputs: Sequence[str], predictions: Predictions, labels: Sequence[str]
) -> None:
    """Write `table` as parquet, beside its place and renamed into it."""
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    new = beside(path, "new")
    pq.write_table(table(rows, inputs, predictions, labels), new)
    new.replace(path)


WRITERS: Mapping[str, Callable[[Any, Path], None]] = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    ".jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True, force_ascii=False),
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
}


def check_output(path: Path) -> None:
    """Raise DataError unless rows can be written there: a known kind of file that does not exist yet."""
    if path.suffix not in WRITERS:
        raise DataError(f"cannot write {path}: unknown kind of file", hint=f"known: {', '.join(WRITERS)}")
    if path.exists():
        raise DataError(
            f"{path} exists already; nothing was written", hint="give another --output, or remove it"
        )
    if not path.absolute().parent.is_dir():
        raise DataError(f"cannot write {path}: there is no folder {path.parent}")


def write_rows(table: Any, labels: Sequence[str], scores: Sequence[float], path: Path) -> None:
    """Write a datasets.Dataset with columns `prediction` and `score` added, beside `path` and renamed into it.

    Raises DataError when the table has such columns.
    """
    for name in ("prediction", "score"):
        if name in table.column_names:
            raise DataError(f"the rows have a column `{name}` already", hint="rename it")
    frame = table.to_pandas()
    frame["prediction"], frame["score"] = list(labels), list(scores)
    new = beside(path, "new")
    WRITERS[path.suffix](frame, new)
    new.replace(path)
