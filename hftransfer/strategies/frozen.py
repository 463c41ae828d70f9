"""A frozen backbone under a trained head: linear probing, where the head is one linear layer."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar, Literal

from hftransfer.strategies import structure
from hftransfer.strategies.base import Strategy, exactly

if TYPE_CHECKING:
    from torch import nn


class Frozen(Strategy):
    """Only the head (all outside the backbone) and fresh weights move; the rest keeps every byte."""

    default_learning_rate: ClassVar[float] = 1e-3

    name: Literal["frozen"] = "frozen"

    def rates(self, model: nn.Module, fresh: Collection[str]) -> dict[str, float]:
        prefix, _ = structure.pretrained(model)
        return exactly([*structure.head_parameters(model), *(structure.join(prefix, name) for name in fresh)])
