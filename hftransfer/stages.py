"""The stages of a run, each a function of what the stages before it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hftransfer.calibration import NOT_FOLDED, facts, find_temperature, fold_temperature
from hftransfer.checkpoint import quiet
from hftransfer.errors import DataError
from hftransfer.job import Clock, Job
from hftransfer.predictions import write_predictions
from hftransfer.proof import ROWS, Artefact, FreshProcess, prove
from hftransfer.recipe import dump_recipe
from hftransfer.resampled import Resampled, on_resamples, write_resampled
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory
from hftransfer.tasks.base import Loss, Predictions
from hftransfer.tasks.makeup import balance
from hftransfer.training.compute import describe_machine, peak_memory
from hftransfer.training.evaluation import Best, Outputs, run_model, score_predictions
from hftransfer.training.events import Begin, Evaluation, Event, Step
from hftransfer.training.loaders import TrainLoader
from hftransfer.training.loop import fit
from hftransfer.training.memory import micro_batch_size
from hftransfer.training.optimizer import make_optimizer
from hftransfer.training.state import load_optimizer_tensors, optimizer_tensors, put_tensors, take_tensors

# Without gradients to keep, several times the rows fit; sorted by length, padding stays small.
EVALUATION_FACTOR = 2


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
    done = _restore(job, raw, best, run_dir)
    model, optimizer = compute.prepare(job.module, raw)
    loader = make_loader(job, model, job.loss)
    begin(job, run_dir, done)
    sizes = job.parameters
    beginning = Begin(
        job.steps, training.epochs, done, len(loader.examples), sizes["total"], sizes["trained"]
    )
    happened(beginning, run_dir, clock)
    last = done
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
        if _due(step, training.evaluate_every, job.steps):
            metrics = evaluate(job, "validation", rows=loader.micro_batch_size)[1]
            improved = best.better(metrics, step.step)
            happened(Evaluation(step.step, step.epoch, metrics, improved), run_dir, clock)
            if improved:
                run_dir.save_checkpoint(
                    "best", {"model": take_tensors(job.model, names)}, {"step": step.step}
                )
        if _due(step, training.checkpoint_every, job.steps):
            _keep(job, raw, best, step.step, names, run_dir)
        if best.out_of_patience:
            clock.note([f"stopped after step {step.step}: no better {best.metric} since step {best.step}"])
            break
    compute.wait_for_everyone()
    kept = run_dir.load_checkpoint("best")
    if kept is not None:
        put_tensors(job.model, kept[0]["model"])
    return Trained(last, best, loader.micro_batch_size)


def evaluate(job: Job, split: str, *, rows: int) -> tuple[Predictions, dict[str, Any]]:
    """Predictions for a split and its metrics, `loss` among them. rows: what training has in one forward pass.

    Validation also decides what the task has to tune (thresholds), and is then scored by it.
    """
    outputs = _outputs(job, split, rows)
    if split == "validation":
        _tune(job, outputs)
    return _scored(job, split, outputs)


def _tune(job: Job, outputs: Outputs) -> None:
    examples, table = job.encoded("validation"), job.rows("validation")
    job.pretrained.remember(job.task.tune(outputs.arrays, examples, table, job.pretrained))


def _scored(job: Job, split: str, outputs: Outputs) -> tuple[Predictions, dict[str, Any]]:
    task, table = job.task, job.rows(split)
    predictions = task.decode(outputs.arrays, job.encoded(split), table, job.pretrained)
    references = task.references(table, job.splits.labels)
    scores = score_predictions(job.recipe.metrics, predictions, references, job.splits.labels)
    return predictions, {"loss": outputs.loss, **scores}


def _outputs(job: Job, split: str, rows: int) -> Outputs:
    return run_model(
        # The bare model: a wrapper would exchange buffers, and a process may have no rows to take part with.
        job.module,
        job.examples[split],
        job.collate,
        job.compute,
        batch_size=EVALUATION_FACTOR * rows,
        run=lambda model, batch: job.task.run(model, batch, job.pretrained),
        keep=job.task.outputs,
        loss=job.loss,
        workers=job.recipe.training.workers,
    )


@dataclass(frozen=True)
class Scores:
    """By split: what the kept weights say, and how good that is. baselines: by name, what a free guess scores.

    resampled: what that is on the resamples of the rows. calibration, findings: see `Result`.
    """

    predictions: Mapping[str, Predictions]
    metrics: Mapping[str, Mapping[str, Any]]
    baselines: Mapping[str, Mapping[str, Mapping[str, Any]]]
    resampled: Mapping[str, Resampled]
    calibration: Mapping[str, Any]
    findings: tuple[str, ...] = ()


def score(job: Job, trained: Trained) -> Scores:
    """Let the task finish the trained model; score it on validation and, this once, on test; calibrate it.

    The loss is that of the logits as they were trained; all else is of the calibrated model.
    """
    job = replace(job, loss=job.task.settle(job.model, job.pretrained, job.loss))
    splits = [name for name in ("validation", "test") if name in job.examples]
    scored, temperature = {}, None
    for name in splits:
        outputs = _outputs(job, name, trained.rows)
        if name == "validation":
            _tune(job, outputs)
            temperature = find_temperature(job, outputs.arrays)
        scored[name] = _scored(job, name, outputs)
    predictions = {name: one for name, (one, _) in scored.items()}
    calibration = facts(job, temperature, predictions)
    resampled = {name: _on_resamples(job, name, one) for name, one in predictions.items()}
    # From here on the model says by itself what until now was said of it.
    folded = fold_temperature(job)
    return Scores(
        predictions,
        {name: metrics for name, (_, metrics) in scored.items()},
        _baselines(job, splits),
        resampled,
        {**calibration, "folded": folded} if calibration else {},
        () if folded else (NOT_FOLDED.format(calibration["temperature"]),),
    )


def _on_resamples(job: Job, split: str, predictions: Predictions) -> Resampled:
    references = job.task.references(job.rows(split), job.splits.labels)
    return on_resamples(job.recipe.metrics, predictions, references, job.splits.labels)


def _baselines(job: Job, splits: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    task, labels = job.task, job.splits.labels
    found: dict[str, dict[str, Any]] = {}
    for name in splits:
        guess = task.baseline(job.splits.train, job.rows(name), labels)
        if guess is not None:
            references = task.references(job.rows(name), labels)
            found[name] = score_predictions(job.recipe.metrics, guess, references, labels)
    return {task.baseline_name: found} if found else {}


def save(job: Job, scores: Scores, run_dir: RunDirectory, fresh: FreshProcess) -> dict[str, Any]:
    """Write the artefact and the predictions, then prove that the artefact gives the same outputs in `fresh`."""
    job.compute.wait_for_everyone()
    if not job.compute.is_main_process:
        return {}
    strategy, checkpoint = job.strategy, job.checkpoint
    model = job.compute.unwrap_model(job.model, keep_fp32_wrapper=False).to("cpu").eval()

    def write_model(folder: Path) -> bool:
        with quiet():
            strategy.plain(model).save_pretrained(folder)
            checkpoint.processor.save_pretrained(folder)
        return True

    run_dir.save_folder(run_dir.model, write_model)
    has_adapter = run_dir.save_folder(
        run_dir.adapter, lambda folder: strategy.save_adapter(model, folder, base=checkpoint.location)
    )
    write_resampled(run_dir.resampled, scores.resampled)
    for name, predictions in scores.predictions.items():
        write_predictions(run_dir.predictions(name), job.rows(name), job.task, predictions, job.splits.labels)
    artefact = Artefact(
        run_dir.model,
        run_dir.adapter if has_adapter else None,
        checkpoint.location,
        job.recipe.checkpoint.revision,
    )
    chosen = np.linspace(0, len(job.splits.validation) - 1, min(ROWS, len(job.splits.validation)), dtype=int)
    probe = job.splits.validation.select(chosen.tolist())
    return prove(artefact, job.task, probe, model, job.pretrained, fresh)


def result(
    job: Job,
    trained: Trained,
    scores: Scores,
    proof: Mapping[str, Any],
    *,
    run_dir: RunDirectory,
    clock: Clock,
) -> Result:
    """The facts of a finished run."""
    recipe = job.recipe
    return Result(
        run_dir=run_dir.path,
        task=recipe.task.name,
        strategy=recipe.strategy.name,
        checkpoint=_provenance(job),
        inputs=job.inputs,
        labels=job.splits.labels,
        metrics=scores.metrics,
        baselines=scores.baselines,
        parameters=job.parameters,
        examples=job.splits.sizes,
        steps=trained.steps,
        best_step=trained.best.step or trained.steps,
        best_metric=trained.best.metric,
        seconds={
            **{stage: round(value, 3) for stage, value in clock.seconds.items()},
            "total": round(clock.total, 3),
        },
        peak_memory_bytes=peak_memory(),
        reload_check=proof,
        max_length=job.checkpoint.max_length,
        findings=(*job.splits.findings, *job.findings, *scores.findings),
        intervals={split: one.intervals for split, one in scores.resampled.items()},
        calibration=scores.calibration,
    )


def _provenance(job: Job) -> dict[str, Any]:
    """What the run started from; `from` is the run that had made it, where one had, and so on to the first."""
    known = {**job.recipe.checkpoint.model_dump(), "fingerprint": job.checkpoint.fingerprint}
    return known if job.checkpoint.made_by is None else {**known, "from": dict(job.checkpoint.made_by)}


def happened(event: Event, run_dir: RunDirectory, clock: Clock) -> None:
    """Write an event down, and tell it."""
    run_dir.record(event)
    clock.tell(event)


def _due(step: Step, every: int | None, total: int) -> bool:
    return step.epoch_end or step.step == total or (every is not None and step.step % every == 0)


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
            "balance": balance(job.task, job.splits.by_name, job.splits.labels),
        },
        done=done,
    )


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


def _keep(
    job: Job, optimizer: torch.optim.Optimizer, best: Best, step: int, names: Any, run_dir: RunDirectory
) -> None:
    """What `_restore` needs. Random states are no part of it: every step seeds from its own number."""
    tensors = {"model": take_tensors(job.model, names), "optimizer": optimizer_tensors(job.model, optimizer)}
    facts = {
        "step": step,
        "best": {"value": best.value, "step": best.step, "evaluations_since": best.evaluations_since},
        "data": job.splits.fingerprint,
        "checkpoint": job.checkpoint.fingerprint,
    }
    run_dir.save_checkpoint("last", tensors, facts)


def _restore(job: Job, optimizer: torch.optim.Optimizer, best: Best, run_dir: RunDirectory) -> int:
    """Put back what `_keep` kept; how many steps are done (0 where there is nothing to go on from)."""
    kept = run_dir.load_checkpoint("last")
    if kept is None:
        return 0
    tensors, facts = kept
    for what, now in (("data", job.splits.fingerprint), ("checkpoint", job.checkpoint.fingerprint)):
        if facts[what] != now:
            raise DataError(
                f"the {what} is not what the run in {run_dir.path} was started with",
                hint="put the old one back to resume, or start a new run in another place (--output, output=...)",
            )
    put_tensors(job.model, tensors["model"])
    load_optimizer_tensors(job.model, optimizer, tensors["optimizer"])
    best.value, best.step = facts["best"]["value"], facts["best"]["step"]
    best.evaluations_since = facts["best"]["evaluations_since"]
    return int(facts["step"])
