"""What a run writes down of itself, as it begins and with everything that happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hftransfer.job import Clock, Job
from hftransfer.recipe import dump_recipe
from hftransfer.run_directory import RunDirectory
from hftransfer.training.compute import describe_machine
from hftransfer.training.evaluation import Best
from hftransfer.training.events import Begin, Evaluation, Event


def begin(job: Job, run_dir: RunDirectory, done: int = 0) -> None:
    """Write down what was asked for, made with and made from. done: steps that a resumed run has behind it."""
    run_dir.begin(
        recipe=dump_recipe(job.recipe),
        environment=describe_machine(job.compute),
        data={
            "fingerprint": job.splits.fingerprint,
            "examples": job.splits.sizes,
            "labels": job.splits.labels,
            "findings": (*job.splits.findings, *job.findings),
            "lint": job.splits.lint,
            "tokens": job.tokens,
            "balance": job.splits.balance,
        },
        done=done,
    )


def start(job: Job, run_dir: RunDirectory, clock: Clock, *, done: int = 0, heads: int = 1) -> None:
    """`begin`, and tell how much there is to train. heads: how many are trained at once, see `grid`."""
    begin(job, run_dir, done)
    epochs = job.recipe.training.epochs if job.steps else 0  # a learner that is fitted takes none
    sizes, examples = job.parameters, len(job.examples["train"])
    beginning = Begin(job.steps, epochs, done, examples, sizes["total"], sizes["trained"] * heads)
    happened(beginning, run_dir, clock)


def evaluated(
    metrics: Mapping[str, Any], best: Best, run_dir: RunDirectory, clock: Clock, *, step: int, epoch: int
) -> bool:
    """Tell what the weights are worth on the validation rows; whether they are the best so far."""
    improved = best.better(metrics, step)
    happened(Evaluation(step, epoch, metrics, improved), run_dir, clock)
    return improved


def happened(event: Event, run_dir: RunDirectory, clock: Clock) -> None:
    """Write an event down, and tell it."""
    run_dir.record(event)
    clock.tell(event)
