"""Confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sklearn.metrics import confusion_matrix

from hftransfer.metrics.in_memory import InMemoryMetric

if TYPE_CHECKING:
    from hftransfer.metrics.base import IntArray


class ConfusionMatrix(InMemoryMetric):
    """How many rows of each class are predicted as each class."""

    reference_url = "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.confusion_matrix.html"

    def _compute(
        self, predictions: IntArray, references: IntArray, labels: Sequence[int] | None = None
    ) -> dict[str, IntArray]:
        """predictions, references: (N,) classes as integers. labels: the C classes, by default those there.

        Returns {"confusion_matrix": (C, C) counts}: a row for each reference, a column for each prediction.
        """
        return {"confusion_matrix": confusion_matrix(references, predictions, labels=labels)}
