"""The training of many heads at once on what a frozen backbone said, the best of which becomes the model's."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from hftransfer.errors import InputError, TrainingError
from hftransfer.features.heads import Heads, SumOverHeads
from hftransfer.heads.model import OnFeatures, PooledModel, draw
from hftransfer.job import Clock, Job
from hftransfer.recipe import TrainingSection
from hftransfer.run_directory import RunDirectory
from hftransfer.stages import EVALUATION_FACTOR, Trained, due, evaluated, happened, make_loader, start
from hftransfer.strategies import structure
from hftransfer.tasks.base import Examples, forward
from hftransfer.training.compute import seed_everything
from hftransfer.training.evaluation import Best, run_model, score_predictions
from hftransfer.training.events import Step
from hftransfer.training.loop import fit
from hftransfer.training.optimizer import optimizer_of


@dataclass
class Entry:
    """One of the heads. reading: what it looks at, in words. value: its best score on validation so far, after how many
    steps."""

    reading: str
    learning_rate: float
    weight_decay: float
    seed: int
    value: float | None = None
    step: int = 0


def train_grid(job: Job, run_dir: RunDirectory, clock: Clock) -> Trained:
    """Train a head for every setting of the strategy's grid, each as a run of its own would; leaves the best in place.

    The best is chosen by the recipe's metric on validation, over all heads and evaluations. A run that is resumed
    trains them anew: on features that takes seconds. Raises InputError where there is no head to train many of.
    """
    if job.head is None:
        raise InputError(
            "a grid of heads needs what the backbone says of every row, once, and here it has to run anew",
            hint="leave strategy.grid out",
            key="strategy.grid",
        )
    training, compute = job.recipe.training.model_copy(update={"clip_norm": None}), job.compute
    entries, heads, raw = _made(job, training)
    model, optimizer = compute.prepare(heads, raw)
    loss = SumOverHeads(job.loss)
    loader = make_loader(job, model, loss)
    start(job, run_dir, clock, heads=len(entries))
    best = Best(training.best_metric or "loss", training.patience)
    kept: tuple[int, dict[str, Tensor]] | None = None
    last = 0
    steps = fit(
        model, loader, loss, optimizer, training=training, compute=compute, train_mode=job.strategy.train_mode
    )
    for step in _all_finite(steps):
        last = step.step
        happened(replace(step, loss=step.loss / len(entries)), run_dir, clock)
        if not due(step, training.evaluate_every, job.steps):
            continue
        values = _values(job, heads, best.metric, loader.micro_batch_size)
        first = _take_in(entries, values, best.metric, step.step)
        metrics = {best.metric: values[first]}
        if evaluated(metrics, best, run_dir, clock, step=step.step, epoch=step.epoch):
            kept = first, {name: value.detach().clone() for name, value in heads.state(first).items()}
        if best.out_of_patience:
            break
    number, state = kept if kept is not None else (0, heads.state(0))
    _put(job, state)
    if isinstance(job.head, OnFeatures):
        job.head.chosen = _readings(job).index(entries[number].reading)
    run_dir.save_grid({"metric": best.metric, "best": number, "heads": [asdict(entry) for entry in entries]})
    clock.note(_told(entries, number, best.metric))
    return Trained(last, best, loader.micro_batch_size)


def _made(job: Job, training: TrainingSection) -> tuple[list[Entry], Heads, Optimizer]:
    """The settings, a head for each of them, and the optimizer of all, which bounds every head's gradient by itself."""
    grid, head = job.strategy.heads, job.head
    assert grid is not None
    assert head is not None
    # Those that look at the same stand next to one another: see `Heads`.
    told = _readings(job)
    settings = product(told, grid.learning_rates, grid.weight_decays, range(grid.seeds))
    entries = [Entry(*one) for one in settings]
    drawn = _drawn(job, grid.seeds)
    readings = [told.index(entry.reading) for entry in entries] if len(told) > 1 else None
    peak = training.learning_rate or job.strategy.peak
    rates = [entry.learning_rate / peak for entry in entries]
    heads = Heads(head, [drawn[entry.seed] for entry in entries], rates, readings)
    raw = optimizer_of([{"params": [*heads.stacked], "multiplier": 1.0, "weight_decay": 0.0}], training)
    heads.moved_by(raw, [entry.weight_decay for entry in entries], job.recipe.training.clip_norm)
    return entries, heads, raw


def _readings(job: Job) -> list[str]:
    """What heads look at, in words."""
    asked: Any = job.model if isinstance(job.model, PooledModel) else job.head
    return [reading.told for reading in asked.readings]


def _all_finite(steps: Iterator[Step]) -> Iterator[Step]:
    try:
        yield from steps
    except TrainingError as error:
        raise TrainingError(
            f"of one head or another {error.message}",
            hint="leave out the highest of strategy.grid.learning_rates",
        ) from error


def _drawn(job: Job, seeds: int) -> list[dict[str, Tensor]]:
    """The head's parameters as every seed draws them; seed 0 as the run itself has."""
    assert job.head is not None
    head = job.head
    names = {id(parameter): name for name, parameter in head.named_parameters() if parameter.requires_grad}

    def taken() -> dict[str, Tensor]:
        return {names[id(p)]: p.detach().clone() for p in head.parameters() if id(p) in names}

    states = [taken()]
    fresh = [name for name in structure.head_parameters(job.model) if name in job.checkpoint.fresh]
    if seeds > 1 and not fresh:
        raise InputError(
            "the checkpoint's head is trained already, and no seed would draw another",
            hint="leave strategy.grid.seeds out",
            key="strategy.grid.seeds",
        )
    for seed in range(1, seeds):
        seed_everything(job.recipe.training.seed, seed)
        if isinstance(job.model, PooledModel):
            draw(job.model)
        else:
            structure.initialize(job.model, fresh)
        job.task.begin(job.model, job.checkpoint.fresh, job.splits.train, job.splits.labels)
        states.append(taken())
    _put(job, states[0])
    return states


def _put(job: Job, state: Mapping[str, Tensor]) -> None:
    assert job.head is not None
    with torch.no_grad():
        for name, value in state.items():
            job.head.get_parameter(name).copy_(value)


def _values(job: Job, heads: Heads, metric: str, rows: int) -> list[Any]:
    """The metric of every head on the validation rows; None where it is not defined."""
    examples, table = job.examples["validation"], job.rows("validation")
    outputs = run_model(
        heads,
        examples,
        job.collate,
        job.compute,
        batch_size=EVALUATION_FACTOR * rows,
        run=forward,
        keep=lambda output, batch: list(output.logits.float().cpu().numpy().swapaxes(0, 1)),
    )
    logits = np.stack(outputs.arrays, axis=1)  # (G, N, C)
    if metric == "loss":
        return _losses(job, logits, examples)
    references = job.task.references(table, job.splits.labels)
    return [_value(job, one, metric, examples, table, references) for one in logits]


def _losses(job: Job, logits: NDArray[np.float32], examples: Examples) -> list[float]:
    batch = job.task.targets([examples[row] for row in range(len(examples))], job.pretrained)
    weight = float(job.loss.weight(batch))
    return [
        float(job.loss.sum(SimpleNamespace(logits=torch.from_numpy(one)), batch)) / weight for one in logits
    ]


def _value(
    job: Job, logits: NDArray[np.float32], metric: str, examples: Examples, table: Any, references: Any
) -> Any:
    job.pretrained.remember(job.task.tune(list(logits), examples, table, job.pretrained))
    said = job.task.decode(list(logits), examples, table, job.pretrained)
    return score_predictions([metric], said, references, job.splits.labels)[metric]


def _take_in(entries: Sequence[Entry], values: Sequence[Any], metric: str, step: int) -> int:
    """Note every head's value; which head has the best of these (the first of equals)."""
    ranking = Best(metric, None)
    first = 0
    for number, (entry, value) in enumerate(zip(entries, values, strict=True)):
        if ranking.better({metric: value}, step):
            first = number
        own = Best(metric, None, entry.value, entry.step)
        if own.better({metric: value}, step):
            entry.value, entry.step = own.value, own.step
    return first


def _told(entries: Sequence[Entry], number: int, metric: str) -> list[str]:
    chosen = entries[number]
    values = [entry.value for entry in entries if entry.value is not None]
    if not values or chosen.value is None:
        return []
    spread = f"the median is {statistics.median(values):.4f}, from {min(values):.4f} to {max(values):.4f}"
    told = [
        f"the best head: on {chosen.reading}, learning_rate {chosen.learning_rate:g}, weight_decay "
        f"{chosen.weight_decay:g}, seed {chosen.seed}: {metric} {chosen.value:.4f} on validation; of all "
        f"{len(entries)} {spread}"
    ]
    rates = sorted({entry.learning_rate for entry in entries})
    for end, which, better in ((rates[0], "lowest", "lower"), (rates[-1], "highest", "higher")):
        if len(rates) > 1 and chosen.learning_rate == end:
            told.append(f"that is the {which} learning rate of the grid: a {better} one may be better still")
    return told
