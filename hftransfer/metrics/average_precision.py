"""Average precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from datasets import Features, Sequence, Value
from sklearn.metrics import average_precision_score

from hftransfer.metrics.in_memory import InMemoryMetric

if TYPE_CHECKING:
    import pyarrow as pa


class AveragePrecision(InMemoryMetric):
    """Area under the precision-recall curve of every label, and their unweighted mean (mAP).

    It has no interval: every label would be a pass over all resamples, and the mean is not defined on those that lack a
    rare one.
    """

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
