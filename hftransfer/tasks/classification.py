"""What every one-label classification shares: labels in the config, cross-entropy, arg-max."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from hftransfer.tasks.base import LABELS, Loss, Predictions, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

CLASSIFICATION_METRICS = (
    "accuracy",
    *(
        f"{name}{suffix}"
        for name in ("precision", "recall", "f1")
        for suffix in ("", "_micro", "_weighted", "_binary")
    ),
    "mcc",
    "auroc",
    "confusion_matrix",
)


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy with class weights and label smoothing, normalised as torch.nn.CrossEntropyLoss does.

    class_weights: (C,) or None.
    """

    class_weights: Tensor | None
    label_smoothing: float

    def sum(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        from torch.nn.functional import cross_entropy

        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        return cross_entropy(
            logits.float(),
            batch[LABELS],
            weight=weights,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )

    def weight(self, batch: Mapping[str, Tensor]) -> Tensor:
        targets = batch[LABELS]
        if self.class_weights is None:
            return targets.new_tensor(len(targets), dtype=self._dtype())
        return self.class_weights.to(targets.device)[targets].sum()

    @staticmethod
    def _dtype() -> Any:
        import torch

        return torch.float32


class Classification(Task):
    """Base of the tasks that choose one of C labels for a row."""

    metrics: ClassVar[tuple[str, ...]] = CLASSIFICATION_METRICS
    default_metrics: ClassVar[tuple[str, ...]] = ("accuracy", "f1")

    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all labels")
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: a class counts N / (C * its training rows), as in scikit-learn"
    )

    def head_config(self, labels: Sequence[str]) -> dict[str, Any]:
        return {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: index for index, label in enumerate(labels)},
            "problem_type": "single_label_classification",
        }

    def make_loss(self, train_labels: Sequence[int], labels: Sequence[str]) -> Loss:
        import numpy as np
        import torch

        if self.class_weights == "none":
            return CrossEntropy(None, self.label_smoothing)
        counts = np.bincount(np.asarray(train_labels), minlength=len(labels))
        # A class that is listed but has no training row never is a target: any finite weight will do.
        weights = len(train_labels) / (len(labels) * np.maximum(counts, 1))
        return CrossEntropy(torch.tensor(weights, dtype=torch.float32), self.label_smoothing)

    def decode(self, logits: NDArray[np.float32]) -> Predictions:
        import numpy as np

        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        scores = np.exp(shifted)
        scores /= scores.sum(axis=1, keepdims=True)
        return Predictions(ids=logits.argmax(axis=1).astype(np.int64), scores=scores)
