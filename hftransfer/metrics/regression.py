"""How far predicted numbers are from the true ones: scikit-learn's and scipy's definitions, over (N, T) arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from hftransfer.metrics.intervals import quotient

if TYPE_CHECKING:
    from hftransfer.metrics.intervals import Resamples

Numbers = NDArray[np.floating[Any]]


def mse(references: Numbers, predictions: Numbers) -> float:
    """Mean squared error, the unweighted mean over targets."""
    return float(mean_squared_error(references, predictions))


def mae(references: Numbers, predictions: Numbers) -> float:
    """Mean absolute error, the unweighted mean over targets."""
    return float(mean_absolute_error(references, predictions))


def r2(references: Numbers, predictions: Numbers) -> float | None:
    """Coefficient of determination, the unweighted mean over targets; None for fewer than two rows."""
    return float(r2_score(references, predictions)) if len(references) > 1 else None


def pearson(references: Numbers, predictions: Numbers) -> float | None:
    """Pearson's correlation, the mean over targets; None where a side of one never changes."""
    return _correlation(stats.pearsonr, references, predictions)


def spearman(references: Numbers, predictions: Numbers) -> float | None:
    """Spearman's rank correlation, the mean over targets; None where a side of one never changes."""
    return _correlation(stats.spearmanr, references, predictions)


def _correlation(of: Callable[..., Any], references: Numbers, predictions: Numbers) -> float | None:
    pairs = list(zip(np.atleast_2d(references.T), np.atleast_2d(predictions.T), strict=True))
    if len(references) < 2 or any(np.ptp(side) == 0 for pair in pairs for side in pair):
        return None
    return float(np.mean([of(one, other).statistic for one, other in pairs]))


def resampled_mse(resamples: Resamples, references: Numbers, predictions: Numbers) -> Numbers:
    return resamples.mean(((references - predictions) ** 2).mean(axis=1))


def resampled_mae(resamples: Resamples, references: Numbers, predictions: Numbers) -> Numbers:
    return resamples.mean(np.abs(references - predictions).mean(axis=1))


def resampled_r2(resamples: Resamples, references: Numbers, predictions: Numbers) -> Numbers:
    centred = references - references.mean(axis=0)  # sums of squares far from zero would lose digits
    table = np.hstack([(references - predictions) ** 2, centred, centred**2])
    wrong, total, squares = np.split(resamples.means(table), 3, axis=1)
    spread = squares - total**2
    shares = quotient(wrong, np.where(_varies(spread, centred), spread, 0), zero=np.nan)
    return np.asarray((1 - shares).mean(axis=1))


def resampled_pearson(resamples: Resamples, references: Numbers, predictions: Numbers) -> Numbers:
    x, y = (side - side.mean(axis=0) for side in (references, predictions))
    means = resamples.means(np.hstack([x, y, x * x, y * y, x * y]))
    mean_x, mean_y, xx, yy, xy = np.split(means, 5, axis=1)
    spreads = xx - mean_x**2, yy - mean_y**2
    moves = _varies(spreads[0], x) & _varies(spreads[1], y)
    scale = np.sqrt(np.where(moves, spreads[0] * spreads[1], 0))
    return np.asarray(quotient(xy - mean_x * mean_y, scale, zero=np.nan).mean(axis=1))


def resampled_spearman(resamples: Resamples, references: Numbers, predictions: Numbers) -> Numbers:
    """Pearson's correlation of the ranks in each resample: ranks change with the rows that are drawn."""
    values = []
    for weights in resamples.weights():
        each, rows = [], weights.sum(axis=1, keepdims=True)
        for one, other in zip(references.T, predictions.T, strict=True):
            # The mean of N ranks is (N + 1) / 2, with ties and without.
            x, y = (_ranks(weights, side) - (rows + 1) / 2 for side in (one, other))
            xx, yy, xy = ((weights * product).sum(axis=1) for product in (x * x, y * y, x * y))
            each.append(quotient(xy, np.sqrt(xx * yy), zero=np.nan))
        values.append(np.mean(each, axis=0))
    return np.concatenate(values)


def _ranks(weights: Numbers, side: Numbers) -> Numbers:
    """(r, N): the rank of every row, from 1 and shared by ties, among the rows of each resample. weights: (r, N)."""
    _, group = np.unique(side, return_inverse=True)
    order = np.argsort(group, kind="stable")
    ties = np.flatnonzero(np.diff(group[order], prepend=-1))
    drawn = np.add.reduceat(weights[:, order], ties, axis=1)
    return np.asarray((drawn.cumsum(axis=1) - drawn / 2 + 0.5)[:, group])


def _varies(spread: Numbers, centred: Numbers) -> NDArray[np.bool_]:
    """Where the variance on a resample, (R, T), is more than what rounding leaves of none."""
    return np.asarray(spread > 1e-12 * (centred**2).mean(axis=0))
