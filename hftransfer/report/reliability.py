"""How sure a model was and how often it was right, added up a few thousand guesses at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hftransfer.metrics.calibration import BINS, bins_of
from hftransfer.report.parts import Picture, Say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FINE = 40
"""Bins of the histograms."""


class Reliability:
    """Sums over bins of guesses; what is kept does not grow with them."""

    def __init__(self, names: tuple[str, str] = ("right", "wrong")) -> None:
        self.names = names
        self.counts = np.zeros(BINS, np.int64)
        self._sure, self._right = np.zeros(BINS), np.zeros(BINS)
        self._fine = np.zeros((2, FINE), np.int64)

    def add(self, sure: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
        """sure: (N,) scores from 0 to 1; those that are not numbers are left out. right: (N,)."""
        known = np.isfinite(sure)
        sure, right = sure[known], right[known]
        places = bins_of(sure)
        self.counts += np.bincount(places, minlength=BINS)
        self._sure += np.bincount(places, weights=sure, minlength=BINS)
        self._right += np.bincount(places, weights=right, minlength=BINS)
        fine = np.clip((sure * FINE).astype(np.int64), 0, FINE - 1)
        for row, these in enumerate((right, ~right)):
            self._fine[row] += np.bincount(fine[these], minlength=FINE)

    @property
    def total(self) -> int:
        """Guesses."""
        return int(self.counts.sum())

    @property
    def error(self) -> float:
        """The expected calibration error, 0 to 1: the mean distance of score and share right, weighted by guesses."""
        return float(np.abs(self._sure - self._right).sum() / max(self.total, 1))

    @property
    def lean(self) -> float:
        """The mean score minus the share that is right: above 0, the model is too sure."""
        return float((self._sure - self._right).sum() / max(self.total, 1))

    def parts(self, what: str, told: str) -> Iterator[Say | Picture]:
        """what: what a guess is, in the plural. told: what `right` means, in a sentence."""
        from hftransfer.report import plots

        if not self.total:
            return
        much = np.maximum(self.counts, 1)
        confidence, accuracy = self._sure / much, self._right / much
        lean = (
            "on the whole about as sure as it is right"
            if abs(self.lean) < 0.01
            else f"on the whole too {'sure' if self.lean > 0 else 'unsure'} by {abs(self.lean):.3f}"
        )
        yield Say(
            f"Expected calibration error: {self.error:.4f} over {self.total:,} {what}, in {BINS} bins of equal width; "
            f"{lean}. {told}"
        )
        yield Picture(
            "calibration",
            "Reliability",
            f"Reliability diagram: the share of {what} that is right over their score; the expected calibration "
            f"error is {self.error:.3f}. Bars on the dashed line are scores that can be taken at their word.",
            lambda: plots.reliability(self.counts, confidence, accuracy, self.error),
        )
        yield Picture(
            "scores",
            "Scores",
            f"Histogram of scores: {int(self._fine[0].sum()):,} {self.names[0]}, {int(self._fine[1].sum()):,} "
            f"{self.names[1]}. The less the two overlap, the better a threshold can tell them apart.",
            lambda: plots.histogram(dict(zip(self.names, self._fine, strict=True)), "score"),
        )
