"""Labels: from whatever a column holds to names, and from names to class ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
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
NUMBERS = "; numbers are learned with task.problem_type: regression"
SEVERAL = "; several labels of a row are learned with task.problem_type: multi_label_classification"
WHOLE_NUMBER = re.compile(r"-?\d+")


@dataclass(frozen=True)
class Names:
    """The labels of rows, as text.

    values: (M,) one after the other. rows: (M,) the row that each belongs to, or None where every row has one.
    own: the labels of a data set that names its classes, in its order, or None. count: rows, N.
    """

    values: pa.ChunkedArray
    rows: NDArray[np.int64] | None
    own: tuple[str, ...] | None
    count: int


def label_names(rows: datasets.Dataset, place: Place, name: str) -> Names:
    """The label of every row, as text. 7 and 7.0 are `7`; the text `007` stays `007`; true is `True`.

    Raises DataError: rows without a label (null, empty, -1 of a data set with named classes), or a column
    that cannot be labels (fractions, lists, mappings).
    """
    return _named(rows.data.column(name), rows.features[name], place, name, None, len(rows))


def list_names(rows: datasets.Dataset, place: Place, name: str) -> Names:
    """The labels of every row of a column of lists, which may be empty; a text may be a list written as JSON.

    Raises DataError: rows without a list, or with a label that is none (see `label_names`).
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    values, feature = rows.data.column(name), rows.features[name]
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values, feature = _json_lists(values, place, name), None
    if not (
        pa.types.is_list(values.type)
        or pa.types.is_large_list(values.type)
        or pa.types.is_fixed_size_list(values.type)
    ):
        raise DataError(
            f"the column `{place.called(name)}` of {place} holds {values.type}, not lists of labels",
            hint='write lists, as in jsonl: {"text": "...", "'
            + place.called(name)
            + '": ["a", "b"]}; or name one column of 0 and 1 for '
            "every label: data.columns: {label: [a, b]}",
        )
    _all_labelled(pc.is_null(values), place, name, "null; a row without labels is an empty list")
    whole = values.combine_chunks()
    flat, parents = pc.list_flatten(whole), np.asarray(pc.list_parent_indices(whole), dtype=np.int64)
    return _named(
        pa.chunked_array([flat]), getattr(feature, "feature", None), place, name, parents, len(rows)
    )


def _json_lists(values: pa.ChunkedArray, place: Place, name: str) -> pa.ChunkedArray:
    import json

    import pyarrow as pa

    lists: list[Any] = []
    bad: list[int] = []
    for row, text in enumerate(values.to_pylist()):
        try:
            one = None if text is None else json.loads(text)
        except ValueError:
            one = text
        named = [_in_json(item) for item in one] if isinstance(one, list) else [None]
        if one is not None and None in named:
            bad.append(row)
        lists.append(None if one is None else named)
    if bad:
        raise DataError(
            f"{len(bad)} of {len(lists)} rows of {place} have no list of labels in `{place.called(name)}`: "
            f"{place.source.where(place.theirs, bad)}",
            hint='write a JSON list in the cell (["a", "b"]), or name one column of 0 and 1 for every label: '
            "data.columns: {label: [a, b]}",
        )
    return pa.chunked_array([pa.array(lists, pa.list_(pa.string()))])


def _in_json(item: Any) -> str | None:
    """A label in a JSON list as `_as_text` would have it; None for what is none."""
    if isinstance(item, float):
        return str(int(item)) if item.is_integer() else None
    return str(item) if isinstance(item, str | int) else None


def _named(
    values: pa.ChunkedArray,
    feature: Any,
    place: Place,
    name: str,
    parents: NDArray[np.int64] | None,
    count: int,
) -> Names:
    import datasets

    own = tuple(feature.names) if isinstance(feature, datasets.ClassLabel) else None
    return Names(_as_text(values, own, place, name, parents), parents, own, count)


def _as_text(
    values: pa.ChunkedArray,
    own: tuple[str, ...] | None,
    place: Place,
    name: str,
    parents: NDArray[np.int64] | None,
) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if own is not None:
        missing = pc.or_kleene(pc.is_null(values), pc.equal(values, -1))
        _all_labelled(missing, place, name, "-1, which stands for none", parents)
        return pc.take(pa.chunked_array([list(own)], pa.string()), values)
    if pa.types.is_null(kind):
        _all_labelled(pc.is_null(values), place, name, "null", parents)
        return values.cast(pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        missing = pc.or_kleene(pc.is_null(values), pc.equal(pc.utf8_trim_whitespace(values), ""))
        _all_labelled(missing, place, name, "empty", parents)
        return values.cast(pa.string())
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_floating(kind)):
        raise _wrong_kind(place, name, f"{kind}", SEVERAL if pa.types.is_nested(kind) else "")
    _all_labelled(pc.is_null(values), place, name, "null", parents)
    if pa.types.is_boolean(kind):
        return pc.if_else(values, "True", "False")
    if pa.types.is_floating(kind):
        if not pc.all(pc.and_(pc.is_finite(values), pc.equal(pc.floor(values), values))).as_py():
            raise _wrong_kind(place, name, "fractions", NUMBERS)
        values = values.cast(pa.int64())
    return values.cast(pa.string())


def choose_labels(
    names: Names, given: Sequence[str] | None, place: Place, name: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(the labels in order, findings), from the training rows: as given, else the data set's own, else
    sorted.

    Sorted by value where all are whole numbers. The same whatever the order of rows. Raises DataError: one
    class only, or as many classes as a column of texts or ids would have.
    """
    seen = names.values.unique().to_pylist()
    own, count, called = names.own, len(seen), place.called(name)
    if given is None and own is None and _too_many(count, len(names.values)):
        raise _wrong_kind(place, name, f"{count} different values in {len(names.values)} rows")
    if not count:
        raise DataError(
            f"no row of {place} has a label in `{called}`", hint=f"is `{called}` the right column?"
        )
    if count == 1 and names.rows is None:
        raise DataError(
            f"every row of {place} has the same label, `{seen[0]}`: there is nothing to tell apart",
            hint=f"is `{called}` the right column? data.columns says which is which",
        )
    labels = tuple(given) if given is not None else own or _sorted(seen)
    findings = []
    if given is None and own is not None:
        findings.append("labels are in the data set's own order")
    absent = [label for label in labels if label not in set(seen)]
    if absent:
        findings.append(f"labels without a training row: {some(absent)}")
    return labels, tuple(findings)


def class_ids(
    names: Names,
    labels: Sequence[str],
    place: Place,
    name: str,
    *,
    allowed: NDArray[np.int64] | None = None,
    known_as: str = "listed",
) -> NDArray[np.int64]:
    """The class id of every label, (M,). Raises DataError naming rows and labels that are not among `labels`.

    allowed: the ids that may occur, by default all. known_as: what `labels` are, where all may occur.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.fill_null(pc.index_in(names.values, value_set=pa.array(labels, pa.string())), -1)
    ids = np.asarray(found.to_numpy(), dtype=np.int64)
    unknown = np.flatnonzero(~np.isin(ids, np.arange(len(labels)) if allowed is None else allowed))
    if not len(unknown):
        return ids
    strange = names.values.take(pa.array(unknown)).unique().to_pylist()
    where = np.unique(unknown if names.rows is None else names.rows[unknown]).tolist()
    known = [labels[one] for one in allowed] if allowed is not None else list(labels)
    close = nearest(strange[0], known)
    hint = [f"did you mean `{close}`?"] if close else []
    hint += [f"labels: {some(known)}"]
    hint += [place.leave_out] if place.leave_out else []
    raise DataError(
        f"{len(where)} of {names.count} rows of {place} have a label in `{place.called(name)}` that is not among those "
        f"{'seen in training' if allowed is not None else known_as}: {some(strange, 5)} "
        f"({place.source.where(place.theirs, where)})",
        hint="; ".join(hint),
    )


def _too_many(count: int, rows: int) -> bool:
    return (count == rows and rows > FEW_ROWS) or (count > MANY and count > rows / 2)


def _sorted(names: Sequence[str]) -> tuple[str, ...]:
    if all(WHOLE_NUMBER.fullmatch(name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _all_labelled(
    missing: Any, place: Place, name: str, what: str, parents: NDArray[np.int64] | None = None
) -> None:
    import numpy as np

    bad = np.flatnonzero(missing.to_numpy())
    if not len(bad):
        return
    if parents is not None:
        bad = np.unique(parents[bad])
        raise DataError(
            f"{len(bad)} rows of {place} have a label in `{place.called(name)}` that is {what}: "
            f"{place.source.where(place.theirs, bad.tolist())}",
            hint="name or remove these labels; nothing is dropped silently",
        )
    if len(bad) == len(missing):
        raise DataError(
            f"{place} has no labels: `{place.called(name)}` is {what} in all its rows", hint=place.leave_out
        )
    raise DataError(
        f"{len(bad)} of {len(missing)} rows of {place} have no label in `{place.called(name)}` ({what}): "
        f"{place.source.where(place.theirs, bad.tolist())}",
        hint=f"label or remove these rows{place.without(place.called(name))}; nothing is dropped silently",
    )


def _wrong_kind(place: Place, name: str, what: str, other: str = "") -> DataError:
    return DataError(
        f"the column `{place.called(name)}` of {place} does not look like labels: it holds {what}",
        hint="a label is a text or a whole number that many rows share; data.columns says which column it is "
        f"(if these are the labels, list them in data.labels){other}",
    )
