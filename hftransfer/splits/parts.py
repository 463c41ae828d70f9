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


def hold_out(
    parts: Parts, data: DataSection, seed: int, labels: Sequence[str], whole: str | None = None
) -> list[str]:
    """Set rows of train aside for the splits that are missing; `parts` is changed. Returns findings.

    labels: rows are set aside in proportion to these, where there are any. whole: a column; rows with the same
    value in it are set aside together. Raises RecipeError where the shares do not allow it, DataError where no
    class has a row to spare.
    """
    import numpy as np

    missing = [o for o in ("test", "validation") if o not in parts and getattr(data.hold_out, o) > 0]
    _check_shares(parts, data, missing)
    total = len(parts["train"].keep)
    findings = []
    for ours in missing:
        train = parts["train"]
        size = max(1, round(getattr(data.hold_out, ours) * total))
        classes = train.classes()
        stream = f"hold out {ours}"
        if whole is None:
            positions = draw.hold_out(classes, size, seed=seed, stream=stream)
            how, why_none = (
                ("stratified by label, ", "no label has two rows") if labels else ("", "it has one row")
            )
        else:
            positions = draw.hold_out_whole(_groups(train, whole), size, seed=seed, stream=stream)
            how, why_none = f"each {whole} wholly, ", f"all of its rows have the same {whole}"
        if not len(positions):
            raise DataError(
                f"no {ours} rows can be held out of {train.place}: {why_none}", hint=f"give a {ours} split"
            )
        parts[ours] = replace(train, place=replace(train.place, ours=ours), keep=train.keep[positions])
        parts["train"] = replace(train, keep=np.delete(train.keep, positions))
        findings.append(
            f"no {ours} split: {len(positions)} of {total} training rows set aside, {how}seed {seed}"
        )
        single = np.flatnonzero(np.bincount(classes, minlength=len(labels)) == 1).tolist()
        if single and labels:
            names = some([labels[one] for one in single])
            findings.append(f"labels with a single row, which stays in train: {names}")
    return findings


def _groups(part: Part, column: str) -> NDArray[np.int64]:
    """A number for every kept row, from 0: the same where `column` has the same value."""
    import numpy as np

    values = part.rows.data.column(column).take(part.keep).combine_chunks()
    return np.asarray(values.dictionary_encode().indices, dtype=np.int64)


def _check_shares(parts: Parts, data: DataSection, missing: Sequence[str]) -> None:
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
