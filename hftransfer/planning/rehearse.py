"""A rehearsal: the run itself, from its first step to the proof, on a few rows and by the watch.

Nothing here knows strategies: what a run does, its rehearsal does, with the run's own functions, in a temporary folder.
What would break at the end of a long run (a metric, the saving, the proof) breaks here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import send_to_device

from hftransfer import stages
from hftransfer.features.store import kept_in, stores
from hftransfer.fresh import FreshProcess
from hftransfer.frozen_backbone import on_features
from hftransfer.job import Clock, Job
from hftransfer.one_run import train
from hftransfer.planning.fitting import fitting
from hftransfer.planning.sample import evenly
from hftransfer.probe import probe
from hftransfer.run_directory import Kind, RunDirectory
from hftransfer.tasks.base import forward
from hftransfer.training.compute import peak_memory
from hftransfer.training.events import Begin, Evaluation, Event, Step

HEAD_EPOCHS = 10
"""Of a head on features, whose steps take a millisecond."""
PROBE_EPOCHS = 2
LEAST_STEPS = 3
"""The first of which is for warming up."""


@dataclass(frozen=True)
class Kept:
    """A checkpoint was written."""

    kind: Kind


@dataclass
class Phase:
    """One training: of the head alone before, or the one itself. All in seconds.

    steps: of every step, by epoch. evaluations: of every evaluation. kept: of every checkpoint, by its kind.
    """

    steps: list[list[float]] = field(default_factory=list)
    evaluations: list[float] = field(default_factory=list)
    kept: dict[Kind, list[float]] = field(default_factory=lambda: {"best": [], "last": []})

    @property
    def total(self) -> float:
        """All that was measured."""
        return sum(map(sum, [*self.steps, self.evaluations, *self.kept.values()]))


class Stopwatch:
    """What happened, and when."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, Event | Kept]] = []

    def __call__(self, mark: Event | Kept) -> None:
        self.marks.append((time.perf_counter(), mark))

    def phases(self) -> list[Phase]:
        """The trainings, in order: what lies between two marks was spent on what the second tells."""
        found: list[Phase] = []
        before, ended = 0.0, True
        for moment, mark in self.marks:
            match mark:
                case Begin():
                    found.append(Phase())
                    ended = True
                case Step():
                    if ended:
                        found[-1].steps.append([])
                    found[-1].steps[-1].append(moment - before)
                    ended = mark.epoch_end
                case Evaluation():
                    found[-1].evaluations.append(moment - before)
                case Kept(kind):
                    found[-1].kept[kind].append(moment - before)
            before = moment
        return found


class _Watched(RunDirectory):
    """A run directory that tells when it has kept a checkpoint."""

    def __init__(self, path: Path, watch: Stopwatch) -> None:
        super().__init__(path)
        self._watch = watch

    @property
    def probe(self) -> RunDirectory:
        directory = _Watched(super().probe.path, self._watch)
        directory._claimed = True
        return directory

    def save_checkpoint(
        self, kind: Kind, tensors: Mapping[str, Mapping[str, Any]], facts: Mapping[str, Any]
    ) -> None:
        super().save_checkpoint(kind, tensors, facts)
        self._watch(Kept(kind))


@dataclass(frozen=True)
class Rehearsal:
    """What was measured. job: the rehearsed one, on features where the run will be. phases: see `Phase`; the last is
    the training itself.

    seconds: of the stages, as the clock of a run has them, and "asking": all of what comes before the training for
    frozen parts, its trials too. evaluating: of the validation rows, once more. fit: of a learner on all rows, or None.
    half: bf16's time for a step of fp32's, where that could be chosen. starting: until a fresh process is ready.
    sizes: bytes of "checkpoints", "model", "predictions", "features". stores: names of the stores of features.
    """

    job: Job
    phases: Sequence[Phase]
    seconds: Mapping[str, float]
    evaluating: float
    fit: float | None
    half: float | None
    starting: float
    micro: int
    sizes: Mapping[str, int]
    stores: tuple[str, ...]
    peak: int


def rehearse(job: Job, folder: Path, *, rows: int) -> Rehearsal:
    """Run `job`, which has but a few rows, in `folder`. rows: training examples of the whole run."""
    watch = Stopwatch()
    clock = Clock(watch)
    run_dir = _Watched(folder / "run", watch)
    with kept_in(folder / "features"), FreshProcess() as fresh:
        job = _shortened(job, PROBE_EPOCHS)
        probe(job, run_dir, clock)
        with clock("asking", ""):
            job = on_features(job, clock)
        job = _shortened(job, HEAD_EPOCHS if job.head is not None else 1)
        with clock("train", ""):
            trained = train(job, run_dir, clock)
        with clock("evaluate", ""):
            stages.evaluate(job, "validation", rows=trained.rows)
        other = job.strategy.other_head
        fit = fitting(job, rows=rows) if other is not None and other.fitted else None
        half = half_precision(job, trained.rows)
        with clock("score", ""):
            scores = stages.score(job, trained)
        with clock("start", ""):
            fresh.ready()
        with clock("save", ""):
            stages.save(job, scores, run_dir, fresh)
        kept = tuple(store.folder.name for store in stores())
        sizes = {**_sizes(run_dir), "features": _bytes(folder / "features")}
    job.compute.free_memory()
    return Rehearsal(
        job,
        watch.phases(),
        clock.seconds,
        clock.seconds["evaluate"],
        fit,
        half,
        clock.seconds["start"],
        trained.rows,
        sizes,
        kept,
        peak_memory(),
    )


def _shortened(job: Job, epochs: int) -> Job:
    """The job with so many epochs, or as many as show what a step takes; nothing else ends or interrupts them."""
    batches = -(-len(job.examples["train"]) // job.recipe.training.batch_size)
    strategy = job.recipe.strategy
    changed = {
        "epochs": max(epochs, strategy.least_epochs, -(-LEAST_STEPS // batches)),
        "steps": None,
        "evaluate_every": None,
        "checkpoint_every": None,
        "patience": None,
    }
    if strategy.probe is not None:
        strategy = strategy.model_copy(update={"probe_epochs": PROBE_EPOCHS})
    training = job.recipe.training.model_copy(update=changed)
    return replace(job, recipe=job.recipe.model_copy(update={"training": training, "strategy": strategy}))


def half_precision(job: Job, rows: int) -> float | None:
    """How long forward and backward passes take in bf16, as a share of fp32; None where there is no such choice."""
    capable = job.compute.device.type == "cpu" or torch.cuda.is_bf16_supported()
    if job.head is not None or not capable or job.compute.mixed_precision == "bf16" or not job.steps:
        return None
    examples = job.examples["train"]
    chosen = [examples[int(row)] for row in evenly(len(examples), rows)]
    batch = job.augment(send_to_device(job.collate(chosen), job.compute.device))
    job.strategy.train_mode(job.module)

    def seconds(half: bool) -> float:
        start = time.perf_counter()
        with torch.autocast(job.compute.device.type, torch.bfloat16, enabled=half):
            loss = job.loss.sum(forward(job.module, batch), batch)
        job.compute.backward(loss)
        job.module.zero_grad(set_to_none=True)
        float(loss.detach())  # waits for the device
        return time.perf_counter() - start

    seconds(True)
    return min(seconds(True) for _ in range(2)) / min(seconds(False) for _ in range(2))


def _sizes(run_dir: RunDirectory) -> dict[str, int]:
    model = _bytes(run_dir.model) + _bytes(run_dir.adapter)
    predictions = sum(_bytes(run_dir.predictions(name)) for name in ("validation", "test"))
    return {
        "checkpoints": _bytes(run_dir.path) - model - predictions,
        "model": model,
        "predictions": predictions,
    }


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
