"""The largest micro-batch that fits on the device, found by trying the longest rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from torch import nn

from hftransfer.errors import InputError
from hftransfer.recipe import TrainingSection
from hftransfer.tasks.base import Examples, Loss, forward
from hftransfer.training.loaders import Collate
from hftransfer.training.loop import Augment, unchanged

# On a CPU memory is rarely the bound, and more rows at once are no faster.
CPU_ROWS = 32


def micro_batch_size(
    model: nn.Module,
    examples: Examples,
    collate: Collate,
    loss: Loss,
    *,
    training: TrainingSection,
    compute: Accelerator,
    train_mode: Callable[..., None],
    augment: Augment = unchanged,
) -> int:
    """Rows for one forward and backward pass on this device: the recipe's, or as many as fit, by halving.

    Tries the longest rows, so that no later batch is larger. Leaves no gradient and no changed buffer behind.
    Raises InputError when not even one row fits.
    """
    share: int = math.ceil(training.batch_size / compute.num_processes)
    if training.micro_batch_size is not None:
        return min(training.micro_batch_size, share)
    if compute.device.type == "cpu":
        return min(share, CPU_ROWS)
    longest = (
        np.arange(len(examples)) if examples.lengths is None else np.argsort(-examples.lengths, kind="stable")
    )
    bare = compute.unwrap_model(model)
    buffers = {name: buffer.clone() for name, buffer in bare.named_buffers()}
    trained = [parameter for parameter in bare.parameters() if parameter.requires_grad]

    def attempt(size: int) -> None:
        # Without the exchange between processes: where only one runs out of memory, the others must not wait for it.
        batch = augment(
            send_to_device(collate([examples[int(row)] for row in longest[:size]]), compute.device)
        )
        train_mode(bare)
        # What the optimizer will hold beside the gradients, once it has made its first step.
        moments = [torch.empty_like(parameter) for parameter in trained for _ in range(2)]
        compute.backward(loss.sum(forward(bare, batch), batch) / loss.weight(batch))
        del moments

    try:
        return largest_that_fits(attempt, share, lambda fits: _all_agree(fits, compute))
    finally:
        bare.zero_grad(set_to_none=True)
        for name, buffer in bare.named_buffers():
            buffer.copy_(buffers[name])


def largest_that_fits(attempt: Callable[[int], None], start: int, agree: Callable[[bool], bool]) -> int:
    """Halve `start` until `attempt(size)` no longer runs out of memory.

    agree: whether every process succeeded, given whether this one did. Raises InputError when not even one fits.
    """
    size = start
    while True:
        try:
            attempt(size)
            fits = True
        except torch.OutOfMemoryError:
            fits = False
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        if agree(fits):
            return size
        if size == 1:
            raise InputError(
                "not even one example fits in this device's memory",
                hint="lower task.max_length, choose strategy `frozen` or `lora`, or a smaller checkpoint",
            )
        size = max(1, size // 2)


def _all_agree(fits: bool, compute: Accelerator) -> bool:
    votes = compute.reduce(torch.tensor(float(fits), device=compute.device), reduction="sum")
    return bool(votes.item() == compute.num_processes)
