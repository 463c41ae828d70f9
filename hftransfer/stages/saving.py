"""The stage that leaves something: the artefact and its predictions on disk, proven to belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hftransfer.checkpoint import quiet
from hftransfer.fresh import FreshProcess
from hftransfer.job import Job
from hftransfer.predictions import write_predictions
from hftransfer.proof import ROWS, Artefact, prove
from hftransfer.resampled import write_resampled
from hftransfer.run_directory import RunDirectory
from hftransfer.stages.scoring import Scores


def save(job: Job, scores: Scores, run_dir: RunDirectory, fresh: FreshProcess) -> dict[str, Any]:
    """Write the artefact and the predictions, then prove that the artefact gives the same outputs in `fresh`."""
    job.compute.wait_for_everyone()
    if not job.compute.is_main_process:
        return {}
    strategy, checkpoint = job.strategy, job.checkpoint
    model = job.compute.unwrap_model(job.model, keep_fp32_wrapper=False).to("cpu").eval()
    # A head that was trained alone was told by itself to compute in half precision.
    for part in model.modules():
        job.compute.unwrap_model(part, keep_fp32_wrapper=False)

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
