"""The head alone: a model whose backbone is replaced by what the backbone has said.

Nothing here knows an architecture. What a head looks at is found by asking it: its backbone's output is given to it
with gradients, and where these come back it has looked. What is found is tried before it is used: the head has to give
from what is kept what the whole model gives.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from hftransfer.heads.reading import Field
from hftransfer.strategies import structure
from hftransfer.tasks.base import LABELS

TOLERANCE = 1e-5


class Asked(Protocol):
    """A backbone, and what is read of it: a `HeadModel`, an `InputModel`, or a model with a head of another kind."""

    @property
    def backbone(self) -> nn.Module: ...
    @property
    def config(self) -> Any: ...
    @property
    def readings(self) -> Sequence[Any]:
        """What is read, one or several; a dataclass each, with `told` for people."""
        ...

    def pooled(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """(B, ...) of every reading. inputs: a batch without targets."""
        ...


class _Said(nn.Module):
    """Stands in for the backbone: says what it is told to say."""

    def __init__(self, kind: type, fields: tuple[str, ...], reading: Field) -> None:
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

    def __init__(self, model: Any, kind: type, fields: tuple[str, ...], reading: Field) -> None:
        super().__init__()
        self.said = _Said(kind, fields, reading)
        self.model = copy.copy(model)
        self.model._modules = {**model._modules, model.base_model_prefix: self.said}
        self.config = model.config
        self.readings = (reading,)
        self._input = model.main_input_name
        self._whole = [model]  # in a list: no module of this one

    @property
    def backbone(self) -> nn.Module:
        """The one that is asked, no part of this model."""
        whole = self._whole[0]
        body: nn.Module = whole._modules[whole.base_model_prefix]
        return body

    def pooled(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        output, _ = ask(self._whole[0], inputs)
        return [self.readings[0].of(output)]

    def forward(self, features: Tensor) -> Any:
        """features: (B, ...) as `pooled` gives them."""
        self.said.features = features
        return self.model(**{self._input: features})


@dataclass(frozen=True)
class Input:
    """What a head's one module is given. module: its name."""

    module: str

    @property
    def told(self) -> str:
        return f"input of {self.module}"


class InputModel(nn.Module):
    """`forward(features)` gives the logits that the head's one module makes of its input.

    For heads that look at several vectors of a row, and make one of them before anything in them is trained (DINOv2's
    looks at [CLS] and at the mean over all patches).
    """

    def __init__(self, model: Any, module: str) -> None:
        super().__init__()
        self.module = model.get_submodule(module)
        self.config = model.config
        self.readings = (Input(module),)
        self._whole = [model]

    @property
    def backbone(self) -> nn.Module:
        """The one that is asked, no part of this model."""
        return structure.backbone(self._whole[0])

    def pooled(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        given: list[Tensor] = []
        hook = self.module.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
        try:
            self._whole[0](**inputs)
        finally:
            hook.remove()
        return given

    def forward(self, features: Tensor) -> SequenceClassifierOutput:
        """features: (B, D) as `pooled` gives them."""
        return SequenceClassifierOutput(logits=self.module(features))


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


def read_by_head(model: Any, batch: Mapping[str, Tensor]) -> HeadModel | InputModel | None:
    """The head alone, and what it looks at; None for one that looks at every token, or cannot be asked.

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
    return _of_one_field(model, output, inputs, whole.logits) or _of_one_module(model, inputs, whole.logits)


def _of_one_field(
    model: Any, output: Any, inputs: Mapping[str, Tensor], expected: Tensor
) -> HeadModel | None:
    fields = tuple(
        name for name, value in output.items() if isinstance(value, Tensor) and value.is_floating_point()
    )
    try:
        reading = _looked_at(model, output, fields, inputs)
        if reading is None:
            return None
        head = HeadModel(model, type(output), fields, reading)
        return head if _gives(head, reading.of(output), expected) else None
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return None  # it asks its inputs, or other outputs of the backbone, for more


def _of_one_module(model: Any, inputs: Mapping[str, Tensor], expected: Tensor) -> InputModel | None:
    modules = structure.head_modules(model)
    if len(modules) != 1:
        return None
    head = InputModel(model, modules[0])
    with torch.no_grad():
        given = head.pooled(inputs)
    if len(given) != 1 or given[0].ndim != 2:
        return None
    return head if _gives(head, given[0], expected) else None


def _gives(head: nn.Module, features: Tensor, expected: Tensor) -> bool:
    """Whether it gives from features what the whole model does."""
    head.eval()
    with torch.no_grad():
        given = head(features).logits
    scale = float(expected.abs().max().clamp(min=1.0))
    return given.shape == expected.shape and torch.allclose(given, expected, rtol=0, atol=TOLERANCE * scale)


def _looked_at(
    model: Any, output: Any, fields: tuple[str, ...], inputs: Mapping[str, Tensor]
) -> Field | None:
    """The one field, whole or at its first position, that the head's logits depend on."""
    leaves = {name: output[name].detach().clone().requires_grad_() for name in fields}

    class Given(nn.Module):
        def forward(self, *inputs: Any, **options: Any) -> Any:
            return type(output)(**leaves)

    asked = copy.copy(model)
    asked._modules = {**model._modules, model.base_model_prefix: Given()}
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
        return Field(name, first=True) if not gradient[:, 1:].any() else None
    # A vector, in whatever shape; a map of features is one vector for every place.
    return Field(name, first=False) if gradient.flatten(1).shape[1] == gradient.shape[1] else None
