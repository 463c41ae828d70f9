"""Matthews correlation coefficient."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import matthews_corrcoef

from hftransfer.metrics.class_counts import class_counts
from hftransfer.metrics.in_memory import InMemoryMetric
from hftransfer.metrics.intervals import quotient

if TYPE_CHECKING:
    from hftransfer.metrics.base import FloatArray, IntArray
    from hftransfer.metrics.intervals import Resamples


class MatthewsCorrelation(InMemoryMetric):
    """Correlation of predictions and references (Matthews 1975; for many classes Gorodkin 2004).

    1 is perfect, 0 no better than chance; 0 also, as in scikit-learn, where either holds one class only.
    """

    reference_url = "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.matthews_corrcoef.html"

    def _compute(self, predictions: IntArray, references: IntArray) -> dict[str, float]:
        """predictions, references: (N,) classes as integers. Returns {"matthews_correlation": -1 to 1}."""
        with warnings.catch_warnings():
            # About the shape of a matrix that matthews_corrcoef makes for itself and nobody sees.
            warnings.filterwarnings("ignore", "A single label was found", UserWarning)
            return {"matthews_correlation": float(matthews_corrcoef(references, predictions))}

    def resampled(
        self, resamples: Resamples, predictions: IntArray, references: IntArray
    ) -> FloatArray | None:
        """See `Metric.resampled`; by Gorodkin's formula."""
        count = int(max(predictions.max(), references.max())) + 1
        shares = resamples.means(class_counts(references, predictions, count))
        right, said, there = np.split(shares, 3, axis=1)
        covariance = right.sum(axis=1) - (said * there).sum(axis=1)
        # 1 - 1, of a side with one class only, is to be 0 and not 1e-16.
        spreads = [np.round(1 - (side**2).sum(axis=1), 12) for side in (said, there)]
        return quotient(covariance, np.sqrt(spreads[0] * spreads[1]), zero=0.0)
