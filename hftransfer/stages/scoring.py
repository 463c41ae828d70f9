"""The stage after training: the weights that are kept, scored and calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hftransfer.calibration import NOT_FOLDED, facts, find_temperature, fold_temperature
from hftransfer.job import Job
from hftransfer.resampled import Resampled, on_resamples
from hftransfer.stages.evaluation import outputs_of, scored, tune
from hftransfer.stages.training import Trained
from hftransfer.tasks.predictions import Predictions
from hftransfer.training.evaluation import score_predictions


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
    by_split, temperature = {}, None
    for name in splits:
        outputs = outputs_of(job, name, trained.rows)
        if name == "validation":
            tune(job, outputs)
            temperature = find_temperature(job, outputs.arrays)
        by_split[name] = scored(job, name, outputs)
    predictions = {name: one for name, (one, _) in by_split.items()}
    calibration = facts(job, temperature, predictions)
    resampled = {name: _on_resamples(job, name, one) for name, one in predictions.items()}
    # From here on the model says by itself what until now was said of it.
    folded = fold_temperature(job)
    return Scores(
        predictions,
        {name: metrics for name, (_, metrics) in by_split.items()},
        _baselines(job, splits),
        resampled,
        {**calibration, "folded": folded} if calibration else {},
        () if folded else (NOT_FOLDED.format(calibration["temperature"]),),
    )


def _on_resamples(job: Job, split: str, predictions: Predictions) -> Resampled:
    references = job.task.references(job.rows(split), job.splits.labels)
    splits = job.splits
    return on_resamples(job.recipe.metrics, predictions, references, splits.labels, splits.groups.get(split))


def _baselines(job: Job, splits: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    task, labels = job.task, job.splits.labels
    found: dict[str, dict[str, Any]] = {}
    for name in splits:
        guess = task.baseline(job.splits.train, job.rows(name), labels)
        if guess is not None:
            references = task.references(job.rows(name), labels)
            found[name] = score_predictions(job.recipe.metrics, guess, references, labels)
    return {task.baseline_name: found} if found else {}
