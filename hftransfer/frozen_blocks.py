"""A run whose lower blocks do not move: they run once a row, and what is above them is trained on what they gave."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, send_to_device
from numpy.typing import NDArray
from torch import Tensor, nn

from hftransfer.features.prefix import (
    CannotSkipError,
    Prefix,
    find_prefix,
    frozen_blocks,
    inputs_of,
    run_until,
)
from hftransfer.features.states import KeptStates, extract_states, prefix_key
from hftransfer.features.store import FeatureStore, cache_folder, evict, size_bound
from hftransfer.features.top import cut_top
from hftransfer.features.upper import UpperModel, per_token, trials_of, upper_model
from hftransfer.job import Clock, Job
from hftransfer.strategies import structure
from hftransfer.tasks.base import Batch, Examples, Task
from hftransfer.training.events import Extraction

Tried = tuple[Prefix, UpperModel, FeatureStore]

PROBE = 8
"""Rows that everything is tried on."""
TOLERANCE = 1e-5
"""Of the largest logit: how much what is above may say otherwise than the whole model."""
ROUGH = 2e-2
"""The same in half precision, where padding alone makes such a difference."""


def on_hidden_states(job: Job, clock: Clock, no_features: str | None = None) -> Job:
    """The job with hidden states beside its examples, where the lower blocks of its model are frozen.

    Any other job as it is; and why, where frozen blocks have to run in every epoch all the same.
    no_features: why the head alone cannot be trained on features, where all of the backbone is frozen.
    """
    blocks = [] if job.strategy.heads is not None else frozen_blocks(job.model)
    why_not = _why_not(job) if blocks else no_features
    if not blocks and why_not is None:
        return job
    if why_not is None:
        size_bound()  # a number that is none is told before the work, not after
        job.model.to(job.compute.device)
        tried = _agreed(_tried(job, blocks), job.compute)
        if not isinstance(tried, str):
            prefix, upper, store = tried
            return replace(job, examples=_kept(job, clock, prefix, store), upper=upper)
        why_not = tried
    what = "backbone runs" if no_features else f"blocks ({len(blocks)} of {_count(job)}) run"
    clock.note([f"the frozen {what} anew in every epoch: {why_not}"])
    return job


def _count(job: Job) -> int:
    return len(structure.blocks(job.model))


def _why_not(job: Job) -> str | None:
    if not job.recipe.training.cache_features:
        return "training.cache_features is false"
    if job.task.augments:
        return "augmentation shows it other images every time"
    if type(job.task).run is not Task.run:
        return f"{job.task.name} asks its model for more than one answer to a batch"
    if getattr(job.pretrained.config, "is_encoder_decoder", False):
        return "it has an encoder and a decoder, each with blocks of its own"
    return None


def _tried(job: Job, blocks: list[str]) -> Tried | str:
    """What need not run, the model without it, tried on some rows, and where hidden states go; or why it cannot be."""
    rows = _probe(job.examples["train"])
    examples = [job.examples["train"][int(row)] for row in rows]

    def collate(examples: Any) -> Batch:
        sent: Batch = send_to_device(job.collate(examples), job.compute.device)
        return sent

    def mean(output: Any, batch: Batch) -> Tensor:
        return job.loss.sum(output, batch) / job.loss.weight(batch).clamp(min=1)

    def said(module: nn.Module, batch: Batch) -> list[NDArray[Any]]:
        output = job.task.run(module, batch, job.pretrained)
        return [*job.task.outputs(output, batch), np.asarray(float(mean(output, batch)))]

    def loss(module: nn.Module, batch: Batch) -> Tensor:
        return mean(job.task.run(module, batch, job.pretrained), batch)

    tolerance = TOLERANCE if job.compute.mixed_precision in ("no", None) else ROUGH
    try:
        with job.compute.autocast():
            prefix = find_prefix(job.model, blocks, collate(examples), job.strategy.train_mode)
            trials = trials_of(job.model, prefix, examples, collate, said)
            upper = upper_model(job.model, prefix, trials, said, tolerance)
            upper = cut_top(job.model, upper, trials, said, loss, tolerance)
        return prefix, upper, _store(job, prefix)
    except CannotSkipError as error:
        return str(error)
    except torch.OutOfMemoryError:
        return f"{len(examples)} rows at once do not fit in this device's memory"


def _agreed(tried: Tried | str, compute: Accelerator) -> Tried | str:
    """What this process found, or why another cannot: they have to do alike."""
    mine = tried if isinstance(tried, str) else None
    reasons = gather_object([mine]) if compute.num_processes > 1 else [mine]
    return next((reason for reason in reasons if reason is not None), tried)


def _probe(examples: Examples) -> NDArray[np.int64]:
    """Some rows, the shortest before the longest."""
    if examples.lengths is None:
        return np.arange(min(PROBE, len(examples)))
    order = np.argsort(examples.lengths, kind="stable")
    return order if len(order) <= PROBE else np.concatenate([order[: PROBE // 2], order[-(PROBE // 2) :]])


def _store(job: Job, prefix: Prefix) -> FeatureStore:
    """Where the hidden states are kept. Raises CannotSkipError where there is no room for them."""
    store = FeatureStore(cache_folder() / prefix_key(job.model, prefix, job.compute))
    needed = sum(_size(job, prefix, examples) for examples in job.examples.values())
    if needed > size_bound():
        raise CannotSkipError(
            f"its hidden states take {needed / 1e9:.1f} GB, and at most {size_bound() / 1e9:g} are kept "
            "($HFTRANSFER_CACHE_GB)"
        )
    there = next(path for path in store.folder.parents if path.exists())
    free = shutil.disk_usage(there).free
    if needed - store.size > free:
        raise CannotSkipError(
            f"its hidden states take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} are free in {there} "
            "($HFTRANSFER_CACHE)"
        )
    return store


def _size(job: Job, prefix: Prefix, examples: Examples) -> int:
    """Bytes of the hidden states of examples, by those of the first."""
    if not len(examples):
        return 0
    batch: Mapping[str, Any] = send_to_device(job.collate([examples[0]]), job.compute.device)
    with torch.inference_mode(), job.compute.autocast():
        states = run_until(job.model, prefix.blocks[-1], inputs_of(batch))
    row = 4 * states[0].numel()
    if per_token(states, batch) is None or examples.lengths is None:
        return row * len(examples)
    return row // states.shape[1] * int(examples.lengths.sum())


def _kept(job: Job, clock: Clock, prefix: Prefix, store: FeatureStore) -> dict[str, Examples]:
    """The examples of every split with their hidden states."""
    count = len(prefix.blocks)
    title = f"running {count} of {_count(job)} blocks, which are frozen, for every row, once"
    found: dict[str, Examples] = {}
    states = KeptStates(store)
    with clock("features", title):
        known = 0
        if job.compute.is_main_process:
            store.describe(
                {
                    "backbone": type(structure.backbone(job.model)).__name__,
                    "checkpoint": job.recipe.checkpoint.name,
                    "reads": f"states after {count} blocks",
                }
            )
        for name, examples in job.examples.items():
            found[name], there, damaged = extract_states(
                job.model,
                prefix,
                examples,
                job.collate,
                job.compute,
                states,
                progress=lambda done, total: clock.tell(Extraction(done, total)),
            )
            clock.note(damaged)
            known += there
        if known:
            total = sum(map(len, found.values()))
            clock.note([f"what they gave for {known} of {total} rows was kept from before"])
        if job.compute.is_main_process:
            evict()
    return found
