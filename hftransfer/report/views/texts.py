"""Texts that were written: how long they are beside those that were wanted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from hftransfer.report import rows
from hftransfer.report.parts import Part, Picture, Say, listed
from hftransfer.report.views.base import View

SHOWN = 5


class Texts(View):
    """See the module."""

    @cached_property
    def words(self) -> dict[str, Any]:
        """(N,) words of what was written, of what was wanted (the first reference), and of the source."""
        found: dict[str, list[Any]] = {"written": [], "wanted": [], "source": []}
        for batch in rows.batches(self.file, ["prediction", self.target, *self.texts]):
            wanted = [
                one if isinstance(one, str) else one[0] for one in batch.column(self.target).to_pylist()
            ]
            found["written"].append(rows.word_counts(batch, ["prediction"]))
            found["wanted"].append(np.array([len(one.split()) for one in wanted]))
            found["source"].append(rows.word_counts(batch, self.texts))
        return {
            name: np.concatenate(several)
            for name, several in found.items()
            if several and several[0] is not None
        }

    def fails(self) -> Iterator[Part]:
        from hftransfer.report import plots

        words = {name: self.words[name] for name in ("written", "wanted")}
        empty = int((words["written"] == 0).sum())
        yield Say(
            f"{empty:,} of {len(words['written']):,} {self.split} rows were answered with no word at all.",
            empty > 0,
        )
        yield Picture(
            "written",
            "Length of what was written",
            f"Histograms of words: written, half have at most {int(np.median(words['written']))}; wanted, at most "
            f"{int(np.median(words['wanted']))}.",
            lambda: plots.lengths(words),
        )
        total = len(words["written"])
        places = sorted({int(one) for one in np.linspace(0, total - 1, min(SHOWN, total))})
        shown = self.rows(places, self.target, "prediction")
        yield listed(
            "Some rows, evenly over the split", shown, texts=[*self.texts, self.target, "prediction"]
        )
        yield from self.tables()

    def data(self) -> Iterator[Part]:
        yield from self.lengths(self.words.get("source"), None)
