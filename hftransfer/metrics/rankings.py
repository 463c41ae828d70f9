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
Area = Callable[[Numbers, Numbers], Numbers]
"""Of how often rows with a label and rows without it are drawn at every score, (r, S) each, the highest score first:
the area on each resample, (r,), nan where it is not defined."""
MOST = 500_000
"""Rows times labels; a second or two on each 100,000."""


def mean_area(
    resamples: Resamples, there: NDArray[np.bool_], scores: NDArray[np.floating[Any]], area: Area
) -> Numbers | None:
    """(R,): the mean over labels of an area, nan where that of a label is not defined; None for more than `MOST`.

    there: (N, C), whether a row has a label. scores: (N, C).
    """
    if there.size > MOST:
        return None
    columns = []
    for label in range(there.shape[1]):
        order = np.argsort(-scores[:, label])
        # Rows of one score count together, in whichever order they stand.
        ties = np.flatnonzero(np.diff(-scores[order, label], prepend=-np.inf))
        columns.append((order, there[order, label], ties))
    found = []
    for weights in resamples.weights():
        total = np.zeros(len(weights))
        for order, has, ties in columns:
            drawn = weights[:, order]
            total += area(*(np.add.reduceat(drawn * side, ties, axis=1) for side in (has, ~has)))
        found.append(total / len(columns))
    return np.concatenate(found)


def roc(having: Numbers, lacking: Numbers) -> Numbers:
    """Chance that a row with the label has the higher score of the two (Fawcett 2006); of equal scores, half of it."""
    below = lacking.sum(axis=1, keepdims=True) - lacking.cumsum(axis=1)
    won = (having * (below + lacking / 2)).sum(axis=1)
    return quotient(won, having.sum(axis=1) * lacking.sum(axis=1), zero=np.nan)


def precision_recall(having: Numbers, lacking: Numbers) -> Numbers:
    """Mean over rows with the label of the precision down to their score: average precision as scikit-learn has it."""
    found = having.cumsum(axis=1)
    precision = quotient(found, found + lacking.cumsum(axis=1), zero=0.0)
    return quotient((having * precision).sum(axis=1), found[:, -1], zero=np.nan)
