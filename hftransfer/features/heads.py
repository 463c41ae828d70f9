"""Many heads on the same features, trained at once: every layer of theirs is one batched matrix product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from transformers.modeling_outputs import SequenceClassifierOutput

from hftransfer.features.head import HeadModel
from hftransfer.tasks.base import Loss


class Heads(nn.Module):
    """Copies of a head: `forward(features)` gives the logits of all of them, (G, B, C), each as it would alone."""

    def __init__(self, head: HeadModel, states: Sequence[Mapping[str, Tensor]]) -> None:
        """states: of every copy, parameter name (in `head`) -> its value."""
        super().__init__()
        self.head = head
        self.names = tuple(states[0])
        self.copies = nn.ModuleList(
            nn.ParameterList(nn.Parameter(state[name].detach().clone()) for name in self.names)
            for state in states
        )

    def forward(self, features: Tensor) -> SequenceClassifierOutput:
        """features: (B, ...), as for one head."""
        stacked = {
            name: torch.stack(values)
            for name, *values in zip(self.names, *(copy.parameters() for copy in self.copies), strict=True)
        }

        def one(state: dict[str, Tensor]) -> Tensor:
            logits: Tensor = functional_call(self.head, state, (features,)).logits
            return logits

        return SequenceClassifierOutput(logits=torch.vmap(one, randomness="different")(stacked))

    def state(self, number: int) -> dict[str, Tensor]:
        """The parameters of one of the copies, by their names in the head."""
        return dict(zip(self.names, self.copies[number].parameters(), strict=True))


@dataclass(frozen=True)
class SumOverHeads:
    """The loss of every head, added up: each head gets the gradient that it would get alone."""

    loss: Loss

    def sum(self, output: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """output.logits: (G, B, C)."""
        losses: Tensor = torch.vmap(lambda logits: self.loss.sum(SimpleNamespace(logits=logits), batch))(
            output.logits
        )
        return losses.sum()

    def weight(self, batch: Mapping[str, Tensor]) -> Tensor:
        return self.loss.weight(batch)
