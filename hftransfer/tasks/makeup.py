"""What splits are made of: how long their texts are in tokens before anything is cut, and how much of every label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hftransfer.tasks.base import Examples, Task

BARS = 60
"""Of a histogram of lengths."""
TAIL = 0.995
"""Longer texts than this share of all are counted in its last bar."""


@dataclass(frozen=True)
class Whole:
    """tokens: (N,) of every text as a whole, special ones included. most: that an example has, None for any number.

    longer: what becomes of texts that have more than that, in words.
    """

    tokens: NDArray[np.int64]
    most: int | None
    longer: str = "cut"

    @property
    def over(self) -> int:
        """How many texts are longer than an example."""
        return 0 if self.most is None else int((self.tokens > self.most).sum())


def token_lengths(examples: Mapping[str, Examples]) -> dict[str, Any]:
    """By split, the lengths of texts: {} where examples are no texts.

    {"longer": "cut", "edges": (B + 1,), "splits": {split: {"texts", "limit", "over", "median", "p99", "longest",
    "counts": (B,)}}}: counts of texts by tokens in bars of one width, what lies beyond the last edge in the last bar.
    """
    import numpy as np

    found = {
        name: whole for name, one in examples.items() if (whole := getattr(one, "whole", None)) is not None
    }
    every = np.concatenate([np.zeros(0, np.int64), *(one.tokens for one in found.values())])
    if not len(every):
        return {}
    top = int(np.quantile(every, TAIL, method="higher"))
    edges = np.arange(0, top + 1 + (width := -(-(top + 1) // BARS)), width)
    return {
        "longer": next(iter(found.values())).longer,
        "edges": edges.tolist(),
        "splits": {name: _counted(one, edges) for name, one in found.items() if len(one.tokens)},
    }


def _counted(whole: Whole, edges: NDArray[np.int64]) -> dict[str, Any]:
    import numpy as np

    tokens = whole.tokens
    return {
        "texts": len(tokens),
        "limit": whole.most,
        "over": whole.over,
        "median": int(np.median(tokens)),
        "p99": int(np.quantile(tokens, 0.99, method="higher")),
        "longest": int(tokens.max()),
        "counts": np.histogram(np.minimum(tokens, edges[-1] - 1), edges)[0].tolist(),
    }


def balance(task: Task, splits: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """{"unit": "rows", "splits": {split: (C,) of every label, in their order}}; {} for tasks without labels."""
    found = {name: task.amounts(rows, labels) for name, rows in splits.items()}
    told = {name: amounts.tolist() for name, amounts in found.items() if amounts is not None}
    return {"unit": task.amounts_of, "splits": told} if told else {}
