"""Precision, recall and F1: one computation, three names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sklearn.metrics import f1_score, precision_score, recall_score

from hftransfer.metrics.in_memory import InMemoryMetric

if TYPE_CHECKING:
    from hftransfer.metrics.base import FloatArray, IntArray

GENERATED = "https://scikit-learn.org/stable/modules/generated"


class _PerClass(InMemoryMetric):
    _score: ClassVar[Callable[..., Any]]

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


class Precision(_PerClass):
    """Of the rows predicted as a class, the share that are of it."""

    reference_url = f"{GENERATED}/sklearn.metrics.precision_score.html"
    _score = staticmethod(precision_score)


class Recall(_PerClass):
    """Of the rows of a class, the share that are predicted as it."""

    reference_url = f"{GENERATED}/sklearn.metrics.recall_score.html"
    _score = staticmethod(recall_score)


class F1(_PerClass):
    """Harmonic mean of precision and recall."""

    reference_url = f"{GENERATED}/sklearn.metrics.f1_score.html"
    _score = staticmethod(f1_score)
