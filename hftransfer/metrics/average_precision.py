"""Average precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from datasets import Features, Sequence, Value
from sklearn.metrics import average_precision_score

from hftransfer.metrics.in_memory import InMemoryMetric
from hftransfer.metrics.rankings import mean_area, precision_recall

if TYPE_CHECKING:
    import pyarrow as pa

    from hftransfer.metrics.base import FloatArray, IntArray
    from hftransfer.metrics.intervals import Resamples


class AveragePrecision(InMemoryMetric):
    """Area under the precision-recall curve of every label, and their unweighted mean (mAP)."""

    reference_url = (
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.average_precision_score.html"
    )
    data_format = "arrow"  # see RocAuc

    def _features(self) -> Features:
        return Features(
            {"references": Sequence(Value("int64")), "prediction_scores": Sequence(Value("float64"))}
        )

    def _compute(self, references: pa.ChunkedArray, prediction_scores: pa.ChunkedArray) -> dict[str, float]:
        """references: (N, C) of 0 and 1. prediction_scores: (N, C).

        Returns {"average_precision": float from 0 to 1}; nan where a label has no row.
        """
        there, scores = np.stack(references.to_numpy()), np.stack(prediction_scores.to_numpy())
        if not there.any(axis=0).all():
            return {"average_precision": float("nan")}
        return {"average_precision": float(average_precision_score(there, scores, average="macro"))}

    def resampled(
        self, resamples: Resamples, references: IntArray, prediction_scores: FloatArray
    ) -> FloatArray | None:
        """See `Metric.resampled`; None for very many rows and labels."""
        return mean_area(resamples, references == 1, prediction_scores, precision_recall)
