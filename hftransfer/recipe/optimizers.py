"""The optimizers that a recipe may name, with their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from hftransfer.registry import Options

Share = Annotated[float, Field(ge=0, lt=1)]


class AdamW(Options):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019); fused kernel."""

    name: Literal["adamw"] = "adamw"
    weight_decay: float = Field(
        0.01, ge=0, description="not applied to biases and norms (tensors of one dimension)"
    )
    betas: tuple[Share, Share] = Field(
        (0.9, 0.999), description="decay rates of the averages of gradient and square"
    )
    epsilon: float = Field(1e-8, gt=0)


class Adam(Options):
    """Adam (Kingma & Ba 2015), weight decay as an L2 term of the gradient; fused kernel."""

    name: Literal["adam"] = "adam"
    weight_decay: float = Field(0.0, ge=0)
    betas: tuple[Share, Share] = Field(
        (0.9, 0.999), description="decay rates of the averages of gradient and square"
    )
    epsilon: float = Field(1e-8, gt=0)


class SGD(Options):
    """Stochastic gradient descent with momentum; fused kernel."""

    name: Literal["sgd"] = "sgd"
    weight_decay: float = Field(0.0, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False


class RMSprop(Options):
    """RMSprop as in torch."""

    name: Literal["rmsprop"] = "rmsprop"
    weight_decay: float = Field(0.0, ge=0)
    momentum: float = Field(0.0, ge=0, lt=1)
    alpha: float = Field(0.99, gt=0, lt=1)
    epsilon: float = Field(1e-8, gt=0)


def _named(value: Any) -> Any:
    """`sgd` as `{name: sgd}`; options without a name are those of the default, AdamW."""
    if isinstance(value, str):
        return {"name": value}
    return {"name": "adamw", **value} if isinstance(value, Mapping) else value


Optimizer = Annotated[AdamW | Adam | SGD | RMSprop, Field(discriminator="name"), BeforeValidator(_named)]
