"""What would make a run cheaper, and by how much at the pace that was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from hftransfer.job import Job
from hftransfer.planning.estimate import Estimate, Saving
from hftransfer.planning.extrapolate import Training, due
from hftransfer.planning.rehearse import Rehearsal
from hftransfer.planning.sample import step_work, steps_of
from hftransfer.planning.tokens import shorter
from hftransfer.strategies import Frozen

LEAST = 0.05
"""The least share of the whole time that is worth a word."""
HEAD_SECONDS = 5.0
"""Of a head on features: it is little beside the asking."""


def savings(found: Estimate, job: Job, rehearsal: Rehearsal, training: Training) -> Estimate:
    """The estimate with what would save a twentieth of its time or more, the most first."""
    told = [
        one
        for ideas in (_length, _grouping, _precision, _frozen, _cache, _evaluations)
        for one in ideas(found, job, rehearsal, training)
    ]
    worth = [one for one in told if one.seconds >= LEAST * found.seconds["total"]]
    return replace(found, savings=tuple(sorted(worth, key=lambda one: -one.seconds)))


def _length(found: Estimate, job: Job, rehearsal: Rehearsal, training: Training) -> Iterator[Saving]:
    """max_length at the 99th percentile; of no use where long texts are read in windows, which would be more."""
    tokens = found.tokens
    if tokens is None or tokens.cut is None or not hasattr(job.task, "max_length"):
        return
    length = shorter(tokens)
    if length >= tokens.longest:
        return
    lengths = job.examples["train"].lengths
    assert lengths is not None
    now, then = (_work(job, np.minimum(lengths, most), rehearsal.micro) for most in (tokens.longest, length))
    moving = training.stepping + training.evaluating + found.seconds.get("features", 0.0)
    cut = int((lengths > length).sum())
    why = (
        f"99 of 100 training texts have at most {tokens.p99} tokens; {cut:,} more of {len(lengths):,} are cut"
    )
    yield Saving(f"task.max_length={length}", moving * (1 - then / now), why)


def _work(job: Job, lengths: Any, micro: int, *, group: bool | None = None) -> float:
    return float(step_work(steps_of(job, 0, group=group), lengths, micro).sum())


def _grouping(found: Estimate, job: Job, rehearsal: Rehearsal, training: Training) -> Iterator[Saving]:
    lengths = job.examples["train"].lengths
    if lengths is None or job.recipe.training.group_by_length or rehearsal.job.head is not None:
        return
    now, then = (_work(job, lengths, rehearsal.micro, group=group) for group in (False, True))
    why = f"batches of rows of like length: {1 - then / now:.0%} fewer tokens are computed"
    yield Saving("training.group_by_length=true", training.stepping * (1 - then / now), why)


def _precision(found: Estimate, job: Job, rehearsal: Rehearsal, training: Training) -> Iterator[Saving]:
    if rehearsal.half is None:
        return
    saved = (training.stepping + training.evaluating) * (1 - rehearsal.half)
    yield Saving("training.precision=bf16", saved, f"a step was measured at {rehearsal.half:.2f} of its time")


def _frozen(found: Estimate, job: Job, rehearsal: Rehearsal, training: Training) -> Iterator[Saving]:
    """Every row once forward, and a head: another model, which may be worse."""
    moved = rehearsal.job.head is None and not job.strategy.probe and job.strategy.name != "frozen"
    moved = (
        moved and not job.recipe.checkpoint.random_weights
    )  # which nothing but training makes worth asking
    if not moved or not job.task.on_features or job.task.augments:
        return
    tried = rehearsal.job.examples["validation"]
    asked = sum(map(_amount, job.examples.values())) / _amount(tried) * rehearsal.evaluating
    left = sum(found.seconds.get(stage, 0.0) for stage in ("data", "checkpoint", "save"))
    why = (
        "the backbone is asked once about every row, and a head trained on that; it may score lower, and wants a "
        f"rate of its own (training.learning_rate={Frozen().peak:g})"
    )
    yield Saving("strategy=frozen", found.seconds["total"] - left - asked - HEAD_SECONDS, why)


def _amount(examples: Any) -> float:
    """Tokens, or what has one size."""
    return float(len(examples) if examples.lengths is None else examples.lengths.sum())


def _cache(found: Estimate, job: Job, rehearsal: Rehearsal, training: Training) -> Iterator[Saving]:
    if job.recipe.training.cache_features or job.strategy.name != "frozen" or rehearsal.job.head is not None:
        return
    epochs = max(1, found.epochs)
    if epochs > 1 and job.task.on_features and not job.task.augments:
        saved = (training.stepping + training.evaluating) * (1 - 1 / epochs)
        yield Saving("training.cache_features=true", saved, "the frozen backbone runs once, not every epoch")


def _evaluations(found: Estimate, job: Job, rehearsal: Rehearsal, training: Training) -> Iterator[Saving]:
    """Those within epochs, and the checkpoints within them."""
    settings = job.recipe.training
    fewer = due(job, None)
    if settings.evaluate_every is not None and training.evaluations > fewer:
        saved = training.evaluating * (1 - fewer / training.evaluations)
        why = f"{fewer} evaluations, at the ends of epochs, instead of {training.evaluations}"
        yield Saving("training.evaluate_every=null", saved, why)
    kept = due(job, settings.checkpoint_every)
    if settings.checkpoint_every is not None and kept > fewer:
        saved = training.keeping * (1 - fewer / kept)
        why = f"{fewer} checkpoints, at the ends of epochs, instead of {kept}: a kill costs more"
        yield Saving("training.checkpoint_every=null", saved, why)
