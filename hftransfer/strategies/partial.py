"""The top of the backbone under the head: the last blocks move, what lies below them is frozen."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hftransfer.errors import InputError
from hftransfer.strategies import structure
from hftransfer.strategies.base import Strategy, check_blocks, exactly, head_and_fresh

if TYPE_CHECKING:
    from torch import nn


class Partial(Strategy):
    """The last blocks, what stands above them (a last norm, a pooler), the head and fresh weights move.

    Or, with `parameters`, those of the backbone that it names, the head and fresh weights.
    """

    default_learning_rate: ClassVar[float] = 5e-5  # as full: the weights that move are of the same kind

    name: Literal["partial"] = "partial"
    blocks: int | None = Field(
        None, gt=0, description="how many of the backbone's repeated blocks move, from the top; by default 2"
    )
    parameters: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="instead of blocks: regular expressions, of which one has to be found in the name of a parameter "
        "that moves: [layer.5, LayerNorm]",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.blocks is not None and self.parameters is not None:
            raise ValueError("blocks and parameters are two ways to say the same: leave one out")
        for pattern in self.parameters or ():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"parameters: {pattern!r} is no regular expression ({error})") from None
        return self

    def rates(self, model: nn.Module, fresh: Collection[str]) -> dict[str, float]:
        whole = head_and_fresh(model, fresh)
        moved = self._above(model) if self.parameters is None else self._named(model, self.parameters)
        return exactly([*whole, *(name for name in moved if name not in whole)])

    def _above(self, model: nn.Module) -> list[str]:
        blocks, count = structure.blocks(model), self.blocks or 2
        check_blocks(blocks, count, "partial: blocks")
        return [name for name, depth in structure.depths(model).items() if depth > len(blocks) - count]

    def _named(self, model: nn.Module, patterns: tuple[str, ...]) -> list[str]:
        names = [name for name, _ in model.named_parameters()]
        for pattern in patterns:
            if not any(re.search(pattern, name) for name in names):
                raise InputError(
                    f"partial: no parameter of {type(model).__name__} has a name with {pattern!r} in it",
                    hint=f"names look like {names[len(names) // 2]}",
                )
        return [name for name in names if any(re.search(pattern, name) for pattern in patterns)]
