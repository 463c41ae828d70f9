"""How well hidden tokens are guessed. Predictions: of every row, (M, 2) of its M tokens: the natural logarithm of the
probability of the right one, and 1 where that was the likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hftransfer.metrics.intervals import quotient

if TYPE_CHECKING:
    from hftransfer.metrics.intervals import Resamples

Guesses = Sequence[NDArray[np.floating[Any]]]


def perplexity(references: Any, predictions: Guesses) -> float | None:
    """exp of the mean negative log-likelihood over all hidden tokens; None where there is none, or it is infinite."""
    tokens = np.concatenate(list(predictions))
    with np.errstate(over="ignore"):
        return float(np.exp(-tokens[:, 0].mean(dtype=np.float64))) if len(tokens) else None


def masked_accuracy(references: Any, predictions: Guesses) -> float | None:
    """Share of all hidden tokens whose likeliest token is the right one; None where there is none."""
    tokens = np.concatenate(list(predictions))
    return float(tokens[:, 1].mean(dtype=np.float64)) if len(tokens) else None


def resampled_perplexity(resamples: Resamples, references: Any, predictions: Guesses) -> NDArray[np.float64]:
    """Rows are drawn, with all of their hidden tokens: those of one text are not independent."""
    with np.errstate(over="ignore"):
        return np.exp(-_token_means(resamples, predictions, 0))


def resampled_accuracy(resamples: Resamples, references: Any, predictions: Guesses) -> NDArray[np.float64]:
    return _token_means(resamples, predictions, 1)


def _token_means(resamples: Resamples, predictions: Guesses, column: int) -> NDArray[np.float64]:
    """(R,): the mean over all hidden tokens of each resample."""
    rows = [(one[:, column].sum(dtype=np.float64), len(one)) for one in predictions]
    total, count = resamples.sums(np.array(rows)).T
    return quotient(total, count, zero=np.nan)
