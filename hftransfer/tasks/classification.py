"""What every task that labels a whole row shares: one label, several labels, or numbers."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hftransfer.errors import CheckpointError
from hftransfer.splits import Column
from hftransfer.tasks.base import LABELS, Batch, Examples, Loss, Task, rows_of
from hftransfer.tasks.label_predictions import Values, one_label, several_labels
from hftransfer.tasks.last_layer import last_layer, start_at_log_odds, take_units
from hftransfer.tasks.losses import BinaryCrossEntropy, ClassLossOptions, SquaredError
from hftransfer.tasks.predictions import Answers, Prediction, Predictions
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.problem_types import ADDED, DEFAULT_METRICS, METRICS, TARGET, UNFIT, ProblemType
from hftransfer.tasks.temperature import TEMPERATURE, THRESHOLDS, Temperature, fit, without_temperature
from hftransfer.tasks.thresholds import best_threshold, sigmoid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn


class Classification(ClassLossOptions, Task):
    """Base of the tasks that say something of a whole row."""

    input_columns: ClassVar[Mapping[str, Column]]
    """The roles that a model sees."""
    on_features: ClassVar[bool] = True

    problem_type: ProblemType = Field(
        "single_label_classification",
        description="one label a row; any number of them; or numbers, one target or several (transformers' own words)",
    )
    threshold: Literal["tuned"] | Annotated[float, Field(ge=0, le=1)] = Field(
        "tuned",
        description="of several labels a row, the score, once calibrated, from which a label is given; tuned: the best "
        "F1 of every label on the validation rows",
    )
    calibration: Literal["temperature", "none"] = Field(
        "temperature",
        description="temperature: the trained model's logits are divided by one number, the best for the validation "
        "rows, so that scores are the shares that come true (Guo et al. 2017); none: they stay as they are",
    )

    @model_validator(mode="after")
    def _only_what_means_something(self) -> Self:
        """An option that this problem type would ignore is a mistake, and is told."""
        fields = type(self).model_fields
        unfit = [name for name in UNFIT[self.problem_type] if getattr(self, name) != fields[name].default]
        if unfit:
            raise ValueError(
                f"`{unfit[0]}` means nothing with problem_type: {self.problem_type}; leave it out"
            )
        return self

    @property
    def columns(self) -> Mapping[str, Column]:
        return {**self.input_columns, "label": TARGET[self.problem_type]}

    @property
    def metrics(self) -> tuple[str, ...]:
        return METRICS[self.problem_type]

    @property
    def default_metrics(self) -> tuple[str, ...]:
        return DEFAULT_METRICS[self.problem_type]

    @property
    def added(self) -> tuple[str, ...]:
        return ADDED[self.problem_type]

    @property
    def baseline_name(self) -> str:
        return "mean" if self.problem_type == "regression" else "majority"

    def head_config(self, labels: Sequence[str]) -> dict[str, Any]:
        return {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: index for index, label in enumerate(labels)},
            "problem_type": self.problem_type,
        }

    @property
    def activation(self) -> dict[str, str]:
        """How `transformers.pipeline` is to be called: by itself it puts a sigmoid on a single number."""
        return {"function_to_apply": "none"} if self.problem_type == "regression" else {}

    def targets(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        """The batch's targets under `LABELS`, where its examples have them."""
        import torch

        if LABELS not in examples[0]:
            return {}
        targets = [example[LABELS] for example in examples]
        if self.problem_type == "multi_label_classification":
            return {LABELS: torch.from_numpy(indicators(targets, len(pretrained.labels)))}
        kind = torch.float32 if self.problem_type == "regression" else torch.int64
        return {LABELS: torch.tensor(targets, dtype=kind)}

    def learn(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> dict[str, Any]:
        if self.problem_type != "regression":
            return {}
        import numpy as np

        targets = np.asarray(rows["label"][:], dtype=np.float64)
        spread = targets.std(axis=0)
        # A target that never changes has no spread; any other will do.
        return {"mean": targets.mean(axis=0).tolist(), "spread": np.where(spread > 0, spread, 1.0).tolist()}

    def begin(self, model: nn.Module, fresh: Collection[str], rows: Any, labels: Sequence[str]) -> None:
        """Of several labels most are rare, and a fresh head starts from how often each is there.

        Balanced weights make up for rarity; with them it starts from zero, as any other head.
        """
        if self.problem_type != "multi_label_classification" or self.class_weights == "balanced":
            return
        layer = last_layer(model, len(labels))
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        if layer is not None and names[id(layer.bias)] in fresh:
            start_at_log_odds(layer, indicators(rows["label"][:], len(labels)).sum(axis=0), len(rows))

    def make_loss(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> Loss:
        import numpy as np
        import torch

        if self.problem_type == "regression":
            mean, spread = (torch.tensor(pretrained.settings[key]) for key in ("mean", "spread"))
            return SquaredError(mean.float(), spread.float())
        balanced = self.class_weights == "balanced"
        if self.problem_type == "multi_label_classification":
            counts = indicators(rows["label"][:], len(labels)).sum(axis=0)
            # A label that is listed but has no training row is never there: any finite weight will do.
            weights = (len(rows) - counts) / np.maximum(counts, 1)
            positive = torch.tensor(weights, dtype=torch.float32) if balanced else None
            return BinaryCrossEntropy(positive, self.label_smoothing, self.focal)
        counts = np.bincount(np.asarray(rows["label"][:]), minlength=len(labels))
        return self.cross_entropy(counts)

    def settle(self, model: nn.Module, pretrained: Pretrained, loss: Loss) -> Loss:
        """Regression is trained on standardised targets; the head's last layer then learns their own units, so that
        whoever loads the model gets those."""
        if not isinstance(loss, SquaredError) or not pretrained.settings:
            return loss
        layer = last_layer(model, len(loss.mean))
        if layer is None:
            raise CheckpointError(
                f"{type(model).__name__} ends in no trained linear layer with a bias and {len(loss.mean)} outputs, "
                "which has to learn the units of the numbers",
                hint="choose an encoder such as BERT, or a strategy that trains the head",
            )
        take_units(layer, loss.mean, loss.spread)
        pretrained.remember({})
        return SquaredError(loss.mean, loss.spread, settled=True)

    def tune(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> dict[str, Any]:
        if self.problem_type != "multi_label_classification" or self.threshold != "tuned":
            return pretrained.settings
        scores = sigmoid(pooled(outputs, examples, len(rows)))
        references = indicators(rows["label"][:], scores.shape[1])
        return {THRESHOLDS: [best_threshold(scores[:, c], references[:, c]) for c in range(scores.shape[1])]}

    def calibrate(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> Temperature | None:
        if self.problem_type == "regression" or self.calibration == "none":
            return None
        return fit(pooled(outputs, examples, len(rows)), self.references(rows, pretrained.labels))

    def as_piped(self, pretrained: Pretrained) -> Pretrained:
        piped = replace(pretrained, config=copy.copy(pretrained.config))
        piped.remember(without_temperature(pretrained.settings))
        return piped

    def decode(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> Predictions:
        import numpy as np

        labels, settings = pretrained.labels, pretrained.settings
        logits = pooled(outputs, examples, len(rows)) / settings.get(TEMPERATURE, 1.0)
        if self.problem_type == "regression":
            values = logits * np.asarray(settings.get("spread", 1.0)) + np.asarray(settings.get("mean", 0.0))
            named = Answers(
                len(values), lambda row: Values(dict(zip(labels, values[row].tolist(), strict=True)))
            )
            return Predictions(values, None, named)
        if self.problem_type == "multi_label_classification":
            scores = sigmoid(logits)
            fixed = 0.5 if self.threshold == "tuned" else self.threshold
            chosen = (scores >= np.asarray(settings.get(THRESHOLDS, fixed))).astype(np.int64)
            return several_labels(chosen, scores, labels)
        scores = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
        return one_label(logits.argmax(axis=1).astype(np.int64), scores, labels)

    def references(self, rows: Any, labels: Sequence[str]) -> Any:
        import numpy as np

        if self.problem_type == "multi_label_classification":
            return indicators(rows["label"][:], len(labels))
        kind = np.float64 if self.problem_type == "regression" else np.int64
        return np.asarray(rows["label"][:], dtype=kind)

    def told(self, rows: Any, labels: Sequence[str]) -> list[Any]:
        if self.problem_type == "regression":
            return [one[0] if len(labels) == 1 else one for one in rows["label"][:]]
        if self.problem_type == "multi_label_classification":
            return [[labels[index] for index in one] for one in rows["label"][:]]
        return [labels[index] for index in rows["label"][:]]

    def classes(self, rows: Any) -> NDArray[np.int64] | None:
        import numpy as np

        single = self.problem_type == "single_label_classification"
        return np.asarray(rows["label"][:], dtype=np.int64) if single else None

    def amounts(self, rows: Any, labels: Sequence[str]) -> NDArray[np.int64] | None:
        if self.problem_type == "multi_label_classification":
            counts: NDArray[np.int64] = indicators(rows["label"][:], len(labels)).sum(axis=0)
            return counts
        return super().amounts(rows, labels)

    def baseline(self, train: Any, rows: Any, labels: Sequence[str]) -> Predictions | None:
        """The commonest label, scored by the training rows' shares; of numbers, their mean."""
        import numpy as np

        targets = self.references(train, labels)
        if self.problem_type == "regression":
            values = np.tile(targets.mean(axis=0), (len(rows), 1))
            return Predictions(values, None, [])
        if self.problem_type == "multi_label_classification":
            shares = targets.mean(axis=0)
            chosen = np.tile(np.arange(len(labels)) == shares.argmax(), (len(rows), 1)).astype(np.int64)
            return Predictions(chosen, np.tile(shares, (len(rows), 1)), [])
        counts = np.bincount(targets, minlength=len(labels))
        ids = np.full(len(rows), counts.argmax(), dtype=np.int64)
        return Predictions(ids, np.tile(counts / counts.sum(), (len(rows), 1)), [])

    def perfect(self, rows: Any, labels: Sequence[str]) -> Predictions | None:
        import numpy as np

        values = self.references(rows, labels)
        single = self.problem_type == "single_label_classification"
        return Predictions(values, np.eye(len(labels))[values] if single else values.astype(np.float64), [])

    def expected(self, prediction: Prediction, labels: Sequence[str]) -> Any:
        of = prediction.values if isinstance(prediction, Values) else prediction.scores  # type: ignore[attr-defined]
        return {label: float(of[label]) for label in labels}


def indicators(ids: Sequence[Sequence[int]], count: int) -> NDArray[np.int64]:
    """(N, C) of 0 and 1 from a list of class ids for every row."""
    import numpy as np

    table = np.zeros((len(ids), count), dtype=np.int64)
    for row, one in enumerate(ids):
        table[row, list(one)] = 1
    return table


def pooled(outputs: Sequence[NDArray[Any]], examples: Examples, rows: int) -> NDArray[np.float64]:
    """Logits (N, C): of a row with several windows, their mean."""
    import numpy as np

    logits = np.stack(outputs).astype(np.float64)
    if examples.rows is None:
        return logits
    sums = np.zeros((rows, logits.shape[1]))
    np.add.at(sums, rows_of(examples), logits)
    return sums / np.bincount(rows_of(examples), minlength=rows)[:, None]
