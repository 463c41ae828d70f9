"""What a strategy is: which parameters move, how fast, and which modules stay in evaluation mode.

A strategy sees a model, the names of its fresh (newly initialised) weights, and its own options; never the
task, the data or the loop.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from hftransfer.errors import InputError
from hftransfer.heads.options import Fitted, Head, Pooling
from hftransfer.registry import Options, Part
from hftransfer.strategies import structure

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


Rate = Annotated[float, Field(gt=0)]
Sampling = Literal["natural", "balanced"]
Layers = Annotated[
    tuple[int, ...], Field(min_length=1), BeforeValidator(lambda one: (one,) if isinstance(one, int) else one)
]
"""A layer, or several whose states are averaged."""
Decay = Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class Probe:
    """A training before the training. strategy: what moves in it. epochs, rate: how long, and how fast at most.

    sampling: in place of `training.sampling`, where it is not None.
    """

    strategy: Strategy
    epochs: int
    rate: float
    sampling: Sampling | None


@dataclass(frozen=True)
class OtherHead:
    """options: what it is. readings: (pooling, layers) that it is to stand on, the best of several; none: what the
    architecture's own head looks at."""

    options: Head
    readings: tuple[tuple[Pooling, tuple[int, ...]], ...]

    @property
    def fitted(self) -> bool:
        """Whether it is fitted once, and not trained by gradients."""
        return isinstance(self.options, Fitted)


class Grid(Options):
    """Heads to train at once, one for every combination: the best on validation is kept."""

    learning_rates: tuple[Rate, ...] = Field(
        (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2e-1),
        min_length=1,
        description="peak rates, in place of training.learning_rate",
    )
    weight_decays: tuple[Decay, ...] = Field(
        (0.0, 0.01), min_length=1, description="in place of the optimizer's"
    )
    seeds: int = Field(1, gt=0, description="heads for each of these, drawn differently")
    poolings: tuple[Pooling, ...] = Field(
        (), description="heads on each of these, in place of the strategy's pooling: [cls, mean]"
    )
    layers: tuple[Layers, ...] = Field(
        (), description="and on each of these layers, or means of several: [-1, -2, [-1, -2, -3, -4]]"
    )


class Strategy(Part):
    """Base of every strategy.

    `model` is a transformers model with a head; after `apply`, what `apply` gave, or a wrapper around that.
    """

    default_learning_rate: ClassVar[float]
    """Peak learning rate where the recipe gives none."""

    reinitialize: int = Field(
        0,
        ge=0,
        description="blocks of the backbone, from the top, that start from random: they may know too much of what the "
        "checkpoint was trained for (Zhang et al. 2021, arXiv:2006.05987)",
    )

    def renew(self, model: PreTrainedModel) -> set[str]:
        """Draw the `reinitialize` last blocks anew, as the architecture does, from torch's global generator; names of
        their parameters.

        Raises InputError for more blocks than there are, and for BatchNorm layers in them that would be held.
        """
        if not self.reinitialize:
            return set()
        blocks = structure.blocks(model)
        check_blocks(blocks, self.reinitialize, f"{self.name}: reinitialize")
        chosen = set(blocks[-self.reinitialize :])
        modules = {id(one) for name, one in model.named_modules() if structure.within(f"{name}.", chosen)}
        if any(id(one) in modules and one in self.held(model) for one in structure.batch_norms(model)):
            raise InputError(
                f"{self.name}: reinitialize would draw BatchNorm layers anew whose statistics stay as they start",
                hint="write strategy: {name: full, batch_norm: update, reinitialize: ...}, or leave it out",
            )
        names = {name for name, _ in model.named_parameters() if structure.within(name, chosen)}
        structure.initialize(model, names)
        return names

    @property
    def peak(self) -> float:
        """The peak learning rate of a recipe that gives none."""
        return self.default_learning_rate

    @property
    def least_epochs(self) -> int:
        """The fewest epochs in which it does what it is for."""
        return 1

    @property
    def heads(self) -> Grid | None:
        """The heads that are to be trained at once, where that is asked for."""
        return None

    @property
    def other_head(self) -> OtherHead | None:
        """The head to put in the place of the architecture's own, where one is asked for."""
        return None

    @property
    def probe(self) -> Probe | None:
        """What is trained first, where that is not what is trained then."""
        return None

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

        Frozen means frozen: neither dropout nor BatchNorm's running statistics may move there. The statistics of the
        backbone's BatchNorm layers stay even where their weights move: small batches give poor ones, and some models
        (MobileNetV2) forget the old ones within two.
        """
        held: set[nn.Module] = set(structure.batch_norms(model))
        for module in model.modules():
            parameters = list(module.parameters())
            if parameters and not any(parameter.requires_grad for parameter in parameters):
                held.update(module.modules())
        return held

    def train_mode(self, model: nn.Module, epoch: int | None = None, epochs: int = 1) -> None:
        """Put the model in training mode, and what is `held` in evaluation mode.

        epoch: which of `epochs` (from 0) it is to be trained in, for a strategy that moves more and more; None for all
        that it ever moves.
        """
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


def head_and_fresh(model: nn.Module, fresh: Collection[str]) -> list[str]:
    """Names of what every strategy trains: the head's parameters, and fresh weights wherever they are.

    fresh: names in the transformers model inside `model`.
    """
    prefix, _ = structure.pretrained(model)
    return [*structure.head_parameters(model), *(structure.join(prefix, name) for name in fresh)]


def check_blocks(blocks: Collection[str], asked: int, option: str) -> None:
    """Raises InputError when more of the backbone's blocks are asked for than it has. option: what asks, for users."""
    if asked > len(blocks):
        raise InputError(
            f"{option} is {asked}, and this backbone has {len(blocks)} blocks"
            if blocks
            else f"{option}: this backbone has no repeated blocks",
            hint=f"write at most {len(blocks)}" if blocks else "use the strategy full",
        )


def exactly(names: Iterable[str], rate: float = 1.0) -> dict[str, float]:
    """A table of rates that matches these parameter names and no other."""
    return {f"^{re.escape(name)}$": rate for name in names}
