"""Answers to questions: right, overlapping, wrong, or none where there is one and the other way round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hftransfer.metrics.squad import row_scores
from hftransfer.report import rows
from hftransfer.report.parts import Part, Picture
from hftransfer.report.reliability import Reliability
from hftransfer.report.views.base import Row, View

KINDS = ("exact", "overlaps", "wrong", "nothing said", "said, but there is none", "rightly nothing said")
EXACT, OVERLAPS, WRONG, SILENT, TOO_MUCH, RIGHTLY_SILENT = range(6)


class Answers(View):
    """See the module."""

    worst_are: ClassVar[str] = "without a right word, or where there is no answer, and with the highest score"

    @cached_property
    def told(self) -> dict[str, Any]:
        """(N,) each: the kind of every answer, its score, its words, those of the first right one, of the inputs."""
        found: dict[str, list[Any]] = {name: [] for name in ("kind", "score", "said", "right", "words", "f1")}
        for batch in rows.batches(self.file, [self.target, "prediction", "score", *self.texts]):
            gold, said = (batch.column(name).to_pylist() for name in (self.target, "prediction"))
            exact, overlap = row_scores(gold, said)
            each = zip(gold, said, exact, overlap, strict=True)
            found["kind"].append(np.array([_kind(*one) for one in each], dtype=np.int64))
            found["f1"].append(np.array(overlap))
            found["score"].append(batch.column("score").to_numpy(zero_copy_only=False))
            found["said"].append(np.array([len(one.split()) for one in said]))
            found["right"].append(np.array([len(one[0].split()) if one else 0 for one in gold]))
            found["words"].append(rows.word_counts(batch, self.texts))
        return {name: np.concatenate([np.zeros(0), *several]) for name, several in found.items()}

    @property
    def _failed(self) -> Any:
        return ~np.isin(self.told["kind"], (EXACT, OVERLAPS, RIGHTLY_SILENT))

    def fails(self) -> Iterator[Part]:
        from hftransfer.report import plots

        counted = Counter(self.told["kind"].astype(int).tolist())
        total = max(len(self.told["kind"]), 1)
        by_kind = {KINDS[kind]: counted[kind] for kind in range(len(KINDS)) if counted[kind]}
        yield Picture(
            "answers",
            "What became of the questions",
            "Of the questions: "
            + ", ".join(f"{name} {n:,} ({n / total:.0%})" for name, n in by_kind.items())
            + ".",
            lambda: plots.counts(list(by_kind.values()), list(by_kind), "questions"),
        )
        some = (self.told["right"] > 0) & (self.told["said"] > 0)
        words = {"said": self.told["said"][some], "right": self.told["right"][some]}
        if some.any():
            yield Picture(
                "answer-lengths",
                "Length of answers",
                f"Histograms of words of answers: said, half have at most {int(np.median(words['said']))}; right, at "
                f"most {int(np.median(words['right']))}.",
                lambda: plots.lengths(words),
            )
        yield from self.tables()

    def data(self) -> Iterator[Part]:
        yield from self.lengths(self.told["words"], self._failed)

    def calibration(self) -> Iterator[Part]:
        sums = Reliability()
        sums.add(self.told["score"], np.isin(self.told["kind"], (EXACT, RIGHTLY_SILENT)))
        told = "Right is an exact match; a score is the answer's share among the candidates."
        yield from sums.parts("answers", told)

    def errors(self, count: int) -> list[Row]:
        """Answers without a right word, or where there is none, with the highest score."""
        places = np.flatnonzero(self._failed)
        places = places[np.argsort(-self.told["score"][places], kind="stable")][:count]
        found = self.rows(places.tolist(), self.target, "prediction", "score")
        for row, place in zip(found, places.tolist(), strict=True):
            row["kind"] = KINDS[int(self.told["kind"][place])]
        return found


def _kind(gold: list[str], said: str, exact: float, overlap: float) -> int:
    if not gold:
        return TOO_MUCH if said else RIGHTLY_SILENT
    if not said:
        return SILENT
    return EXACT if exact else OVERLAPS if overlap else WRONG
