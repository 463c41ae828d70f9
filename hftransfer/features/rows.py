"""The features of rows: those that are kept read, those that are not computed and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, send_to_device
from numpy.typing import NDArray
from torch import Tensor, nn

from hftransfer.errors import DataError
from hftransfer.features.head import Asked
from hftransfer.features.store import DIGEST, FeatureStore, cache_folder
from hftransfer.tasks.base import LABELS, Batch, Examples

FEATURES = "features"
TOKENS = 8192
"""Of one forward pass, padding included; of images, which have no tokens, `IMAGES`."""
TOKENS_ON_CPU = 1024
"""There, what a layer gives should fit in cache: at 8192 MiniLM takes 1.6 times as long for a token."""
IMAGES = 64
KEEP_EVERY = 2048
"""Rows that are computed before they are written: what a kill may cost."""
CODE = "2"
"""Goes into every key: another number makes all that was kept unknown."""
UNSAID = (
    "id2label",
    "label2id",
    "num_labels",
    "problem_type",
    "architectures",
    "_name_or_path",
    "output_hidden_states",
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
    asked: Asked,
    examples: Examples,
    collate_rows: Collate,
    compute: Accelerator,
    *,
    about: str,
    keep: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[NDArray[np.float32]], int, tuple[str, ...]]:
    """(features (N, ...) of every example, for every reading; how many of them were kept from before; sentences that a
    user must know).

    asked: on `compute`'s device. Rows are looked for by their content, so that any that were seen before, in whatever
    company, are not computed again. Every process computes its share of the rest.
    about: where the backbone comes from, for people. keep: whether they are looked for, and kept, on disk at all.
    """
    keys = row_keys(examples)
    stores = _stores(asked, compute) if keep else []
    features: list[NDArray[np.float32] | None] = [None for _ in asked.readings]
    found = np.full(len(keys), keep)
    damaged: list[str] = []
    for place, store in enumerate(stores):
        features[place], there, told = store.read(keys)
        found &= there  # a row that one reading lacks is asked about for all
        damaged += told
    # Processes may look into folders of their own: what one of them lacks is computed, by all.
    found = np.logical_and.reduce(_from_all(found, compute))
    # A row that stands there twice is computed once.
    places, firsts = _places(keys)
    missing = np.intersect1d(np.flatnonzero(~found), firsts)
    if not len(keys):
        raise DataError("there are no rows to ask the backbone about")
    if not len(missing):
        return [one for one in features if one is not None], len(keys), tuple(damaged)
    if compute.is_main_process:
        for store, reading in zip(stores, asked.readings if keep else (), strict=True):
            store.describe(_about(asked, reading, about))
    mine = missing[compute.process_index :: compute.num_processes]
    computed = _from_all(
        _compute(asked, examples, collate_rows, compute, mine, stores, keys, progress), compute
    )
    whole = [
        _filled(kept, [(rows, values[place]) for rows, values in computed if len(rows)], found, places)
        for place, kept in enumerate(features)
    ]
    return whole, int(found.sum()), tuple(damaged)


def _stores(asked: Asked, compute: Accelerator) -> list[FeatureStore]:
    """One for every reading."""
    weights = _weights(asked.backbone)
    return [
        FeatureStore(cache_folder() / backbone_key(asked, one, compute, weights)) for one in asked.readings
    ]


def _filled(
    kept: NDArray[np.float32] | None,
    computed: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]],
    found: NDArray[np.bool_],
    places: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The features of all rows: those that were found, those computed, and these again where a row stands twice."""
    features = kept
    if features is None:
        features = np.zeros((len(found), *computed[0][1].shape[1:]), np.float32)
    for rows, values in computed:
        features[rows] = values
    return np.where(found.reshape(-1, *[1] * (features.ndim - 1)), features, features[places])


def _from_all(mine: Any, compute: Accelerator) -> list[Any]:
    """What every process has, in the order of the processes."""
    return list(gather_object([mine])) if compute.num_processes > 1 else [mine]


def _places(keys: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(for every row the first row with its key, those first rows)."""
    _, firsts, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return firsts[which.reshape(-1)], firsts


def _compute(
    asked: Asked,
    examples: Examples,
    collate_rows: Collate,
    compute: Accelerator,
    mine: NDArray[np.int64],
    stores: Sequence[FeatureStore],
    keys: NDArray[np.uint8],
    progress: Callable[[int, int], None],
) -> tuple[NDArray[np.int64], list[NDArray[np.float32]]]:
    """(rows, their features for every reading) of this process's share, kept in `stores` on the way."""
    asked.backbone.eval()
    rows: list[NDArray[np.int64]] = []
    values: list[list[NDArray[np.float32]]] = [[] for _ in asked.readings]
    done = kept = 0
    for batch in batches_alike(mine, examples.lengths, compute.device):
        inputs = collate_rows([_inputs(examples[int(row)]) for row in batch])
        with torch.inference_mode(), compute.autocast():
            given = asked.pooled(send_to_device(inputs, compute.device))
        rows.append(batch)
        for own, one in zip(values, given, strict=True):
            own.append(one.float().cpu().numpy())
        done += len(batch)
        progress(done, len(mine))
        if done == len(mine) or sum(map(len, rows[kept:])) >= KEEP_EVERY:
            for store, own in zip(stores, values if stores else (), strict=True):
                store.write(keys[np.concatenate(rows[kept:])], np.concatenate(own[kept:]))
            kept = len(rows)
    if not rows:
        return np.zeros(0, np.int64), []
    return np.concatenate(rows), [np.concatenate(own) for own in values]


def _about(asked: Asked, reading: Any, checkpoint: str) -> dict[str, str]:
    return {"backbone": type(asked.backbone).__name__, "checkpoint": checkpoint, "reads": reading.told}


def _inputs(example: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in example.items() if name != LABELS}


def batches_alike(
    rows: NDArray[np.int64], lengths: NDArray[np.int64] | None, device: torch.device
) -> Iterator[NDArray[np.int64]]:
    """Rows of like length together, the longest first, so many that they hold as many tokens as `device` likes."""
    if lengths is None:
        yield from (rows[start : start + IMAGES] for start in range(0, len(rows), IMAGES))
        return
    order = rows[np.argsort(-lengths[rows], kind="stable")]
    tokens = min(TOKENS, TOKENS_ON_CPU) if device.type == "cpu" else TOKENS
    start = 0
    while start < len(order):
        count = max(1, tokens // max(1, int(lengths[order[start]])))
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


def backbone_key(asked: Asked, reading: Any, compute: Accelerator, weights: str | None = None) -> str:
    """A digest of all that features depend on beside the rows: weights, buffers and config of the backbone, what is
    read of its output, the precision, the kind of device, and the versions of what computes them.

    weights: the digest of the backbone's tensors, where it is known already.
    """
    facts = {
        "code": CODE,
        "reading": [type(reading).__name__, asdict(reading)],
        "weights": weights or _weights(asked.backbone),
    }
    return key_of(facts, asked.backbone, asked.config, compute)


def key_of(facts: Mapping[str, Any], backbone: nn.Module, config: Any, compute: Accelerator) -> str:
    """The name of a folder: a digest of facts and of how all backbones are asked."""
    common = {
        "kind": type(backbone).__name__,
        "config": {key: value for key, value in config.to_dict().items() if key not in UNSAID},
        "precision": compute.mixed_precision,
        "device": compute.device.type,
        "versions": [version("torch"), version("transformers")],
    }
    told = json.dumps({**common, **facts}, sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def digest_of(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Of tensors by their names."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors, key=lambda one: one[0]):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _weights(backbone: nn.Module) -> str:
    return digest_of([*backbone.named_parameters(), *backbone.named_buffers()])
