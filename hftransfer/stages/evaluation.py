"""What the model of a job says of a split, and how good that is."""

from __future__ import annotations

from typing import Any

from hftransfer.job import Job
from hftransfer.tasks.predictions import Predictions
from hftransfer.training.evaluation import Outputs, run_model, score_predictions

EVALUATION_FACTOR = 2
"""Without gradients to keep, several times the rows fit; sorted by length, padding stays small."""


def evaluate(job: Job, split: str, *, rows: int) -> tuple[Predictions, dict[str, Any]]:
    """Predictions for a split and its metrics, `loss` among them. rows: what training has in one forward pass.

    Validation also decides what the task has to tune (thresholds), and is then scored by it.
    """
    outputs = outputs_of(job, split, rows)
    if split == "validation":
        tune(job, outputs)
    return scored(job, split, outputs)


def outputs_of(job: Job, split: str, rows: int) -> Outputs:
    """What the model says of a split, and its loss. rows: as `evaluate`."""
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


def tune(job: Job, outputs: Outputs) -> None:
    """Let the task decide by what was said of validation what it has to tune, and remember it."""
    examples, table = job.encoded("validation"), job.rows("validation")
    job.pretrained.remember(job.task.tune(outputs.arrays, examples, table, job.pretrained))


def scored(job: Job, split: str, outputs: Outputs) -> tuple[Predictions, dict[str, Any]]:
    """What was said of a split as predictions, and their metrics."""
    task, table = job.task, job.rows(split)
    predictions = task.decode(outputs.arrays, job.encoded(split), table, job.pretrained)
    references = task.references(table, job.splits.labels)
    scores = score_predictions(job.recipe.metrics, predictions, references, job.splits.labels)
    return predictions, {"loss": outputs.loss, **scores}
