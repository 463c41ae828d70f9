"""What a strategy is: which parameters move, how fast, and which modules stay in evaluation mode.

A strategy sees a model, the names of its fresh (newly initialised) weights, and its own options; never the
task, the data or the loop.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from hftransfer.errors import InputError
from hftransfer.registry import Part
from hftransfer.strategies import structure

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


class Strategy(Part):
    """Base of every strategy.

    `model` is a transformers model with a head; after `apply`, what `apply` gave, or a wrapper around that.
    """

    default_learning_rate: ClassVar[float]
    """Peak learning rate where the recipe gives none."""

    @abstractmethod
    def rates(self, model: nn.Module, fresh: Collection[str]) -> dict[str, float]:
        """Regular expression over the full parameter names of `model` -> multiplier of the learning rate.

        The first that matches (re.search) counts; a parameter that none matches is frozen.
        """

    def apply(self, model: nn.Module, fresh: Collection[str]) -> nn.Module:
        """The model as it will be trained: adapters in place, `requires_grad` set from `rates`.

        model: changed in place, too. fresh: names of weights that the checkpoint did not hold.
        Raises InputError when the strategy finds nothing to train in this model.
        """
        patterns = [re.compile(pattern) for pattern in self.rates(model, fresh)]
        trained = 0
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(any(pattern.search(name) for pattern in patterns))
            trained += parameter.requires_grad
        if not trained:
            raise InputError(
                f"the strategy {self.name} finds no parameter to train in {type(model).__name__}",
                hint="it has no head and no fresh weights: use the strategy full or lora",
            )
        return model

    def held(self, model: nn.Module) -> set[nn.Module]:
        """The modules that stay in evaluation mode: each whose parameters are all frozen, and all inside it.

        Frozen means frozen: neither dropout nor BatchNorm's running statistics may move there.
        """
        held: set[nn.Module] = set()
        for module in model.modules():
            parameters = list(module.parameters())
            if parameters and not any(parameter.requires_grad for parameter in parameters):
                held.update(module.modules())
        return held

    def train_mode(self, model: nn.Module) -> None:
        """Put the model in training mode, and what is `held` in evaluation mode."""
        model.train()
        for module in self.held(model):
            module.eval()

    def state(self, model: nn.Module) -> set[str]:
        """Names in `model.state_dict()` of what training may change, and a training checkpoint must hold.

        They are the trained parameters, and the buffers of the modules that are not held.
        """
        held = self.held(model)
        trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        buffers = {
            structure.join(path, name)
            for path, module in model.named_modules()
            if module not in held
            for name, _ in module.named_buffers(recurse=False)
        }
        return trained | (buffers & model.state_dict().keys())

    def plain(self, model: nn.Module) -> PreTrainedModel:
        """The transformers model with everything learned in its own weights, ready for `save_pretrained`.

        The trained model stays as it is; what is returned may share its tensors.
        """
        return structure.pretrained(model)[1]

    def save_adapter(self, model: nn.Module, folder: Path, *, base: str | None = None) -> bool:
        """Write what was learned into `folder` as an adapter; False, with nothing written, if there is none.

        base: the checkpoint (id or folder) that the adapter belongs to; by default where the model came from.
        """
        return False


def exactly(names: Iterable[str], rate: float = 1.0) -> dict[str, float]:
    """A table of rates that matches these parameter names and no other."""
    return {f"^{re.escape(name)}$": rate for name in names}
