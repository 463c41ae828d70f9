"""Full fine-tuning: every weight moves, as in Devlin et al. 2019 (BERT)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from hftransfer.strategies.base import Strategy

if TYPE_CHECKING:
    from torch import nn


class Full(Strategy):
    """Every parameter moves at the full rate."""

    default_learning_rate: ClassVar[float] = 5e-5

    name: Literal["full"] = "full"
    batch_norm: Literal["hold", "update"] = Field(
        "hold",
        description="running statistics of the backbone's BatchNorm layers: kept as pretrained, or moved by "
        "each batch (their weights are trained either way)",
    )

    def rates(self, model: nn.Module, fresh: Collection[str]) -> dict[str, float]:
        return {".": 1.0}

    def held(self, model: nn.Module) -> set[nn.Module]:
        return set() if self.batch_norm == "update" else super().held(model)
