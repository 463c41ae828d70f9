"""The model above its frozen blocks: its lower blocks give back what they gave before, and are not run.

Stand-ins take the place of what `prefix` found to be done by the end of these blocks; the model keeps its names, and
whatever else it does (masks, relative positions, windows of attention by the number of the block). What is made so is
tried before it is used: it has to give what the whole model gives, on rows that are padded otherwise than when their
hidden states were computed, too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hftransfer.features.prefix import STATES, CannotSkipError, Form, Prefix, inputs_of, run_until
from hftransfer.strategies import structure
from hftransfer.tasks.base import Batch

MASK = "attention_mask"

Collate = Callable[[Sequence[Mapping[str, Any]]], Batch]
Said = Callable[[nn.Module, Batch], list[NDArray[Any]]]
"""What training and scoring take of what a model gives for a batch."""
NOT_THE_SAME = (CannotSkipError, RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError)
"""What a model may raise where something in it wants what a stand-in does not give."""


@dataclass(frozen=True)
class Trial:
    """A batch with `STATES`, and what the whole model says of it without them."""

    batch: Batch
    whole: Sequence[NDArray[Any]]


class StandIn(nn.Module):
    """In the place of a module. All else that it is asked for (which attention it does, the type of its weights) is the
    module's."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.__dict__["stands_for"] = module  # not a part of it

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["stands_for"], name)


class _Given(StandIn):
    """Gives what it is told to, in the form in which the module did, whose weights are none of the upper model's."""

    def __init__(self, module: nn.Module, form: Form, told: list[Tensor]) -> None:
        super().__init__(module)
        self._form, self._told = form, told

    def forward(self, *inputs: Any, **options: Any) -> Any:
        return self._form(self._told[0])


class UpperModel(nn.Module):
    """`forward(kept_states, **inputs)` gives what the model gives for the inputs whose hidden states these are.

    Its modules are the model's own: what is trained here is trained there.
    """

    def __init__(self, model: nn.Module, given: Mapping[str, Form]) -> None:
        """given: names of the modules that do not run, and how they give what they are told to."""
        super().__init__()
        self._told: list[Tensor] = [torch.empty(0)]
        stand_ins = {
            name: _Given(model.get_submodule(name), form, self._told) for name, form in given.items()
        }
        self.model = _with(model, stand_ins)

    def forward(self, kept_states: Tensor, **inputs: Any) -> Any:
        """kept_states: (B, ...) as the last frozen block gives them; what is padding may hold anything."""
        self._told[0] = kept_states
        return self.model(**inputs)

    def with_parts(self, parts: Mapping[str, nn.Module]) -> UpperModel:
        """The same with other modules at these names of the model's; this one keeps its own."""
        twin = copy.copy(self)
        twin._modules = {"model": _with(self.model, parts)}
        return twin


def _with(module: nn.Module, parts: Mapping[str, nn.Module], path: str = "") -> nn.Module:
    """A shallow copy of a module with other modules at these names."""
    twin = copy.copy(module)
    twin._modules = {}
    for name, child in module._modules.items():
        full = structure.join(path, name)
        if full in parts:
            twin._modules[name] = parts[full]
        elif child is not None and any(structure.within(part, {full}) for part in parts):
            twin._modules[name] = _with(child, parts, full)
        else:
            twin._modules[name] = child
    return twin


def per_token(states: Tensor, batch: Mapping[str, Any]) -> NDArray[np.bool_] | None:
    """Which of the hidden states (B, T, ...) are of a token, (B, T); None where rows are of one size, without a mask.

    Raises CannotSkipError where they are neither.
    """
    mask = batch.get(MASK)
    rows = len(next(iter(inputs_of(batch).values())))
    if mask is None and len(states) == rows and states.ndim > 1:
        return None
    if mask is None or mask.ndim != 2 or states.shape[:2] != mask.shape:
        raise CannotSkipError("their hidden states are not one for every token")
    tokens: NDArray[np.bool_] = mask.bool().cpu().numpy()
    return tokens


def rows_of_states(states: Tensor, batch: Mapping[str, Any]) -> list[NDArray[np.float32]]:
    """Hidden states of a batch as an array for every row, without padding: (T_i, ...)."""
    tokens = per_token(states, batch)
    values = states.detach().float().cpu().numpy()
    return [*values] if tokens is None else [row[mine] for row, mine in zip(values, tokens, strict=True)]


def collate_with_states(examples: Sequence[Mapping[str, Any]], collate_rows: Collate) -> Batch:
    """Examples with their hidden states as the batch that they make without them, and `STATES` padded alike."""
    batch = collate_rows([{name: one[name] for name in one if name != STATES} for one in examples])
    kept = [one[STATES] for one in examples]
    if MASK not in batch:
        states = torch.from_numpy(np.stack(kept))
        # As images are given: convolutions are faster so.
        layout = torch.channels_last if states.ndim == 4 else torch.contiguous_format
        device = next(iter(batch.values())).device
        return batch | {STATES: states.contiguous(memory_format=layout).to(device)}
    tokens = batch[MASK].bool().cpu().numpy()
    padded = np.zeros((*tokens.shape, *kept[0].shape[1:]), np.float32)
    for row, mine, values in zip(padded, tokens, kept, strict=True):
        row[mine] = values
    return batch | {STATES: torch.from_numpy(padded).to(batch[MASK].device)}


def without_states(batch: Batch) -> Batch:
    """The batch as the whole model is given it, targets included."""
    return {name: value for name, value in batch.items() if name != STATES}


def trials_of(
    model: nn.Module,
    prefix: Prefix,
    examples: Sequence[Mapping[str, Any]],
    collate_rows: Collate,
    said: Said,
) -> list[Trial]:
    """Two batches of `examples`, of several lengths: all of them, and the first half, which is padded otherwise."""
    whole = collate_rows(examples)
    with torch.no_grad():
        states = run_until(model, prefix.blocks[-1], inputs_of(whole))
        kept = [
            {**one, STATES: values}
            for one, values in zip(examples, rows_of_states(states, whole), strict=True)
        ]
        batches = [collate_with_states(rows, collate_rows) for rows in (kept, kept[: -(-len(kept) // 2)])]
        return [Trial(batch, said(model, without_states(batch))) for batch in batches]


def upper_model(
    model: nn.Module, prefix: Prefix, trials: Sequence[Trial], said: Said, tolerance: float
) -> UpperModel:
    """The model above its frozen blocks, tried. Raises CannotSkipError where no trial is passed."""
    for given in ({name: prefix.done[name] for name in names} for names in _skipped(model, prefix)):
        upper = UpperModel(model, given).eval()
        if passes(upper, trials, said, tolerance):
            return upper
    raise CannotSkipError("the blocks above them do not give the same without them")


def _skipped(model: nn.Module, prefix: Prefix) -> Iterator[list[str]]:
    """Names of modules that may not have to run: all with weights that were done, or the blocks alone."""
    weighty = {name for name in prefix.done if any(True for _ in model.get_submodule(name).parameters())}
    yield [name for name in weighty if not structure.within(name, weighty)]
    yield list(prefix.blocks)


def passes(upper: UpperModel, trials: Sequence[Trial], said: Said, tolerance: float) -> bool:
    """Whether it gives what the whole model does, within `tolerance` of the largest number that this gives."""
    return all(_alike(upper, trial, said, tolerance) for trial in trials)


def _alike(upper: UpperModel, trial: Trial, said: Said, tolerance: float) -> bool:
    try:
        with torch.no_grad():
            pairs = [*zip(trial.whole, said(upper, trial.batch), strict=True)]
    except NOT_THE_SAME:
        return False
    scale = max(1.0, *(float(np.abs(whole).max(initial=0.0)) for whole, _ in pairs))
    return all(
        whole.shape == short.shape and np.allclose(whole, short, rtol=0, atol=tolerance * scale)
        for whole, short in pairs
    )
