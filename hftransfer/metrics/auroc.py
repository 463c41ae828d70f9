"""Area under the receiver operating characteristic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from datasets import Features, Sequence, Value
from sklearn.metrics import roc_auc_score

from hftransfer.metrics.in_memory import InMemoryMetric
from hftransfer.metrics.rankings import mean_area, roc

if TYPE_CHECKING:
    import pyarrow as pa

    from hftransfer.metrics.base import FloatArray, IntArray
    from hftransfer.metrics.intervals import Resamples


class RocAuc(InMemoryMetric):
    """Chance that a row of a class gets a higher score for it than a row of another class (Fawcett 2006).

    Two classes: class 1 against class 0. More: each class against the rest, and their unweighted mean. Several labels
    a row: the rows of each label against those without it, and their unweighted mean.
    """

    reference_url = "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.roc_auc_score.html"
    # The numpy format of `datasets` rounds to float32: scores that differ become ties, and the area changes.
    data_format = "arrow"

    def _features(self) -> list[Features]:
        references = Value("int64")
        return [
            Features({"references": references, "prediction_scores": Value("float64")}),
            Features({"references": references, "prediction_scores": Sequence(Value("float64"))}),
            Features({"references": Sequence(references), "prediction_scores": Sequence(Value("float64"))}),
        ]

    def _compute(self, references: pa.ChunkedArray, prediction_scores: pa.ChunkedArray) -> dict[str, float]:
        """references: (N,) classes as integers, or (N, C) of 0 and 1. prediction_scores: (N, C) probabilities; or (N,),
        of class 1.

        Returns {"roc_auc": float from 0 to 1}; nan, as in scikit-learn, where the references lack a class.
        """
        classes, scores = references.to_numpy(), prediction_scores.to_numpy()
        if scores.dtype == object:
            scores = np.stack(scores)
        if classes.dtype == object:
            there = np.stack(classes)
            if not (there.any(axis=0) & (1 - there).any(axis=0)).all():
                return {"roc_auc": float("nan")}
            return {"roc_auc": float(roc_auc_score(there, scores, average="macro"))}
        count = scores.shape[1] if scores.ndim == 2 else 2
        # Asked here, since scikit-learn warns or raises depending on its version.
        if count < 2 or len(np.unique(classes)) != count:
            return {"roc_auc": float("nan")}
        if count == 2:
            return {"roc_auc": float(roc_auc_score(classes, scores if scores.ndim == 1 else scores[:, 1]))}
        area = roc_auc_score(classes, scores, multi_class="ovr", average="macro", labels=np.arange(count))
        return {"roc_auc": float(area)}

    def resampled(
        self, resamples: Resamples, references: IntArray, prediction_scores: FloatArray
    ) -> FloatArray | None:
        """See `Metric.resampled`; None for very many rows and labels."""
        if references.ndim == 2:
            return mean_area(resamples, references == 1, prediction_scores, roc)
        classes = [1] if prediction_scores.shape[1] == 2 else np.arange(prediction_scores.shape[1])
        return mean_area(resamples, references[:, None] == classes, prediction_scores[:, classes], roc)
