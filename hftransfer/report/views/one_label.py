"""One label a row, or one choice: confusion, classes, calibration, errors, and labels that may be mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hftransfer.report import rows
from hftransfer.report.parts import Part, Picture
from hftransfer.report.reliability import Reliability
from hftransfer.report.views.base import Row, View
from hftransfer.report.views.classes import class_scores, confusions

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


WIDE = 20
"""The matrix of more labels is wider than a phone."""


@dataclass(frozen=True)
class Told:
    """Of N rows: given and said, the numbers of labels; score, of what was said; of_given, the score of the label that
    the row has (nan where that is not known); words, of the inputs, or None. A few bytes a row are all that is held."""

    given: NDArray[np.int64]
    said: NDArray[np.int64]
    score: NDArray[np.float64]
    of_given: NDArray[np.float64]
    words: NDArray[np.int64] | None


class OneLabel(View):
    """See the module."""

    @cached_property
    def told(self) -> Told:
        """The whole split, read once."""
        parts: list[list[Any]] = []
        columns = [self.target, "prediction", "index", "score", "scores", *self.texts]
        for batch in rows.batches(self.file, columns):
            given = rows.codes(batch.column(self.target), self.result.labels)
            said = (
                batch.column("index").to_numpy(zero_copy_only=False).astype(np.int64)
                if "index" in batch.schema.names
                else rows.codes(batch.column("prediction"), self.result.labels)
            )
            score = np.asarray(batch.column("score").to_numpy(zero_copy_only=False), dtype=np.float64)
            words = rows.word_counts(batch, self.texts)
            parts.append([given, said, score, _of(batch, given), words])
        if not parts:
            none = np.zeros(0)
            return Told(none.astype(np.int64), none.astype(np.int64), none, none, None)
        columns_ = [None if one[0] is None else np.concatenate(one) for one in zip(*parts, strict=True)]
        return Told(*columns_)  # type: ignore[arg-type]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """(N,)"""
        wrong: NDArray[np.bool_] = self.told.given != self.told.said
        return wrong

    @cached_property
    def confused(self) -> NDArray[np.int64]:
        """(C, C) rows by the label they have and the one that was said."""
        size, told = len(self.result.labels), self.told
        known = (told.given >= 0) & (told.said >= 0)
        flat = np.bincount(told.given[known] * size + told.said[known], minlength=size * size)
        return flat.reshape(size, size)

    def fails(self) -> Iterator[Part]:
        from hftransfer.report import plots

        labels = self.result.labels
        top = confusions(self.confused, labels)
        given, said, times, *_ = top.rows[0] if top.rows else ("", "", 0)
        often = "once" if times == 1 else f"{times} times"
        worst = f" The commonest mistake: {given} taken for {said}, {often}." if times else ""
        yield Picture(
            "confusion",
            "Confusion matrix",
            f"Confusion matrix of {len(labels)} labels on {len(self.told.given):,} {self.split} rows, "
            f"{int(self.wrong.sum()):,} of them wrong.{worst}",
            lambda: plots.confusion(self.confused, labels),
            wide=len(labels) > WIDE,
        )
        if top.rows:
            yield top
        yield class_scores(self.confused, labels, self.split)
        yield from self.tables()

    def balance(self) -> Iterator[Part]:
        from hftransfer.report import plots

        given, labels = self.confused.sum(axis=1), self.result.labels
        most, least = int(given.argmax()), int(given.argmin())
        yield Picture(
            "balance",
            "Class balance",
            f"Every label has {given[most]:,} rows in {self.split}."
            if given[most] == given[least]
            else f"Rows of every label in {self.split}: from {given[least]:,} ({labels[least]}) to {given[most]:,} "
            f"({labels[most]}).",
            lambda: plots.counts(given.tolist(), labels),
        )

    def data(self) -> Iterator[Part]:
        yield from self.lengths(self.told.words, self.wrong)

    def calibration(self) -> Iterator[Part]:
        sums = Reliability()
        sums.add(self.told.score, ~self.wrong)
        yield from sums.parts("predictions", "A prediction's score is the probability of the label it says.")

    def errors(self, count: int) -> list[Row]:
        """Wrong with the highest score."""
        return self._rows(self.worst(count))

    def worst(self, count: int) -> NDArray[np.int64]:
        """The places of the worst errors in the split."""
        places = np.flatnonzero(self.wrong)
        found: NDArray[np.int64] = places[np.argsort(-self.told.score[places], kind="stable")][:count]
        return found

    @property
    def _doubted(self) -> NDArray[np.int64]:
        """Confident learning (Northcutt et al. 2021, arXiv:1911.00068): rows for which another label reaches the mean
        score that its own rows give it. The lowest score of the given label first."""
        told, size = self.told, len(self.result.labels)
        known = np.isfinite(told.of_given) & (told.given >= 0)
        sums = np.bincount(told.given[known], weights=told.of_given[known], minlength=size)
        usual = sums / np.maximum(np.bincount(told.given[known], minlength=size), 1)
        doubted = np.flatnonzero(
            known & self.wrong & (told.score >= usual[told.said]) & (usual[told.said] > 0)
        )
        return doubted[np.argsort(told.of_given[doubted], kind="stable")]

    def doubtful(self, count: int) -> list[Row]:
        return self._rows(self._doubted[:count])

    def _rows(self, places: NDArray[np.int64]) -> list[Row]:
        found = self.rows(places.tolist(), self.target, "prediction")
        for row, place in zip(found, places.tolist(), strict=True):
            row["score"] = float(self.told.score[place])
            row["score of the label"] = float(self.told.of_given[place])
        return found


def _of(batch: pa.RecordBatch, given: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,) the score of the label that each row has, of lists of scores that may differ in length."""
    import pyarrow.compute as pc

    if "scores" not in batch.schema.names:
        return np.full(len(given), np.nan)
    column = batch.column("scores")
    sizes = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    values = np.append(column.flatten().to_numpy(zero_copy_only=False), np.nan)
    places = np.concatenate([[0], np.cumsum(sizes)[:-1]]) + given
    found: NDArray[np.float64] = values[np.where((given >= 0) & (given < sizes), places, -1).astype(np.int64)]
    return found
