"""Targets: what a task is to predict, by the kind of its column. The training rows decide what there is to tell apart.

class     one label a row            int64 id
choice    which of a row's choices   int64 id (see `choices`)
classes   any number of labels       list of int64 ids
tags      a label for every word     list of int64 ids
numbers   one or several numbers     list of float64
answers   texts out of the context   see `answers`; there is nothing to tell apart, so there are no labels
texts     a text to generate, or several of which each is right: list of strings (no labels)
mask      a value for every pixel    an image, undecoded: {"bytes", "path"}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError, asked_by
from hftransfer.splits.answers import read_answers
from hftransfer.splits.choices import choice_labels
from hftransfer.splits.columns import Column, Place, key_of
from hftransfer.splits.columns import Names as ColumnNames
from hftransfer.splits.labels import Names, choose_labels, class_ids, label_names, list_names
from hftransfer.splits.masks import MaskColumn, mask_labels, read_masks
from hftransfer.splits.numbers import check_count, numbers, target_names
from hftransfer.splits.reference_texts import reference_texts
from hftransfer.splits.tags import entity_tags, known_tags

if TYPE_CHECKING:
    import datasets
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from hftransfer.recipe import DataSection

# Kinds with nothing to tell apart -> what reads them: (the targets, findings).
WITHOUT_LABELS: Mapping[str, Callable[[datasets.Dataset, Place, str], tuple[pa.Array, tuple[str, ...]]]] = {
    "answers": lambda rows, place, role: (read_answers(rows, place, role), ()),
    "texts": reference_texts,
}
TARGETS = ("class", "choice", "classes", "tags", "numbers", "mask", *WITHOUT_LABELS)


@dataclass(frozen=True)
class Targets:
    """labels: the names of what is told apart. values: our split -> the target of every row. ids: the same as (N,)
    class ids, where rows have one class."""

    labels: tuple[str, ...]
    values: Mapping[str, pa.Array]
    ids: Mapping[str, NDArray[np.int64]]
    findings: tuple[str, ...]


def make_targets(
    column: Column,
    rows: Mapping[str, datasets.Dataset],
    places: Mapping[str, Place],
    role: str,
    names: ColumnNames,
    data: DataSection,
) -> Targets:
    """The targets of every split, by what train holds. names: what the source calls them. Raises DataError."""
    if isinstance(column, MaskColumn):
        labels, masks, findings = mask_labels(rows, places, role, column, data.labels)
        return Targets(labels, masks, {}, findings)
    if column.kind in WITHOUT_LABELS:
        return _without_labels(column.kind, rows, places, role, data)
    if column.kind == "numbers":
        return _of_numbers(rows, places, role, names, data)
    return _of_labels(column.kind, rows, places, role, names, data)


def _without_labels(
    kind: str, rows: Mapping[str, datasets.Dataset], places: Mapping[str, Place], role: str, data: DataSection
) -> Targets:
    with asked_by(key_of(role)):
        if data.labels is not None:
            raise DataError("the task has no labels to name", hint="leave data.labels out", key="data.labels")
        found = {ours: WITHOUT_LABELS[kind](rows[ours], place, role) for ours, place in places.items()}
    said = tuple(finding for _, findings in found.values() for finding in findings)
    return Targets((), {ours: made for ours, (made, _) in found.items()}, {}, said)


def _of_numbers(
    rows: Mapping[str, datasets.Dataset],
    places: Mapping[str, Place],
    role: str,
    names: ColumnNames,
    data: DataSection,
) -> Targets:
    import pyarrow as pa

    with asked_by(key_of(role)):
        read = {ours: numbers(rows[ours], place, role) for ours, place in places.items()}
        count = read["train"].shape[1]
        labels = target_names(count, names, data.labels)
        for ours, place in places.items():
            check_count(read[ours], count, place, role, "train has")
    return Targets(labels, {ours: pa.array(list(values)) for ours, values in read.items()}, {}, ())


def _of_labels(
    kind: str,
    rows: Mapping[str, datasets.Dataset],
    places: Mapping[str, Place],
    role: str,
    names: ColumnNames,
    data: DataSection,
) -> Targets:
    import numpy as np

    # Where every label has a column, those are the labels, whether or not a training row has them all.
    given = names if data.labels is None and isinstance(names, tuple) else data.labels
    with asked_by(key_of(role)):
        told = {ours: _names(kind, rows[ours], place, role) for ours, place in places.items()}
        told, noticed = entity_tags(told, places) if kind == "tags" else (told, [])
        if kind == "choice":
            labels, findings = choice_labels(told["train"], data.labels, rows)
        else:
            labels, findings = choose_labels(told["train"], given, places["train"], role)
    # A label that the user listed may be missing from train; one that merely turns up later may not.
    allowed = None
    ids: dict[str, NDArray[np.int64]] = {}
    values: dict[str, Any] = {}
    for ours, place in places.items():
        with asked_by(key_of(role) if data.labels is None else "data.labels"):
            flat = class_ids(told[ours], labels, place, role, allowed=allowed)
        if ours == "train" and given is None and kind != "choice":
            allowed = np.unique(flat)
        values[ours] = _by_row(flat, told[ours])
        if kind == "class":
            ids[ours] = flat
    return Targets(labels, values, ids, (*findings, *noticed))


def read_targets(
    column: Column, rows: datasets.Dataset, place: Place, role: str, labels: Sequence[str]
) -> pa.Array:
    """The target of every row, for a model that knows these labels. Raises DataError."""
    import pyarrow as pa

    if isinstance(column, MaskColumn):
        return read_masks(rows, place, role, column, labels)
    kind = column.kind
    if kind in WITHOUT_LABELS:
        return WITHOUT_LABELS[kind](rows, place, role)[0]
    if kind == "numbers":
        values = numbers(rows, place, role)
        check_count(values, len(labels), place, role, "the model gives")
        return pa.array(list(values))
    names = _names(kind, rows, place, role)
    if kind == "tags":
        names = known_tags(names, labels)
    return _by_row(class_ids(names, labels, place, role, known_as="the model knows"), names)


def _names(kind: str, rows: datasets.Dataset, place: Place, role: str) -> Names:
    return label_names(rows, place, role) if kind in ("class", "choice") else list_names(rows, place, role)


def _by_row(flat: NDArray[np.int64], names: Names) -> Any:
    import numpy as np
    import pyarrow as pa

    if names.rows is None:
        return pa.array(flat)
    offsets = np.concatenate([[0], np.bincount(names.rows, minlength=names.count).cumsum()])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(flat))
