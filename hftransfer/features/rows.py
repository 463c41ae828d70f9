"""The features of rows: those that are kept read, those that are not computed and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, send_to_device
from numpy.typing import NDArray
from torch import nn

from hftransfer.errors import DataError
from hftransfer.features.head import Reading, ask
from hftransfer.features.store import DIGEST, FeatureStore, cache_folder
from hftransfer.tasks.base import LABELS, Batch, Examples

FEATURES = "features"
TOKENS = 8192
"""Of one forward pass, padding included; of images, which have no tokens, `IMAGES`."""
IMAGES = 64
KEEP_EVERY = 2048
"""Rows that are computed before they are written: what a kill may cost."""
CODE = "1"
"""Goes into every key: another number makes all that was kept unknown."""
UNSAID = (
    "id2label",
    "label2id",
    "num_labels",
    "problem_type",
    "architectures",
    "_name_or_path",
    "hftransfer",
)
"""Of a config: what the backbone does not see."""

Collate = Callable[[Sequence[Mapping[str, Any]]], Batch]


@dataclass(frozen=True)
class CachedExamples:
    """Examples as their features, in the same order and of the same lengths: they make the same batches.

    features: (N, ...). labels: the target of every example, or None. targets: the same as one batch, as the task
    collates them; given, batches are made without a look at single examples.
    """

    features: NDArray[np.float32]
    labels: Sequence[Any] | None
    lengths: NDArray[np.int64] | None
    rows: NDArray[np.int64] | None
    findings: tuple[str, ...]
    targets: Batch | None = None

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> dict[str, Any]:
        example: dict[str, Any] = {FEATURES: self.features[index]}
        return example if self.labels is None else {**example, LABELS: self.labels[index]}

    def batch(self, rows: NDArray[np.int64]) -> Batch | None:
        """What collating those examples gives; None where they have to be collated."""
        if self.targets is None:
            return None
        chosen = torch.from_numpy(rows)
        taken = {name: values[chosen] for name, values in self.targets.items()}
        return {FEATURES: torch.from_numpy(self.features[rows]), **taken}


def collate(examples: Sequence[Mapping[str, Any]]) -> Batch:
    """`features` as one tensor (B, ...); targets are the task's."""
    return {FEATURES: torch.from_numpy(np.stack([example[FEATURES] for example in examples]))}


def extract(
    model: Any,
    reading: Reading,
    examples: Examples,
    collate_rows: Collate,
    compute: Accelerator,
    *,
    about: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[NDArray[np.float32], int, tuple[str, ...]]:
    """(features (N, ...) of every example, how many of them were kept from before, sentences that a user must know).

    model: whose backbone is asked, on `compute`'s device. Rows are looked for by their content, so that any that were
    seen before, in whatever company, are not computed again. Every process computes its share of the rest.
    about: where the backbone comes from, for people.
    """
    store = FeatureStore(cache_folder() / backbone_key(model, reading, compute))
    keys = row_keys(examples)
    features, found, damaged = store.read(keys)
    # Processes may look into folders of their own: what one of them lacks is computed, by all.
    found = np.logical_and.reduce(_from_all(found, compute))
    kept = int(found.sum())
    # A row that stands there twice is computed once.
    places, firsts = _places(keys)
    missing = np.intersect1d(np.flatnonzero(~found), firsts)
    if len(missing):
        if compute.is_main_process:
            store.describe(_about(model, reading, about))
        mine = missing[compute.process_index :: compute.num_processes]
        computed = _compute(model, reading, examples, collate_rows, compute, mine, store, keys, progress)
        for rows, values in _from_all(computed, compute):
            if features is None and len(rows):
                features = np.zeros((len(keys), *values.shape[1:]), np.float32)
            if features is not None:
                features[rows] = values
        if features is not None:
            features = np.where(found.reshape(-1, *[1] * (features.ndim - 1)), features, features[places])
    if features is None:
        raise DataError("there are no rows to ask the backbone about")
    return features, kept, damaged


def _from_all(mine: Any, compute: Accelerator) -> list[Any]:
    """What every process has, in the order of the processes."""
    return list(gather_object([mine])) if compute.num_processes > 1 else [mine]


def _places(keys: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(for every row the first row with its key, those first rows)."""
    _, firsts, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return firsts[which.reshape(-1)], firsts


def _compute(
    model: Any,
    reading: Reading,
    examples: Examples,
    collate_rows: Collate,
    compute: Accelerator,
    mine: NDArray[np.int64],
    store: FeatureStore,
    keys: NDArray[np.uint8],
    progress: Callable[[int, int], None],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(rows, their features) of this process's share, kept in `store` on the way."""
    model.eval()
    rows: list[NDArray[np.int64]] = []
    values: list[NDArray[np.float32]] = []
    done = kept = 0
    for batch in _batches(mine, examples.lengths):
        inputs = collate_rows([_inputs(examples[int(row)]) for row in batch])
        with torch.inference_mode(), compute.autocast():
            output, _ = ask(model, send_to_device(inputs, compute.device))
        rows.append(batch)
        values.append(reading.of(output).float().cpu().numpy())
        done += len(batch)
        progress(done, len(mine))
        if done == len(mine) or sum(map(len, rows[kept:])) >= KEEP_EVERY:
            store.write(keys[np.concatenate(rows[kept:])], np.concatenate(values[kept:]))
            kept = len(rows)
    if not rows:
        return np.zeros(0, np.int64), np.zeros((0, 1), np.float32)
    return np.concatenate(rows), np.concatenate(values)


def _about(model: Any, reading: Reading, checkpoint: str) -> dict[str, str]:
    kind = type(model._modules[model.base_model_prefix]).__name__
    return {
        "backbone": kind,
        "checkpoint": checkpoint,
        "reads": f"{reading.field}{'[:, 0]' * reading.first}",
    }


def _inputs(example: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in example.items() if name != LABELS}


def _batches(rows: NDArray[np.int64], lengths: NDArray[np.int64] | None) -> Iterator[NDArray[np.int64]]:
    """Rows of like length together, the longest first, so many that they hold about `TOKENS` tokens."""
    if lengths is None:
        yield from (rows[start : start + IMAGES] for start in range(0, len(rows), IMAGES))
        return
    order = rows[np.argsort(-lengths[rows], kind="stable")]
    start = 0
    while start < len(order):
        count = max(1, TOKENS // max(1, int(lengths[order[start]])))
        yield order[start : start + count]
        start += count


def row_keys(examples: Examples) -> NDArray[np.uint8]:
    """(N, 16): a digest of what the model is given of every example."""
    digests = [_digest(_inputs(examples[row])) for row in range(len(examples))]
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, DIGEST)


def _digest(example: Mapping[str, Any]) -> bytes:
    found = hashlib.blake2b(digest_size=DIGEST)
    for name in sorted(example):
        array = np.asarray(example[name])
        found.update(f"{name} {array.dtype} {array.shape} ".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.digest()


def backbone_key(model: Any, reading: Reading, compute: Accelerator) -> str:
    """A digest of all that features depend on beside the rows: weights, buffers and config of the backbone, what is
    read of its output, the precision, the kind of device, and the versions of what computes them."""
    backbone: nn.Module = model._modules[model.base_model_prefix]
    config = {key: value for key, value in model.config.to_dict().items() if key not in UNSAID}
    facts = {
        "code": CODE,
        "kind": type(backbone).__name__,
        "config": config,
        "reading": [reading.field, reading.first],
        "precision": compute.mixed_precision,
        "device": compute.device.type,
        "versions": [version("torch"), version("transformers")],
    }
    found = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, tensor in sorted([*backbone.named_parameters(), *backbone.named_buffers()]):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:32]
