"""The model above its frozen blocks: its lower blocks give back what they gave before, and are not run.

Nothing here knows an architecture. A run of the model on a few rows shows which blocks need no gradient, which weights
their hidden states depend on, and what is done by the time that they are there. Stand-ins take the place of that; the
model keeps its names, and whatever else it does (masks, relative positions, windows of attention by the number of the
block). What is made so is tried before it is used: it has to give what the whole model gives, on rows that are padded
otherwise than when their hidden states were computed, too.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hftransfer.strategies import structure
from hftransfer.tasks.base import LABELS, Batch

STATES = "kept_states"
"""The key of an example, and of a batch, that holds hidden states."""
MASK = "attention_mask"

Collate = Callable[[Sequence[Mapping[str, Any]]], Batch]
Said = Callable[[nn.Module, Batch], list[NDArray[Any]]]
"""What training and scoring take of what a model gives for a batch."""


class CannotSkipError(Exception):
    """Why frozen blocks have to run, as the end of a sentence."""


@dataclass(frozen=True)
class Prefix:
    """The frozen blocks of a model, and all that is done before them.

    blocks: their names, from the lowest. weights: names of the parameters that their hidden states depend on.
    done: what every module gave on the rows that were tried which was done by the end of the last of these blocks.
    """

    blocks: tuple[str, ...]
    weights: frozenset[str]
    done: Mapping[str, Any]


class _Given(nn.Module):
    """Stands in for a module: gives what it is told to, in the form in which the module did. All else that it is asked
    for (which attention it does, the type of its weights) is the module's."""

    def __init__(self, module: nn.Module, like: Any, told: list[Tensor]) -> None:
        super().__init__()
        self.__dict__["stands_for"] = module  # not a part of it: its weights are none of this model's
        self._tuple = len(like) if isinstance(like, tuple) else None
        self._dtype = hidden(like).dtype
        self._told = told

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["stands_for"], name)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        states = self._told[0].to(self._dtype)
        return states if self._tuple is None else (states, *[None] * (self._tuple - 1))


class UpperModel(nn.Module):
    """`forward(kept_states, **inputs)` gives what the model gives for the inputs whose hidden states these are.

    Its modules are the model's own: what is trained here is trained there.
    """

    def __init__(self, model: nn.Module, given: Mapping[str, Any]) -> None:
        """given: names of the modules that do not run -> what they gave once."""
        super().__init__()
        self._told: list[Tensor] = [torch.empty(0)]
        stand_ins = {
            name: _Given(model.get_submodule(name), like, self._told) for name, like in given.items()
        }
        self.model = _with(model, stand_ins)

    def forward(self, kept_states: Tensor, **inputs: Any) -> Any:
        """kept_states: (B, ...) as the last frozen block gives them; what is padding may hold anything."""
        self._told[0] = kept_states
        return self.model(**inputs)


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


def frozen_blocks(model: nn.Module) -> list[str]:
    """Names of the blocks below the lowest that moves, by their parameters alone; none where embeddings move."""
    moved = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    depths = structure.depths(model)
    if any(depths[name] == 0 for name in moved):
        return []
    blocks = structure.blocks(model)
    return list(takewhile(lambda block: not any(structure.within(name, {block}) for name in moved), blocks))


def find_prefix(
    model: nn.Module, blocks: Sequence[str], batch: Batch, train_mode: Callable[..., None]
) -> Prefix:
    """What of `blocks` need not run again. batch: some rows. train_mode: puts the model in training mode.

    The model is in evaluation mode afterwards. Raises CannotSkipError.
    """
    inputs = inputs_of(batch)
    with _as_it_was(model):
        train_mode(model)
        count = _without_gradient(model, blocks, inputs)
    model.eval()
    chosen = tuple(blocks[:count])
    done, weights = _depends_on(model, chosen[-1], inputs)
    return Prefix(chosen, weights, done)


def inputs_of(batch: Mapping[str, Any]) -> dict[str, Any]:
    """What the whole model is given of a batch."""
    return {name: value for name, value in batch.items() if name not in (LABELS, STATES)}


def _without_gradient(model: nn.Module, blocks: Sequence[str], inputs: Mapping[str, Any]) -> int:
    """How many of the blocks, from the lowest, give in training what needs no gradient, without drawing anything."""
    seen: list[tuple[str, bool, bool]] = []
    start = _random_states()

    def see(name: str) -> Callable[..., None]:
        def note(module: nn.Module, given: Any, output: Any) -> None:
            seen.append((name, hidden(output).requires_grad, _random_states() == start))

        return note

    with torch.enable_grad(), _hooked(model, blocks, see):
        model(**inputs)
    if [name for name, *_ in seen] != list(blocks):
        raise CannotSkipError("they do not run once each, one after the other")
    still = list(takewhile(lambda one: not one[1], seen))
    if not still:
        raise CannotSkipError("what moves is used below them, too")
    if not all(alike for *_, alike in still):
        raise CannotSkipError("the model draws at random among them in training")
    return len(still)


def _depends_on(
    model: nn.Module, last: str, inputs: Mapping[str, Any]
) -> tuple[dict[str, Any], frozenset[str]]:
    """(what every module gave that was done by the end of the block `last`, the parameters that it depends on)."""
    done: dict[str, Any] = {}

    def keep(name: str) -> Callable[..., None]:
        def note(module: nn.Module, given: Any, output: Any) -> None:
            done[name] = output

        return note

    named = dict(model.named_parameters())
    moves = {name: parameter.requires_grad for name, parameter in named.items()}
    names = [name for name, _ in model.named_modules() if name]
    try:
        for parameter in named.values():
            parameter.requires_grad_(parameter.is_floating_point())
        with torch.enable_grad(), _hooked(model, names, keep):
            states = run_until(model, last, inputs)
        leaves = {name: parameter for name, parameter in named.items() if parameter.requires_grad}
        reached = torch.autograd.grad(states.sum(), [*leaves.values()], allow_unused=True)
    finally:
        for name, parameter in named.items():
            parameter.requires_grad_(moves[name])
    used = {name for name, gradient in zip(leaves, reached, strict=True) if gradient is not None}
    # A module may hide from gradients what it uses; one that ran counts whole.
    ran = {f"{name}.{own}" for name in done for own, _ in model.get_submodule(name).named_parameters()}
    return done, frozenset(used | (ran & named.keys()))


class _ReachedError(Exception):
    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output


def run_until(model: nn.Module, last: str, inputs: Mapping[str, Any]) -> Tensor:
    """The hidden states that the block `last` gives, (B, ...); what comes after it does not run."""

    def stop(module: nn.Module, given: Any, output: Any) -> None:
        raise _ReachedError(output)

    hook = model.get_submodule(last).register_forward_hook(stop)
    try:
        model(**inputs)
    except _ReachedError as reached:
        return hidden(reached.output)
    finally:
        hook.remove()
    raise CannotSkipError(f"{last} does not run")


def hidden(output: Any) -> Tensor:
    """The hidden states in what a block gives. Raises CannotSkipError where it gives something else."""
    first = output[0] if isinstance(output, tuple) and output else output
    if not isinstance(first, Tensor) or not first.is_floating_point():
        raise CannotSkipError("a block does not give hidden states alone")
    return first


@contextmanager
def _hooked(
    model: nn.Module, names: Collection[str], make: Callable[[str], Callable[..., None]]
) -> Iterator[None]:
    hooks = [model.get_submodule(name).register_forward_hook(make(name)) for name in names]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _as_it_was(model: nn.Module) -> Iterator[None]:
    """Puts buffers and torch's random states back that a pass in training mode may change."""
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.random.fork_rng():
        try:
            yield
        finally:
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])


def _random_states() -> tuple[Any, ...]:
    """The state of every generator that a model may draw from."""
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    states = [torch.get_rng_state(), *devices]
    _, numbers, place, *_ = np.random.get_state()
    return (
        *(one.numpy().tobytes() for one in states),
        np.asarray(numbers).tobytes(),
        place,
        random.getstate(),
    )


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


def collate(examples: Sequence[Mapping[str, Any]], collate_rows: Collate) -> Batch:
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


def upper_model(
    model: nn.Module,
    prefix: Prefix,
    examples: Sequence[Mapping[str, Any]],
    collate_rows: Collate,
    said: Said,
    tolerance: float,
) -> UpperModel:
    """The model above its frozen blocks, tried on `examples`, of several lengths. Raises CannotSkipError."""
    whole = collate_rows(examples)
    with torch.no_grad():
        states = run_until(model, prefix.blocks[-1], inputs_of(whole))
    kept = [
        {**one, STATES: values} for one, values in zip(examples, rows_of_states(states, whole), strict=True)
    ]
    trials = [collate(kept, collate_rows), collate(kept[: -(-len(kept) // 2)], collate_rows)]
    for given in ({name: prefix.done[name] for name in names} for names in _skipped(model, prefix)):
        if all(_agree(model, given, batch, said, tolerance) for batch in trials):
            return UpperModel(model, given)
    raise CannotSkipError("the blocks above them do not give the same without them")


def _skipped(model: nn.Module, prefix: Prefix) -> Iterator[list[str]]:
    """Names of modules that may not have to run: all with weights that were done, or the blocks alone."""
    weighty = {name for name in prefix.done if any(True for _ in model.get_submodule(name).parameters())}
    yield [name for name in weighty if not structure.within(name, weighty)]
    yield list(prefix.blocks)


def _agree(model: nn.Module, given: Mapping[str, Any], batch: Batch, said: Said, tolerance: float) -> bool:
    """Whether the model gives the same where these modules do not run. batch: with `STATES`."""
    plain = {name: value for name, value in batch.items() if name != STATES}
    try:
        upper = UpperModel(model, given).eval()
        with torch.no_grad():
            pairs = [*zip(said(model, plain), said(upper, batch), strict=True)]
    except (CannotSkipError, RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return False  # something in between wants what a stand-in does not give
    scale = max(1.0, *(float(np.abs(whole).max(initial=0.0)) for whole, _ in pairs))
    return all(
        whole.shape == short.shape and np.allclose(whole, short, rtol=0, atol=tolerance * scale)
        for whole, short in pairs
    )
