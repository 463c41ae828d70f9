"""What a training goes on from after it was stopped: kept at its checkpoints, put back when it begins."""

from __future__ import annotations

from typing import Any

import torch

from hftransfer.errors import DataError
from hftransfer.job import Clock, Job
from hftransfer.run_directory import RunDirectory
from hftransfer.training.evaluation import Best
from hftransfer.training.state import load_optimizer_tensors, optimizer_tensors, put_tensors, take_tensors


def keep(
    job: Job,
    optimizer: torch.optim.Optimizer,
    best: Best,
    step: int,
    names: Any,
    run_dir: RunDirectory,
    clock: Clock,
) -> None:
    """What `restore` needs. Random states are no part of it: every step seeds from its own number."""
    tensors = {"model": take_tensors(job.model, names), "optimizer": optimizer_tensors(job.model, optimizer)}
    facts = {
        "step": step,
        "best": {"value": best.value, "step": best.step, "evaluations_since": best.evaluations_since},
        "data": job.splits.fingerprint,
        "checkpoint": job.checkpoint.fingerprint,
        "seconds": clock.spent(),
    }
    run_dir.save_checkpoint("last", tensors, facts)


def restore(
    job: Job, optimizer: torch.optim.Optimizer, best: Best, run_dir: RunDirectory, clock: Clock
) -> int:
    """Put back what `keep` kept; how many steps are done (0 where there is nothing to go on from)."""
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
    clock.go_on(facts.get("seconds", {}))  # a checkpoint from before they were kept has none
    return int(facts["step"])
