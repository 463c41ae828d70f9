"""A run whose backbone does not move: it is asked once about every row, and the head trained on what it said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from accelerate.utils import send_to_device

from hftransfer.features.head import read_by_head
from hftransfer.features.rows import CachedExamples, extract
from hftransfer.features.store import evict, size_bound
from hftransfer.job import Clock, Job
from hftransfer.strategies import structure
from hftransfer.tasks.base import LABELS, Examples
from hftransfer.training.events import Extraction

PROBE = 8
"""Rows that show what the head looks at."""


def on_features(job: Job, clock: Clock) -> Job:
    """The job with features for examples, where its backbone is frozen and its head reads one vector a row.

    Any other job as it is; and why, where a frozen backbone has to run in every epoch all the same.
    """
    body = structure.backbone(job.model)
    _, inner = structure.pretrained(job.model)
    moved = [name for name, parameter in job.model.named_parameters() if parameter.requires_grad]
    inside = set(moved) - set(structure.head_parameters(job.model))
    if body is inner or not inside <= job.checkpoint.fresh:
        return job
    size_bound()  # a number that is none is told before the work, not after
    why_not = _why_not(job) if not inside else "weights in it start from random, and are trained"
    head = None
    if why_not is None:
        job.model.to(job.compute.device)
        head = read_by_head(job.model, _probe(job))
        if head is None:
            why_not = "its head looks at more than one vector of a row"
    if head is None:
        clock.note([f"the frozen backbone runs anew in every epoch: {why_not}"])
        return job
    model, reading = head
    with clock("features", "asking the frozen backbone about every row, once"):
        kept = 0
        cached: dict[str, Examples] = {}
        for name, examples in job.examples.items():
            values, known, damaged = extract(
                job.model,
                reading,
                examples,
                job.collate,
                job.compute,
                about=job.recipe.checkpoint.name,
                progress=lambda done, total: clock.tell(Extraction(done, total)),
            )
            clock.note(damaged)
            kept += known
            cached[name] = _cached(job, name, values)
        if kept:
            total = sum(map(len, cached.values()))
            clock.note([f"what it said of {kept} of {total} rows was kept from before"])
        if job.compute.is_main_process:
            evict()
    return replace(job, examples=cached, head=model)


def _why_not(job: Job) -> str | None:
    if not job.recipe.training.cache_features:
        return "training.cache_features is false"
    if not job.task.on_features:
        return f"{job.task.name} looks at more than one vector of a row"
    if job.task.augments:
        return "augmentation shows it other images every time"
    return None


def _probe(job: Job) -> Mapping[str, Any]:
    examples = job.examples["train"]
    batch = job.collate([examples[row] for row in range(min(PROBE, len(examples)))])
    inputs = {name: value for name, value in batch.items() if name != LABELS}
    sent: dict[str, Any] = send_to_device(inputs, job.compute.device)
    return sent


def _cached(job: Job, name: str, values: Any) -> CachedExamples:
    examples, table = job.examples[name], job.rows(name)
    labels = table["label"][:] if "label" in table.column_names else None
    if labels is not None and examples.rows is not None:
        labels = [labels[int(row)] for row in examples.rows]
    targets = job.task.targets([{LABELS: label} for label in labels or ()] or [{}], job.pretrained)
    return CachedExamples(values, labels, examples.lengths, examples.rows, examples.findings, targets)
