"""How far scores are from being chances: of rows that a model is 80 % sure of, 80 % ought to be right.

References are classes (N,) with probabilities (N, C) that add up to 1; or, of several labels a row, (N, C) of 0 and 1
with a probability for each, and then every label of every row counts as a guess by itself ("micro").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hftransfer.metrics.base import FloatArray, IntArray
    from hftransfer.metrics.intervals import Resamples

BINS = 15
"""Of equal width, as Guo et al. 2017 and most since have it."""
LEAST = 1e-300
"""The least chance of what happened: its logarithm has to be a number."""


def ece(references: IntArray, scores: FloatArray, *, bins: int = BINS) -> float:
    """Expected calibration error, from 0 to 1 (Guo et al. 2017, arXiv:1706.04599, eq. 3; Naeini et al. 2015).

    The mean distance between how sure the model is and how often it is right, over bins ((b - 1) / B, b / B] of the
    first, weighted by their rows. Sure: the highest probability of a row; of several labels, a label's own, and "right"
    is that the label is there.

    What falls into a bin by chance counts, too: of few rows it is above 0 for a perfect model as well.
    """
    sure, right = confidence(references, scores)
    if not len(sure):
        return float("nan")
    sums = np.bincount(bins_of(sure, bins), weights=sure - right, minlength=bins)
    return float(np.abs(sums).sum() / len(sure))


def resampled_ece(resamples: Resamples, references: IntArray, scores: FloatArray) -> FloatArray:
    """(R,): `ece` on the resamples, less what it is too high there.

    What fell into a bin by chance is in every resample, and its own chance comes on top: their mean lies above the
    score. That bias is taken off (Efron & Tibshirani 1993, chapter 10), so that they lie around the score as it would
    around its own mean on other rows; not around that of endless rows, which is lower still.
    """
    sure, right = confidence(references, scores)
    guesses = len(sure) // len(references)  # of every row
    table = np.zeros((len(references), BINS))
    np.add.at(table, (np.arange(len(sure)) // guesses, bins_of(sure)), (sure - right) / guesses)
    values = np.abs(resamples.means(table)).sum(axis=1)
    return np.asarray(np.maximum(values - values.mean() + ece(references, scores), 0.0))


def bins_of(sure: NDArray[np.float64], bins: int = BINS) -> NDArray[np.int64]:
    """The bin, from 0, that each of the scores (G,) from 0 to 1 falls into: ((b - 1) / B, b / B], 0 into the first."""
    places: NDArray[np.int64] = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    return places


def confidence(references: IntArray, scores: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(how sure, (G,) from 0 to 1; whether that was right, (G,) of 0 and 1) of every guess: G is N, or N x C."""
    table = np.asarray(scores, dtype=np.float64)
    if references.ndim == 2:
        return table.ravel(), references.ravel().astype(np.float64)
    return table.max(axis=1), (table.argmax(axis=1) == references).astype(np.float64)


def nll(references: IntArray, scores: FloatArray) -> float:
    """Negative log-likelihood in nats: the mean over rows of -log of what the right class was given; of several labels,
    over rows and labels."""
    table = np.asarray(scores, dtype=np.float64)
    chances: Any = table[np.arange(len(table)), references] if references.ndim == 1 else None
    if references.ndim == 2:
        chances = np.where(references == 1, table, 1 - table)
    return float(-np.log(np.maximum(chances, LEAST)).mean())


def brier(references: IntArray, scores: FloatArray) -> float:
    """Brier's score (1950): the squared distance between the probabilities and what was, 0 for certain and right.

    Of one label a row added up over labels (0 to 2), the mean over rows; of several, the mean over rows and labels (0
    to 1).
    """
    table = np.asarray(scores, dtype=np.float64)
    if references.ndim == 2:
        return float(np.square(table - references).mean())
    return float(np.square(table - np.eye(table.shape[1])[references]).sum(axis=1).mean())
