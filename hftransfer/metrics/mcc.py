"""Matthews correlation coefficient."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from sklearn.metrics import matthews_corrcoef

from hftransfer.metrics.in_memory import InMemoryMetric

if TYPE_CHECKING:
    from hftransfer.metrics.base import IntArray


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
