"""Expected calibration error, as a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from datasets import Features, Sequence, Value

from hftransfer.metrics.calibration import ece
from hftransfer.metrics.in_memory import InMemoryMetric

if TYPE_CHECKING:
    import pyarrow as pa


class ExpectedCalibrationError(InMemoryMetric):
    """How far scores are from the shares that are right, in 15 bins of equal width (Guo et al. 2017): see `ece`.

    It has no interval: what falls into a bin by chance adds to it, on a resample twice.
    """

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
