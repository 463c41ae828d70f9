"""Texts to generate: one, or several that are equally right, in every row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hftransfer.errors import DataError
from hftransfer.splits.columns import Place

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa


def reference_texts(rows: datasets.Dataset, place: Place, role: str) -> tuple[pa.ListArray, tuple[str, ...]]:
    """(the texts of every row as a list, findings). A cell holds a text, or a list of texts.

    Raises DataError naming rows without a text, or with one that is empty.
    """
    import pyarrow as pa

    column = rows.data.column(role)
    kind = column.type
    inner = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else kind
    if not any(
        is_kind(inner) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)
    ):
        raise DataError(
            f"the column `{place.called(role)}` of {place} holds {kind}, not texts",
            hint="is it the right column? a cell is a text or a list of texts; of a struct name the field: "
            "`translation.de`",
        )
    values = column.to_pylist()
    lists = [value if isinstance(value, list) else [value] for value in values]
    bad = [row for row, one in enumerate(lists) if not one or not all(text and text.strip() for text in one)]
    if bad:
        raise DataError(
            f"{len(bad)} of {len(lists)} rows of {place} have no text in `{place.called(role)}`, or an empty one: "
            f"{place.source.where(place.theirs, bad)}",
            hint="fill or remove these rows; nothing is dropped silently",
        )
    several = sum(len(one) > 1 for one in lists)
    findings = (
        f"{place.ours}: {several} of {len(lists)} rows have several texts in `{place.called(role)}`: "
        "the first is trained on, all are scored against",
    )
    return pa.array(lists, pa.list_(pa.string())), findings if several else ()
