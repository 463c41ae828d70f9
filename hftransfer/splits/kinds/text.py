"""A text in every row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError
from hftransfer.splits.columns import Place
from hftransfer.splits.kinds.base import Kind

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa


class Text(Kind):
    """A text; null and white space are errors, an empty string that was written as one is counted."""

    def read(
        self, rows: datasets.Dataset, place: Place, name: str
    ) -> tuple[datasets.Dataset, tuple[str, ...]]:
        return rows, check_texts(rows.data.column(name), place, name)

    def take(self, value: Any, where: str) -> Any:
        if not isinstance(value, str):
            raise DataError(f"{where} is a {type(value).__name__}, not a text")
        if not value.strip():
            raise DataError(f"{where} is empty", hint="leave it out; there is nothing to ask about")
        return value

    def feature(self) -> Any:
        import datasets

        return datasets.Value("string")


def check_texts(values: pa.ChunkedArray, place: Place, name: str) -> tuple[str, ...]:
    """Whether a column holds a text in every row; findings. Raises DataError naming rows without one.

    Null and white space are errors; an empty string that was written as one is counted.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    textual = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if not textual and not pa.types.is_null(kind):
        raise DataError(
            f"the column `{name}` of {place} holds {kind}, not text",
            hint="is it the right column? data.columns says which is which; numbers must be made text first",
        )
    if pa.types.is_null(kind):
        bad, empty = np.arange(len(values)), 0
    else:
        blank = pc.equal(pc.utf8_trim_whitespace(values), "")
        is_empty = pc.equal(values, "")
        bad = np.flatnonzero(
            pc.or_(pc.is_null(values), pc.fill_null(pc.and_not(blank, is_empty), False)).to_numpy()
        )
        empty = pc.sum(is_empty).as_py() or 0
    if len(bad):
        raise DataError(
            f"{len(bad)} of {len(values)} rows of {place} have no text in `{name}`: "
            f"{place.source.where(place.theirs, bad.tolist())}",
            hint=f"fill or remove these rows{place.without(name)}; nothing is dropped silently",
        )
    return (f"{place.ours}: {empty} rows have an empty string in `{name}`",) if empty else ()
