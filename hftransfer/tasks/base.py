"""What a task is: how rows become tensors, and how a model's outputs become predictions.

A task knows rows, a processor and tensors; never the optimizer, the strategy or the disk.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hftransfer.registry import Part
from hftransfer.splits import Column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Batch = dict[str, Tensor]
else:
    Batch = dict  # tensors by name; torch is not imported to say so

LABELS = "labels"
"""The key of a batch that holds the targets; every other key is an argument of the model's forward."""


class Examples(Protocol):
    """Encoded rows, in the order of the rows: `examples[i]` is what `collate` makes batches of."""

    @property
    def lengths(self) -> NDArray[np.int64] | None:
        """Tokens of every example, (N,), or None where all have one size (images)."""
        ...

    @property
    def findings(self) -> tuple[str, ...]:
        """What encoding did that a user must know of, in sentences (texts cut, ...)."""
        ...

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> dict[str, Any]: ...


class Loss(Protocol):
    """A loss as a sum over targets and the weight of those targets, so that means over several micro-batches
    and processes are exact: sum of sums / sum of weights."""

    def sum(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """The summed loss over the batch's targets, a scalar with gradient."""
        ...

    def weight(self, batch: Mapping[str, Tensor]) -> Tensor:
        """What that sum is to be divided by, a scalar."""
        ...


@dataclass(frozen=True)
class Predictions:
    """What a model says about N rows: `ids` (N,) the chosen class, `scores` (N, C) probabilities."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float64]


class Task(Part):
    """Base of every task. Its `name` is the Hub's pipeline tag."""

    columns: ClassVar[Mapping[str, Column]]
    """Role -> what the column must hold. The role `label` is the target; the others are the model's input."""
    model_class: ClassVar[str]
    """Name of the transformers auto class, e.g. "AutoModelForSequenceClassification"."""
    processor_class: ClassVar[str]
    """Name of the transformers auto class of the tokenizer or image processor."""
    metrics: ClassVar[tuple[str, ...]]
    default_metrics: ClassVar[tuple[str, ...]]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The roles that a model sees."""
        return tuple(role for role in self.columns if role != "label")

    @abstractmethod
    def head_config(self, labels: Sequence[str]) -> dict[str, Any]:
        """What the model's config must say about this task."""

    @abstractmethod
    def encode(self, rows: Any, processor: Any, *, limit: int | None, name: str) -> Examples:
        """Rows (a datasets.Dataset with the task's roles as columns) as examples.

        limit: the most tokens the model takes, or None. name: what the rows are called in findings.
        """

    @abstractmethod
    def collate(self, examples: Sequence[Mapping[str, Any]], processor: Any) -> Batch:
        """Examples as one batch of tensors; `LABELS` is there when the examples have labels."""

    @abstractmethod
    def make_loss(self, train_labels: Sequence[int], labels: Sequence[str]) -> Loss:
        """The loss to train on. train_labels: the class ids of the training rows, for class weights."""

    @abstractmethod
    def decode(self, logits: NDArray[np.float32]) -> Predictions:
        """Logits (N, C) as predictions."""

    @abstractmethod
    def pipeline_input(self, row: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """A row as `transformers.pipeline` takes it, and the keyword arguments of the call."""
