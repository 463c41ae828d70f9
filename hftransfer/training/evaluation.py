"""Scoring rows: every row once, over all processes, in the order of the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, send_to_device
from numpy.typing import NDArray
from torch import nn

from hftransfer.registry import METRICS
from hftransfer.tasks.base import Batch, Examples, Loss
from hftransfer.tasks.predictions import Predictions
from hftransfer.training.loaders import Collate, evaluation_loader


@dataclass(frozen=True)
class Outputs:
    """What a model gives for N examples: an array each. loss: the mean over targets, None where not asked for."""

    arrays: Sequence[NDArray[Any]]
    loss: float | None


def run_model(
    model: nn.Module,
    examples: Examples,
    collate: Collate,
    compute: Accelerator,
    *,
    batch_size: int,
    run: Callable[[nn.Module, Batch], Any],
    keep: Callable[[Any, Batch], list[NDArray[Any]]],
    loss: Loss | None = None,
    workers: int = 0,
) -> Outputs:
    """What the model gives for every example, in their order, in evaluation mode, without gradients.

    run: what the model says of a batch. keep: what is kept of it, an array an example.
    """
    model.eval()
    rows: list[NDArray[np.int64]] = []
    parts: list[NDArray[Any]] = []
    total = np.zeros(2)
    batches = evaluation_loader(
        examples,
        collate,
        size=batch_size,
        rank=compute.process_index,
        world=compute.num_processes,
        workers=workers,
    )
    with torch.inference_mode():
        for indices, tensors in batches:
            batch = send_to_device(tensors, compute.device)
            output = run(model, batch)
            if loss is not None:
                total += [loss.sum(output, batch).item(), loss.weight(batch).item()]
            rows.append(indices)
            parts += keep(output, batch)
    # Objects, not tensors: shares may differ in size, and a ragged gather aborts the process.
    gathered = gather_object([(rows, parts, total)]) if compute.num_processes > 1 else [(rows, parts, total)]
    order = np.concatenate([r for share in gathered for r in share[0]])
    arrays = [array for share in gathered for array in share[1]]
    sums = np.sum([share[2] for share in gathered], axis=0)
    mean = None if loss is None or not sums[1] else float(sums[0] / sums[1])
    return Outputs([arrays[place] for place in np.argsort(order)], mean)


def score_predictions(
    names: Iterable[str],
    predictions: Predictions,
    references: Any,
    labels: Sequence[str],
) -> dict[str, Any]:
    """Metric name -> value; None where a metric is not defined on these rows. references: one a row."""
    return {
        name: METRICS.get(name).compute(
            references=references,
            predictions=predictions.values,
            scores=predictions.scores,
            labels=labels,
        )
        for name in names
    }


@dataclass
class Best:
    """The best score so far, and how long ago. metric: its name, or "loss"."""

    metric: str
    patience: int | None
    value: float | None = None
    step: int = 0
    evaluations_since: int = 0

    def better(self, metrics: Mapping[str, Any], step: int) -> bool:
        """Take in an evaluation; True when it is the best so far (the first of equals)."""
        value = metrics[self.metric]
        higher = self.metric != "loss" and METRICS.get(self.metric).higher_is_better
        improved = (
            value is not None
            and math.isfinite(value)
            and (self.value is None or (value > self.value if higher else value < self.value))
        )
        if improved:
            self.value, self.step, self.evaluations_since = value, step, 0
        else:
            self.evaluations_since += 1
        return improved

    @property
    def out_of_patience(self) -> bool:
        return self.patience is not None and self.evaluations_since >= self.patience
