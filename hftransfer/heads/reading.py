"""What is looked at of what a backbone says: one vector a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hftransfer.errors import InputError
from hftransfer.heads.options import Pooling

STATES = "hidden_states"


@dataclass(frozen=True)
class Field:
    """What the architecture's own head looks at.

    field: of the backbone's output. first: the first position alone ([CLS]), of (B, T, H).
    """

    field: str
    first: bool
    states = False
    """Whether the backbone has to give the states of all its layers."""

    def of(self, output: Mapping[str, Any], mask: Tensor | None = None) -> Tensor:
        """(B, ...) of what the backbone gave."""
        whole: Tensor = output[self.field]
        return whole[:, 0] if self.first else whole

    @property
    def told(self) -> str:
        """In a word, for people."""
        return f"{self.field}{'[:, 0]' * self.first}"


@dataclass(frozen=True)
class Pooled:
    """The states of a layer, or the mean over several, pooled over the positions of a row.

    pooling: cls (the first token), mean, max, or the last token; padding never counts. layers: 0 is what goes into the
    first block, n what the n-th gives; -1 alone is the last state, after any norm that follows the blocks.
    """

    pooling: Pooling
    layers: tuple[int, ...] = (-1,)

    @property
    def states(self) -> bool:
        """Whether the backbone has to give the states of all its layers."""
        return self.layers != (-1,)

    @property
    def told(self) -> str:
        """In a word, for people."""
        layers = f" of layers {', '.join(map(str, self.layers))}" if self.states else ""
        return f"{self.pooling}{layers}"

    def of(self, output: Mapping[str, Any], mask: Tensor | None = None) -> Tensor:
        """(B, H). mask: (B, T), 0 where there is padding, or None where there is none."""
        states = self._states(output)
        if states.ndim == 4:  # a map of features (B, H, Y, X)
            states = states.flatten(2).transpose(1, 2)
            if self.pooling in ("cls", "last"):
                raise InputError(
                    f"pooling {self.pooling} takes one token of a row, and this backbone gives maps of features",
                    hint="write pooling: mean or max",
                    key="strategy.pooling",
                )
        return pool(states, mask, self.pooling)

    def _states(self, output: Mapping[str, Any]) -> Tensor:
        last: Tensor | None = output.get("last_hidden_state")
        if last is None:
            raise InputError(
                "the backbone gives no states of its last layer to pool",
                hint="leave pooling out: its own head knows what to look at",
                key="strategy.pooling",
            )
        if not self.states:
            return last
        every = output.get(STATES)
        if every is None:
            raise InputError(
                "the backbone does not give the states of its layers",
                hint="leave layers out",
                key="strategy.layers",
            )
        bad = [layer for layer in self.layers if not -len(every) <= layer < len(every)]
        if bad:
            raise InputError(
                f"layer {bad[0]} is not one of the backbone's {len(every) - 1}",
                hint=f"layers go from 0 (before the first) to {len(every) - 1}, or from -1 (the last) down to "
                f"-{len(every)}",
                key="strategy.layers",
            )
        chosen = [every[layer] for layer in self.layers]
        if len({one.shape for one in chosen}) > 1:
            raise InputError(
                "the states of these layers are not of one size, and have no mean",
                hint="write one layer, or several of one stage",
                key="strategy.layers",
            )
        return torch.stack(chosen).mean(0)


Reading = Field | Pooled


def pool(states: Tensor, mask: Tensor | None, pooling: Pooling) -> Tensor:
    """(B, H) of states (B, T, H), in float32; as sentence_transformers' Pooling. mask: (B, T), 0 at padding."""
    states = states.float()
    if mask is None:  # every position counts
        mask = torch.ones(states.shape[:2], device=states.device)
    if mask.shape != states.shape[:2]:
        raise InputError(
            f"the backbone gives {states.shape[1]} states for {mask.shape[1]} tokens: which are padding is not known",
            hint="leave pooling out: its own head knows what to look at",
            key="strategy.pooling",
        )
    if pooling == "mean":
        weights = mask[..., None].to(states)
        return (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
    if pooling == "max":
        return states.masked_fill(mask[..., None] == 0, -torch.inf).amax(1)
    # Padding may stand on either side.
    places = (mask != 0).int()
    first, last = places.argmax(1), places.shape[1] - 1 - places.flip(1).argmax(1)
    rows = torch.arange(len(states), device=states.device)
    return states[rows, first if pooling == "cls" else last]
