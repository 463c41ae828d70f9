"""Predictions as they lie on disk, a few thousand rows at a time: however many there are, little of them is held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 4096
"""Rows that are read at once: with 150 scores each, 5 MB."""


def names(file: Path) -> list[str]:
    """The columns there are."""
    return list(pq.read_schema(file).names)


def batches(file: Path, columns: Sequence[str], size: int = BATCH) -> Iterator[pa.RecordBatch]:
    """The rows, in order, `size` at once; columns that are not there are left out."""
    there = [name for name in columns if name in names(file)]
    # A buffer: else the whole of a column is read before its first row is.
    with pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False) as table:
        yield from table.iter_batches(size, columns=there)


def pick(file: Path, rows: Sequence[int], columns: Sequence[str], size: int = BATCH) -> list[dict[str, Any]]:
    """These rows (from 0, in the file's order) as mappings, in the order asked for; `size` are read at once."""
    found: dict[int, dict[str, Any]] = {}
    start = 0
    for batch in batches(file, columns, size):
        here = sorted({row for row in rows if start <= row < start + len(batch)})
        taken = batch.take(pa.array([row - start for row in here], pa.int64())).to_pylist()
        found |= zip(here, taken, strict=True)
        start += len(batch)
    return [found[row] for row in rows]


def codes(column: Any, labels: Sequence[str]) -> NDArray[np.int64]:
    """(N,) labels as their numbers; -1 for what is none of them."""
    if pa.types.is_null(column.type):  # of lists of which every one is empty
        column = column.cast(pa.string())
    found: NDArray[np.int64] = pc.fill_null(pc.index_in(column, pa.array(labels, pa.string())), -1).to_numpy(
        zero_copy_only=False
    )
    return found.astype("int64")


def numbers(column: Any) -> NDArray[np.float64]:
    """(N, T) of a column of numbers, or of lists of T numbers, or of mappings to them."""
    import numpy as np

    if pa.types.is_struct(column.type):
        return np.stack([one.to_numpy(zero_copy_only=False) for one in column.flatten()], axis=1)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return np.asarray(column.flatten().to_numpy(zero_copy_only=False)).reshape(len(column), -1)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)[:, None]


def word_counts(batch: pa.RecordBatch, roles: Sequence[str]) -> NDArray[np.int64] | None:
    """(N,) words of the texts in these columns together; None where none of them holds text."""
    import numpy as np

    total = None
    for role in roles:
        if role not in batch.schema.names:
            continue
        column = batch.column(role)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            counted = pc.count_substring_regex(column, r"\S+")
        elif pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type):
            counted = pc.list_value_length(column)
        else:
            continue
        words = pc.fill_null(counted, 0).to_numpy(zero_copy_only=False).astype(np.int64)
        total = words if total is None else total + words
    return total
