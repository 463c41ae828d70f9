"""Accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import accuracy_score

from hftransfer.metrics.in_memory import InMemoryMetric

if TYPE_CHECKING:
    from hftransfer.metrics.base import FloatArray, IntArray
    from hftransfer.metrics.intervals import Resamples


class Accuracy(InMemoryMetric):
    """Share of rows whose predicted class is the reference."""

    reference_url = "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.accuracy_score.html"

    def _compute(self, predictions: IntArray, references: IntArray) -> dict[str, float]:
        """predictions, references: (N,) classes as integers. Returns {"accuracy": float from 0 to 1}."""
        return {"accuracy": float(accuracy_score(references, predictions))}

    def resampled(
        self, resamples: Resamples, predictions: IntArray, references: IntArray
    ) -> FloatArray | None:
        """See `Metric.resampled`."""
        right = np.equal(predictions, references).reshape(len(references), -1).all(axis=1)
        return resamples.mean(np.asarray(right, dtype=np.float64))
