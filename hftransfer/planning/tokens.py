"""Tokens of the training examples: how many there are, how many are cut, how many batches add."""

from __future__ import annotations

import math

import numpy as np

from hftransfer.job import Job
from hftransfer.planning.estimate import Tokens
from hftransfer.planning.sample import step_work, steps_of

MULTIPLE = 8
"""Lengths are suggested in multiples of it."""


def tokens_of(job: Job, micro: int) -> Tokens | None:
    """None where examples have no tokens, or none that are known. micro: rows of a forward pass."""
    examples = job.examples["train"]
    lengths = examples.lengths
    if lengths is None or "input_ids" not in examples[0]:
        return None  # of one size, or of samples of sound
    steps = steps_of(job, 0)
    padded = float(step_work(steps, lengths, micro).sum())
    held = float(sum(lengths[step].sum() for step in steps))
    return Tokens(
        limit=getattr(job.task, "max_length", None) or job.checkpoint.max_length,
        mean=float(lengths.mean()),
        p99=int(np.percentile(lengths, 99, method="higher")),
        longest=int(lengths.max()),
        cut=getattr(examples, "cut", None),
        padding=max(0.0, 1 - held / padded),
    )


def shorter(tokens: Tokens) -> int:
    """A length that 99 of 100 examples have at most."""
    return max(MULTIPLE, math.ceil(tokens.p99 / MULTIPLE) * MULTIPLE)
