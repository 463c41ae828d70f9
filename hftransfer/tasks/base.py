"""What a task is: how rows become tensors, and how a model's outputs become predictions.

A task knows rows, tensors, and of a checkpoint what `Pretrained` holds; never the optimizer, the strategy or the disk.

    rows --encode--> examples --collate--> a batch --the model--> its output --outputs--> arrays, one an example
    arrays of all examples --decode--> predictions, one a row --metrics--> numbers

A row may make several examples (windows of a long text); `Examples.rows` says which row each comes from, and `decode`
puts what belongs together into one prediction.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hftransfer.registry import Part
from hftransfer.splits import Column
from hftransfer.tasks.predictions import Prediction, Predictions
from hftransfer.tasks.pretrained import Pretrained

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from hftransfer.tasks.temperature import Temperature

    Batch = dict[str, Tensor]
else:
    Batch = dict  # tensors by name; torch is not imported to say so

LABELS = "labels"
"""The key of a batch that holds the targets; every other key is an argument of the model's forward."""

Where = Callable[[Sequence[int]], str]
"""Rows, by their numbers from 0, in words that a user finds them by."""


class Examples(Protocol):
    """Encoded rows: `examples[i]` is what `collate` makes batches of."""

    @property
    def lengths(self) -> NDArray[np.int64] | None:
        """Tokens of every example, (N,), or None where all have one size (images)."""
        ...

    @property
    def rows(self) -> NDArray[np.int64] | None:
        """The row that each example comes from, (N,), rising; None where example i is row i."""
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

    def sum(self, output: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """The summed loss over the batch's targets, a scalar with gradient. output: what the model returned."""
        ...

    def weight(self, batch: Mapping[str, Tensor]) -> Tensor:
        """What that sum is to be divided by, a scalar."""
        ...


class Task(Part):
    """Base of every task. Its `name` is the Hub's pipeline tag."""

    target: ClassVar[str | None] = "label"
    """The role that holds what is to be predicted; None where the inputs themselves do."""
    model_class: ClassVar[str]
    """Name of the transformers auto class, e.g. "AutoModelForSequenceClassification"."""
    processor_class: ClassVar[str]
    """Name of the transformers auto class of the tokenizer, image processor or feature extractor."""
    amounts_of: ClassVar[str] = "rows"
    """What `amounts` counts."""
    on_features: ClassVar[bool] = False
    """Whether the head alone can be trained, on what a frozen backbone says of every example; see `targets`."""

    @property
    @abstractmethod
    def columns(self) -> Mapping[str, Column]:
        """Role -> what the column must hold. All roles but `target` are the model's input."""

    @property
    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that fit."""

    @property
    @abstractmethod
    def default_metrics(self) -> tuple[str, ...]:
        """Those that are computed where a recipe names none; the first chooses the best weights."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The roles that a model sees."""
        return tuple(role for role in self.columns if role != self.target)

    @property
    def added(self) -> tuple[str, ...]:
        """The columns that its predictions make (`Prediction.columns`)."""
        return ("prediction",)

    @property
    def baseline_name(self) -> str:
        """What `baseline` does, in a word."""
        return "majority"

    @abstractmethod
    def head_config(self, labels: Sequence[str]) -> dict[str, Any]:
        """What the model's config must say about this task."""

    @property
    def apart(self) -> bool:
        """Whether a row's texts are read apart, which only a head on features can do anything with."""
        return False

    @property
    def augments(self) -> bool:
        """Whether `augment` shows the model something else in every epoch."""
        return False

    def targets(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        """The targets of a batch alone, under `LABELS`; for tasks that can be trained `on_features`."""
        raise NotImplementedError

    def check_installed(self) -> None:
        """Look for the packages that the options need. Raises InputError naming what to install."""

    def check_rows(self, rows: Any, where: Where) -> None:
        """Look at what no column shows alone. Raises DataError naming rows."""

    def check_asked(self, rows: Any, pretrained: Pretrained, where: Where) -> None:
        """Look at rows that a user asks about, for what an answer needs. Raises DataError naming rows."""

    def ready(self, pretrained: Pretrained) -> None:
        """Make the processor what this task needs, in place, before anything is encoded; it is saved so.

        Raises CheckpointError for a processor that cannot be that.
        """

    def learn(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> dict[str, Any]:
        """Settings that the training rows decide before training (a mean, a scale)."""
        return {}

    def begin(self, model: nn.Module, fresh: Collection[str], rows: Any, labels: Sequence[str]) -> None:
        """Let fresh weights (names in `model`) start from what the training rows suggest, in place."""

    @abstractmethod
    def encode(self, rows: Any, pretrained: Pretrained, *, name: str) -> Examples:
        """Rows (a datasets.Dataset with the task's roles as columns) as examples. name: what findings call them."""

    def encode_train(self, rows: Any, pretrained: Pretrained, *, name: str) -> Examples:
        """The training rows as examples, where those are made in another way (packed); nothing decodes them."""
        return self.encode(rows, pretrained, name=name)

    @abstractmethod
    def collate(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        """Examples as one batch of tensors; `LABELS` is there when the examples have targets."""

    def augment(self, batch: Batch, pretrained: Pretrained) -> Batch:
        """A batch as it is trained on. Draws from torch's global generator, which is seeded for every step."""
        return batch

    @abstractmethod
    def make_loss(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> Loss:
        """The loss to train on. rows: the training rows, for what it has to know of them (class weights)."""

    def run(self, model: nn.Module, batch: Batch, pretrained: Pretrained) -> Any:
        """What the model says of a batch when it is scored or asked: its output, or more (generated tokens)."""
        return forward(model, batch)

    def outputs(self, output: Any, batch: Batch) -> list[NDArray[Any]]:
        """What is kept of `run`'s output, an array for every example of the batch, on the CPU."""
        return list(output.logits.float().cpu().numpy())

    def evidence(self, output: Any, batch: Batch) -> list[NDArray[Any]]:
        """What the reload proof compares of `run`'s output, within a tolerance: an array for every example.

        By default what is kept; a task that keeps choices (token ids) gives the numbers behind them.
        """
        return self.outputs(output, batch)

    def settle(self, model: nn.Module, pretrained: Pretrained, loss: Loss) -> Loss:
        """Finish the trained model, in place, before it is scored and saved. Returns the loss to score it by."""
        return loss

    def tune(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> dict[str, Any]:
        """Settings that the validation rows decide (thresholds): the new ones, all of them."""
        return pretrained.settings

    def calibrate(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> Temperature | None:
        """The temperature that the validation rows decide for the model that is kept; None where it is to have none."""
        return None

    def as_piped(self, pretrained: Pretrained) -> Pretrained:
        """The same for whoever has the saved model, and none of what `decode` does beside it (a pipeline)."""
        return pretrained

    @abstractmethod
    def decode(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> Predictions:
        """Arrays of all examples as predictions, one a row of `rows`."""

    @abstractmethod
    def references(self, rows: Any, labels: Sequence[str]) -> Any:
        """What metrics compare `Predictions.values` with, one a row."""

    @abstractmethod
    def told(self, rows: Any, labels: Sequence[str]) -> list[Any]:
        """The targets of rows as a user reads them."""

    def classes(self, rows: Any) -> NDArray[np.int64] | None:
        """The one class of every row, (N,), to draw rows by; None where rows have none, or several."""
        return None

    def amounts(self, rows: Any, labels: Sequence[str]) -> NDArray[np.int64] | None:
        """How much of every label is in rows, (C,), in `amounts_of`; None where there are no labels."""
        import numpy as np

        classes = self.classes(rows)
        return None if classes is None else np.bincount(classes, minlength=len(labels))

    def baseline(self, train: Any, rows: Any, labels: Sequence[str]) -> Predictions | None:
        """What costs nothing to say about rows, knowing only the training rows; None where there is no such thing."""
        return None

    def perfect(self, rows: Any, labels: Sequence[str]) -> Predictions | None:
        """Predictions that are all right, on which every metric must be defined; None where that is not known."""
        return None

    def example(self, row: Mapping[str, Any], tokens: Mapping[str, Any]) -> dict[str, Any]:
        """A row's inputs as somebody would ask about them. tokens: its tokenizer's config, as saved."""
        return {role: row[role] for role in self.inputs if row.get(role) is not None}

    def ask(self, pipe: Any, row: Mapping[str, Any], labels: Sequence[str]) -> Any:
        """What `transformers.pipeline` says of a row, in the form of `expected`. None where there is no pipeline."""
        return None

    def expected(self, prediction: Prediction, labels: Sequence[str]) -> Any:
        """What `ask` must give for a row, by our own prediction: JSON, its numbers compared within a tolerance."""
        return None


def forward(model: nn.Module, batch: Mapping[str, Tensor]) -> Any:
    """A model's output for a batch, whose targets it is not shown."""
    return model(**{key: value for key, value in batch.items() if key != LABELS})


def rows_of(examples: Examples) -> NDArray[np.int64]:
    """The row that each example comes from, (N,)."""
    import numpy as np

    return np.arange(len(examples)) if examples.rows is None else examples.rows
