"""Biases alone (BitFit, Ben Zaken et al. 2022, arXiv:2106.10199), beside the head."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar, Literal

from hftransfer.errors import InputError
from hftransfer.strategies import structure
from hftransfer.strategies.base import Strategy, exactly, head_and_fresh

if TYPE_CHECKING:
    from torch import nn


class BitFit(Strategy):
    """The biases of the backbone (its norms' too), the head and fresh weights move; all else is frozen."""

    # The paper searched 1e-4 to 1e-3; a bias moves its output directly, and bears more than a weight.
    default_learning_rate: ClassVar[float] = 1e-3

    name: Literal["bitfit"] = "bitfit"

    def rates(self, model: nn.Module, fresh: Collection[str]) -> dict[str, float]:
        whole = head_and_fresh(model, fresh)
        biases = [n for n, _ in model.named_parameters() if n.rpartition(".")[2] == "bias" and n not in whole]
        if not biases:
            raise InputError(
                f"bitfit finds no bias in the backbone of {type(structure.pretrained(model)[1]).__name__}",
                hint="its architecture has none: use the strategy lora, or ia3",
            )
        return exactly([*whole, *biases])
