"""What a row adds to the counts that metrics of classes are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from hftransfer.metrics.base import IntArray


def class_counts(references: IntArray, predictions: IntArray, count: int) -> Any:
    """(N, 3C), sparse: of every class whether the row is rightly said to be of it, is said to be, and is.

    references, predictions: (N,) classes from 0 to count - 1, or (N, C) of 0 and 1.
    """
    said, there = _indicators(predictions, count), _indicators(references, count)
    return sparse.hstack([said.multiply(there), said, there], format="csr")


def _indicators(classes: IntArray, count: int) -> Any:
    """(N, C) of 0.0 and 1.0, sparse."""
    if classes.ndim == 2:
        return sparse.csr_array(classes, dtype=np.float64)
    rows = np.arange(len(classes))
    return sparse.csr_array((np.ones(len(rows)), (rows, classes)), shape=(len(rows), count))
