"""The fitting of a learner of scikit-learn on what a frozen backbone said: once, on all training rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from hftransfer.errors import InputError
from hftransfer.features.rows import CachedExamples
from hftransfer.heads.fitted import FittedHead
from hftransfer.heads.model import PooledModel
from hftransfer.job import Clock, Job
from hftransfer.run_directory import RunDirectory
from hftransfer.stages import Trained, evaluate, evaluated, start
from hftransfer.tasks.base import LABELS
from hftransfer.training.evaluation import Best

ROWS = 512
"""Of one question to the learner."""


def fit_head(job: Job, run_dir: RunDirectory, clock: Clock) -> Trained:
    """Fit the head, and score it on validation; there are no steps, and nothing to resume.

    Raises InputError where the backbone cannot be asked once about every row.
    """
    fitting = _fitting(job)
    start(job, run_dir, clock)
    fitting()
    best = Best(job.recipe.training.best_metric or "loss", None)
    metrics = evaluate(job, "validation", rows=ROWS)[1]
    evaluated(metrics, best, run_dir, clock, step=0, epoch=0)
    return Trained(0, best, ROWS)


def fit(job: Job) -> None:
    """Fit the head on the training rows. Raises InputError as `fit_head`."""
    _fitting(job)()


def _fitting(job: Job) -> Callable[[], None]:
    """What fits the head. Raises InputError where that cannot be done."""
    examples, model = job.examples["train"], job.model
    if not isinstance(examples, CachedExamples) or not isinstance(model, PooledModel) or model.head is None:
        raise InputError(
            "a learner of scikit-learn needs what the backbone says of every row, once, and here it has to run anew",
            hint="leave task.augmentation out, or write strategy.head: linear",
            key="strategy.head",
        )
    head: Any = model.head.layers
    assert isinstance(head, FittedHead)
    targets = _targets(job, examples)
    _check_enough(job, head, targets)
    return partial(
        head.fit,
        examples.features.reshape(len(examples), -1),
        targets,
        seed=job.recipe.training.seed,
        balanced=getattr(job.task, "class_weights", None) == "balanced",
    )


def _check_enough(job: Job, head: FittedHead, targets: Any) -> None:
    """Raises InputError for rows that the learner could not be fitted on, or asked after."""
    neighbors = getattr(head.options, "neighbors", 1)
    if neighbors > len(targets):
        raise InputError(
            f"knn looks at {neighbors} training rows, and there are {len(targets)}",
            hint=f"write {len(targets)} or less",
            key="strategy.head.neighbors",
        )
    if job.task.classes(job.splits.train) is not None and len(np.unique(targets)) < 2:
        raise InputError(
            f"{head.options.name} needs training rows of two labels, and all have the same",
            key="strategy.head",
        )


def _targets(job: Job, examples: CachedExamples) -> Any:
    """Class numbers (N,), 0 and 1 (N, C), or numbers (N, T), standardised as a loss would have them."""
    batch = job.task.targets([examples[row] for row in range(len(examples))], job.pretrained)
    targets = batch[LABELS].numpy()
    settings = job.pretrained.settings
    if "spread" not in settings:
        return targets
    return (targets - np.asarray(settings["mean"])) / np.asarray(settings["spread"])
