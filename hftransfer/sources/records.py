"""Rows given as mappings, and Arrow tables, as datasets: one type a column, said where there is none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

Where = Callable[[int], str]

TYPE_NAMES = {
    "str": "text",
    "int": "whole numbers",
    "float": "numbers",
    "bool": "true/false",
    "list": "lists",
    "dict": "mappings",
}


def columns_of(records: Sequence[Mapping[str, Any]], *, name: str) -> dict[str, list[Any]]:
    """The columns of rows given as mappings; a key that a row lacks is null there. Raises DataError."""
    keys = dict.fromkeys(key for record in records for key in record)
    odd = [key for key in keys if not isinstance(key, str)]
    if odd:
        raise DataError(f"{name}: a column is named {odd[0]!r}; column names are text")
    if not keys:
        raise DataError(f"{name} has rows but no columns")
    return {key: [record.get(key) for record in records] for key in keys}


def table_of(
    columns: Mapping[str, Sequence[Any]], *, name: str, where: Where, wanted: Collection[str] | None
) -> pa.Table:
    """Columns of Python values as an Arrow table. NaN is null.

    where: the place of a row, in words. wanted: columns that will be used; any other that has no single type
    is left out. Raises DataError naming the column, its types and the first row of each.
    """
    import pyarrow as pa

    arrays: dict[str, Any] = {}
    for column, values in columns.items():
        try:
            arrays[column] = pa.array(values, from_pandas=True)
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            if wanted is None or column in wanted:
                raise _mixed(column, values, name, where, error) from None
    return pa.table(arrays)


def _mixed(column: str, values: Sequence[Any], name: str, where: Where, error: Exception) -> DataError:
    first: dict[str, int] = {}
    for row, value in enumerate(values):
        if value is not None:
            first.setdefault(type(value).__name__, row)
    if len(first) > 1:
        found = ", ".join(f"{TYPE_NAMES.get(kind, kind)} ({where(row)})" for kind, row in first.items())
        return DataError(
            f"{name}: the column `{column}` mixes {found}", hint="write all of its values as one type"
        )
    kind = TYPE_NAMES.get(next(iter(first), ""), next(iter(first), "nothing"))
    return DataError(f"{name}: the column `{column}` ({kind}) cannot be read: {error}")


def dataset_of(table: pa.Table, *, name: str, wanted: Collection[str] | None) -> datasets.Dataset:
    """An Arrow table as an in-memory dataset that writes nothing to disk; categories become their values.

    Raises DataError for a column of a type that datasets do not know, unless it is not wanted (then left
    out).
    """
    import datasets
    import pyarrow as pa
    from datasets.table import InMemoryTable

    for place, field in reversed(list(enumerate(table.schema))):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(field.type.value_type))
            continue
        try:
            datasets.Features.from_arrow_schema(pa.schema([field]))
        except (ValueError, NotImplementedError, TypeError) as error:
            if wanted is None or field.name in wanted:
                raise DataError(f"{name}: the column `{field.name}` cannot be read: {error}") from None
            table = table.remove_column(place)
    return datasets.Dataset(InMemoryTable(table))
