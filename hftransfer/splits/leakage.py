"""Rows that have the same content, in one split or in two."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datasets
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Positions = NDArray[np.int64]
    Rows = tuple[datasets.Dataset, Positions]
    """A dataset and the positions in it that are meant."""


def count_shared(rows: Rows, others: Rows, roles: Sequence[str]) -> int:
    """How many of `rows` have exactly the inputs (all columns named by `roles`) of one of `others`."""
    import numpy as np

    mine, theirs = content_hashes([rows, others], roles)
    return int(np.isin(mine, theirs).sum())


def content_hashes(tables: Sequence[Rows], roles: Sequence[str]) -> list[NDArray[np.uint64]]:
    """For every table, (N,) numbers that are equal where rows, in whichever table, are equal in all columns of `roles`.

    Texts are compared by a 64-bit hash, images and sounds by their bytes.
    """
    import numpy as np
    import pyarrow as pa

    made = [np.zeros(len(positions), np.uint64) for _, positions in tables]
    for role in roles:
        columns = [(dataset.data.column(role), positions) for dataset, positions in tables]
        kind = columns[0][0].type
        files = pa.types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}
        hashes = _file_hashes(columns) if files else [_text_hashes(*column) for column in columns]
        # An odd multiplier keeps the order of roles in the hash: a pair turned round is another row.
        made = [one * np.uint64(31) + more for one, more in zip(made, hashes, strict=True)]
    return made


def _text_hashes(values: pa.ChunkedArray, positions: Positions) -> NDArray[np.uint64]:
    # Lists and mappings as the text that they are in JSON.
    return hash_texts(
        one if isinstance(one, str) else json.dumps(one, default=str)
        for one in values.take(positions).to_pylist()
    )


def hash_texts(texts: Iterable[str]) -> NDArray[np.uint64]:
    """(N,) 64-bit hashes, the same in every process."""
    import numpy as np
    import pandas as pd

    return np.asarray(pd.util.hash_array(np.array([*texts], dtype=object), categorize=False))


def _file_hashes(columns: Sequence[tuple[pa.ChunkedArray, Positions]]) -> list[NDArray[np.uint64]]:
    """Hashes of the bytes, read only where a size occurs more than once; elsewhere the size says enough."""
    import numpy as np

    sizes = [np.array([_size(values[place]) for place in positions]) for values, positions in columns]
    there, counts = np.unique(np.concatenate(sizes), return_counts=True)
    hashes = []
    for (values, positions), mine in zip(columns, sizes, strict=True):
        found = mine.astype(np.uint64)
        for index in np.flatnonzero(np.isin(mine, there[counts > 1])):
            found[index] = _digest(values[positions[index]])
        hashes.append(found)
    return hashes


def _size(file: pa.Scalar) -> int:
    import os

    content = file["bytes"] if file.is_valid else file
    if content.is_valid:
        return len(content.as_buffer())
    path = _path(file)
    return os.path.getsize(path) if path else 0


def _digest(file: pa.Scalar) -> int:
    from pathlib import Path

    content = file["bytes"] if file.is_valid else file
    path = _path(file)
    held = content.as_buffer() if content.is_valid else Path(path).read_bytes() if path else b""
    return int.from_bytes(hashlib.sha256(held).digest()[:8], "little")


def _path(file: pa.Scalar) -> str | None:
    """None where there is no file: which is an error elsewhere, that names the row."""
    import os

    path = file["path"].as_py() if file.is_valid else None
    return path if path and os.path.isfile(path) else None
