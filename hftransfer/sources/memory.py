"""Rows that are in memory already.

A DataFrame, a datasets.Dataset or DatasetDict, a list of dicts, or these per split. What can become a DataFrame (a
table of polars or pyarrow) is made one.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError, Problem, RecipeError
from hftransfer.sources.base import OF_CSV, OF_PLAIN_TEXT, OF_THE_HUB, Source, some
from hftransfer.sources.records import columns_of, dataset_of, table_of

if TYPE_CHECKING:
    import datasets
    import pandas as pd

FIRST_ROWS = 100
"""A column of images is known by one among its first rows."""

EXPECTED = (
    "expected a pandas DataFrame, a datasets.Dataset or DatasetDict, a list of dicts, "
    "or one of these per split"
)


class MemorySource(Source):
    """Rows given in Python. They are not changed, and nothing is cached on disk."""

    kind = None
    foreign_settings = {**OF_THE_HUB, **OF_CSV, **OF_PLAIN_TEXT}

    def __init__(self, value: Any) -> None:
        """value: see EXPECTED. Raises RecipeError when it is something else."""
        super().__init__()
        self._named = _is_mapping(value)
        self.folder = Path.cwd()
        self.splits: dict[str, Any] = (
            {str(name): rows for name, rows in value.items()} if _is_mapping(value) else {"train": value}
        )
        for name, rows in self.splits.items():
            if _is_table(rows):
                continue
            if hasattr(rows, "to_pandas") and hasattr(rows, "columns"):
                self.splits[name] = rows.to_pandas()
                continue
            key = f"data.source.{name}" if _is_mapping(value) else "data.source"
            raise RecipeError([Problem(key, f"found a {type(rows).__name__}; {EXPECTED}", _hint(rows))])

    def describe(self) -> str:
        """How many rows there are in memory."""
        return f"{sum(len(rows) for rows in self.splits.values())} rows in memory"

    def describe_split(self, split: str) -> str:
        """The table; by its name, where it was given one: a table that is scored is no `train`."""
        return f"`{split}` in memory" if self._named else "the table in memory"

    def where(self, split: str, rows: Sequence[int]) -> str:
        """See Source.where."""
        told = super().where(split, rows)
        return told if self._named else told.replace(f" of `{split}`", "")

    def check(self) -> None:
        """Raises DataError for a split without rows."""
        empty = [name for name, rows in self.splits.items() if len(rows) == 0]
        if empty:
            gone = all(
                _is(rows, "pandas", "DataFrame") and not len(rows.columns) for rows in self.splits.values()
            )
            raise DataError(
                f"{self.describe()}: no rows for {some(empty)}",
                # The recipe of a finished run has such a table in the place of its rows.
                hint="a run does not keep rows that were in memory: to go on with its recipe, give them again: "
                'ht.Recipe(**{**dict(result.recipe), "data": {"source": ..., "columns": ...}})'
                if gone
                else "look at what was left out on the way to this table",
            )

    def load(self, columns: Collection[str] | None = None) -> dict[str, datasets.Dataset]:
        """See Source.load. Raises DataError naming rows by their number from 1."""
        self.check()
        return {name: self._dataset(name, rows, columns) for name, rows in self.splits.items()}

    def fingerprint(self) -> str:
        """sha256 over split names, columns, types and values."""
        import pyarrow as pa

        whole = hashlib.sha256()
        for name, rows in sorted(self.load().items()):
            # Taken anew: the bytes must not tell how the rows lay in memory (slices, chunks).
            table = rows.with_format("arrow")[:].replace_schema_metadata(None).combine_chunks()
            table = table.take(pa.array(range(len(table)), pa.int64())).combine_chunks()
            sink = io.BytesIO()
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
            whole.update(f"{name}\0{rows.features}\0".encode() + sink.getbuffer())
        return whole.hexdigest()

    def index_named(self, split: str, name: str) -> bool:
        """Whether a split is a DataFrame that has this name on its index, where no column is looked for."""
        rows = self.splits[split]
        return _is(rows, "pandas", "DataFrame") and name in rows.index.names

    def _dataset(self, split: str, rows: Any, wanted: Collection[str] | None) -> datasets.Dataset:
        if _is(rows, "datasets", "Dataset"):
            return rows.with_format(None)
        name = self.describe_split(split)
        columns = (
            _frame_columns(rows, name) if _is(rows, "pandas", "DataFrame") else columns_of(rows, name=name)
        )
        columns = {column: _encode_images(values, column, name) for column, values in columns.items()}
        table = table_of(columns, name=name, where=lambda row: f"row {row + 1}", wanted=wanted)
        return dataset_of(table, name=name, wanted=wanted)


def _frame_columns(frame: pd.DataFrame, name: str) -> dict[str, Any]:
    odd = [column for column in frame.columns if not isinstance(column, str)]
    if odd:
        raise DataError(
            f"{name}: a column is named {odd[0]!r}; column names are text",
            hint="name them first: frame.columns = [...], or frame.rename(columns=str)",
        )
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    if twice:
        raise DataError(f"{name}: more than one column is named {some(twice)}")
    return {column: frame[column] for column in frame.columns}


def _encode_images(values: Any, column: str, name: str) -> Any:
    """PIL images as their encoded bytes, paths as text; other columns as they are."""
    first = list(islice(values, FIRST_ROWS))
    if any(isinstance(value, Path) for value in first):
        return [str(value) if isinstance(value, Path) else value for value in values]
    if not any(_is(value, "PIL", "Image") for value in first):
        return values
    from datasets import Image

    try:
        return [Image().encode_example(value) if _is(value, "PIL", "Image") else value for value in values]
    except (OSError, TypeError, ValueError) as error:
        raise DataError(f"{name}: an image in the column `{column}` cannot be encoded: {error}") from None


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is(value: Any, package: str, name: str) -> bool:
    """Whether value is of that class, found without importing the package."""
    return any(
        kind.__module__.partition(".")[0] == package and kind.__name__ == name for kind in type(value).__mro__
    )


def _is_table(rows: Any) -> bool:
    return _is(rows, "datasets", "Dataset") or _is(rows, "pandas", "DataFrame") or _is_records(rows)


def _is_records(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(row, Mapping) for row in value)


def _hint(rows: Any) -> str | None:
    if _is(rows, "pandas", "Series"):
        return "give the whole data frame: a row is an input with its label"
    if _is(rows, "numpy", "ndarray"):
        return "name its columns: pandas.DataFrame(array, columns=[...])"
    if _is(rows, "datasets", "IterableDataset"):
        return "a stream has no length and no order to draw from: load it without streaming=True"
    if isinstance(rows, list | tuple):
        odd = next((row for row in rows if not isinstance(row, Mapping)), None)
        return f"every item is a row, such as {{'text': ..., 'label': ...}}; found {odd!r}"
    return None
