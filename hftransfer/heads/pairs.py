"""Pairs whose texts are read apart: u and v of each, seen by a head as (u, v, |u - v|).

As InferSent (Conneau et al. 2017, arXiv:1705.02364) and Sentence-BERT (Reimers & Gurevych 2019, arXiv:1908.10084).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

SECOND = "second_"
"""Begins the name of every input that belongs to the second text of a pair."""


def sides(inputs: Mapping[str, T]) -> list[dict[str, T]]:
    """The inputs of one text: of a pair that is read apart, those of the first and those of the second."""
    first = {name: value for name, value in inputs.items() if not name.startswith(SECOND)}
    second = {name.removeprefix(SECOND): value for name, value in inputs.items() if name.startswith(SECOND)}
    return [first, second] if second else [first]


def combine(features: Sequence[Tensor]) -> Tensor:
    """What a head sees of one side (..., D), as it is, or of two: (..., 3 D)."""
    import torch

    if len(features) == 1:
        return features[0]
    first, second = features
    return torch.cat([first, second, (first - second).abs()], dim=-1)
