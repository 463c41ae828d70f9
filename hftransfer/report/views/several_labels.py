"""Any number of labels a row: every label of every row is a guess by itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hftransfer.report import rows
from hftransfer.report.parts import Part, Picture
from hftransfer.report.reliability import Reliability
from hftransfer.report.views.base import Row, View
from hftransfer.report.views.classes import score_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT = 200
"""Worst guesses that are kept."""


class Sums:
    """What is added up: by label; the worst guesses as (badness, place, label); of every row whether any is wrong."""

    def __init__(self, size: int) -> None:
        self.right, self.there, self.said = (np.zeros(size, np.int64) for _ in range(3))
        self.reliability = Reliability(("there", "not there"))
        self.worst = np.zeros((0, 3))
        self.wrong: list[Any] = []
        self.words: list[Any] = []

    def add(self, start: int, given: NDArray[np.bool_], said: NDArray[np.bool_], scores: Any) -> None:
        """given, said, scores: (N, C)."""
        self.right += (given & said).sum(axis=0)
        self.there += given.sum(axis=0)
        self.said += said.sum(axis=0)
        self.wrong.append((given != said).any(axis=1))
        if scores is None:
            return
        self.reliability.add(scores.ravel(), given.ravel())
        places, labels = np.nonzero(given != said)
        bad = np.where(given, 1 - scores, scores)[places, labels]
        found = np.concatenate([self.worst, np.stack([bad, places + start, labels], axis=1)])
        self.worst = found[np.argsort(-found[:, 0], kind="stable")][:KEPT]


class SeveralLabels(View):
    """See the module."""

    worst_are: ClassVar[str] = (
        "labels that were said with the highest score and are not there, or the other way round"
    )

    @cached_property
    def sums(self) -> Sums:
        """The whole split, read once."""
        labels, start = self.result.labels, 0
        sums = Sums(len(labels))
        for batch in rows.batches(self.file, [self.target, "prediction", "scores", *self.texts]):
            given, said = (
                _table(batch.column(name), labels, len(batch)) for name in (self.target, "prediction")
            )
            scores = rows.numbers(batch.column("scores")) if "scores" in batch.schema.names else None
            sums.add(start, given, said, scores)
            sums.words.append(rows.word_counts(batch, self.texts))
            start += len(batch)
        return sums

    @property
    def _wrong(self) -> NDArray[np.bool_]:
        return np.concatenate([np.zeros(0, bool), *self.sums.wrong])

    def fails(self) -> Iterator[Part]:
        from hftransfer.report import plots

        labels, both = self.result.labels, self.sums.there + self.sums.said
        some = np.flatnonzero(both)  # of a label that is neither there nor said there is no F1
        f1 = (2 * self.sums.right[some] / both[some]).tolist()
        if f1:
            weakest = labels[int(some[int(np.argmin(f1))])]
            yield Picture(
                "labels",
                "F1 of every label",
                f"F1 of {len(some)} labels on {self.split}, from {min(f1):.3f} ({weakest}) to {max(f1):.3f}; "
                f"{int(self._wrong.sum()):,} of {len(self._wrong):,} rows have a label too many or too few.",
                lambda: plots.scores(f1, [labels[one] for one in some], "F1"),
            )
        yield score_table(self.sums.right, self.sums.there, self.sums.said, self.result.labels, self.split)
        yield from self.tables()

    def balance(self) -> Iterator[Part]:
        from hftransfer.report import plots

        there, labels = self.sums.there, self.result.labels
        yield Picture(
            "balance",
            "Rows of every label",
            f"Rows of every label in {self.split}: from {there.min():,} to {there.max():,} "
            f"({labels[int(there.argmax())]}).",
            lambda: plots.counts(there.tolist(), labels),
        )

    def data(self) -> Iterator[Part]:
        if self.sums.words and self.sums.words[0] is not None:
            yield from self.lengths(np.concatenate(self.sums.words), self._wrong)

    def calibration(self) -> Iterator[Part]:
        told = "Every label of every row is a guess; right is that the label is there."
        yield from self.sums.reliability.parts("guesses", told)

    def worst(self, count: int) -> NDArray[np.int64]:
        places = self.sums.worst[:, 1].astype(np.int64)
        return places[np.sort(np.unique(places, return_index=True)[1])][:count]

    def errors(self, count: int) -> list[Row]:
        """Labels that were said with the highest score and are not there, or the other way round."""
        worst = self.sums.worst[:count]
        found = self.rows(worst[:, 1].astype(int).tolist(), self.target, "prediction")
        for row, (bad, _, label) in zip(found, worst.tolist(), strict=True):
            name = self.result.labels[int(label)]
            missing = name in row[self.target]
            row["about"] = f"{name} {'missing' if missing else 'not there'}"
            row["score"] = 1 - bad if missing else bad
        return found


def _table(column: Any, labels: Any, count: int) -> NDArray[np.bool_]:
    """(N, C) of lists of labels."""
    import pyarrow.compute as pc

    table = np.zeros((count, len(labels)), bool)
    places = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
    found = rows.codes(column.flatten(), labels)
    table[places[found >= 0], found[found >= 0]] = True
    return table
