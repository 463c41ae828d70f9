"""What came out of a run, as result.json holds it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = 1
"""Version of result.json. It goes up when a field changes its meaning or goes away, not when one is added."""


@dataclass(frozen=True, repr=False)
class Outcome:
    """The facts of a finished run. A field that is added has a default: older runs do not have it.

    inputs: the roles that the model was trained with (text, or text and text_pair, ...).
    metrics: split -> metric -> value (validation always, test where there is one). baselines: the same of a guess that
    costs nothing, by its name ("majority"), and of the arms that the run was compared with.
    parameters: {"total", "trained"}. examples: rows of every split. steps: optimizer steps taken; best_step: the
    one whose weights were kept. seconds: {"data", "checkpoint", "train", "score", "save", "total"}.
    reload_check: {"max_difference", "rows", "ways"}, see `proof`. max_length: the most tokens the model takes.
    intervals: split -> metric -> (low, high) at 95 %, by resampling the rows, for the metrics that have one (see
    `metrics.intervals`); empty for runs from before it was computed.
    calibration: {} where scores are no chances, or were to stay as they are. Else "temperature": what logits are
    divided by, fitted on validation, and "why" it stays 1, or ""; "folded": whether the saved weights do so by
    themselves (where not, `predict` and `evaluate` do); "ece", "nll", "brier": split -> {"before", "after"}, see
    `metrics.calibration`. All that is in `metrics` is from after, but for `loss`: that is the training's, from before.
    card: the sha256 of the model's card as it was written: one that somebody has edited is another.
    evidence: what the run was compared with, and what that shows; empty where nothing was asked for. See
    `evidence.verdict`; the arms' metrics are among the baselines, too.
    """

    run_dir: Path
    task: str
    strategy: str
    checkpoint: Mapping[str, Any]
    inputs: tuple[str, ...]
    labels: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, Any]]
    baselines: Mapping[str, Mapping[str, Mapping[str, Any]]]
    parameters: Mapping[str, int]
    examples: Mapping[str, int]
    steps: int
    best_step: int
    best_metric: str
    seconds: Mapping[str, float]
    peak_memory_bytes: int
    reload_check: Mapping[str, Any]
    max_length: int | None
    findings: tuple[str, ...]
    intervals: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    card: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As result.json holds it."""
        facts = {"schema": SCHEMA, **dataclasses.asdict(self)}
        del facts["run_dir"]  # a folder may be moved
        return facts
