"""What may be said of a whole row, in transformers' own words, and what goes with each: metrics, columns, options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from hftransfer.splits import Column

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]

AVERAGED = tuple(
    f"{name}{suffix}" for name in ("precision", "recall", "f1") for suffix in ("", "_micro", "_weighted")
)
METRICS: Mapping[ProblemType, tuple[str, ...]] = {
    "single_label_classification": (
        "accuracy",
        *AVERAGED,
        "precision_binary",
        "recall_binary",
        "f1_binary",
        "mcc",
        "auroc",
        "ece",
        "confusion_matrix",
    ),
    "multi_label_classification": ("accuracy", *AVERAGED, "auroc", "average_precision", "ece"),
    "regression": ("mse", "mae", "r2", "pearson", "spearman"),
}
DEFAULT_METRICS: Mapping[ProblemType, tuple[str, ...]] = {
    "single_label_classification": ("accuracy", "f1"),
    "multi_label_classification": ("f1", "f1_micro", "accuracy"),
    "regression": ("mse", "mae", "r2", "pearson", "spearman"),
}
ADDED: Mapping[ProblemType, tuple[str, ...]] = {
    "single_label_classification": ("prediction", "score"),
    "multi_label_classification": ("prediction", "scores"),
    "regression": ("prediction",),
}
UNFIT: Mapping[ProblemType, tuple[str, ...]] = {
    "single_label_classification": ("threshold",),
    "multi_label_classification": ("logit_adjustment",),
    "regression": (
        "label_smoothing",
        "class_weights",
        "focal",
        "logit_adjustment",
        "threshold",
        "calibration",
    ),
}
TARGET: Mapping[ProblemType, Column] = {
    "single_label_classification": Column("class"),
    "multi_label_classification": Column("classes"),
    "regression": Column("numbers"),
}
