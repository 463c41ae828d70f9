"""Metrics of how well scores rank rows, on resamples: a pass over all of them for every label."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hftransfer.metrics.intervals import quotient

if TYPE_CHECKING:
    from hftransfer.metrics.intervals import Resamples

Numbers = NDArray[np.float64]
Area = Callable[[Numbers, Numbers, Numbers, Numbers], Numbers]
"""Of the G scores that rows with a label have, the highest first: how often such rows are drawn, (r, G); how often any
rows with a higher score are, and with one as high, both (r, G); and how many are drawn in all, (r, 1). Gives the area
on each resample, (r,), nan where it is not defined."""
MOST = 500_000
"""Rows times labels; half a second or so on each 100,000."""


def mean_area(
    resamples: Resamples, there: NDArray[np.bool_], scores: NDArray[np.floating[Any]], area: Area
) -> Numbers | None:
    """(R,): the mean over labels of an area, nan where that of a label is not defined; None for more than `MOST`.

    there: (N, C), whether a row has a label. scores: (N, C).
    """
    if there.size > MOST:
        return None
    if not there.any(axis=0).all():
        return np.full(resamples.count, np.nan)
    labels = [_Ranked(has, scored) for has, scored in zip(there.T, scores.T, strict=True)]
    found = [
        np.mean([one.of(weights, area) for one in labels], axis=0)
        for weights in (block.astype(np.float32) for block in resamples.weights())  # whole numbers, exactly
    ]
    return np.concatenate(found)


class _Ranked:
    """The rows of one label by their scores; those of one score count together, in whichever order they stand."""

    def __init__(self, has: NDArray[np.bool_], scores: NDArray[np.floating[Any]]) -> None:
        self.order = np.argsort(-scores)
        ranked = scores[self.order]
        starts = np.flatnonzero(np.diff(-ranked, prepend=-np.inf))
        ends = np.append(starts[1:], len(ranked)) - 1
        mine = np.flatnonzero(has[self.order])
        group = np.searchsorted(starts, mine, side="right") - 1
        self.mine, self.first = self.order[mine], np.flatnonzero(np.diff(group, prepend=-1))
        self.starts, self.ends = starts[group[self.first]], ends[group[self.first]]

    def of(self, weights: NDArray[np.float32], area: Area) -> Numbers:
        """weights: (r, N), how often every row is drawn."""
        drawn = weights[:, self.order].cumsum(axis=1)
        having = np.add.reduceat(weights[:, self.mine], self.first, axis=1)
        above = np.where(self.starts == 0, 0, drawn[:, self.starts - 1])
        level = drawn[:, self.ends] - above
        return area(*(one.astype(np.float64) for one in (having, above, level, drawn[:, -1:])))


def roc(having: Numbers, above: Numbers, level: Numbers, drawn: Numbers) -> Numbers:
    """Chance that a row with the label has the higher score of the two (Fawcett 2006); of equal scores, half of it."""
    count = having.sum(axis=1, keepdims=True)
    below = (drawn - above - level) - (count - having.cumsum(axis=1))
    won = (having * (below + (level - having) / 2)).sum(axis=1)
    return quotient(won, (count * (drawn - count))[:, 0], zero=np.nan)


def precision_recall(having: Numbers, above: Numbers, level: Numbers, drawn: Numbers) -> Numbers:
    """Mean over rows with the label of the precision down to their score: average precision as scikit-learn has it."""
    found = having.cumsum(axis=1)
    precision = quotient(found, above + level, zero=0.0)
    return quotient((having * precision).sum(axis=1), found[:, -1], zero=np.nan)
