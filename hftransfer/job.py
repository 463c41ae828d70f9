"""What a run works on: everything that training reads, made once; and the clock that tells what happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import nn

from hftransfer.checkpoint import Checkpoint, load_checkpoint
from hftransfer.errors import DataError, Problem, RecipeError, asked_by
from hftransfer.features.rows import collate
from hftransfer.features.states import ExamplesWithStates
from hftransfer.features.upper import UpperModel, collate_with_states
from hftransfer.recipe import Recipe
from hftransfer.registry import METRICS
from hftransfer.splits import Splits
from hftransfer.strategies import Strategy
from hftransfer.tasks.base import Batch, Examples, Loss, Task, rows_of
from hftransfer.tasks.makeup import token_lengths
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.training.compute import seed_everything
from hftransfer.training.evaluation import score_predictions
from hftransfer.training.events import Event, Note, Stage
from hftransfer.training.loop import total_steps
from hftransfer.training.optimizer import warmup_steps


class Clock:
    """Tells the watcher what happens, and keeps how long each stage took. within: see `Stage`."""

    def __init__(self, tell: Callable[[Event], None], within: str = "") -> None:
        self.tell = tell
        self._within = within
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()
        self._running: dict[str, float] = {}
        self._before: Mapping[str, float] = {}

    @contextmanager
    def __call__(self, name: str, title: str) -> Iterator[None]:
        self.tell(Stage(name, title, self._within))
        self._running[name] = start = time.perf_counter()
        try:
            yield
            self.seconds[name] = time.perf_counter() - start
        finally:
            del self._running[name]

    def note(self, findings: Iterable[str]) -> None:
        for finding in findings:
            self.tell(Note(finding))

    def go_on(self, before: Mapping[str, float]) -> None:
        """Count what a run took before it was stopped, too: what `spent` said then."""
        self._before = before

    def spent(self) -> dict[str, float]:
        """Seconds by stage, of those that go on until now, and "total"; of a resumed run all of it."""
        now = time.perf_counter()
        here = {**self.seconds, **{name: now - start for name, start in self._running.items()}}
        total = now - self._start + self._before.get("total", 0.0)
        names = [name for name in dict.fromkeys([*self._before, *here]) if name != "total"]
        return {**{name: self._before.get(name, 0.0) + here.get(name, 0.0) for name in names}, "total": total}


@dataclass(frozen=True)
class Job:
    """All that training reads: made once by `prepare`. model: the strategy's, not yet prepared by Accelerate.

    head: what is run in the model's place where its backbone has been asked about every row already: see
    `frozen_backbone`; the examples are then features. upper: the same where its lower blocks alone have been: see
    `frozen_blocks`; the examples then have hidden states beside them. tokens: how long texts are, see `token_lengths`.
    """

    recipe: Recipe
    splits: Splits
    compute: Accelerator
    checkpoint: Checkpoint
    pretrained: Pretrained
    model: nn.Module
    examples: Mapping[str, Examples]
    loss: Loss
    tokens: Mapping[str, Any]
    head: nn.Module | None = None
    upper: UpperModel | None = None

    @property
    def task(self) -> Task:
        task: Task = self.recipe.task
        return task

    @property
    def strategy(self) -> Strategy:
        strategy: Strategy = self.recipe.strategy
        return strategy

    @property
    def module(self) -> nn.Module:
        """What is run on batches: the model, its upper part or its head alone."""
        return self.head or self.upper or self.model

    def collate(self, examples: Any) -> Batch:
        if self.head is not None:
            return collate(examples) | self.task.targets(examples, self.pretrained)
        if self.upper is not None:
            return collate_with_states(examples, self._collate_rows)
        return self._collate_rows(examples)

    def _collate_rows(self, examples: Any) -> Batch:
        return self.task.collate(examples, self.pretrained)

    def augment(self, batch: Batch) -> Batch:
        return batch if self.module is not self.model else self.task.augment(batch, self.pretrained)

    @cached_property
    def findings(self) -> tuple[str, ...]:
        return (*self.checkpoint.findings, *(f for one in self.examples.values() for f in one.findings))

    @cached_property
    def parameters(self) -> dict[str, int]:
        unique = {id(p): p for p in self.model.parameters()}.values()
        return {
            "total": sum(p.numel() for p in unique),
            "trained": sum(p.numel() for p in unique if p.requires_grad),
        }

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        training, other = self.recipe.training, self.strategy.other_head
        if other is not None and other.fitted:
            return 0
        return total_steps(training, -(-len(self.examples["train"]) // training.batch_size))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The roles that the model sees in these data: an optional one only where there is a column for it."""
        return tuple(role for role in self.task.inputs if role in self.splits.train.column_names)

    @property
    def classes(self) -> NDArray[np.int64] | None:
        """The class of every training example, (N,), where the rows have one."""
        classes = self.task.classes(self.splits.train)
        return None if classes is None else classes[rows_of(self.examples["train"])]

    def encoded(self, split: str) -> Examples:
        """The examples of a split as its task encoded them, whatever is beside them now."""
        examples = self.examples[split]
        return examples.examples if isinstance(examples, ExamplesWithStates) else examples

    def rows(self, split: str) -> Any:
        return self.splits.by_name[split]


def prepare(recipe: Recipe, splits: Splits, compute: Accelerator) -> Job:
    """Load the checkpoint, let the strategy choose what moves, and encode every split."""
    check_fit(recipe, splits)
    seed_everything(recipe.training.seed)  # the fresh weights are drawn from here on
    with asked_by("checkpoint"):
        checkpoint = load_checkpoint(recipe.checkpoint, recipe.task, splits.labels)
    task = recipe.task
    task.begin(checkpoint.model, checkpoint.fresh, splits.train, splits.labels)
    with asked_by("strategy"):
        checkpoint = _renewed(checkpoint, recipe.strategy)
        model = recipe.strategy.apply(checkpoint.model, fresh=checkpoint.fresh)
    pretrained = Pretrained(checkpoint.processor, checkpoint.model.config, checkpoint.max_length)
    with asked_by("checkpoint"):
        task.ready(pretrained)
    pretrained.remember(task.learn(splits.train, splits.labels, pretrained))
    examples = {
        name: (task.encode_train if name == "train" else task.encode)(rows, pretrained, name=name)
        for name, rows in splits.by_name.items()
    }
    _check_warmup(recipe, len(examples["train"]))  # a row may make several examples, or a part of one
    loss = task.make_loss(splits.train, splits.labels, pretrained)
    tokens = token_lengths(examples)
    return Job(recipe, splits, compute, checkpoint, pretrained, model, examples, loss, tokens)


def _renewed(checkpoint: Checkpoint, strategy: Strategy) -> Checkpoint:
    """The checkpoint with those of its weights fresh that the strategy wants drawn anew."""
    drawn = strategy.renew(checkpoint.model)
    if not drawn:
        return checkpoint
    finding = (
        f"weights drawn anew: {len(drawn)} tensors, from block {strategy.reinitialize} of the top upwards"
    )
    return replace(checkpoint, fresh=checkpoint.fresh | drawn, findings=(*checkpoint.findings, finding))


def check_fit(recipe: Recipe, splits: Splits) -> None:
    """Whether the recipe's metrics and lengths fit its data. Raises InputError."""
    for name in recipe.metrics:
        METRICS.get(name).check_labels(splits.labels)
    best = recipe.training.best_metric
    if best is not None and best != "loss":
        task: Task = recipe.task
        rows = splits.validation
        right = task.perfect(rows, splits.labels)
        references = task.references(rows, splits.labels)
        if right is not None and score_predictions([best], right, references, splits.labels)[best] is None:
            told = task.told(rows, splits.labels)
            seen = {str(one) for row in told for one in (row if isinstance(row, list) else [row])}
            missing = (
                [label for label in splits.labels if label not in seen] if seen & {*splits.labels} else []
            )
            raise DataError(
                f"{best}, which is to choose the best weights, is not defined on the validation rows"
                + (f": none has the label {missing[0]}" if missing else ""),
                hint="give every label a validation row, or choose by another: training.best_metric: loss"
                if missing
                else "choose by another: training.best_metric: loss",
                key="training.best_metric",
            )
    probe = recipe.strategy.probe
    asked = {
        "training.sampling": recipe.training.sampling,
        "strategy.probe_sampling": probe and probe.sampling,
    }
    for key, sampling in asked.items():
        if sampling == "balanced" and recipe.task.classes(splits.train) is None:
            message = "found balanced, but there is no one class a row to balance by in this task"
            raise RecipeError([Problem(key, message, "write natural, or leave it out")])
    _check_warmup(recipe, len(splits.train))


def _check_warmup(recipe: Recipe, rows: int) -> None:
    training, other = recipe.training, recipe.strategy.other_head
    if other is not None and other.fitted:
        return
    total = total_steps(training, -(-rows // training.batch_size))
    if warmup_steps(training.warmup, total) >= total and training.warmup > 0:
        amount = f"{training.warmup:g} steps" if training.warmup >= 1 else f"{training.warmup:g} of all steps"
        raise RecipeError(
            [
                Problem(
                    "training.warmup",
                    f"a warm-up of {amount} leaves nothing: {rows} examples in batches of {training.batch_size} make "
                    f"{total} steps in all",
                    "give a share instead, such as 0.06, or train longer",
                )
            ]
        )
