"""Splits on their way: hold-outs, limits, and rows that stand in two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hftransfer.errors import DataError, Problem, RecipeError
from hftransfer.sources.base import some
from hftransfer.splits import draw
from hftransfer.splits.columns import Place
from hftransfer.splits.leakage import count_shared

if TYPE_CHECKING:
    import datasets
    import numpy as np
    from numpy.typing import NDArray

    from hftransfer.recipe import DataSection
    from hftransfer.splits.groups import Groups


@dataclass(frozen=True)
class Part:
    """All rows of a source split, and the positions among them that are kept.

    ids: (N,) the class of every row of the source split; None for a task without classes.
    """

    place: Place
    rows: datasets.Dataset
    ids: NDArray[np.int64] | None
    keep: NDArray[np.int64]

    def dataset(self) -> datasets.Dataset:
        """The kept rows, in the source's order."""
        return self.rows.select(self.keep)

    def classes(self) -> NDArray[np.int64]:
        """The class of every kept row; zeros for a task without classes."""
        import numpy as np

        return np.zeros(len(self.keep), np.int64) if self.ids is None else self.ids[self.keep]


Parts = dict[str, Part]

MOST = 2
"""Times as many rows as asked for that may be set aside, so that copies are on one side."""


def to_hold_out(parts: Parts, data: DataSection) -> list[str]:
    """The splits that are missing and are to be set aside."""
    return [ours for ours in ("test", "validation") if ours not in parts and getattr(data.hold_out, ours) > 0]


def hold_out(parts: Parts, data: DataSection, seed: int, labels: Sequence[str], groups: Groups) -> list[str]:
    """Set rows of train aside for the splits that are missing; `parts` is changed. Returns findings.

    labels: rows are set aside in proportion to these, where there are any. groups: of the rows of train; each is set
    aside wholly or not at all. Raises DataError where there is no row to spare.
    """
    import numpy as np

    missing = to_hold_out(parts, data)
    total = len(parts["train"].keep)
    findings = []
    for ours in missing:
        train = parts["train"]
        size = max(1, round(getattr(data.hold_out, ours) * total))
        classes = train.classes()
        positions, how = _drawn(classes, groups, size, bool(labels), seed, f"hold out {ours}")
        if not len(positions):
            raise DataError(
                f"no {ours} rows can be held out of {train.place}: {_why_none(groups, labels)}",
                hint=f"give a {ours} split",
            )
        parts[ours] = replace(train, place=replace(train.place, ours=ours), keep=train.keep[positions])
        parts["train"] = replace(train, keep=np.delete(train.keep, positions))
        asked = f" ({size} asked for)" if groups.by_class and len(positions) != size else ""
        findings.append(
            f"no {ours} split: {len(positions)} of {total} training rows set aside{asked}, {how}seed {seed}"
        )
        groups = groups.without(positions)
        single = np.flatnonzero(np.bincount(classes, minlength=len(labels)) == 1).tolist()
        if single and labels:
            names = some([labels[one] for one in single])
            findings.append(f"labels with a single row, which stays in train: {names}")
    return findings


def _drawn(
    classes: NDArray[np.int64], groups: Groups, size: int, stratified: bool, seed: int, stream: str
) -> tuple[NDArray[np.int64], str]:
    """(the positions that are set aside, by which rule, in words)."""
    if not groups.by_class:
        whole = draw.hold_out_whole(groups.of, size, seed=seed, stream=stream)
        return whole, f"each {groups.column} wholly, "
    how = "stratified by label, " if stratified else ""
    together = draw.hold_out(classes, size, groups=groups.of, seed=seed, stream=stream)
    if groups.column is not None:
        return together, f"{how}each {groups.column} wholly, "
    if not groups.repeated:
        return together, how
    if 0 < len(together) <= MOST * size:
        return together, f"{how}copies of a row together ({groups.repeated} rows repeat another), "
    apart = draw.hold_out(classes, size, seed=seed, stream=stream)
    return apart, f"{how}copies of a row on both sides, of which there are too many ({groups.repeated}), "


def _why_none(groups: Groups, labels: Sequence[str]) -> str:
    if groups.column is None:
        return "no label has two rows" if labels else "it has one row"
    rows = f"all of its rows have the same {groups.column}"
    return f"{rows}, or none can be spared without losing a label" if labels else rows


def check_shares(parts: Parts, data: DataSection) -> None:
    """Raise RecipeError where the shares leave no validation split, or nothing to train on."""
    missing = to_hold_out(parts, data)
    source = parts["train"].place.source.describe()
    if "validation" not in parts and "validation" not in missing:
        problem = Problem(
            "data.hold_out.validation",
            f"found 0, and {source} has no validation split",
            "name one in data.splits, or give the share of training rows to hold out, such as 0.1",
        )
        raise RecipeError([problem])
    if sum(getattr(data.hold_out, ours) for ours in missing) >= 1:
        raise RecipeError(
            [Problem("data.hold_out", "the shares leave nothing to train on", "together below 1")]
        )


def limit(parts: Parts, data: DataSection, seed: int, labels: Sequence[str]) -> list[str]:
    """Draw the rows that `data.limits` leaves; `parts` is changed. Returns findings.

    Raises RecipeError for a split that is not there, DataError where train is left with one class.
    """
    findings = []
    for ours, most in data.limits.items():
        if ours not in parts:
            raise RecipeError([Problem(f"data.limits.{ours}", f"there is no {ours} split to limit")])
        before = parts[ours]
        total = len(before.keep)
        if most >= total:
            continue
        kept = before.keep[draw.limit(total, most, seed=seed, stream=f"limit {ours}")]
        parts[ours] = replace(before, keep=kept)
        findings.append(f"limited {ours} to {most} of {total} rows, seed {seed}")
        if ours == "train" and labels:
            findings += _lost_labels(before, parts[ours], labels)
    return findings


def _lost_labels(before: Part, after: Part, labels: Sequence[str]) -> list[str]:
    left = set(after.classes().tolist())
    if len(left) == 1:
        raise DataError(
            f"the {len(after.keep)} training rows that data.limits.train leaves all have the label "
            f"`{labels[left.pop()]}`",
            hint="raise the limit",
            key="data.limits.train",
        )
    lost = [labels[one] for one in sorted(set(before.classes().tolist()) - left)]
    return [f"labels that the limit leaves without a training row: {some(lost)}"] if lost else []


def shared(parts: Mapping[str, Part], role: str) -> list[str]:
    """Findings: rows of validation and test whose value in the column `role` stands in train too."""
    findings = []
    train = parts["train"]
    for ours in ("validation", "test"):
        if ours not in parts:
            continue
        part = parts[ours]
        count = count_shared((part.rows, part.keep), (train.rows, train.keep), [role])
        if count:
            findings.append(f"{count} of {len(part.keep)} {ours} rows have the same {role} as a row of train")
    return findings
