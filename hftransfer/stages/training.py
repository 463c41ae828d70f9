"""The stage that trains, by gradients."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from hftransfer.job import Clock, Job
from hftransfer.run_directory import RunDirectory
from hftransfer.stages.evaluation import evaluate
from hftransfer.stages.record import evaluated, happened, start
from hftransfer.stages.resuming import keep, restore
from hftransfer.tasks.base import Loss
from hftransfer.training.evaluation import Best
from hftransfer.training.events import Step
from hftransfer.training.loaders import TrainLoader
from hftransfer.training.loop import fit
from hftransfer.training.memory import micro_batch_size
from hftransfer.training.optimizer import make_optimizer
from hftransfer.training.state import put_tensors, take_tensors


@dataclass(frozen=True)
class Trained:
    """steps: optimizer steps taken. best: which of them gave the weights that are kept. rows: of a forward pass."""

    steps: int
    best: Best
    rows: int


def train(job: Job, run_dir: RunDirectory, clock: Clock) -> Trained:
    """Train to the end or until patience is out, keeping what is needed to resume; leaves the best weights in place."""
    training, strategy, compute = job.recipe.training, job.strategy, job.compute
    raw = make_optimizer(job.model, strategy.rates(job.model, job.checkpoint.fresh), training)
    names = strategy.state(job.model)
    best = Best(training.best_metric or "loss", training.patience)
    done = last = restore(job, raw, best, run_dir, clock)
    model, optimizer = compute.prepare(job.module, raw)
    loader = make_loader(job, model, job.loss)
    start(job, run_dir, clock, done=done)
    steps = fit(
        model,
        loader,
        job.loss,
        optimizer,
        training=training,
        compute=compute,
        train_mode=strategy.train_mode,
        augment=job.augment,
        done=done,
    )
    for step in steps if not best.out_of_patience else ():
        last = step.step
        happened(step, run_dir, clock)
        if due(step, training.evaluate_every, job.steps):
            metrics = evaluate(job, "validation", rows=loader.micro_batch_size)[1]
            if evaluated(metrics, best, run_dir, clock, step=step.step, epoch=step.epoch):
                tensors = {"model": take_tensors(job.model, names)}
                run_dir.save_checkpoint("best", tensors, {"step": step.step})
        if due(step, training.checkpoint_every, job.steps):
            keep(job, raw, best, step.step, names, run_dir, clock)
        if best.out_of_patience:
            clock.note([f"stopped after step {step.step}: no better {best.metric} since step {best.step}"])
            break
    compute.wait_for_everyone()
    kept = run_dir.load_checkpoint("best")
    if kept is not None:
        put_tensors(job.model, kept[0]["model"])
    return Trained(last, best, loader.micro_batch_size)


def due(step: Step, every: int | None, total: int) -> bool:
    """Whether what is done every so many steps, and at the end of every epoch, is done after this step."""
    return step.epoch_end or step.step == total or (every is not None and step.step % every == 0)


def make_loader(job: Job, model: nn.Module, loss: Loss) -> TrainLoader:
    """The training rows for `model`, in micro-batches that fit its device."""
    training, compute = job.recipe.training, job.compute
    size = micro_batch_size(
        model,
        job.examples["train"],
        job.collate,
        loss,
        training=training,
        compute=compute,
        train_mode=job.strategy.train_mode,
        augment=job.augment,
    )
    return TrainLoader(
        job.examples["train"],
        job.collate,
        batch_size=training.batch_size,
        micro_batch_size=size,
        seed=training.seed,
        rank=compute.process_index,
        world=compute.num_processes,
        group_by_length=training.group_by_length,
        workers=training.workers,
        classes=job.classes if training.sampling == "balanced" else None,
    )
