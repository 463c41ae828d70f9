"""The facts of a finished run, gathered from what its stages made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hftransfer.job import Clock, Job
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory
from hftransfer.stages.scoring import Scores
from hftransfer.stages.training import Trained
from hftransfer.training.compute import peak_memory


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
        seconds={stage: round(value, 3) for stage, value in clock.spent().items()},
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
