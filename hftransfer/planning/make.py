"""`plan`: what a run will cost, from a rehearsal of it on a few of its rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.planning.estimate import Estimate
from hftransfer.recipe import Recipe
from hftransfer.runner import linted, load_data, resolve
from hftransfer.training.events import Event

if TYPE_CHECKING:
    from hftransfer.job import Clock, Job
    from hftransfer.planning.extrapolate import Training
    from hftransfer.planning.rehearse import Rehearsal

STEPPING, SCORING = 10.0, 2.0
"""Seconds that the steps of a rehearsal, and one scoring of a split, may take where two steps and a batch do."""
MOST_STEPS, MOST_ROWS = 9, 512
BACKWARD = 3.0
"""A step takes so many times as long as a forward pass."""
TRIED = 8
"""Rows of the forward pass that tells how many more can be had."""


def plan(recipe: Recipe, *, watch: Callable[[Event], None] = lambda event: None) -> Estimate:
    """What a run of this recipe will cost on this device: time, memory, disk, tokens; and what would be cheaper.

    All rows are loaded and encoded; then the run is rehearsed on a few of them, from the first optimizer steps to the
    proof, in a temporary folder that is gone afterwards. No run directory is made, and of the cache of features nothing
    is changed. watch: is called with the stages. Raises InputError, TrainingError and ReloadError as a run would.
    """
    import tempfile

    from hftransfer.job import Clock, prepare
    from hftransfer.other_head import with_other_head
    from hftransfer.planning.rehearse import rehearse
    from hftransfer.planning.sample import sampled
    from hftransfer.training.compute import make_accelerator
    from hftransfer.training.events import Stage

    start = time.perf_counter()
    resolved = resolve(recipe)
    compute = make_accelerator(recipe.training)
    clock = Clock(watch)
    with clock("data", "loading the data"):
        splits = linted(recipe, load_data(resolved))  # as a run does, and as long
    with clock("checkpoint", "loading the checkpoint, encoding the rows"):
        job = with_other_head(prepare(recipe, splits, compute))
    steps, rows = _affordable(job)
    parameters = job.parameters
    watch(Stage("rehearsal", "rehearsing the run on a few of its rows"))

    def rehearsed(job: Job) -> tuple[Job, Rehearsal]:
        few = sampled(job, steps=steps, rows=rows)
        with tempfile.TemporaryDirectory(prefix="hftransfer-plan-") as folder:
            return few, rehearse(few, Path(folder), rows=len(job.examples["train"]))

    few, rehearsal = rehearsed(job)
    if rehearsal.job.upper is not None and not _fits(job, few, rehearsal):
        job = _without_cache(job)
        few, rehearsal = rehearsed(job)
    return _estimate(job, few, rehearsal, clock, parameters, time.perf_counter() - start)


def _affordable(job: Job) -> tuple[int, int]:
    """(training steps, rows of every other split) that a rehearsal can have."""
    import torch
    from accelerate.utils import send_to_device

    from hftransfer.heads.model import PooledModel
    from hftransfer.planning.sample import evenly
    from hftransfer.tasks.base import LABELS, forward

    def asked(model: Any, batch: Any) -> Any:
        # The head of such a model may not be fitted yet.
        return model.seen({name: value for name, value in batch.items() if name != LABELS})

    def answered(model: Any, batch: Any) -> Any:
        return job.task.run(model, batch, job.pretrained)

    def seconds(split: str, ask: Callable[[Any, Any], Any]) -> float:
        examples = job.examples[split]
        chosen = [examples[int(row)] for row in evenly(len(examples), TRIED)]
        batch = send_to_device(job.collate(chosen), job.compute.device)
        taken = []
        with torch.inference_mode(), job.compute.autocast():
            for _ in range(2):  # the first warms up
                start = time.perf_counter()
                ask(job.model, batch)
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                taken.append(time.perf_counter() - start)
        return taken[-1] / len(chosen)

    job.model.to(job.compute.device).eval()
    other = isinstance(job.model, PooledModel)
    step = BACKWARD * seconds("train", asked if other else forward) * job.recipe.training.batch_size
    row = seconds("validation", asked if other else answered)
    steps = 1 + max(2, min(MOST_STEPS - 1, int(STEPPING / step)))
    return steps, max(TRIED, min(MOST_ROWS, int(SCORING / row)))


def _fits(job: Job, few: Job, rehearsal: Rehearsal) -> bool:
    """Whether the hidden states of all rows may be kept, as a run asks before it computes them."""
    from hftransfer.features.store import FeatureStore, cache_folder, size_bound
    from hftransfer.planning.extrapolate import asking_of, free_bytes

    needed = rehearsal.sizes["features"] * asking_of(job, few, ()).times
    there = sum(FeatureStore(cache_folder() / name).size for name in rehearsal.stores)
    return needed <= size_bound() and needed - there <= free_bytes(cache_folder())


def _without_cache(job: Job) -> Job:
    from dataclasses import replace

    training = job.recipe.training.model_copy(update={"cache_features": False})
    return replace(job, recipe=job.recipe.model_copy(update={"training": training}))


def _estimate(
    job: Job, few: Job, rehearsal: Rehearsal, clock: Clock, parameters: dict[str, int], took: float
) -> Estimate:
    from hftransfer.planning import extrapolate
    from hftransfer.planning.savings import savings
    from hftransfer.planning.tokens import tokens_of

    recipe = job.recipe
    asking = None
    if "features" in rehearsal.seconds:
        asking = extrapolate.asking_of(job, few, rehearsal.stores)
    training = _training(job, rehearsal)
    seconds = _seconds(job, rehearsal, asking, training, clock)
    disk = _disk(job, few, rehearsal, 0.0 if asking is None else asking.times)
    found = Estimate(
        task=recipe.task.name,
        strategy=recipe.strategy.name,
        checkpoint=recipe.checkpoint.name,
        device=job.compute.device.type,
        precision="bf16" if job.compute.mixed_precision == "bf16" else "fp32",
        examples=job.splits.sizes,
        epochs=recipe.training.epochs,
        batch_size=recipe.training.batch_size,
        steps=job.steps,
        rehearsed=sum(len(epoch) for phase in rehearsal.phases for epoch in phase.steps),
        evaluations=training.evaluations,
        seconds=seconds,
        training={
            "steps": training.stepping,
            "evaluations": training.evaluating,
            "checkpoints": training.keeping,
        },
        peak_memory_bytes=rehearsal.peak + (_in_memory(job) if rehearsal.job.head is not None else 0),
        micro_batch_size=rehearsal.micro,
        parameters=parameters,
        tokens=tokens_of(job, rehearsal.micro),
        disk=disk,
        kept=0.0 if asking is None else asking.kept,
        savings=(),
        took=took,
        findings=(*job.splits.findings, *job.findings, *_warnings(disk), *_left_out(job)),
    )
    return savings(found, job, rehearsal, training)


def _training(job: Job, rehearsal: Rehearsal) -> Training:
    """The training itself, without what comes before."""
    from hftransfer.planning.extrapolate import Training, share_of, training_of

    share = share_of(job, rehearsal.job, ("validation",), rehearsal.micro)
    if rehearsal.fit is not None:
        return Training(0, 1, rehearsal.fit, rehearsal.evaluating * share, 0.0)
    phase = rehearsal.phases[-1]
    # Of a grid, which scores every head; of anything else the first one imports what metrics need.
    again = min(phase.evaluations) if len(phase.evaluations) > 1 else rehearsal.evaluating
    return training_of(job, rehearsal.job, phase, micro=rehearsal.micro, evaluation=again * share)


def _seconds(
    job: Job, rehearsal: Rehearsal, asking: Any, training: Training, clock: Clock
) -> dict[str, float]:
    """By stage, as a result has them, none within another; and "total"."""
    from hftransfer.planning.extrapolate import share_of, without
    from hftransfer.strategies import Frozen
    from hftransfer.training.compute import CPU_THREADS

    spent, last = rehearsal.seconds, rehearsal.phases[-1]
    seconds = {"data": clock.seconds["data"], "checkpoint": clock.seconds["checkpoint"]}
    asked = spent.get("features", 0.0)
    if job.strategy.probe is not None:
        phase = rehearsal.phases[0]
        head = _probe_seconds(job, rehearsal)
        seconds["probe"] = without(spent, "probe", asked + phase.total) + head
    if asking is not None:
        inside = 0.0 if job.strategy.probe is not None else without(spent, "asking", asked)
        seconds["features"] = asked * asking.share + asking.looking + inside
    fixed = without(spent, "train", last.total)
    seconds["train"] = training.total + fixed
    splits = [name for name in ("validation", "test") if name in job.examples]
    seconds["score"] = spent["score"] * share_of(job, rehearsal.job, splits, rehearsal.micro)
    # A fresh process imports beside the scoring; of a frozen backbone, beside all that comes before.
    beside = seconds["score"]
    if isinstance(job.strategy, Frozen):
        beside = sum(seconds.values()) - seconds["data"]
        # There it takes a core from the backbone, as long as that is asked: of features that are kept, it is not.
        if asking is not None and job.compute.device.type == "cpu":
            seconds["features"] += min(rehearsal.starting, beside, asked * asking.share) / CPU_THREADS
    seconds["save"] = max(0.0, rehearsal.starting - beside) + spent["save"]
    return {**seconds, "total": sum(seconds.values())}


def _probe_seconds(job: Job, rehearsal: Rehearsal) -> float:
    """Of the steps, evaluations and checkpoints of the head alone."""
    from hftransfer.planning.extrapolate import mean

    probe, phase = job.strategy.probe, rehearsal.phases[0]
    assert probe is not None
    steps = -(-len(job.examples["train"]) // job.recipe.training.batch_size) * probe.epochs
    share = len(job.examples["validation"]) / len(rehearsal.job.examples["validation"])
    taken = [one for epoch in phase.steps for one in epoch[1:] or epoch]
    each = min(phase.evaluations) * share + mean(phase.kept["best"]) + mean(phase.kept["last"])
    return steps * mean(taken) + probe.epochs * each


def _in_memory(job: Job) -> int:
    """Bytes of the features of all rows."""
    width = getattr(job.pretrained.config, "hidden_size", 0) or 0
    return 4 * width * sum(map(len, job.examples.values()))


def _disk(job: Job, few: Job, rehearsal: Rehearsal, times: float) -> dict[str, int]:
    sizes = dict(rehearsal.sizes)
    rows, tried = (
        sum(len(one.splits.by_name[n]) for n in one.examples if n != "train") for one in (job, few)
    )
    sizes["predictions"] = round(sizes["predictions"] * rows / tried)
    sizes["features"] = round(sizes["features"] * times)
    return sizes


def _warnings(disk: dict[str, int]) -> list[str]:
    from hftransfer.planning.extrapolate import free_bytes

    # A checkpoint is written beside the one before it.
    needed = 2 * disk["checkpoints"] + disk["model"] + disk["predictions"]
    free = free_bytes(Path("runs"))
    if needed <= free:
        return []
    return [f"a run needs up to {needed / 1e9:.1f} GB of disk, and {free / 1e9:.1f} are free here"]


def _left_out(job: Job) -> tuple[str, ...]:
    """What a run of this recipe does that is not rehearsed."""
    asked = job.recipe.evidence.asked
    return ("what it is compared with (evidence) is not in this",) if asked else ()
