"""A lower rate for every block further down (Clark et al. 2020, ELECTRA; Bao et al. 2022, BEiT)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from hftransfer.strategies import structure
from hftransfer.strategies.base import Strategy, exactly, head_and_fresh

if TYPE_CHECKING:
    from torch import nn


class LayerDecay(Strategy):
    """Every weight moves: the head, fresh weights and what stands above the blocks at the full rate, the last of N
    blocks at `decay` times it, the one below at decay^2, ..., the embeddings at decay^(N + 1).

    The exponents are BEiT's (run_class_finetuning.py, get_num_layer_for_vit) and timm's.
    """

    default_learning_rate: ClassVar[float] = 1e-4  # ELECTRA-base's, with its decay of 0.8

    name: Literal["layer-decay"] = "layer-decay"
    decay: float = Field(
        0.8, gt=0, le=1, description="rate of a block, as a share of that of the block above"
    )

    def rates(self, model: nn.Module, fresh: Collection[str]) -> dict[str, float]:
        top = len(structure.blocks(model)) + 1
        whole = set(head_and_fresh(model, fresh))
        rates: dict[str, float] = {}
        for name, depth in structure.depths(model).items():
            rates |= exactly([name], 1.0 if name in whole else self.decay ** (top - depth))
        return rates
