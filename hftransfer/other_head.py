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
from hftransfer.recipe import TrainingSection
from hftransfer.strategies import structure
from hftransfer.strategies.base import OtherHead
from hftransfer.tasks.base import LABELS, Batch

STEPS = (
    "epochs",
    "steps",
    "batch_size",
    "optimizer",
    "schedule",
    "warmup",
    "clip_norm",
    "evaluate_every",
    "patience",
)
"""Settings of a training by steps."""
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
    whole: Any = job.model
    body: Any = structure.backbone(whole)
    if body is whole or body.config is not whole.config or body.config.is_encoder_decoder:
        raise InputError(
            f"{type(job.model).__name__} has no single backbone that another head could stand on",
            hint="leave strategy.head and strategy.pooling out",
            key="strategy",
        )
    job.model.to(job.compute.device).eval()
    probe = sides(probe_rows(job))
    limit = getattr(job.task, "max_length", None) or job.checkpoint.max_length
    model = PooledModel(body, other.options, _readings(job, other, probe[0]), limit)
    _check_known(job, model, probe[0])
    with torch.no_grad():
        read = [model.pooled(side) for side in probe]
    widths = {one.shape[-1] for one in read[0]}
    if len(widths) > 1:
        raise InputError(
            f"the layers of a grid give features of several sizes: {', '.join(map(str, sorted(widths)))}",
            hint="write layers of one stage",
            key="strategy.grid.layers",
        )
    complete(model, combine([side[0] for side in read]).shape[-1])
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
    if not isinstance(reading, Field):
        raise InputError(
            "what the architecture's own head looks at is more than one vector of a row, so that another head cannot "
            "stand on it",
            hint="write strategy.pooling: mean",
            key="strategy.pooling",
        )
    return [reading]


def _check_known(job: Job, model: PooledModel, probe: Batch) -> None:
    """Raises InputError where what the head would look at depends on weights that are not the checkpoint's."""
    _, inner = structure.pretrained(job.model)
    known = dict(inner.named_parameters())
    body = {id(parameter) for parameter in model.backbone.parameters()}
    fresh = {name: known[name] for name in sorted(job.checkpoint.fresh) if id(known[name]) in body}
    if not fresh:
        return
    for parameter in fresh.values():
        parameter.requires_grad_(True)
    with torch.enable_grad():
        seen = torch.stack([one.sum() for one in model.pooled(probe)]).sum()
        leaves = [*fresh.values()] if seen.requires_grad else []
        gradients = torch.autograd.grad(seen, leaves, allow_unused=True) if leaves else ()
    for parameter in fresh.values():
        parameter.requires_grad_(False)
    used = [name for name, gradient in zip(fresh, gradients, strict=False) if gradient is not None]
    if used:
        raise InputError(
            f"what the head would look at depends on weights that start from random ({used[0]}), and a frozen "
            "backbone never learns them",
            hint="write strategy.pooling: mean, which looks at no pooler"
            if "pooler" in used[0]
            else "use the strategy full, which trains them",
            key="strategy.pooling",
        )


def _unused(job: Job, other: OtherHead) -> list[str]:
    """A sentence on the settings that a learner which is fitted once has no use for."""
    fields = TrainingSection.model_fields
    changed = [name for name in STEPS if getattr(job.recipe.training, name) != fields[name].default]
    changed += ["learning_rate"] * (job.recipe.training.learning_rate != job.strategy.peak)
    if not other.fitted or not changed:
        return []
    named = ", ".join(f"training.{name}" for name in changed)
    return [f"not used: {named}; {other.options.name} is fitted once"]


def _started(job: Job, model: PooledModel, other: OtherHead) -> Job:
    """The job on that model: with its head fresh, and all else frozen."""
    told = " or ".join(reading.told for reading in model.readings)
    finding = f"the head is {other.options.name} on {told}, in place of the architecture's"
    findings = [one for one in job.checkpoint.findings if not one.startswith(FRESH)]
    checkpoint = replace(
        job.checkpoint,
        model=model,
        fresh=frozenset(structure.head_parameters(model)),
        findings=(*findings, finding, *_unused(job, other)),
    )
    job.task.begin(model, checkpoint.fresh, job.splits.train, job.splits.labels)
    return replace(job, checkpoint=checkpoint, model=job.strategy.apply(model, checkpoint.fresh))
