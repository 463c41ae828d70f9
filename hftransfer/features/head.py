"""The head alone: a model whose backbone is replaced by what the backbone has said.

Nothing here knows an architecture. What a head looks at is found by asking it: its backbone's output is given to it
with gradients, and where these come back it has looked. What is found is tried before it is used: the head has to give
from what is kept what the whole model gives.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hftransfer.tasks.base import LABELS

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Reading:
    """What a head looks at. field: of the backbone's output. first: the first position alone ([CLS]), of (B, T, H)."""

    field: str
    first: bool

    def of(self, output: Mapping[str, Any]) -> Tensor:
        """(B, ...) of what the backbone gave."""
        whole: Tensor = output[self.field]
        return whole[:, 0] if self.first else whole


class _Said(nn.Module):
    """Stands in for the backbone: says what it is told to say."""

    def __init__(self, kind: type, fields: tuple[str, ...], reading: Reading) -> None:
        super().__init__()
        self.kind, self.fields, self.reading = kind, fields, reading
        self.features = torch.empty(0)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        told = self.features[:, None] if self.reading.first else self.features
        # Heads also take a field by its place: those that are not looked at are there, and hold nothing.
        return self.kind(**{name: told if name == self.reading.field else told[:0] for name in self.fields})


class HeadModel(nn.Module):
    """`forward(features)` gives what the model gives where its backbone has said them.

    The head's modules are the model's own: what is trained here is trained there.
    """

    def __init__(self, model: Any, kind: type, fields: tuple[str, ...], reading: Reading) -> None:
        super().__init__()
        self.said = _Said(kind, fields, reading)
        self.model = copy.copy(model)
        self.model._modules = {**model._modules, model.base_model_prefix: self.said}
        self.config = model.config
        self._input = model.main_input_name

    def forward(self, features: Tensor) -> Any:
        """features: (B, ...) as `Reading.of` gives them."""
        self.said.features = features
        return self.model(**{self._input: features})


def ask(model: Any, inputs: Mapping[str, Tensor]) -> tuple[Any, Any]:
    """(what the backbone says of a batch, what the whole model does)."""
    caught: list[Any] = []
    backbone = model._modules[model.base_model_prefix]
    hook = backbone.register_forward_hook(lambda module, given, output: caught.append(output))
    try:
        whole = model(**inputs)
    finally:
        hook.remove()
    return caught[-1], whole


def read_by_head(model: Any, batch: Mapping[str, Tensor]) -> tuple[HeadModel, Reading] | None:
    """The head alone, and what it looks at; None for one that looks at more than one vector a row (at every token), or
    cannot be asked.

    model: in evaluation mode afterwards. batch: of at least two rows, its targets are not needed.
    """
    prefix = model.base_model_prefix
    if not prefix or prefix not in model._modules:
        return None
    inputs = {name: value for name, value in batch.items() if name != LABELS}
    model.eval()
    with torch.no_grad():
        output, whole = ask(model, inputs)
    if not isinstance(output, dict):
        return None
    expected = whole.logits
    fields = tuple(
        name for name, value in output.items() if isinstance(value, Tensor) and value.is_floating_point()
    )
    try:
        reading = _looked_at(model, prefix, output, fields, inputs)
        if reading is None:
            return None
        head = HeadModel(model, type(output), fields, reading)
        head.eval()
        with torch.no_grad():
            given = head(reading.of(output)).logits
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return None  # it asks its inputs, or other outputs of the backbone, for more
    scale = float(expected.abs().max().clamp(min=1.0))
    return (head, reading) if torch.allclose(given, expected, rtol=0, atol=TOLERANCE * scale) else None


def _looked_at(
    model: Any, prefix: str, output: Any, fields: tuple[str, ...], inputs: Mapping[str, Tensor]
) -> Reading | None:
    """The one field, whole or at its first position, that the head's logits depend on."""
    leaves = {name: output[name].detach().clone().requires_grad_() for name in fields}

    class Given(nn.Module):
        def forward(self, *inputs: Any, **options: Any) -> Any:
            return type(output)(**leaves)

    asked = copy.copy(model)
    asked._modules = {**model._modules, prefix: Given()}
    with torch.enable_grad():
        logits = asked(**inputs).logits
        # Any weighting that does not cancel will do; a sum might (of what a norm has centred).
        weights = torch.linspace(1, 2, logits.numel(), device=logits.device).reshape(logits.shape)
        found = torch.autograd.grad((logits * weights).sum(), [*leaves.values()], allow_unused=True)
    seen = {name: one for name, one in zip(leaves, found, strict=True) if one is not None and one.any()}
    if len(seen) != 1:
        return None
    ((name, gradient),) = seen.items()
    if gradient.ndim == 3:
        return Reading(name, first=True) if not gradient[:, 1:].any() else None
    # A vector, in whatever shape; a map of features is one vector for every place.
    return Reading(name, first=False) if gradient.flatten(1).shape[1] == gradient.shape[1] else None
