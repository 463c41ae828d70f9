"""Many heads on the same features, trained at once: every layer of theirs is one product of matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import linear
from torch.optim import AdamW, Optimizer
from transformers.modeling_outputs import SequenceClassifierOutput

from hftransfer.features.head import TOLERANCE
from hftransfer.tasks.base import LABELS, Loss

PROBE = 64
"""Rows that a head is tried with: enough for a dropout to show."""


class _InUnits(torch.autograd.Function):
    """Values times their units; backwards, gradients as they come: those of the product, not of the values."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, units: Tensor) -> Tensor:
        return values * units.reshape(-1, *[1] * (values.ndim - 1))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def _in_units(values: Tensor, units: Tensor) -> Tensor:
    told: Tensor = _InUnits.apply(values, units)  # type: ignore[no-untyped-call]
    return told


class Heads(nn.Module):
    """Copies of a head: `forward(features)` gives the logits of all of them, (G, B, C), each as it would alone.

    A parameter of all G copies is one tensor (G, ...): its gradient comes from one product, one call of an optimizer
    moves it, and processes exchange it as one. That every copy still has a rate of its own is a matter of units: a
    parameter w is kept as u = w / rate. What an optimizer subtracts from w, rate * f(gradient of w), is rate times
    what it subtracts from u at the rate 1 when it is shown the gradient of w; and so it is.
    """

    def __init__(
        self,
        head: nn.Module,
        states: Sequence[Mapping[str, Tensor]],
        rates: Sequence[float] | None = None,
        readings: Sequence[int] | None = None,
    ) -> None:
        """states: of every copy, parameter name (in `head`) -> its value. rates: of every copy, a multiple of the rate
        of the optimizer; None for 1. readings: of every copy, which of the R features it reads, see `forward`; those
        that read the same are best next to one another."""
        super().__init__()
        self.head = head
        self.names = tuple(states[0])
        self.readings = None if readings is None else tuple(readings)
        self.units: Tensor
        self.register_buffer("units", torch.tensor(rates if rates is not None else [1.0] * len(states)))
        self.stacked = nn.ParameterList(
            nn.Parameter(
                torch.stack(
                    [state[name].detach() / rate for state, rate in zip(states, self.units, strict=True)]
                )
            )
            for name in self.names
        )
        self._linear: dict[tuple[bool, ...], bool] = {}

    def __len__(self) -> int:
        return len(self.stacked[0])

    def forward(self, features: Tensor) -> SequenceClassifierOutput:
        """features: (B, ...), as for one head; with readings (B, R, ...)."""
        if self._is_linear():
            return SequenceClassifierOutput(logits=_in_units(self._products(features), self.units))

        def one(state: dict[str, Tensor], given: Tensor) -> Tensor:
            logits: Tensor = functional_call(self.head, state, (given,)).logits
            return logits

        given, place = features, None
        if self.readings is not None:
            given, place = features.movedim(1, 0)[list(self.readings)], 0
        stacked = {
            name: _in_units(values, self.units) for name, values in zip(self.names, self.stacked, strict=True)
        }
        logits = torch.vmap(one, in_dims=(0, place), randomness="different")(stacked, given)
        return SequenceClassifierOutput(logits=logits)

    def state(self, number: int) -> dict[str, Tensor]:
        """The parameters of one of the copies, by their names in the head."""
        unit = self.units[number]
        return {name: values[number] * unit for name, values in zip(self.names, self.stacked, strict=True)}

    def moved_by(self, optimizer: Optimizer, decays: Sequence[float], bound: float | None) -> None:
        """Let every copy have its own weight decay, and its own bound of its gradient, whenever the optimizer steps.

        decays: of every copy; of biases and norms none, as `parameter_groups` has it. bound: of the norm of every
        copy's gradient, each by itself; None for none. The optimizer itself must not decay.
        """
        decay = torch.tensor(decays, device=self.units.device)
        decayed = [values for values in self.stacked if values.ndim > 2] if any(decays) else []

        @torch.no_grad()
        def before(*_: Any) -> None:
            if bound is not None:
                self._clip(bound)
            share = (decay.to(self.units) * self.units)[:, None]
            for values in decayed:
                if isinstance(optimizer, AdamW):
                    values.flatten(1).mul_(1 - optimizer.param_groups[0]["lr"] * share)
                elif values.grad is not None:
                    values.grad.flatten(1).addcmul_(values.flatten(1), share)

        optimizer.register_step_pre_hook(before)

    def _clip(self, bound: float) -> None:
        """As torch.nn.utils.clip_grad_norm_ does with the gradients of one copy, for every copy."""
        gradients = [values.grad for values in self.stacked if values.grad is not None]
        norms = torch.stack([torch.linalg.vector_norm(one.flatten(1), dim=1) for one in gradients])
        factors = (bound / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
        if bool((factors < 1).any()):
            for one in gradients:
                one.mul_(factors.reshape(-1, *[1] * (one.ndim - 1)))

    def _products(self, features: Tensor) -> Tensor:
        """Of heads that are one linear layer: one product for all that read the same."""
        weight, bias = self.stacked
        if self.readings is None:
            return _product(features, weight, bias)
        runs = [(reading, len(list(run))) for reading, run in groupby(self.readings)]
        counts = [count for _, count in runs]
        parts = zip(runs, weight.split(counts), bias.split(counts), strict=True)
        return torch.cat([_product(features[:, reading], *some) for (reading, _), *some in parts])

    def _is_linear(self) -> bool:
        """Whether the head, in the mode that it is in, is one linear layer and nothing else (no dropout): it is tried
        with other weights, on features of its own."""
        mode = tuple(module.training for module in self.head.modules())
        if mode not in self._linear:
            self._linear[mode] = self._try_linear()
        return self._linear[mode]

    @torch.no_grad()
    def _try_linear(self) -> bool:
        shapes = [values.shape[1:] for values in self.stacked]
        if [len(shape) for shape in shapes] != [2, 1] or shapes[0][:1] != shapes[1]:
            return False
        device = self.stacked[0].device
        weight, bias = (torch.linspace(-1, 1, one.numel(), device=device).reshape(one) for one in shapes)
        features = torch.linspace(2, -2, PROBE * shapes[0][1], device=device).reshape(PROBE, -1)
        own = linear(features, weight, bias)
        try:
            given = functional_call(
                self.head, dict(zip(self.names, (weight, bias), strict=True)), (features,)
            ).logits
        except (RuntimeError, ValueError, IndexError):
            return False  # it wants its features in another shape
        atol = TOLERANCE * float(own.abs().max())
        return given.shape == own.shape and torch.allclose(given, own, rtol=0, atol=atol)


def _product(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(G, B, C) of features (B, D), weights (G, C, D) and biases (G, C)."""
    # One product a head, whose weights the processor can hold near: in all, faster than one product of all of them.
    given = features.t().expand(len(weight), -1, -1)
    return torch.baddbmm(bias[:, :, None], weight, given).transpose(1, 2)


@dataclass(frozen=True)
class SumOverHeads:
    """The loss of every head, added up: each head gets the gradient that it would get alone."""

    loss: Loss

    def sum(self, output: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """output.logits: (G, B, C). A loss is a sum over targets: those of all heads make one batch."""
        logits = output.logits
        labels = batch[LABELS].repeat(len(logits), *[1] * (batch[LABELS].ndim - 1))
        return self.loss.sum(SimpleNamespace(logits=logits.flatten(0, 1)), {LABELS: labels})

    def weight(self, batch: Mapping[str, Tensor]) -> Tensor:
        return self.loss.weight(batch)
