"""A frozen backbone under a trained head: linear probing, where the head is one linear layer."""

from __future__ import annotations

from collections.abc import Collection
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hftransfer.heads import MLP, Fitted, Head, Linear
from hftransfer.heads.options import Pooling
from hftransfer.strategies import structure
from hftransfer.strategies.base import Grid, Layers, OtherHead, Strategy, exactly, head_and_fresh

if TYPE_CHECKING:
    from torch import nn


MLP_RATE = 1e-3


class Frozen(Strategy):
    """Only the head (all outside the backbone) and fresh weights move; the rest keeps every byte."""

    # A head alone bears and needs far more than a whole network. Of 1e-2 ... 1e-1, images preferred the low end and
    # texts the high one (SST-2, banking77, sign digits; one run each): this lies between.
    default_learning_rate: ClassVar[float] = 2e-2

    name: Literal["frozen"] = "frozen"
    head: Head = Field(
        Linear(),
        description="linear, mlp, or a learner of scikit-learn: logistic-regression, svm, knn, random-forest, "
        "gradient-boosting, ridge; a name, or a section with `name` and options",
    )
    pooling: Pooling | None = Field(
        None,
        description="what the head sees of a row: the state of the first token (cls) or the last, or the mean or "
        "maximum over all; by default what the architecture's own head sees",
    )
    layers: Layers = Field(
        (-1,),
        description="the layer whose states are pooled, or several, whose mean: -1 is the last, 1 the first",
    )
    dropout: bool = Field(
        False,
        description="dropout in the architecture's own head while it trains, as the checkpoint's config has it; a "
        "linear probe has none",
    )
    grid: Grid | None = Field(
        None,
        description="train many heads at once, on what the backbone said of every row, and keep the best on "
        "validation: `grid: {}` tries sixteen",
    )

    @model_validator(mode="after")
    def _only_what_fits(self) -> Self:
        if self.reinitialize:
            raise ValueError(
                "reinitialize draws blocks anew, which then have to be trained, and frozen trains the head alone: use "
                "the strategy partial"
            )
        grid = self.grid or Grid()
        if isinstance(self.head, Fitted) and self.grid is not None:
            raise ValueError(
                f"a grid is of heads that are trained, and {self.head.name} is fitted once: leave it out"
            )
        if self.layers != (-1,) and grid.layers:
            raise ValueError("layers and grid.layers are two ways to say the same: leave one out")
        if self.pooling is not None and grid.poolings:
            raise ValueError("pooling and grid.poolings are two ways to say the same: leave one out")
        if (self.layers != (-1,) or grid.layers) and not (self.pooling or grid.poolings):
            raise ValueError("the states of layers have to be pooled: write pooling: mean, too")
        if self.dropout and self.other_head is not None:
            raise ValueError(
                "dropout is of the architecture's own head, which this is not: write head.dropout of an mlp"
            )
        return self

    @property
    def other_head(self) -> OtherHead | None:
        grid = self.grid or Grid()
        poolings = grid.poolings or ((self.pooling,) if self.pooling else ())
        if not poolings and isinstance(self.head, Linear):
            return None
        return OtherHead(self.head, tuple(product(poolings, grid.layers or (self.layers,))))

    @property
    def peak(self) -> float:
        if self.grid is not None:
            return max(self.grid.learning_rates)
        # The layers of an mlp learn as those of a network do, not as one linear map.
        return MLP_RATE if isinstance(self.head, MLP) else self.default_learning_rate

    @property
    def heads(self) -> Grid | None:
        return self.grid

    def rates(self, model: nn.Module, fresh: Collection[str]) -> dict[str, float]:
        # What is fresh in the backbone stays so below a head of another kind: it does not look at it.
        whole = structure.head_parameters(model) if self.other_head else head_and_fresh(model, fresh)
        return exactly(whole)

    def apply(self, model: nn.Module, fresh: Collection[str]) -> nn.Module:
        if not isinstance(self.head, Fitted):
            return super().apply(model, fresh)
        # A learner is no parameter: there may be none to train.
        head = set(structure.head_parameters(model))
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in head)
        return model

    def plain(self, model: nn.Module) -> Any:
        return super().plain(model) if self.other_head is None else model

    def held(self, model: nn.Module) -> set[nn.Module]:
        # With dropout, MiniLM's probe on SST-2 scores 0.74 where it scores 0.76 without and logistic regression 0.75.
        if structure.is_head(model):
            return set() if self.other_head or self.dropout else set(structure.dropouts(model))
        inside = structure.backbone(model) if self.other_head else model
        return super().held(model) | (set() if self.dropout else set(structure.dropouts(inside)))
