"""What a model says of rows: one prediction for each, and what metrics compare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class Prediction(ABC):
    """What a model says of one row; every task has its own, a frozen dataclass."""

    @abstractmethod
    def columns(self) -> dict[str, Any]:
        """As columns of a table: `prediction` first, then what belongs to it."""

    @abstractmethod
    def record(self, top: int = 1) -> dict[str, Any]:
        """As JSON. top: how many alternatives to tell where there are any."""

    @abstractmethod
    def line(self, top: int = 1) -> str:
        """In one line of text."""


class Answers(Sequence[Any]):
    """Predictions, or what is large of them, made when asked for: an evaluation that only counts needs none."""

    def __init__(self, count: int, make: Callable[[int], Any]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self._make(one) for one in range(*row.indices(self._count))]
        if not -self._count <= row < self._count:
            raise IndexError(row)
        return self._make(row % self._count)


@dataclass(frozen=True)
class Predictions:
    """What a model says about N rows.

    values: what metrics compare with `Task.references`, one a row. scores: what backs them, where a metric asks for it
    (classes: (N, C) probabilities). answers: the same as a user is told it. beside: of rows with targets, columns that
    are kept with them and that neither the targets nor the answers hold; best made when asked for (`Answers`).
    """

    values: Any
    scores: Any
    answers: Sequence[Prediction]
    beside: Mapping[str, Sequence[Any]] = field(default_factory=dict)
