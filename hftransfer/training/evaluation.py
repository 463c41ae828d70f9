"""Scoring rows: every row once, over all processes, in the order of the rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, send_to_device
from numpy.typing import NDArray
from torch import nn

from hftransfer.registry import METRICS
from hftransfer.tasks.base import Examples, Loss, Predictions
from hftransfer.training.loaders import Collate, evaluation_loader
from hftransfer.training.loop import forward


@dataclass(frozen=True)
class Outputs:
    """What a model gives for N rows. logits: (N, C). loss: mean over targets, None where rows have no labels."""

    logits: NDArray[np.float32]
    loss: float | None


def run_model(
    model: nn.Module,
    examples: Examples,
    collate: Collate,
    compute: Accelerator,
    *,
    batch_size: int,
    loss: Loss | None = None,
    workers: int = 0,
) -> Outputs:
    """The model's logits for every example, in evaluation mode, without gradients."""
    model.eval()
    rows: list[NDArray[np.int64]] = []
    parts: list[NDArray[np.float32]] = []
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
            logits = forward(model, batch).float()
            if loss is not None:
                total += [loss.sum(logits, batch).item(), loss.weight(batch).item()]
            rows.append(indices)
            parts.append(logits.cpu().numpy())
    # Objects, not tensors: shares may differ in size, and a ragged gather aborts the process.
    gathered = gather_object([(rows, parts, total)]) if compute.num_processes > 1 else [(rows, parts, total)]
    order = np.concatenate([r for share in gathered for r in share[0]])
    logits_by_row = np.concatenate([p for share in gathered for p in share[1]])[np.argsort(order)]
    sums = np.sum([share[2] for share in gathered], axis=0)
    return Outputs(logits_by_row, None if loss is None else float(sums[0] / sums[1]))


def score_predictions(
    names: Iterable[str],
    predictions: Predictions,
    references: Sequence[int] | NDArray[np.int64],
    labels: Sequence[str],
) -> dict[str, Any]:
    """Metric name -> value; None where a metric is not defined on these rows."""
    return {
        name: METRICS.get(name).compute(
            references=np.asarray(references),
            predictions=predictions.ids,
            scores=predictions.scores,
            labels=labels,
        )
        for name in names
    }


def majority_baseline(
    names: Iterable[str], train_labels: Sequence[int], references: Sequence[int], labels: Sequence[str]
) -> Mapping[str, Any]:
    """The metrics of always answering with the commonest training label, scored by the training shares."""
    counts = np.bincount(np.asarray(train_labels), minlength=len(labels))
    ids = np.full(len(references), counts.argmax(), dtype=np.int64)
    scores = np.tile(counts / counts.sum(), (len(references), 1))
    return score_predictions(names, Predictions(ids, scores), references, labels)


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
