"""Expected calibration error, as a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from datasets import Features, Sequence, Value

from hftransfer.metrics.calibration import ece, resampled_ece
from hftransfer.metrics.in_memory import InMemoryMetric

if TYPE_CHECKING:
    import pyarrow as pa

    from hftransfer.metrics.base import FloatArray, IntArray
    from hftransfer.metrics.intervals import Resamples


class ExpectedCalibrationError(InMemoryMetric):
    """How far scores are from the shares that are right, in 15 bins of equal width (Guo et al. 2017): see `ece`."""

    reference_url = "https://arxiv.org/abs/1706.04599"
    data_format = "arrow"  # see RocAuc

    def _features(self) -> list[Features]:
        references, scores = Value("int64"), Sequence(Value("float64"))
        return [
            Features({"references": one, "prediction_scores": scores})
            for one in (references, Sequence(references))
        ]

    def _compute(self, references: pa.ChunkedArray, prediction_scores: pa.ChunkedArray) -> dict[str, float]:
        """references: (N,) classes as integers, or (N, C) of 0 and 1. prediction_scores: (N, C) probabilities.

        Returns {"ece": float from 0 to 1}.
        """
        classes, scores = references.to_numpy(), np.stack(prediction_scores.to_numpy())
        return {"ece": ece(np.stack(classes) if classes.dtype == object else classes, scores)}

    def resampled(
        self, resamples: Resamples, references: IntArray, prediction_scores: FloatArray
    ) -> FloatArray:
        """See `Metric.resampled`, and `resampled_ece`."""
        return resampled_ece(resamples, references, prediction_scores)
