"""The rows that stand for all of them in a rehearsal, and how much work there is in batches.

Work is counted in padded tokens, which a batch costs in proportion to; in rows where all have one size (images). The
first batches of an epoch say little about the rest: those that are taken lie at equal distances in the order of their
work, and the one with the most is always among them.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hftransfer.job import Job
from hftransfer.tasks.base import Task, rows_of
from hftransfer.training.batching import Rows, epoch_batches, evaluation_batches, micro_batches

Lengths = NDArray[np.int64] | None


def steps_of(job: Job, epoch: int, *, group: bool | None = None) -> list[Rows]:
    """The optimizer steps of an epoch, as the run will take them. group: in place of training.group_by_length."""
    training, examples = job.recipe.training, job.examples["train"]
    grouped = training.group_by_length if group is None else group
    return epoch_batches(
        len(examples),
        training.batch_size,
        seed=training.seed,
        epoch=epoch,
        lengths=examples.lengths if grouped else None,
        classes=job.classes if training.sampling == "balanced" else None,
    )


def work_of(batch: Rows, lengths: Lengths) -> int:
    """Padded tokens of a batch, or its rows."""
    return len(batch) * (1 if lengths is None or not len(batch) else int(lengths[batch].max()))


def step_work(steps: list[Rows], lengths: Lengths, micro: int) -> NDArray[np.float64]:
    """The work of every step, (S,), in micro-batches of so many rows."""
    return np.array(
        [sum(work_of(p, lengths) for p in micro_batches(s, rank=0, world=1, size=micro)) for s in steps],
        dtype=np.float64,
    )


def evaluation_work(lengths: Lengths, count: int, size: int) -> float:
    """The work of scoring so many examples in batches of `size`."""
    batches = evaluation_batches(count, size, rank=0, world=1, lengths=lengths)
    return float(sum(work_of(batch, lengths) for batch in batches))


def sampled(job: Job, *, steps: int, rows: int) -> Job:
    """The job on a few of its rows: enough training rows for `steps` steps, and at most `rows` of every other split."""
    chosen = {name: _spread(job, name, rows) for name in job.examples if name != "train"}
    chosen["train"] = _train_rows(job, steps)
    tables = {name: job.splits.by_name[name].select(which.tolist()) for name, which in chosen.items()}
    splits = replace(job.splits, **tables)
    task = job.task
    examples = {
        name: (task.encode_train if name == "train" else task.encode)(tables[name], job.pretrained, name=name)
        for name in job.examples
    }
    return replace(job, splits=splits, examples=examples)


def _train_rows(job: Job, steps: int) -> Rows:
    examples, count = job.examples["train"], len(job.splits.train)
    if type(job.task).encode_train is not Task.encode_train:  # packed: an example is no row
        wanted = steps * job.recipe.training.batch_size
        return evenly(count, math.ceil(count * min(1.0, wanted / len(examples))))
    batches = steps_of(job, 0)
    full = [batch for batch in batches if len(batch) == job.recipe.training.batch_size] or batches
    work = np.array([work_of(batch, examples.lengths) for batch in full])
    order = np.argsort(work, kind="stable")
    places = {int(order[place]) for place in evenly(len(full), min(steps - 1, len(full)))}
    taken = [full[place] for place in sorted(places | {int(order[-1])})]
    if job.compute.device.type != "cpu" and examples.lengths is not None:
        # What is tried for memory: see `micro_batch_size`.
        taken.append(np.argsort(-examples.lengths, kind="stable")[: job.recipe.training.batch_size])
    return np.unique(rows_of(examples)[np.concatenate(taken)])


def _spread(job: Job, name: str, most: int) -> Rows:
    """So many rows of a split, at equal distances in the order of their lengths."""
    examples, count = job.examples[name], len(job.splits.by_name[name])
    if examples.lengths is None or len(examples) != count:
        return evenly(count, most)
    return np.sort(np.argsort(examples.lengths, kind="stable")[evenly(count, most)])


def evenly(count: int, wanted: int) -> Rows:
    """`wanted` of the numbers below `count`, each in the middle of an equal part; all of them where there are fewer."""
    wanted = max(1, min(count, wanted))
    return ((np.arange(wanted) + 0.5) * count / wanted).astype(np.int64)
