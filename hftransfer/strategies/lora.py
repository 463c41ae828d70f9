"""Low-rank adaptation (Hu et al. 2022, arXiv:2106.09685) by PEFT: W + alpha/rank * B A, with W frozen."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from hftransfer.strategies.adapter import ADAPTER, Adapter

if TYPE_CHECKING:
    from peft import PeftConfig
    from torch import nn


class LoRA(Adapter):
    """Low-rank updates of the backbone's linear maps; the head and fresh weights are trained whole.

    The defaults of rank, alpha and dropout are those of PEFT's GLUE example for RoBERTa.
    """

    # About ten times that of full: B starts at zero, and a small update is spread over two factors.
    default_learning_rate: ClassVar[float] = 5e-4
    trained: ClassVar[str] = rf"\.lora_(?:[AB]|magnitude_vector)\.{ADAPTER}\."

    name: Literal["lora"] = "lora"
    rank: int = Field(8, gt=0, description="rows of A and columns of B in each update B A")
    alpha: float = Field(16.0, gt=0, description="an update counts alpha / rank times")
    dropout: float = Field(0.1, ge=0, lt=1, description="on the input of each update, in training")
    rslora: bool = Field(
        False,
        description="an update counts alpha / sqrt(rank) times: high ranks learn as fast (arXiv:2312.03732)",
    )
    dora: bool = Field(
        False,
        description="the length of every row of W is learned apart from its direction (DoRA, arXiv:2402.09353)",
    )
    b_rate: float = Field(
        1.0,
        gt=0,
        description="B learns so many times faster than A: 16 in LoRA+ (arXiv:2402.12354), with a lower learning_rate",
    )

    def rates(self, model: nn.Module, fresh: Collection[str]) -> dict[str, float]:
        return {rf"\.lora_B\.{ADAPTER}\.": self.b_rate, **super().rates(model, fresh)}

    def peft_config(self, targets: list[str], whole: list[str], model: nn.Module) -> PeftConfig:
        from peft import LoraConfig

        # No task_type: with one, PEFT guesses the head from a list of names, and what it misses is neither
        # trained nor saved.
        return LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            use_rslora=self.rslora,
            use_dora=self.dora,
            target_modules=targets,
            modules_to_save=whole,
        )
