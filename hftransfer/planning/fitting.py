"""How long a learner of scikit-learn will take to fit: no steps add up, so it is fitted on more and more."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import torch

from hftransfer.features.rows import CachedExamples
from hftransfer.fitted import fit
from hftransfer.job import Job

ENOUGH = 2.0
"""Seconds of a fit that tells how it goes on."""
STEEPEST = 3.0
"""The highest power of the rows that is believed."""
NOISE = 0.1
"""Of a feature's spread, added to rows that are made from others."""


def fitting(job: Job, *, rows: int) -> float:
    """Seconds of a fit on so many rows: measured, or carried on along a power of the rows.

    The rows that there are come again and again, each a little beside itself.
    """
    examples = job.examples["train"]
    assert isinstance(examples, CachedExamples)
    count = len(examples)
    taken = [(count, _seconds(job))]
    while count < rows and taken[-1][1] < ENOUGH:
        count = min(2 * count, rows)
        taken.append(
            (count, _seconds(replace(job, examples={**job.examples, "train": _more(examples, count)})))
        )
    count, seconds = taken[-1]
    if count == rows or len(taken) < 2:
        return seconds * rows / count
    (less, before), _ = taken[-2:]
    power = math.log(seconds / before) / math.log(count / less)
    return float(seconds * (rows / count) ** min(max(power, 0.0), STEEPEST))


def _seconds(job: Job) -> float:
    start = time.perf_counter()
    fit(job)
    return time.perf_counter() - start


def _more(examples: CachedExamples, count: int) -> CachedExamples:
    random = np.random.default_rng(0)
    rows = np.arange(count) % len(examples)
    features = examples.features[rows]
    noise = random.standard_normal(features.shape, dtype=np.float32) * examples.features.std(axis=0) * NOISE
    labels, targets = examples.labels, examples.targets
    return CachedExamples(
        (features + noise).astype(np.float32),
        None if labels is None else [labels[int(row)] for row in rows],
        None,
        None,
        (),
        targets and {name: values[torch.from_numpy(rows)] for name, values in targets.items()},
    )
