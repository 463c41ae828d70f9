"""(IA)^3 (Liu et al. 2022, arXiv:2205.05638) by PEFT: a learned factor for every feature, with all weights frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from hftransfer.strategies.adapter import ADAPTER, Adapter

if TYPE_CHECKING:
    from peft import PeftConfig
    from torch import nn


class IA3(Adapter):
    """Every adapted layer's outputs are scaled by a learned vector, which starts at one.

    The paper scales keys, values and what the feed-forward layer holds inside. Which layer is a key is known by its
    name alone; so all linear layers of the blocks are scaled, those that narrow (out of the feed-forward layer) on
    their inputs. `targets: [key, value, output.dense]` gives the paper's own choice for BERT.
    """

    default_learning_rate: ClassVar[float] = 3e-3  # the paper's
    trained: ClassVar[str] = rf"\.ia3_l\.{ADAPTER}$"

    name: Literal["ia3"] = "ia3"

    def peft_config(self, targets: list[str], whole: list[str], model: nn.Module) -> PeftConfig:
        from peft import IA3Config
        from torch import nn

        linear = {name: one for name, one in model.named_modules() if isinstance(one, nn.Linear)}
        inward = [name for name in targets if name in linear and _narrows(linear[name])]
        return IA3Config(target_modules=targets, feedforward_modules=inward, modules_to_save=whole)


def _narrows(layer: nn.Linear) -> bool:
    return layer.out_features < layer.in_features
