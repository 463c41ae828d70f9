"""Unfreezing from the top, a block at a time (ULMFiT, Howard & Ruder 2018, arXiv:1801.06146)."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from hftransfer.errors import InputError
from hftransfer.strategies import structure
from hftransfer.strategies.base import Strategy

if TYPE_CHECKING:
    from torch import nn


class Gradual(Strategy):
    """At first what stands above the blocks moves alone (the head, a pooler, a last norm); every epoch takes in more
    blocks, from the top. With the first block moves all that stands below it.
    """

    default_learning_rate: ClassVar[float] = 1e-4

    name: Literal["gradual"] = "gradual"
    until: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="share of the epochs after which all blocks move; in between, in equal parts",
    )

    @property
    def least_epochs(self) -> int:
        return 2

    def rates(self, model: nn.Module, fresh: Collection[str]) -> dict[str, float]:
        return {".": 1.0}

    def train_mode(self, model: nn.Module, epoch: int | None = None, epochs: int = 1) -> None:
        """As `Strategy.train_mode`. Raises InputError where there is but one epoch to do all that in."""
        if epoch is not None and epochs < 2:
            raise InputError(
                "gradual unfreezes a part of the model after every epoch, and there is one epoch",
                hint="write training.epochs: 3 or more, or use the strategy full",
                key="training.epochs",
            )
        count = len(structure.blocks(model))
        done = 1.0 if epoch is None else min(1.0, epoch / epochs / self.until)
        frozen = count - math.ceil(done * count)
        depths = structure.depths(model)
        for name, parameter in model.named_parameters():
            # All at once with the first block: without blocks everything would stay frozen below the head.
            parameter.requires_grad_(depths[name] > frozen or frozen == 0)
        super().train_mode(model)
