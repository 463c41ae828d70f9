"""The frozen blocks at the bottom of a model: which they are, what their hidden states depend on, and those states.

Nothing here knows an architecture. A run of the model on a few rows shows which blocks need no gradient in training,
which weights reach their hidden states, and what else is done by the time that these are there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hftransfer.strategies import structure
from hftransfer.tasks.base import LABELS, Batch

STATES = "kept_states"
"""The key of an example, and of a batch, that holds hidden states."""


class CannotSkipError(Exception):
    """Why frozen blocks have to run, as the end of a sentence."""


@dataclass(frozen=True)
class Form:
    """How a module gives hidden states. others: how many other things are in a tuple behind them; None: no tuple."""

    dtype: torch.dtype
    others: int | None

    @classmethod
    def of(cls, output: Any) -> Form:
        """Raises CannotSkipError where they are not what it gives."""
        return cls(hidden(output).dtype, len(output) - 1 if isinstance(output, tuple) else None)

    def __call__(self, states: Tensor) -> Any:
        same = states.to(self.dtype)
        return same if self.others is None else (same, *[None] * self.others)


@dataclass(frozen=True)
class Prefix:
    """The frozen blocks of a model, and all that is done before them.

    blocks: their names, from the lowest. weights: names of the parameters that their hidden states depend on.
    done: names of the modules that are done by the end of the last of these blocks, where they give hidden states.
    """

    blocks: tuple[str, ...]
    weights: frozenset[str]
    done: Mapping[str, Form]


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
) -> tuple[dict[str, Form], frozenset[str]]:
    """(the modules that are done by the end of the block `last`, as `Prefix` has them; the parameters it needs)."""
    done: dict[str, Form | None] = {}

    def keep(name: str) -> Callable[..., None]:
        def note(module: nn.Module, given: Any, output: Any) -> None:
            try:
                done[name] = Form.of(output)
            except CannotSkipError:
                done[name] = None

        return note

    named = dict(model.named_parameters())
    names = [name for name, _ in model.named_modules() if name]
    with _all_with_gradients(named), torch.enable_grad(), _hooked(model, names, keep):
        states = run_until(model, last, inputs)
        leaves = {name: parameter for name, parameter in named.items() if parameter.requires_grad}
        reached = torch.autograd.grad(states.sum(), [*leaves.values()], allow_unused=True)
    used = {name for name, gradient in zip(leaves, reached, strict=True) if gradient is not None}
    # A module may hide from gradients what it uses; one that ran counts whole.
    ran = {f"{name}.{own}" for name in done for own, _ in model.get_submodule(name).named_parameters()}
    forms = {name: form for name, form in done.items() if form is not None}
    return forms, frozenset(used | (ran & named.keys()))


@contextmanager
def _all_with_gradients(parameters: Mapping[str, nn.Parameter]) -> Iterator[None]:
    before = {name: parameter.requires_grad for name, parameter in parameters.items()}
    try:
        for parameter in parameters.values():
            parameter.requires_grad_(parameter.is_floating_point())
        yield
    finally:
        for name, parameter in parameters.items():
            parameter.requires_grad_(before[name])


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
