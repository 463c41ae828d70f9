"""Masks as targets: which values there are in them, and which labels those stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError, asked_by
from hftransfer.sources.base import some
from hftransfer.sources.masks import read_mask
from hftransfer.splits.columns import Column, Place, key_of
from hftransfer.splits.kinds.image import image_column
from hftransfer.splits.kinds.media import look_into

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

MANY = 256
"""More values than this, unasked for, are no classes."""


@dataclass(frozen=True)
class MaskColumn(Column):
    """A column of masks. ignore: the value of pixels that have no class. values: what each label's pixels hold."""

    ignore: int | None = None
    values: tuple[int, ...] | None = None


def mask_values(labels: Sequence[str], values: Sequence[int] | None) -> tuple[int, ...]:
    """The value that stands for each label: those given; else the numbers that the labels are; else 0, 1, 2, ..."""
    if values is not None:
        return tuple(values)
    if all(label.isdecimal() for label in labels):
        return tuple(int(label) for label in labels)
    return tuple(range(len(labels)))


def mask_labels(
    rows: Mapping[str, datasets.Dataset],
    places: Mapping[str, Place],
    role: str,
    column: MaskColumn,
    given: Sequence[str] | None,
) -> tuple[tuple[str, ...], dict[str, pa.Array], tuple[str, ...]]:
    """(labels, our split -> its masks undecoded, findings). given: the labels, where the recipe names them.

    Every mask is decoded once. Raises DataError: a damaged mask, a value that no label stands for.
    """
    with asked_by(key_of(role)):
        masks = {ours: _masks(rows[ours], place, role) for ours, place in places.items()}
        counts = {ours: _count(masks[ours], place, role) for ours, place in places.items()}
        found = set().union(*counts["train"]) - {column.ignore}
        labels = _labels(sorted(found), column, given, places["train"])
    values = mask_values(labels, column.values)
    if len(values) != len(labels):
        raise DataError(
            f"{len(labels)} labels, but {len(values)} values for them in masks",
            hint="one value for every label, in their order",
            key="task.values",
        )
    findings = []
    for ours, place in places.items():
        _check_values(counts[ours], labels, values, column, place, role)
        ignored = sum(row[column.ignore] for row in counts[ours]) if column.ignore is not None else 0
        if ignored:
            share = ignored / sum(row.total() for row in counts[ours])
            findings.append(
                f"{ours}: {share:.1%} of the pixels have the value {column.ignore}, which is ignored"
            )
    missing = [label for label, value in zip(labels, values, strict=True) if value not in found]
    if missing:
        findings.append(f"labels without a training pixel: {some(missing)}")
    return labels, masks, tuple(findings)


def read_masks(
    rows: datasets.Dataset, place: Place, role: str, column: MaskColumn, labels: Sequence[str]
) -> pa.Array:
    """The masks of rows, undecoded, for a model that knows these labels. Raises DataError."""
    masks = _masks(rows, place, role)
    _check_values(_count(masks, place, role), labels, mask_values(labels, column.values), column, place, role)
    return masks


def _masks(rows: datasets.Dataset, place: Place, role: str) -> pa.Array:
    return image_column(rows, place, role).data.column(role).combine_chunks()


def _count(masks: pa.Array, place: Place, role: str) -> list[Counter[int]]:
    """Value -> pixels, of every mask. Raises DataError naming up to five that cannot be read."""
    import numpy as np

    def count(mask: Any, where: str) -> Counter[int]:
        pixels = np.bincount(read_mask(mask, where=where).ravel())
        return Counter({int(value): int(pixels[value]) for value in np.flatnonzero(pixels)})

    return look_into(masks, np.arange(len(masks)), place, role, count, one="mask", many="masks")


def _labels(
    found: Sequence[int], column: MaskColumn, given: Sequence[str] | None, place: Place
) -> tuple[str, ...]:
    if given is not None:
        return tuple(given)
    if column.values is not None:
        return tuple(map(str, column.values))
    if len(found) > MANY:
        raise DataError(
            f"the masks of {place} hold {len(found)} different values: no classes, it seems",
            hint="a mask holds the number of a class in every pixel, unscaled and without smooth edges "
            "(if it does, list the names of the classes in data.labels)",
        )
    if len(found) < 2:
        raise DataError(
            f"the masks of {place} hold {some([str(one) for one in found])} and no other value: "
            "there is nothing to tell apart",
            hint="is it the right column? data.columns says which it is",
        )
    return tuple(map(str, found))


def _check_values(
    counts: Sequence[Counter[int]],
    labels: Sequence[str],
    values: Sequence[int],
    column: MaskColumn,
    place: Place,
    role: str,
) -> None:
    known = {*values, column.ignore}
    strange: Counter[int] = Counter()
    bad = []
    for row, counted in enumerate(counts):
        unknown = {value: pixels for value, pixels in counted.items() if value not in known}
        strange.update(unknown)
        bad += [row] if unknown else []
    if not bad:
        return
    shown = ", ".join(f"{value} ({pixels} pixels)" for value, pixels in strange.most_common(5))
    more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
    meaning = ", ".join(f"{value} {label}" for value, label in list(zip(values, labels, strict=True))[:5])
    hints = [
        f"write task.ignore: {next(iter(strange))} if its pixels have no class"
        if len(strange) == 1
        else None,
        "task.values says what stands in masks for each of data.labels",
        place.leave_out,
    ]
    raise DataError(
        f"{len(bad)} of {len(counts)} masks of {place} have values in `{role}` that stand for no label: {shown}{more} "
        f"({place.source.where(place.theirs, bad)}); known: {meaning}{', ...' if len(labels) > 5 else ''}",
        hint="; ".join(hint for hint in hints if hint),
        key=key_of(role),
    )
