"""Which rows are set aside together: those that a column says belong together, or else copies of one row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError, did_you_mean
from hftransfer.sources.base import some
from hftransfer.splits.columns import Column, Place
from hftransfer.splits.copies import copies
from hftransfer.splits.kinds import KINDS
from hftransfer.splits.leakage import hash_texts

if TYPE_CHECKING:
    import datasets
    import numpy as np
    from numpy.typing import NDArray

    from hftransfer.splits.parts import Part

KEY = "data.hold_out.group"
SINGLE = "and its intervals draw single rows"
FEW = 20
"""Groups; with fewer, an interval that is had by drawing them is rough (Cameron, Gelbach & Miller 2008)."""


@dataclass(frozen=True)
class Groups:
    """of: (N,) the group of every row, from 0 in the order of the rows. column: whose values they are, None for copies.

    by_class: whether they are drawn in proportion to the rows' classes, where there are any.
    """

    of: NDArray[np.int64]
    column: str | None = None
    by_class: bool = True

    @classmethod
    def of_copies(cls, train: Part, columns: Mapping[str, Column]) -> Groups:
        """Rows with the same text in a `whole` column of the task, or else with the same inputs."""
        inputs = {role: column.kind for role, column in columns.items() if column.kind in KINDS}
        whole = {role: kind for role, kind in inputs.items() if columns[role].whole}
        of = _numbered(copies(train.rows, whole or inputs)[train.keep])
        return cls(of, next(iter(whole), None), by_class=not whole)

    @property
    def repeated(self) -> int:
        """Rows that have the group of an earlier one."""
        return len(self.of) - int(self.of.max(initial=-1)) - 1

    def without(self, positions: NDArray[np.int64]) -> Groups:
        """The groups of the rows that are left."""
        import numpy as np

        return replace(self, of=_numbered(np.delete(self.of, positions)))


@dataclass(frozen=True)
class Grouping:
    """The user's column. marks: our split -> (N,) of every row of the source split a number, the same for the same
    value; a row without a value has one of its own."""

    column: str
    marks: Mapping[str, NDArray[np.uint64]]
    findings: tuple[str, ...]

    @classmethod
    def read(
        cls, column: str, loaded: Mapping[str, datasets.Dataset], places: Mapping[str, Place]
    ) -> Grouping:
        """Raises DataError: train has no such column, or one of lists or files."""
        marks, findings = {}, []
        for ours, place in places.items():
            rows = loaded[place.theirs]
            if column not in rows.column_names and ours != "train":
                findings.append(f"{ours} has no column `{column}`: not compared with train, {SINGLE}")
                continue
            marks[ours], blank = _marks(rows, place, column)
            if blank:
                findings.append(f"{ours}: {blank} rows have no `{column}`: each is a group by itself")
        return cls(column, marks, tuple(findings))

    def groups(self, train: Part) -> Groups:
        """Those of the rows that are kept of train."""
        return Groups(_numbered(self.marks["train"][train.keep]), self.column)

    def scored(self, parts: Mapping[str, Part]) -> dict[str, NDArray[np.int64]]:
        """Those of the kept rows of validation and test, where two rows share one: they are drawn together to say how
        sure a score is."""
        found = {}
        for ours in {"validation", "test"} & set(parts):
            held_out = parts[ours].place.theirs == parts["train"].place.theirs
            marks = self.marks.get("train" if held_out else ours)
            if marks is not None:
                found[ours] = _numbered(marks[parts[ours].keep])
        return {
            ours: of for ours, of in sorted(found.items(), reverse=True) if of.max(initial=0) + 1 < len(of)
        }

    def shared(self, parts: Mapping[str, Part]) -> list[str]:
        """Findings: rows of validation and test whose group has rows in train, too."""
        import numpy as np

        train = self.marks["train"][parts["train"].keep]
        findings = []
        for ours in ("validation", "test"):
            if ours not in parts or ours not in self.marks:
                continue
            keep = parts[ours].keep
            count = int(np.isin(self.marks[ours][keep], train).sum())
            if count:
                findings.append(
                    f"{count} of {len(keep)} {ours} rows have the same {self.column} as a row of train"
                )
        return findings


def groups_by(column: str, rows: datasets.Dataset, place: Place) -> NDArray[np.int64] | None:
    """(N,) the groups of all rows by a column; None without it, and where no two rows share one."""
    if column not in rows.column_names:
        return None
    of = _numbered(_marks(rows, place, column)[0])
    return of if of.max(initial=0) + 1 < len(of) else None


def drawn_together(groups: Mapping[str, NDArray[np.int64]], column: str) -> list[str]:
    """Findings: what the intervals of each split are about. groups: split -> (N,), see `Splits`."""
    from hftransfer.metrics.intervals import FEWEST

    findings = []
    for ours, of in groups.items():
        count = int(of.max()) + 1
        few = ": too few for any" if count < FEWEST else ": so few that they are rough" if count < FEW else ""
        drawn = f"draw whole values of {column} ({count}), not single rows ({len(of)}){few}"
        findings.append(f"{ours}: intervals and comparisons {drawn}")
    return findings


def _numbered(marks: NDArray[Any]) -> NDArray[np.int64]:
    """Equal ones by one number, from 0 in the order in which they come."""
    import numpy as np
    import pandas as pd

    return np.asarray(pd.factorize(marks)[0], dtype=np.int64)


def _marks(rows: datasets.Dataset, place: Place, column: str) -> tuple[NDArray[np.uint64], int]:
    """(a number for every row, how many have no value). Raises DataError."""
    import pyarrow as pa

    if column not in rows.column_names:
        raise DataError(
            f"{place} has no column `{column}`; its columns: {some(rows.column_names, 30)}",
            hint=did_you_mean(column, rows.column_names),
            key=KEY,
        )
    kind = rows.data.schema.field(column).type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise DataError(
            f"the column `{column}` of {place} holds {kind}",
            hint="a group is one value: a name or a number",
            key=KEY,
        )
    values = rows.with_format("arrow")[:].column(column).to_pylist()
    blank = [value is None or value != value or not str(value).strip() for value in values]
    named = (
        f"\0{place.ours} {row}" if none else str(value)
        for row, (value, none) in enumerate(zip(values, blank, strict=True))
    )
    return hash_texts(named), sum(blank)
