"""Texts that were written: how much they share with those that were wanted, how long they are, which are worst."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hftransfer.report import rows
from hftransfer.report.parts import Part, Picture, Say, listed
from hftransfer.report.views.base import Row, View

SHOWN = 5


class Texts(View):
    """See the module."""

    worst_are: ClassVar[str] = (
        "the texts that share the fewest words with what was wanted; overlap is the F1 of their words"
    )

    @cached_property
    def told(self) -> dict[str, Any]:
        """(N,) words of what was written, of what was wanted (the first reference), and of the source; the overlap."""
        found: dict[str, list[Any]] = {"written": [], "wanted": [], "source": [], "overlap": []}
        for batch in rows.batches(self.file, ["prediction", self.target, *self.texts]):
            wanted = [[one] if isinstance(one, str) else one for one in batch.column(self.target).to_pylist()]
            said = batch.column("prediction").to_pylist()
            found["written"].append(rows.word_counts(batch, ["prediction"]))
            found["wanted"].append(np.array([len(one[0].split()) for one in wanted], dtype=np.int64))
            found["source"].append(rows.word_counts(batch, self.texts))
            each = zip(said, wanted, strict=True)
            found["overlap"].append(np.array([max(overlap(one, text) for text in of) for one, of in each]))
        return {
            name: np.concatenate(several)
            for name, several in found.items()
            if several and several[0] is not None
        }

    def fails(self) -> Iterator[Part]:
        from hftransfer.report import plots

        if not self.told:
            return
        words = {name: self.told[name] for name in ("written", "wanted")}
        empty, total = int((words["written"] == 0).sum()), len(words["written"])
        yield Say(f"{empty:,} of {total:,} {self.split} rows were answered with no word at all.", empty > 0)
        share = self.told["overlap"]
        yield Picture(
            "overlap",
            "Words shared with what was wanted",
            f"Histogram of the F1 of words written and wanted, whatever their order: half of the {self.split} rows "
            f"have at least {np.median(share):.3f}; {int((share == 0).sum()):,} share no word.",
            lambda: plots.spread(share, "F1 of words, written and wanted", "rows"),
        )
        yield Picture(
            "written",
            "Length of what was written",
            f"Histograms of words: written, half have at most {int(np.median(words['written']))}; wanted, at most "
            f"{int(np.median(words['wanted']))}.",
            lambda: plots.lengths(words),
        )
        places = sorted({int(one) for one in np.linspace(0, total - 1, min(SHOWN, total))})
        shown = self._rows(places)
        yield listed("Some rows, evenly over the split", shown, texts=self.long)
        yield from self.tables()

    def data(self) -> Iterator[Part]:
        source = self.told.get("source")
        yield from self.lengths(
            source, None if source is None else 1 - self.told["overlap"], "words not shared"
        )

    @property
    def long(self) -> list[str]:
        return [*self.texts, self.target, "prediction"]

    def errors(self, count: int) -> list[Row]:
        """The texts that share the fewest words with what was wanted."""
        share = self.told.get("overlap", np.zeros(0))
        places = np.flatnonzero(share < 1)
        return self._rows(places[np.argsort(share[places], kind="stable")][:count].tolist())

    def _rows(self, places: Sequence[int]) -> list[Row]:
        found = self.rows(places, self.target, "prediction")
        for row, place in zip(found, places, strict=True):
            row["overlap"] = float(self.told["overlap"][place])
        return found


def overlap(said: str, wanted: str) -> float:
    """F1 of the words of two texts, each as often as it is there, whatever their order and case (the unigram overlap of
    ROUGE-1, Lin 2004, without stemming); of characters where the wanted text has no white space to tell words by."""
    split = str.split if any(map(str.isspace, wanted.strip())) or wanted.isascii() else list
    one, other = Counter(split(said.casefold())), Counter(split(wanted.casefold()))
    shared = (one & other).total()
    both = one.total() + other.total()
    return 2 * shared / both if both else 1.0
