"""The top block at one position: what a head that reads one alone ([CLS]) needs of the last block.

Attention mixes positions; what comes after it in a block treats each by itself. Where a head looks at the first alone,
the rest of the last block has to be computed there alone, and its queries, too. Nothing here knows an architecture: the
gradient of the loss shows which modules are looked at in their first position alone (BERT's `query`, and all from
`attention.output` on). Each of them is tried, and used where outputs, loss and gradients stay what they are.

With dropout, as many random numbers are drawn as there are places: a run with a cut top block then drops others than
one without. Without dropout both give the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from hftransfer.features.prefix import STATES
from hftransfer.features.upper import NOT_THE_SAME, Said, StandIn, Trial, UpperModel, passes, without_states
from hftransfer.strategies import structure
from hftransfer.tasks.base import Batch

LossOf = Callable[[nn.Module, Batch], Tensor]
"""The loss of a batch by a model, with its gradient."""
Place = int | str
"""Of an input: its position, or its keyword."""


@dataclass(frozen=True)
class Cut:
    """A module that need be given one position alone.

    inputs: those of its inputs, (B, T, H), that are cut to (B, 1, H). repeated: whether what it gives is given for all
    T places again, because what reads it counts them.
    """

    module: str
    inputs: frozenset[Place]
    repeated: bool = False


class _OfFirst(StandIn):
    """Gives a module the first position of what it is given. The module is a part of it."""

    def __init__(self, module: nn.Module, cut: Cut) -> None:
        super().__init__(module)
        self.module = module
        self._cut = cut

    def forward(self, *inputs: Any, **options: Any) -> Any:
        length = 1
        given = _by_place(inputs, options)
        for place in self._cut.inputs:
            length = given[place].shape[1]
            given[place] = given[place][:, :1]
        output = self.module(
            *(given[place] for place in range(len(inputs))), **{k: given[k] for k in options}
        )
        return output.expand(-1, length, *output.shape[2:]) if self._cut.repeated else output


def cut_top(
    model: nn.Module, upper: UpperModel, trials: Sequence[Trial], said: Said, loss: LossOf, tolerance: float
) -> UpperModel:
    """The upper model with its last block at one position, where that is all that is read of it; else as it is.

    model: the whole one. tolerance: of outputs and loss as `passes` has it, and of gradients: of the largest.
    """
    block = structure.blocks(model)[-1]
    short, tried = upper, set[str]()
    while (found := _first_alone(short, block, trials[0].batch, loss, tried)) is not None:
        tried.add(found.module)
        for cut in (found, replace(found, repeated=True)):
            shorter = with_cut(short, cut)
            if passes(shorter, trials, said, tolerance):
                short = shorter
                break
    if short is upper:
        return upper
    return short if _same_gradients(model, short, trials[0].batch, loss, tolerance) else upper


def with_cut(upper: UpperModel, cut: Cut) -> UpperModel:
    """The same with one more module at one position, in evaluation mode."""
    part = _OfFirst(upper.model.get_submodule(cut.module), cut)
    return upper.with_parts({cut.module: part}).eval()


def _first_alone(upper: UpperModel, block: str, batch: Batch, loss: LossOf, tried: set[str]) -> Cut | None:
    """The first module to run within the block, but for those `tried`, that is given several positions and looked at in
    the first alone."""
    for name, gradients in _inputs_within(upper, block, batch, loss):
        seen = [gradient for gradient in gradients.values() if gradient is not None and gradient.any()]
        if name not in tried and seen and not any(gradient[:, 1:].any() for gradient in seen):
            return Cut(name, frozenset(gradients))
    return None


def _inputs_within(
    upper: UpperModel, block: str, batch: Batch, loss: LossOf
) -> Iterator[tuple[str, Mapping[Place, Tensor | None]]]:
    """For every module inside the block that runs once, in the order in which they begin: the gradient of the loss by
    its inputs of the size of hidden states (B, T > 1, ...), as far as it comes through this module."""
    size = batch[STATES].shape[:2]
    given: list[tuple[str, dict[Place, Tensor]]] = []

    def watch(name: str) -> Callable[..., Any]:
        def see(module: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
            every = _by_place(inputs, options)
            views = {place: _view(one) for place, one in every.items() if _is_of(one, size)}
            given.append((name, views))
            every |= views
            return tuple(every[place] for place in range(len(inputs))), {
                name: every[name] for name in options
            }

        return see

    parts = [(name, part) for name, part in upper.model.named_modules() if name.startswith(f"{block}.")]
    hooks = [part.register_forward_pre_hook(watch(name), with_kwargs=True) for name, part in parts]
    try:
        with torch.enable_grad():
            value = loss(upper.eval(), batch)
            leaves = [view for _, views in given for view in views.values()]
            found = iter(torch.autograd.grad(value, leaves, allow_unused=True) if leaves else ())
    except NOT_THE_SAME:
        return
    finally:
        for hook in hooks:
            hook.remove()
    names = [name for name, _ in given]
    for name, views in given:
        gradients = {place: next(found) for place in views}
        if names.count(name) == 1:
            yield name, gradients


def _by_place(inputs: Sequence[Any], options: Mapping[str, Any]) -> dict[Place, Any]:
    return dict[Place, Any](enumerate(inputs)) | dict(options.items())


def _is_of(value: Any, size: torch.Size) -> bool:
    """Whether it is hidden states of several positions. size: (B, T)."""
    states = isinstance(value, Tensor) and value.is_floating_point() and value.ndim == 3
    return states and value.shape[:2] == size and size[1] > 1


def _view(value: Tensor) -> Tensor:
    """The same values with a gradient of their own."""
    return value.view_as(value) if value.requires_grad else value.detach().requires_grad_()


def _same_gradients(
    model: nn.Module, short: UpperModel, batch: Batch, loss: LossOf, tolerance: float
) -> bool:
    """Whether all that is trained gets the same gradient from both, within `tolerance` of the largest.

    What adds nothing yet, and will (a gate, or LoRA's update, that starts at zero), shows in its gradient alone.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.eval()
    with torch.enable_grad():
        whole, cut = (
            torch.autograd.grad(loss(module, given), trained, allow_unused=True)
            for module, given in ((model, without_states(batch)), (short.eval(), batch))
        )
    largest = max((float(one.abs().max()) for one in whole if one is not None), default=0.0)
    return all(
        torch.allclose(_or_zeros(a, p), _or_zeros(b, p), rtol=0, atol=tolerance * largest)
        for a, b, p in zip(whole, cut, trained, strict=True)
    )


def _or_zeros(gradient: Tensor | None, parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if gradient is None else gradient
