"""Precision, recall and F1: one computation, three names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from sklearn.metrics import f1_score, precision_score, recall_score

from hftransfer.metrics.class_counts import class_counts
from hftransfer.metrics.in_memory import InMemoryMetric
from hftransfer.metrics.intervals import quotient

if TYPE_CHECKING:
    from hftransfer.metrics.base import FloatArray, IntArray
    from hftransfer.metrics.intervals import Resamples

GENERATED = "https://scikit-learn.org/stable/modules/generated"


class _PerClass(InMemoryMetric):
    _score: ClassVar[Callable[..., Any]]
    _parts: ClassVar[Callable[..., tuple[Any, Any]]]
    """(right, said, there) -> what is divided by what."""

    def _compute(
        self,
        predictions: IntArray,
        references: IntArray,
        labels: Sequence[int] | None = None,
        pos_label: int = 1,
        average: Literal["binary", "micro", "macro", "weighted"] | None = "binary",
        zero_division: Literal["warn"] | float = "warn",
    ) -> dict[str, float | FloatArray]:
        """predictions, references: (N,) classes as integers. Options and defaults are scikit-learn's.

        labels: the C classes that count; by default those in the rows.
        pos_label: the positive class of the average "binary".
        average: how classes are combined; None for a (C,) array.
        zero_division: the value of a class that is never predicted (precision) or never there (recall).
        Returns one entry, named as the metric.
        """
        score = self._score(
            references,
            predictions,
            labels=labels,
            pos_label=pos_label,
            average=average,
            zero_division=zero_division,
        )
        return {self.name: score if average is None else float(score)}

    def resampled(
        self,
        resamples: Resamples,
        predictions: IntArray,
        references: IntArray,
        labels: Sequence[int] | None = None,
        average: Literal["binary", "micro", "macro", "weighted"] = "binary",
        zero_division: float = 0.0,
    ) -> FloatArray | None:
        """See `Metric.resampled`. A class that a resample has no row of counts as it does in the score: as 0."""
        classes = references.shape[1] if references.ndim == 2 else len(labels or (0, 1))
        counts = np.split(resamples.sums(class_counts(references, predictions, classes)), 3, axis=1)
        if average == "binary":
            counts = [one[:, 1:] for one in counts]
        elif average == "micro":
            counts = [one.sum(axis=1, keepdims=True) for one in counts]
        scores = quotient(*self._parts(*counts), zero=zero_division)
        if average == "weighted":
            return quotient((scores * counts[2]).sum(axis=1), counts[2].sum(axis=1), zero=zero_division)
        return np.asarray(scores.mean(axis=1))


class Precision(_PerClass):
    """Of the rows predicted as a class, the share that are of it."""

    reference_url = f"{GENERATED}/sklearn.metrics.precision_score.html"
    _score = staticmethod(precision_score)
    _parts = staticmethod(lambda right, said, there: (right, said))


class Recall(_PerClass):
    """Of the rows of a class, the share that are predicted as it."""

    reference_url = f"{GENERATED}/sklearn.metrics.recall_score.html"
    _score = staticmethod(recall_score)
    _parts = staticmethod(lambda right, said, there: (right, there))


class F1(_PerClass):
    """Harmonic mean of precision and recall."""

    reference_url = f"{GENERATED}/sklearn.metrics.f1_score.html"
    _score = staticmethod(f1_score)
    _parts = staticmethod(lambda right, said, there: (2 * right, said + there))
