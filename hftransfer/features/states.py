"""Hidden states of rows on disk, in the store of features: an array of its own length for every row, memory-mapped.

    CACHE/<prefix>/<sha256>.safetensors    keys (N, 16) uint8, lengths (N,) int64, states (sum of lengths, ...) float32

Files are written, named and found damaged as those of features (see `store`). They are not read into memory: what is
asked for is mapped, so that there may be more of it than fits. One that is removed while it is mapped stays readable.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from numpy.typing import NDArray

from hftransfer.features.prefix import STATES, Prefix, inputs_of, run_until
from hftransfer.features.rows import batches_alike, digest_of, key_of, row_keys
from hftransfer.features.store import FeatureStore
from hftransfer.features.upper import Collate, rows_of_states
from hftransfer.files import sha256
from hftransfer.strategies import structure
from hftransfer.tasks.base import Examples

CODE = "1"
"""Goes into every key: another number makes all that was kept unknown."""
KEEP_EVERY = 2**26
"""Bytes that are computed before they are written: what a kill may cost."""

Array = NDArray[np.float32]


@dataclass
class KeptStates:
    """Hidden states by the keys of rows."""

    store: FeatureStore
    places: dict[bytes, Array] = field(default_factory=dict)

    def find(self, wanted: Sequence[bytes]) -> tuple[str, ...]:
        """Look for rows in the store's files; returns sentences about those that were damaged, and are removed."""
        missing = {key for key in wanted if key not in self.places}
        damaged = []
        for file in self.store.files():
            if not missing:
                break
            try:
                content = _mapped(file)
                whole = content is not None and sha256(file) == file.stem
            except FileNotFoundError:
                continue  # another run has made room
            if content is None or not whole:
                with suppress(OSError):
                    file.unlink(missing_ok=True)
                damaged.append(f"kept hidden states in {file.name} were damaged: they are computed again")
                continue
            for key, states in _rows(content):
                if key in missing:
                    missing.discard(key)
                    self.places[key] = states
        self.store.touch()
        return tuple(damaged)

    def missing(self, keys: Sequence[bytes]) -> NDArray[np.int64]:
        """The rows that have none, in order; of several with one key the first."""
        first = {key: row for row, key in reversed([*enumerate(keys)]) if key not in self.places}
        return np.sort(np.fromiter(first.values(), np.int64, len(first)))

    def keep(self, keys: Sequence[bytes], states: Sequence[Array]) -> None:
        """Write the states of rows, each (T_i, ...). Raises InputError where the folder takes no more."""
        from safetensors.numpy import save

        if not keys:
            return
        content = save(
            {
                "keys": np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1),
                "lengths": np.array([len(one) for one in states], np.int64),
                # safetensors writes memory as it lies, and channels may lie innermost.
                "states": np.ascontiguousarray(np.concatenate([*states])),
            }
        )
        file = self.store.put(content)
        mapped = _mapped(file)
        assert mapped is not None
        self.places.update(_rows(mapped))


def _mapped(file: Path) -> dict[str, NDArray[Any]] | None:
    """The tensors of a safetensors file, not read before they are asked for; None where it is none."""
    kinds = {"U8": np.uint8, "I64": np.int64, "F32": np.float32}
    with file.open("rb") as stream:
        try:
            memory = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            size = int.from_bytes(memory[:8], "little")
            header: dict[str, Any] = json.loads(memory[8 : 8 + size])
            return {
                name: np.frombuffer(
                    memory, kinds[one["dtype"]], int(np.prod(one["shape"])), 8 + size + one["data_offsets"][0]
                ).reshape(one["shape"])
                for name, one in header.items()
                if name != "__metadata__"
            }
        except (ValueError, KeyError, TypeError, OverflowError):
            return None


def _rows(tensors: Mapping[str, NDArray[Any]]) -> Iterator[tuple[bytes, Array]]:
    ends = np.cumsum(tensors["lengths"])
    starts = ends - tensors["lengths"]
    for key, start, end in zip(tensors["keys"], starts.tolist(), ends.tolist(), strict=True):
        yield key.tobytes(), tensors["states"][start:end]


@dataclass(frozen=True)
class ExamplesWithStates:
    """Examples as they are, each with its hidden states beside it.

    states: of every example, (T_i, ...).
    """

    examples: Examples
    states: Sequence[Array]

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {**self.examples[index], STATES: self.states[index]}

    @property
    def lengths(self) -> NDArray[np.int64] | None:
        return self.examples.lengths

    @property
    def rows(self) -> NDArray[np.int64] | None:
        return self.examples.rows

    @property
    def findings(self) -> tuple[str, ...]:
        return self.examples.findings


def extract_states(
    model: Any,
    prefix: Prefix,
    examples: Examples,
    collate_rows: Collate,
    compute: Accelerator,
    kept: KeptStates,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[ExamplesWithStates, int, tuple[str, ...]]:
    """(the examples with their hidden states, how many of them were kept from before, sentences for the user).

    model: in evaluation mode, on `compute`'s device. Every process computes its share of what is missing; what it then
    still does not find, since processes may look into folders of their own, it computes itself.
    """
    keys = [key.tobytes() for key in row_keys(examples)]
    damaged = kept.find(keys)
    known = sum(key in kept.places for key in keys)
    missing = kept.missing(keys)
    for rows in (missing[compute.process_index :: compute.num_processes], None):
        mine = kept.missing(keys) if rows is None else rows
        _compute(model, prefix, examples, collate_rows, compute, mine, kept, keys, progress)
        compute.wait_for_everyone()
        damaged += kept.find(keys)
    return ExamplesWithStates(examples, [kept.places[key] for key in keys]), known, damaged


def _compute(
    model: Any,
    prefix: Prefix,
    examples: Examples,
    collate_rows: Collate,
    compute: Accelerator,
    mine: NDArray[np.int64],
    kept: KeptStates,
    keys: Sequence[bytes],
    progress: Callable[[int, int], None],
) -> None:
    waiting: list[tuple[bytes, Array]] = []
    done = 0
    for rows in batches_alike(mine, examples.lengths, compute.device):
        batch = send_to_device(collate_rows([examples[int(row)] for row in rows]), compute.device)
        with torch.inference_mode(), compute.autocast():
            states = run_until(model, prefix.blocks[-1], inputs_of(batch))
        waiting += zip((keys[int(row)] for row in rows), rows_of_states(states, batch), strict=True)
        done += len(rows)
        progress(done, len(mine))
        if done == len(mine) or sum(states.nbytes for _, states in waiting) >= KEEP_EVERY:
            kept.keep(*zip(*waiting, strict=True))
            waiting = []


def prefix_key(model: Any, prefix: Prefix, compute: Accelerator) -> str:
    """A digest of all that hidden states depend on beside the rows: the frozen weights below them, the backbone's
    buffers and config, how many blocks they went through, the precision, the kind of device, and the versions."""
    backbone = structure.backbone(model)
    used = {id(model.get_parameter(name)) for name in prefix.weights}
    above = {
        id(buffer)
        for name in structure.blocks(model)[len(prefix.blocks) :]
        for buffer in model.get_submodule(name).buffers()
    }
    tensors: list[tuple[str, torch.Tensor]] = [
        (name, one) for name, one in backbone.named_parameters() if id(one) in used
    ]
    tensors += [(name, one) for name, one in backbone.named_buffers() if id(one) not in above]
    facts = {"code": CODE, "blocks": len(prefix.blocks), "weights": digest_of(tensors)}
    return key_of(facts, backbone, model.config, compute)
