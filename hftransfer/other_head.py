"""A job whose strategy wants another head than the architecture's own: the backbone with that head on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from accelerate.utils import send_to_device

from hftransfer.checkpoint.load import FRESH
from hftransfer.errors import InputError
from hftransfer.features.head import read_by_head
from hftransfer.heads.model import PooledModel, complete
from hftransfer.heads.pairs import combine, sides
from hftransfer.heads.reading import Field, Pooled, Reading
from hftransfer.job import Job
from hftransfer.strategies import structure
from hftransfer.strategies.base import OtherHead
from hftransfer.tasks.base import LABELS, Batch

PROBE = 8
"""Rows that show what a head looks at."""


def with_other_head(job: Job) -> Job:
    """The job with the head that its strategy puts in the place of the architecture's own; any other as it is.

    Raises InputError for a pooling that the backbone has nothing for, and, without one, where it is not known what a
    head is to look at.
    """
    other = job.strategy.other_head
    if other is None:
        return job
    body = structure.backbone(job.model)
    if body is job.model or body.config is not job.model.config:
        raise InputError(
            f"{type(job.model).__name__} has no backbone that another head could stand on",
            hint="leave strategy.head and strategy.pooling out",
            key="strategy",
        )
    job.model.to(job.compute.device).eval()
    probe = sides(probe_rows(job))
    limit = getattr(job.task, "max_length", None) or job.checkpoint.max_length
    model = PooledModel(body, other.options, _readings(job, other, probe[0]), limit)
    with torch.no_grad():
        seen = combine([model.pooled(side)[0] for side in probe])
    complete(model, seen.shape[-1])
    return _started(job, model.to(job.compute.device), other)


def probe_rows(job: Job) -> Batch:
    """A few training rows as a batch without targets, on the job's device."""
    examples = job.examples["train"]
    batch = job.collate([examples[row] for row in range(min(PROBE, len(examples)))])
    sent: Batch = send_to_device(
        {name: one for name, one in batch.items() if name != LABELS}, job.compute.device
    )
    return sent


def _readings(job: Job, other: OtherHead, probe: Batch) -> list[Reading]:
    if other.readings:
        return [Pooled(pooling, layers) for pooling, layers in other.readings]
    own = read_by_head(job.model, probe)
    reading: Any = own.readings[0] if own is not None else None
    fresh = [name for name in job.checkpoint.fresh if name.startswith(f"{job.model.base_model_prefix}.")]
    if not isinstance(reading, Field) or fresh:
        why = f"starts from random ({fresh[0]})" if fresh else "is more than one vector of a row"
        raise InputError(
            f"what the architecture's own head looks at {why}, so that another head cannot stand on it",
            hint="write strategy.pooling: mean",
            key="strategy.pooling",
        )
    return [reading]


def _started(job: Job, model: PooledModel, other: OtherHead) -> Job:
    """The job on that model: with its head fresh, and all else frozen."""
    told = " or ".join(reading.told for reading in model.readings)
    finding = f"the head is {other.options.name} on {told}, in place of the architecture's"
    checkpoint = replace(
        job.checkpoint,
        model=model,
        fresh=frozenset(structure.head_parameters(model)),
        findings=(*(one for one in job.checkpoint.findings if not one.startswith(FRESH)), finding),
    )
    job.task.begin(model, checkpoint.fresh, job.splits.train, job.splits.labels)
    return replace(job, checkpoint=checkpoint, model=job.strategy.apply(model, checkpoint.fresh))
