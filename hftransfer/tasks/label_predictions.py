"""What a model says of a whole row: one label, several labels, or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hftransfer.tasks.predictions import Answers, Prediction, Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHOWN = 3
"""Scores that are shown of an answer, unless more are asked for."""


@dataclass(frozen=True)
class Label(Prediction):
    """One of the labels. score: its probability. scores: label -> probability, the likeliest first."""

    label: str
    score: float
    scores: Mapping[str, float]

    def __repr__(self) -> str:
        return f"Label(label={self.label!r}, score={self.score:.4f}, scores={_shown(self.scores)})"

    def columns(self) -> dict[str, Any]:
        return {"prediction": self.label, "score": self.score}

    def record(self, top: int = 1) -> dict[str, Any]:
        record: dict[str, Any] = {"label": self.label, "score": self.score}
        return {**record, "scores": _first(self.scores, top)} if top > 1 else record

    def line(self, top: int = 1) -> str:
        return ", ".join(f"{label} {score:.4f}" for label, score in _first(self.scores, top).items())


@dataclass(frozen=True)
class Labels(Prediction):
    """The labels whose score reaches their threshold. scores: label -> probability of all, the likeliest first."""

    labels: tuple[str, ...]
    scores: Mapping[str, float]

    def __repr__(self) -> str:
        return f"Labels(labels={self.labels!r}, scores={_shown(self.scores)})"

    def columns(self) -> dict[str, Any]:
        return {"prediction": list(self.labels), "scores": [self.scores[label] for label in self.labels]}

    def record(self, top: int = 1) -> dict[str, Any]:
        record = {"labels": list(self.labels), "scores": {label: self.scores[label] for label in self.labels}}
        return {**record, "scores": _first(self.scores, top)} if top > 1 else record

    def line(self, top: int = 1) -> str:
        shown = _first(self.scores, top) if top > 1 else {label: self.scores[label] for label in self.labels}
        return ", ".join(f"{label} {score:.4f}" for label, score in shown.items()) or "none"


@dataclass(frozen=True)
class Values(Prediction):
    """A number for every target, by its name, in the target's own units."""

    values: Mapping[str, float]

    def columns(self) -> dict[str, Any]:
        alone = len(self.values) == 1
        return {"prediction": next(iter(self.values.values())) if alone else dict(self.values)}

    def record(self, top: int = 1) -> dict[str, Any]:
        return dict(self.values)

    def line(self, top: int = 1) -> str:
        return ", ".join(f"{name} {value:.4f}" for name, value in self.values.items())


def _shown(scores: Mapping[str, float]) -> str:
    """The likeliest, to four places: of many labels all are in `scores`, and no one reads them in a list of answers."""
    told = [f"{label!r}: {score:.4f}" for label, score in _first(scores, SHOWN).items()]
    more = [f"... {len(scores) - SHOWN} more"] if len(scores) > SHOWN else []
    return "{" + ", ".join([*told, *more]) + "}"


def _first(scores: Mapping[str, float], count: int) -> dict[str, float]:
    return dict(list(scores.items())[:count])


def one_label(ids: NDArray[np.int64], scores: NDArray[np.float64], labels: Sequence[str]) -> Predictions:
    """ids: (N,) the chosen class of every row. scores: (N, C) probabilities."""

    def answer(row: int) -> Label:
        index = int(ids[row])
        return Label(labels[index], float(scores[row, index]), _ranked(scores[row], labels))

    return Predictions(ids, scores, Answers(len(ids), answer))


def several_labels(
    chosen: NDArray[np.int64], scores: NDArray[np.float64], labels: Sequence[str]
) -> Predictions:
    """chosen: (N, C) of 0 and 1. scores: (N, C) probabilities."""

    def answer(row: int) -> Labels:
        ranked = _ranked(scores[row], labels)
        kept = {label for label, one in zip(labels, chosen[row], strict=True) if one}
        return Labels(tuple(label for label in ranked if label in kept), ranked)

    return Predictions(chosen, scores, Answers(len(chosen), answer))


def _ranked(scores: NDArray[np.float64], labels: Sequence[str]) -> dict[str, float]:
    return {labels[index]: float(scores[index]) for index in (-scores).argsort(kind="stable")}
