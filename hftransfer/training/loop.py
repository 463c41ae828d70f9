"""The training loop: a generator of facts. Its caller evaluates, saves, logs and stops early."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from torch import nn

from hftransfer.errors import TrainingError
from hftransfer.recipe import TrainingSection
from hftransfer.tasks.base import Batch, Loss, forward
from hftransfer.training.compute import seed_everything
from hftransfer.training.events import Step
from hftransfer.training.loaders import MicroBatch, TrainLoader
from hftransfer.training.optimizer import rate_at, set_rate, without_wrapper

Augment = Callable[[Batch], Batch]


def unchanged(batch: Batch) -> Batch:
    """The batch as it is."""
    return batch


def total_steps(training: TrainingSection, steps_per_epoch: int) -> int:
    """Optimizer steps of the whole training."""
    all_epochs = training.epochs * steps_per_epoch
    return all_epochs if training.steps is None else min(all_epochs, training.steps)


def fit(
    model: nn.Module,
    loader: TrainLoader,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    *,
    training: TrainingSection,
    compute: Accelerator,
    train_mode: Callable[..., None],
    augment: Augment = unchanged,
    done: int = 0,
) -> Iterator[Step]:
    """Train, yielding one `Step` after every optimizer step, from the one after step `done`.

        for every epoch:
            for every step of the epoch:                 # the same rows on any number of processes
                seed from (seed, step, rank)             # so that a step depends on its place alone
                for every micro-batch: forward, backward of  sum of losses / targets in the whole step
                clip, set the rate, update
                yield what happened                      # the caller may stop here for good

    model, optimizer: as `compute.prepare` returned them. train_mode: given the bare model, the epoch and
    their number, puts it in training mode.
    augment: what is done to every batch before the model sees it; it may draw from torch's global generator.
    Raises TrainingError when the loss or the gradient is not a finite number; the update is then not made.
    """
    total = total_steps(training, loader.steps_per_epoch)
    epochs = math.ceil(total / loader.steps_per_epoch)  # training.steps may end them early
    bare = compute.unwrap_model(model)
    parameters = [parameter for parameter in bare.parameters() if parameter.requires_grad]
    optimizer = without_wrapper(optimizer, compute)
    first_epoch, skip = divmod(done, loader.steps_per_epoch)
    examples = first_epoch * len(loader.examples) + skip * loader.batch_size
    step = done
    for epoch in range(first_epoch, epochs):
        # An adapter's wrapper may say that it is in training mode while what it holds is not: begin from a known state.
        bare.eval()
        for in_epoch, (rows, micros) in enumerate(loader.epoch(epoch, skip=skip), start=skip):
            if step == total:
                return
            seed_everything(training.seed, step, compute.process_index)
            if not bare.training:  # as an epoch begins, and after the caller has evaluated
                train_mode(bare, epoch, epochs)
            with _within_memory(step):
                value = accumulate(model, micros, loss, compute, augment)
            norm = _clip(parameters, training.clip_norm, compute)
            _check_finite(value, norm, step, micros)
            rate = rate_at(step, total=total, training=training)
            set_rate(optimizer, rate)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            examples += rows
            end = in_epoch + 1 == loader.steps_per_epoch
            yield Step(step, epoch, end, examples, value, rate, norm)
        skip = 0


@contextmanager
def _within_memory(step: int) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"step {step + 1} does not fit in this device's memory",
            hint="write a smaller training.micro_batch_size: the steps stay the same; then --resume (resume=True)",
        ) from error


def accumulate(
    model: nn.Module,
    micros: list[MicroBatch],
    loss: Loss,
    compute: Accelerator,
    augment: Augment = unchanged,
) -> float:
    """Gradients of the mean loss over the targets of one optimizer step, on all processes. Returns that mean.

    A mean of micro-batch means is wrong when they hold different numbers of targets; this divides every
    micro-batch's sum by the targets of the whole step.
    """
    batches = [augment(send_to_device(micro.tensors, compute.device)) for micro in micros]
    counted = [float(micro.counted) for micro in micros]
    weight = sum(
        (loss.weight(b) * c for b, c in zip(batches, counted, strict=True)),
        torch.zeros((), device=compute.device),
    )
    weight = compute.reduce(weight, reduction="sum")
    weight = weight + (
        weight == 0
    )  # a step may hold no target at all (a window inside of one word): 0, not 0 / 0
    value = torch.zeros((), device=compute.device)
    for index, (batch, count) in enumerate(zip(batches, counted, strict=True)):
        last = index + 1 == len(batches)
        # Processes exchange gradients once a step, in the backward pass of its last micro-batch.
        with nullcontext() if last else compute.no_sync(model):
            # Gradients are averaged over processes; multiplied by their number they are summed.
            part = loss.sum(forward(model, batch), batch) * count / weight
            compute.backward(part * compute.num_processes)
        value += part.detach()
    return float(compute.reduce(value, reduction="sum").item())


def _clip(parameters: list[nn.Parameter], bound: float | None, compute: Accelerator) -> float | None:
    if bound is None:
        return None
    return float(compute.clip_grad_norm_(parameters, bound))


def _check_finite(value: float, norm: float | None, step: int, micros: list[MicroBatch]) -> None:
    if math.isfinite(value) and (norm is None or math.isfinite(norm)):
        return
    rows = sorted(int(row) + 1 for micro in micros for row in micro.rows)
    shown = ", ".join(map(str, rows[:8])) + (" ..." if len(rows) > 8 else "")
    what = "loss" if not math.isfinite(value) else "gradient"
    raise TrainingError(
        f"the {what} of step {step + 1} is not a finite number (training rows {shown}); the update was not made",
        hint="lower training.learning_rate, or write training.precision: fp32; the weights kept so far are whole",
    )
