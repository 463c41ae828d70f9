"""The facts that a run yields, in order. Whoever watches a run sees these and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Stage:
    """A part of the run begins. name: as in a result's `seconds`. title: for people, e.g. "loading the data".

    within: of what the run is compared with, which that is: "random-weights (2 of 3)"; empty for the run itself.
    """

    name: str
    title: str
    within: str = ""


@dataclass(frozen=True)
class Note:
    """Something that a user must know: rows set aside, texts cut, columns ignored."""

    message: str


@dataclass(frozen=True)
class Loaded:
    """The rows are there: so many of every split, and so many labels (0 where the task has none)."""

    examples: Mapping[str, int]
    labels: int


@dataclass(frozen=True)
class Extraction:
    """A frozen backbone is asked about rows: so many of those that this process has to ask about are done."""

    rows: int
    total: int


@dataclass(frozen=True)
class Begin:
    """Training begins: how much there is to do. `step` is where it starts (above 0 after a resume)."""

    steps: int
    epochs: int
    step: int
    examples: int
    total_parameters: int
    trained_parameters: int


@dataclass(frozen=True)
class Step:
    """One optimizer step is done.

    step: steps done so far, from 1. epoch: its number, from 0. epoch_end: the last step of its epoch.
    examples: rows seen so far. loss: mean over this step's targets, before the update.
    learning_rate: the rate of this update, before per-parameter multipliers. gradient_norm: before clipping.
    """

    step: int
    epoch: int
    epoch_end: bool
    examples: int
    loss: float
    learning_rate: float
    gradient_norm: float | None


@dataclass(frozen=True)
class Evaluation:
    """The validation rows were scored. best: these weights are the best so far and are the ones kept."""

    step: int
    epoch: int
    metrics: Mapping[str, Any]
    best: bool


Event = Stage | Note | Loaded | Extraction | Begin | Step | Evaluation
