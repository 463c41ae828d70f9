"""The rows of all splits, one after the other, as the checks look at them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hftransfer.lint.findings import SHOWN, Example
from hftransfer.splits.columns import Column
from hftransfer.splits.copies import TEXTS, as_text, fold, joint_hashes, without_punctuation
from hftransfer.splits.kinds import KINDS
from hftransfer.splits.leakage import content_hashes, hash_texts
from hftransfer.splits.targets import TARGETS

if TYPE_CHECKING:
    import datasets
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from hftransfer.splits import Splits

LONGEST = 100
"""Characters of a text that an example shows."""


@dataclass(frozen=True)
class Pool:
    """N rows: those of train first, then of validation, then of test.

    inputs: role -> kind of every input that is there. target: (role, kind), where there is one.
    """

    splits: Splits
    inputs: Mapping[str, str]
    target: tuple[str, str] | None

    @classmethod
    def of(cls, splits: Splits, columns: Mapping[str, Column]) -> Pool:
        """columns: role -> what the task needs there; optional ones may be missing."""
        there = {role: one.kind for role, one in columns.items() if role in splits.train.column_names}
        inputs = {role: kind for role, kind in there.items() if kind in KINDS}
        target = next(((role, kind) for role, kind in there.items() if kind in TARGETS), None)
        return cls(splits, inputs, target)

    @property
    def kind(self) -> str | None:
        """Of the target."""
        return None if self.target is None else self.target[1]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.splits.by_name)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        return tuple(self.splits.sizes.values())

    def __len__(self) -> int:
        return sum(self.sizes)

    @cached_property
    def split(self) -> NDArray[np.int64]:
        """(N,) which of `names` a row is in."""
        import numpy as np

        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def rows_of(self, name: str) -> NDArray[np.int64]:
        """The places in the pool of a split's rows."""
        import numpy as np

        return np.flatnonzero(self.split == self.names.index(name))

    @cached_property
    def texts(self) -> dict[str, list[str]]:
        """Role -> (N,) texts; words joined by spaces, choices by lines."""
        return {
            role: [
                as_text(one, kind)
                for rows in self.splits.by_name.values()
                for one in column(rows, role).to_pylist()
            ]
            for role, kind in self.inputs.items()
            if kind in TEXTS
        }

    def files(self, role: str, rows: Sequence[int]) -> list[pa.Scalar]:
        """What these rows of the pool hold under `role`, a file. Nothing is copied."""
        tables = [(one.data.column(role), positions(one)) for one in self.splits.by_name.values()]
        found = []
        for row in rows:
            split = self.split[row]
            values, places = tables[split]
            found.append(values[int(places[row - sum(self.sizes[:split])])])
        return found

    @cached_property
    def exact(self) -> NDArray[np.uint64]:
        """(N,) equal for rows with exactly the same inputs."""
        import numpy as np

        tables = [(rows, positions(rows)) for rows in self.splits.by_name.values()]
        return np.concatenate(content_hashes(tables, [*self.inputs]))

    @cached_property
    def folded(self) -> NDArray[np.uint64]:
        """(N,) equal for rows whose texts are the same but for case, white space and forms of characters (NFKC).

        Where inputs are not texts alone, `exact`; so where words are labelled, of which case says something.
        """
        if set(self.texts) != set(self.inputs) or "words" in self.inputs.values():
            return self.exact
        return joint_hashes([[fold(text) for text in texts] for texts in self.texts.values()])

    @cached_property
    def plain(self) -> dict[str, list[str]]:
        """Role -> (N,) texts in lower case, without punctuation, words one space apart."""
        return {role: without_punctuation(texts) for role, texts in self.texts.items()}

    @cached_property
    def normal(self) -> NDArray[np.uint64]:
        """(N,) equal for rows whose `plain` texts are the same, where all inputs are texts; else `exact`."""
        if set(self.texts) != set(self.inputs):
            return self.exact
        return joint_hashes([*self.plain.values()])

    @cached_property
    def targets(self) -> list[Any]:
        """(N,) what every row is said to be, as the splits hold it, but for the order of several labels; empty
        where there is no target."""
        if self.target is None:
            return []
        role = self.target[0]
        told = [one for rows in self.splits.by_name.values() for one in column(rows, role).to_pylist()]
        return [sorted({*one}) for one in told] if self.kind == "classes" else told

    @cached_property
    def target_files(self) -> NDArray[np.uint64]:
        """(N,) equal for rows whose targets, files, have the same bytes."""
        import numpy as np

        tables = [(rows, positions(rows)) for rows in self.splits.by_name.values()]
        return np.concatenate(content_hashes(tables, [self.target[0]] if self.target else []))

    def shown_target(self, row: int) -> str | None:
        """A row's target in words."""
        if self.kind in (None, "mask"):
            return None
        value, labels = self.targets[row], self.splits.labels
        if self.kind == "class":
            return str(labels[value])
        if self.kind in ("classes", "tags"):
            return short(" ".join(labels[one] for one in value) if value else "no label")
        if self.kind == "answers":
            return short(" or ".join(dict.fromkeys(value["text"])) or "no answer")
        if self.kind == "numbers":
            return ", ".join(f"{one:g}" for one in value)
        return short(str(value))

    def example(self, row: int, of: int | None = None, *, label: bool = False) -> Example:
        """A row of the pool as it is shown. of: the other of a pair."""
        split = self.names[self.split[row]]
        within = row - int(sum(self.sizes[: self.split[row]]))
        number = int(self.splits.by_name[split][within]["row"])
        place = self.splits.places.get(split)
        where = (
            f"row {number + 1} of {split}" if place is None else place.source.where(place.theirs, [number])
        )
        text = " | ".join(texts[row] for texts in self.texts.values())
        other = None if of is None else self.example(of, label=label)
        return Example(split, number, where, short(text), self.shown_target(row) if label else None, other)

    def examples(
        self, rows: Iterable[int], others: Sequence[int] | None = None, *, label: bool = False
    ) -> tuple[Example, ...]:
        """The first few of them. others: for each, the other of its pair."""
        first = [int(row) for row, _ in zip(rows, range(SHOWN), strict=False)]
        return tuple(
            self.example(row, None if others is None else int(others[place]), label=label)
            for place, row in enumerate(first)
        )


def positions(rows: datasets.Dataset) -> NDArray[np.int64]:
    """The places of a dataset's rows in the table that it is a selection of."""
    import numpy as np

    if rows._indices is None:
        return np.arange(len(rows))
    return np.asarray(rows._indices.column(0).to_numpy(), dtype=np.int64)


def column(rows: datasets.Dataset, name: str) -> pa.ChunkedArray:
    """A column of a dataset, undecoded."""
    values: pa.ChunkedArray = rows.data.column(name)
    return values if rows._indices is None else values.take(positions(rows))


def short(text: str, most: int = LONGEST) -> str:
    """One line of at most so many characters."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= most else line[: most - 3] + "..."


def codes(values: Sequence[Any]) -> NDArray[np.uint64]:
    """(N,) numbers that are equal where values (numbers, lists, mappings) are."""
    return hash_texts(sys.intern(json.dumps(one, default=str)) for one in values)
