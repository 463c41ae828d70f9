"""Labels: from whatever a column holds to names, and from names to class ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError, nearest
from hftransfer.sources.base import some
from hftransfer.splits.columns import Place

if TYPE_CHECKING:
    import datasets
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MANY = 1000
FEW_ROWS = 10
WHOLE_NUMBER = re.compile(r"-?\d+")


def label_names(rows: datasets.Dataset, place: Place, name: str) -> pa.ChunkedArray:
    """The label of every row, as text. 7 and 7.0 are `7`; the text `007` stays `007`; true is `True`.

    Raises DataError: rows without a label (null, empty, -1 of a data set with named classes), or a column
    that cannot be labels (fractions, lists, mappings).
    """
    import datasets
    import pyarrow as pa
    import pyarrow.compute as pc

    values = rows.data.column(name)
    feature, kind = rows.features[name], values.type
    if isinstance(feature, datasets.ClassLabel):
        missing = pc.or_kleene(pc.is_null(values), pc.equal(values, -1))
        _all_labelled(missing, place, name, "-1, which stands for none")
        return pc.take(pa.chunked_array([feature.names], pa.string()), values)
    if pa.types.is_null(kind):
        _all_labelled(pc.is_null(values), place, name, "null")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        missing = pc.or_kleene(pc.is_null(values), pc.equal(pc.utf8_trim_whitespace(values), ""))
        _all_labelled(missing, place, name, "empty")
        return values.cast(pa.string())
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_floating(kind)):
        raise _wrong_kind(place, name, f"{kind}")
    _all_labelled(pc.is_null(values), place, name, "null")
    if pa.types.is_boolean(kind):
        return pc.if_else(values, "True", "False")
    if pa.types.is_floating(kind):
        if not pc.all(pc.and_(pc.is_finite(values), pc.equal(pc.floor(values), values))).as_py():
            raise _wrong_kind(place, name, "fractions")
        values = values.cast(pa.int64())
    return values.cast(pa.string())


def choose_labels(
    rows: datasets.Dataset, names: pa.ChunkedArray, given: Sequence[str] | None, place: Place, name: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(the labels in order, findings), from the training rows: as given, else the data set's own, else
    sorted.

    Sorted by value where all are whole numbers. The same whatever the order of rows. Raises DataError: one
    class only, or as many classes as a column of texts or ids would have.
    """
    import datasets

    seen = names.unique().to_pylist()
    feature = rows.features[name]
    own = tuple(feature.names) if isinstance(feature, datasets.ClassLabel) else None
    count = len(seen)
    if given is None and own is None and _too_many(count, len(names)):
        raise _wrong_kind(place, name, f"{count} different values in {len(names)} rows")
    if count == 1:
        raise DataError(
            f"every row of {place} has the same label, `{seen[0]}`: there is nothing to tell apart",
            hint=f"is `{name}` the right column? data.columns says which is which",
        )
    labels = tuple(given) if given is not None else own or _sorted(seen)
    findings = []
    if given is None and own is not None:
        findings.append("labels are in the data set's own order")
    absent = [label for label in labels if label not in set(seen)]
    if absent:
        findings.append(f"labels without a training row: {some(absent)}")
    alike: dict[str, list[str]] = {}
    for label in labels:
        alike.setdefault(" ".join(label.lower().split()), []).append(label)
    findings += [
        f"labels that differ only in case or spaces: {some(a)}" for a in alike.values() if len(a) > 1
    ]
    return labels, tuple(findings)


def class_ids(
    names: pa.ChunkedArray,
    labels: Sequence[str],
    place: Place,
    name: str,
    *,
    allowed: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """The class id of every row, (N,). Raises DataError naming rows and labels that are not among `labels`.

    allowed: the ids that may occur, by default all.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.fill_null(pc.index_in(names, value_set=pa.array(labels, pa.string())), -1)
    ids = np.asarray(found.to_numpy(), dtype=np.int64)
    unknown = np.flatnonzero(~np.isin(ids, np.arange(len(labels)) if allowed is None else allowed))
    if not len(unknown):
        return ids
    strange = names.take(pa.array(unknown)).unique().to_pylist()
    known = [labels[one] for one in allowed] if allowed is not None else list(labels)
    close = nearest(strange[0], known)
    hint = [f"did you mean `{close}`?"] if close else []
    hint += [f"labels: {some(known)}"]
    hint += [place.leave_out] if place.leave_out else []
    raise DataError(
        f"{len(unknown)} of {len(names)} rows of {place} have a label in `{name}` that is not among those "
        f"{'seen in training' if allowed is not None else 'listed'}: {some(strange, 5)} "
        f"({place.source.where(place.theirs, unknown.tolist())})",
        hint="; ".join(hint),
    )


def _too_many(count: int, rows: int) -> bool:
    return (count == rows and rows > FEW_ROWS) or (count > MANY and count > rows / 2)


def _sorted(names: Sequence[str]) -> tuple[str, ...]:
    if all(WHOLE_NUMBER.fullmatch(name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _all_labelled(missing: Any, place: Place, name: str, what: str) -> None:
    import numpy as np

    bad = np.flatnonzero(missing.to_numpy())
    if not len(bad):
        return
    if len(bad) == len(missing):
        raise DataError(f"{place} has no labels: `{name}` is {what} in all its rows", hint=place.leave_out)
    raise DataError(
        f"{len(bad)} of {len(missing)} rows of {place} have no label in `{name}` ({what}): "
        f"{place.source.where(place.theirs, bad.tolist())}",
        hint="label or remove these rows; nothing is dropped silently",
    )


def _wrong_kind(place: Place, name: str, what: str) -> DataError:
    return DataError(
        f"the column `{name}` of {place} does not look like labels: it holds {what}",
        hint="a label is a text or a whole number that many rows share; data.columns says which column it is "
        "(if these are the labels, list them in data.labels)",
    )
