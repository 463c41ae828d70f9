"""A run whose backbone does not move: it is asked once about every row, and the head trained on what it said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hftransfer.features.head import Asked, read_by_head
from hftransfer.features.rows import CachedExamples, extract
from hftransfer.features.store import evict, size_bound
from hftransfer.frozen_blocks import on_hidden_states
from hftransfer.heads.model import PooledModel
from hftransfer.heads.pairs import combine
from hftransfer.job import Clock, Job
from hftransfer.other_head import probe_rows
from hftransfer.strategies import structure
from hftransfer.tasks.base import LABELS, Examples
from hftransfer.tasks.texts import sides_of
from hftransfer.training.events import Extraction


def on_features(job: Job, clock: Clock) -> Job:
    """The job with features for examples, where its backbone is frozen and its head reads one vector a row.

    Any other job as `on_hidden_states` gives it, where blocks of the backbone are frozen.
    """
    body = structure.backbone(job.model)
    moved = [name for name, parameter in job.model.named_parameters() if parameter.requires_grad]
    inside = set(moved) - set(structure.head_parameters(job.model))
    if job.recipe.checkpoint.random_weights:  # nothing is frozen, and all of it fresh
        return job
    if body is structure.pretrained(job.model)[1] is job.model or not inside <= job.checkpoint.fresh:
        return on_hidden_states(job, clock)
    size_bound()  # a number that is none is told before the work, not after
    why_not = _why_not(job) if not inside else "weights in it start from random, and are trained"
    head: Any = None
    if why_not is None:
        job.model.to(job.compute.device)
        head = job.model if isinstance(job.model, PooledModel) else _own_head(job)
        if head is None:
            why_not = "its head looks at more than one vector of a row"
    if head is None:
        return on_hidden_states(job, clock, why_not)
    with clock("features", "asking the frozen backbone about every row, once"):
        cached = _cached(job, head, clock)
    return replace(job, examples=cached, head=head.head if isinstance(head, PooledModel) else head)


def _why_not(job: Job) -> str | None:
    once = job.strategy.other_head is not None and job.strategy.other_head.fitted
    if not job.recipe.training.cache_features and not once:
        return "training.cache_features is false"
    if not job.task.on_features:
        return f"{job.task.name} looks at more than one vector of a row"
    if job.task.augments:
        return "augmentation shows it other images every time"
    return None


def _own_head(job: Job) -> nn.Module | None:
    head = read_by_head(job.model, probe_rows(job))
    # What stands between the backbone and a head's one module does not run on its features: here dropout would.
    dropout = getattr(job.strategy, "dropout", False)
    return None if dropout and not hasattr(head, "said") else head


def _cached(job: Job, asked: Asked, clock: Clock) -> dict[str, Examples]:
    cached: dict[str, Examples] = {}
    kept = total = 0
    for name, examples in job.examples.items():
        sides: list[list[NDArray[np.float32]]] = []
        for side in sides_of(examples):
            values, known, damaged = extract(
                asked,
                side,
                job.collate,
                job.compute,
                about=job.recipe.checkpoint.name,
                keep=job.recipe.training.cache_features,
                progress=lambda done, of: clock.tell(Extraction(done, of)),
            )
            clock.note(damaged)
            kept, total = kept + known, total + len(side)
            sides.append(values)
        cached[name] = _examples(job, name, [_combined(one) for one in zip(*sides, strict=True)])
    if kept:
        clock.note([f"what the backbone says of {kept} of {total} rows was kept from before"])
    if job.compute.is_main_process:
        evict()
    return cached


def _combined(sides: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One reading of every side as what a head sees."""
    return sides[0] if len(sides) == 1 else combine([torch.from_numpy(one) for one in sides]).numpy()


def _examples(job: Job, name: str, readings: Sequence[NDArray[np.float32]]) -> CachedExamples:
    features = readings[0] if len(readings) == 1 else np.stack(readings, axis=1)
    examples, table = job.examples[name], job.rows(name)
    labels = table["label"][:] if "label" in table.column_names else None
    if labels is not None and examples.rows is not None:
        labels = [labels[int(row)] for row in examples.rows]
    targets = job.task.targets([{LABELS: label} for label in labels or ()] or [{}], job.pretrained)
    return CachedExamples(features, labels, examples.lengths, examples.rows, examples.findings, targets)
