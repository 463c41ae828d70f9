"""From what a few rows took to what all of them will take."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from hftransfer.features.rows import batches_alike, row_keys
from hftransfer.features.store import FeatureStore, cache_folder
from hftransfer.job import Job
from hftransfer.planning.rehearse import Phase
from hftransfer.planning.sample import evaluation_work, step_work, steps_of, work_of
from hftransfer.stages import EVALUATION_FACTOR
from hftransfer.tasks.texts import sides_of

EPOCHS = 2
"""Of which batches are made to count their work; those of others are like them."""


@dataclass(frozen=True)
class Pace:
    """Seconds of a step: `fixed`, and `each` for every padded token or row."""

    fixed: float
    each: float

    def of(self, work: float) -> float:
        return self.fixed + self.each * work

    @classmethod
    def fitted(cls, seconds: Sequence[float], work: Sequence[float]) -> Pace:
        """Least squares, neither number negative."""
        table = np.stack([np.ones(len(work)), np.asarray(work)], axis=1)
        scale = table.max(axis=0)
        (fixed, each), _ = nnls(table / scale, np.asarray(seconds))
        return cls(float(fixed / scale[0]), float(each / scale[1]))


@dataclass(frozen=True)
class Training:
    """Seconds of one training, by what they go to; steps and evaluations in it."""

    steps: int
    evaluations: int
    stepping: float
    evaluating: float
    keeping: float

    @property
    def total(self) -> float:
        return self.stepping + self.evaluating + self.keeping


def training_of(job: Job, rehearsed: Job, phase: Phase, *, micro: int, evaluation: float) -> Training:
    """What a training of `job` takes. rehearsed: its rehearsal, see `phase`. evaluation: seconds of one.

    micro: rows of a forward pass.
    """
    training = job.recipe.training
    total, evaluations = job.steps, due(job, training.evaluate_every)
    keeping = (
        mean(phase.kept["best"]) * evaluations
        + mean(phase.kept["last"]) * due(job, training.checkpoint_every)
        if any(phase.kept.values())
        else 0.0
    )
    first = max(0.0, phase.evaluations[0] - min(phase.evaluations)) if phase.evaluations else 0.0
    paces = [
        _pace(durations, step_work(steps_of(rehearsed, epoch), rehearsed.examples["train"].lengths, micro))
        for epoch, durations in enumerate(phase.steps)
    ]
    if job.head is not None or rehearsed.head is not None:
        taken = [one for durations in phase.steps for one in durations[1:] or durations]
        paces = [Pace(mean(taken), 0.0)]
    stepping = _stepping(job, paces, micro, total)
    return Training(total, evaluations, stepping, evaluations * evaluation + first, keeping)


def _pace(durations: Sequence[float], work: NDArray[np.float64]) -> Pace:
    """The first step warms up, where there are others."""
    start = 1 if len(durations) > 1 else 0
    return Pace.fitted(durations[start:], [*work[start : len(durations)]])


def _stepping(job: Job, paces: Sequence[Pace], micro: int, total: int) -> float:
    """Seconds of all steps: where a strategy moves more and more, between the pace of the first epoch and the last."""
    lengths = job.examples["train"].lengths
    work = [step_work(steps_of(job, epoch), lengths, micro) for epoch in range(EPOCHS)]
    done, seconds = 0, 0.0
    moving = _moving(job)
    for epoch in range(len(moving)):
        steps = work[epoch % EPOCHS][: total - done]
        low, high = (sum(pace.of(one) for one in steps) for pace in (paces[0], paces[-1]))
        if moving[epoch] is None:
            seconds += float(np.mean([sum(pace.of(one) for one in steps) for pace in paces]))
        else:
            seconds += float(low + (high - low) * moving[epoch])
        done += len(steps)
    return seconds


def _moving(job: Job) -> list[Any]:
    """For every epoch the share of what moves in the last one but not in the first that moves in it; None where that
    does not change."""
    training = job.recipe.training
    steps = -(-len(job.examples["train"]) // training.batch_size)
    epochs = -(-job.steps // steps)
    counts = []
    for epoch in range(epochs):
        job.strategy.train_mode(job.module, epoch, epochs)
        counts.append(sum(parameter.requires_grad for parameter in job.module.parameters()))
    low, high = counts[0], counts[-1]
    return [None if low == high else (count - low) / (high - low) for count in counts]


def due(job: Job, every: int | None) -> int:
    """How often something happens that is done every so many steps, and at the end of every epoch."""
    total = job.steps
    if not total:
        return 1
    epoch = -(-len(job.examples["train"]) // job.recipe.training.batch_size)
    moments = {*range(epoch, total + 1, epoch), total, *(range(every, total + 1, every) if every else ())}
    return len(moments)


def share_of(job: Job, rehearsed: Job, splits: Sequence[str], micro: int) -> float:
    """How many times the work of scoring `splits` in the rehearsal it will be."""

    def work(one: Job) -> float:
        size = EVALUATION_FACTOR * micro
        return sum(evaluation_work(one.examples[s].lengths, len(one.examples[s]), size) for s in splits)

    if rehearsed.head is not None:  # of features, which have one size
        return sum(len(job.examples[s]) for s in splits) / sum(len(rehearsed.examples[s]) for s in splits)
    return work(job) / work(rehearsed)


@dataclass(frozen=True)
class Asking:
    """Of a frozen backbone. share: how many times the work of the rehearsal. kept: share of the rows that are there
    already. looking: seconds to find that out, which the run will take, too. times: of the rehearsal's bytes."""

    share: float
    kept: float
    looking: float
    times: float


def asking_of(job: Job, rehearsed: Job, names: Sequence[str]) -> Asking:
    """What there is to ask. rehearsed: as it was before its features took its examples' place."""
    start = time.perf_counter()
    work, total, rows = 0.0, 0.0, 0
    known = 0
    for examples in job.examples.values():
        for side in sides_of(examples):
            keys = row_keys(side)
            kept = np.full(len(side), bool(names))
            for name in names:
                kept &= FeatureStore(cache_folder() / name).known(keys)
            _, firsts = np.unique(keys, axis=0, return_index=True)
            work += _work(side, np.setdiff1d(firsts, np.flatnonzero(kept)), job)
            total += _work(side, firsts, job)
            known, rows = known + int(kept.sum()), rows + len(side)
    looking = time.perf_counter() - start
    few = sum(
        _work(side, np.arange(len(side)), job)
        for examples in rehearsed.examples.values()
        for side in sides_of(examples)
    )
    return Asking(work / few, known / rows, looking, total / few)


def _work(side: Any, rows: NDArray[np.int64], job: Job) -> float:
    return float(sum(work_of(b, side.lengths) for b in batches_alike(rows, side.lengths, job.compute.device)))


def mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def without(seconds: Mapping[str, float], stage: str, parts: float) -> float:
    """What a stage took beside its parts."""
    return max(0.0, seconds.get(stage, 0.0) - parts)


def free_bytes(folder: Path) -> int:
    """Free disk in the nearest folder that there is."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
