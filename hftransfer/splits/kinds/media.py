"""Columns of files, images or sounds, undecoded: {"bytes", "path"}; and a look into every one of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from hftransfer.errors import DataError
from hftransfer.splits.columns import Place

if TYPE_CHECKING:
    import datasets
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Seen = TypeVar("Seen")


def undecoded(
    rows: datasets.Dataset, place: Place, name: str, *, feature: Any, many: str
) -> datasets.Dataset:
    """The dataset with a column of files in one form: undecoded, {"bytes", "path"}. Raises DataError.

    feature: datasets.Image or datasets.Audio, with decode=False. many: what the files are, in a word.
    """
    import datasets
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(rows.features[name], type(feature)):
        return rows.cast_column(name, feature)
    values = rows.data.column(name)
    kind = values.type
    if pa.types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}:
        whole = values.combine_chunks()
        encoded, paths = (
            pc.struct_field(whole, field).cast(form)
            for field, form in (("bytes", pa.binary()), ("path", pa.string()))
        )
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        encoded, paths = values.combine_chunks().cast(pa.binary()), pa.nulls(len(values), pa.string())
    elif (pa.types.is_string(kind) or pa.types.is_large_string(kind)) and place.source.folder is not None:
        encoded = pa.nulls(len(values), pa.binary())
        paths = pa.array(_absolute(values.to_pylist(), place), pa.string())
    else:
        raise DataError(
            f"the column `{name}` of {place} holds {kind}, not {many} (bytes, or paths in local files)"
        )
    missing = pc.and_(pc.is_null(encoded), pc.is_null(paths))
    files = pa.StructArray.from_arrays([encoded, paths], names=["bytes", "path"], mask=missing)
    place_of = rows.column_names.index(name)
    table = rows.data.table.set_column(place_of, pa.field(name, files.type), files)
    features = datasets.Features({**rows.features, name: feature})
    return datasets.Dataset(table, info=datasets.DatasetInfo(features=features))


def _absolute(paths: list[str | None], place: Place) -> list[str | None]:
    found: list[str | None] = []
    for row, path in enumerate(paths):
        folder = place.source.beside(place.theirs, row)
        found.append(None if path is None or folder is None else str(folder / path))
    return found


def look_into(
    values: pa.Array | pa.ChunkedArray,
    rows: NDArray[np.int64],
    place: Place,
    name: str,
    look: Callable[[Any, str], Seen],
    *,
    one: str,
    many: str,
) -> list[Seen]:
    """What `look(file, where)` says of the file in every one of these rows, so that a damaged one is found early.

    Raises DataError naming up to five that cannot be used.
    """

    def seen(row: int) -> Seen | DataError:
        file = values[row].as_py()
        where = place.source.where(place.theirs, [row])
        try:
            if file is None or (file["bytes"] is None and file["path"] is None):
                raise DataError(f"{where}: no {one} in `{name}`")
            return look(file, where)
        except DataError as error:
            return error

    with ThreadPoolExecutor() as pool:  # the libraries decode outside of Python's lock
        found = list(pool.map(seen, rows.tolist()))
    failures = [error for error in found if isinstance(error, DataError)]
    if failures:
        shown = "\n".join(f"  {error.message}" for error in failures[:5])
        more = f"\n  and {len(failures) - 5} more" if len(failures) > 5 else ""
        raise DataError(
            f"{len(failures)} of {len(rows)} {many} of {place} cannot be used:\n{shown}{more}",
            hint=failures[0].hint or "mend or remove them; nothing is dropped silently",
        )
    return [one for one in found if not isinstance(one, DataError)]
