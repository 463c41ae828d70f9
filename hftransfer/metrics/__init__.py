"""The METRICS table. All work with no network; importing it imports none of what computes them."""

from __future__ import annotations

from collections.abc import Iterator

from hftransfer.metrics.base import Metric, MetricValue
from hftransfer.registry import METRICS

__all__ = ["METRICS", "Metric", "MetricValue"]

# suffix of the name -> scikit-learn's average, and what it is in words
AVERAGES = {
    "": ("macro", "unweighted mean over all labels"),
    "_micro": ("micro", "over all rows together, as accuracy is"),
    "_weighted": ("weighted", "mean over all labels, weighted by their rows"),
    "_binary": ("binary", "of the second of two labels"),
}


def _averaged(name: str, implementation: str, summary: str) -> Iterator[Metric]:
    for suffix, (average, words) in AVERAGES.items():
        yield Metric(
            name=f"{name}{suffix}",
            summary=f"{summary}; {words}",
            module=f"hftransfer.metrics.precision_recall_f1:{implementation}",
            arguments={"average": average, "zero_division": 0},
            over_labels=average != "binary",
            binary=average == "binary",
        )


TABLE = (
    Metric(
        name="accuracy",
        summary="share of rows whose predicted label is right",
        module="hftransfer.metrics.accuracy:Accuracy",
    ),
    *_averaged("precision", "Precision", "of the rows predicted as a label, the share that is right"),
    *_averaged("recall", "Recall", "of the rows of a label, the share that is found"),
    *_averaged("f1", "F1", "harmonic mean of precision and recall"),
    Metric(
        name="mcc",
        summary="Matthews correlation coefficient: 1 perfect, 0 no better than chance",
        module="hftransfer.metrics.mcc:MatthewsCorrelation",
    ),
    Metric(
        name="auroc",
        summary="area under the ROC curve: second of two labels, or mean of each label against the rest",
        module="hftransfer.metrics.auroc:RocAuc",
        needs_scores=True,
    ),
    Metric(
        name="confusion_matrix",
        summary="counts of rows by reference (row) and prediction (column)",
        module="hftransfer.metrics.confusion_matrix:ConfusionMatrix",
        scalar=False,
        over_labels=True,
    ),
)

for metric in TABLE:
    METRICS.add(metric.name, metric)
