"""A backbone with a head that its architecture does not have: on another pooling, other layers, or of another kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from hftransfer.heads.options import MLP, Fitted, Head
from hftransfer.heads.pairs import combine, sides
from hftransfer.heads.reading import Reading

MASK = "attention_mask"
ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


class OnFeatures(nn.Module):
    """A head alone: `forward(features)` gives an output with `logits`, as a transformers model does.

    chosen: the reading that the head is for, where features are of several.
    """

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers
        self.chosen = 0

    def forward(self, features: Tensor) -> SequenceClassifierOutput:
        """features: (B, D), or (B, R, D) of R readings."""
        one = features if features.ndim == 2 else features[:, self.chosen]
        return SequenceClassifierOutput(logits=self.layers(one))


class PooledModel(nn.Module):
    """`forward(**batch)` gives the logits of a head on features of the backbone, which `pooled` gives alone.

    Where a batch holds pairs whose texts are read apart (see `pairs`), the head sees (u, v, |u - v|).

    options: what the head is; `complete` makes it. readings: what is looked at of the backbone, one of which the head
    is for. max_length: the most tokens of a text, for those who load the model elsewhere.
    """

    def __init__(
        self, backbone: Any, options: Head, readings: Sequence[Reading], max_length: int | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head: OnFeatures | None = None
        self.options = options
        self.readings = tuple(readings)
        self.max_length = max_length

    @property
    def config(self) -> Any:
        """The backbone's, with the labels and the task's settings in it."""
        return self.backbone.config

    @property
    def reading(self) -> Reading:
        """What the head looks at."""
        return self.readings[0 if self.head is None else self.head.chosen]

    def pooled(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """(B, D) of every reading. inputs: a batch of one text, image or clip a row, without targets."""
        states = {"output_hidden_states": True} if any(one.states for one in self.readings) else {}
        output = self.backbone(**inputs, **states)
        mask = self._mask(inputs.get(MASK), output)
        return [reading.of(output, mask).flatten(1) for reading in self.readings]

    def _mask(self, mask: Tensor | None, output: Any) -> Tensor | None:
        """Of what the backbone gives: of clips, it has other positions than what goes in."""
        states = output.get("last_hidden_state")
        fewer = getattr(self.backbone, "_get_feature_vector_attention_mask", None)
        if (
            mask is None
            or states is None
            or states.ndim != 3
            or mask.shape[1] == states.shape[1]
            or not fewer
        ):
            return mask
        found: Tensor = fewer(states.shape[1], mask)
        return found

    def seen(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, D) what the head sees of a batch, of both sides of its pairs where they are read apart."""
        assert self.head is not None
        return combine([self.pooled(side)[self.head.chosen] for side in sides(inputs)])

    def forward(self, **inputs: Tensor) -> SequenceClassifierOutput:
        """inputs: a batch without its targets."""
        features = self.seen(inputs)
        assert self.head is not None
        output: SequenceClassifierOutput = self.head(features)
        return output

    def save_pretrained(self, folder: Path) -> None:
        """See `folder`."""
        from hftransfer.heads.folder import save

        save(self, folder)


def complete(model: PooledModel, inputs: int) -> None:
    """Give the model its head, in place, for features of so many numbers; drawn from torch's global generator."""
    config, options = model.config, model.options
    if isinstance(options, Fitted):
        from hftransfer.heads.fitted import FittedHead

        model.head = OnFeatures(FittedHead(options, config.num_labels, config.problem_type))
    else:
        model.head = OnFeatures(_layers(options, inputs, config))


def draw(model: PooledModel) -> None:
    """Draw the head anew, in place."""
    assert model.head is not None
    parameters = [*model.head.layers.parameters()]
    other = _layers(model.options, parameters[0].shape[1], model.config)
    with torch.no_grad():
        for parameter, value in zip(parameters, other.parameters(), strict=True):
            parameter.copy_(value)


def _layers(options: Head, inputs: int, config: Any) -> nn.Module:
    layers: list[nn.Module] = []
    if isinstance(options, MLP):
        for width in options.widths:
            layers += [nn.Linear(inputs, width), ACTIVATIONS[options.activation]()]
            if options.dropout:
                layers.append(nn.Dropout(options.dropout))
            inputs = width
    last = nn.Linear(inputs, config.num_labels)
    nn.init.normal_(
        last.weight, std=getattr(config, "initializer_range", None) or 0.02
    )  # as transformers' heads
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)
