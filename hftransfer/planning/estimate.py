"""The facts of a plan, as `hftransfer plan --json` prints them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hftransfer.planning.told import told
from hftransfer.summary import html_facts


@dataclass(frozen=True)
class Tokens:
    """Tokens of the training examples, special ones included.

    limit: the most that is kept of one. mean, p99, longest: of one, after cutting. cut: how many rows have lost some,
    None for a task that reads long texts in windows. padding: share of what batches hold that is none of them.
    """

    limit: int | None
    mean: float
    p99: int
    longest: int
    cut: int | None
    padding: float


@dataclass(frozen=True)
class Saving:
    """change: KEY=VALUE, as an override. seconds: what it saves by the measured pace. why: what it changes."""

    change: str
    seconds: float
    why: str


@dataclass(frozen=True)
class Estimate:
    """What a run of a recipe will cost on this device, in one process.

    examples: rows of every split. steps: optimizer steps; 0 for a learner that is fitted. rehearsed: those that were
    really taken to know. evaluations: of the validation rows, while training.
    seconds: by stage, as in `Result.seconds`, and "total"; "features" is the asking of a frozen backbone, which
    a result counts within "probe" where there is one. training: "train" once more, by what it goes to ("steps",
    "evaluations", "checkpoints").
    peak_memory_bytes: the most that the rehearsal used, with the largest batch of the run in it, and what all rows'
    features take. micro_batch_size: rows of one forward pass, the most that fit where the recipe leaves it open.
    parameters: {"total", "trained"}. tokens: None where examples have none (images). disk: bytes of "checkpoints",
    "model", "predictions" and, outside of the run directory, "features".
    kept: share of the rows whose features lie in the cache already. savings: the largest first.
    took: seconds that finding this out took. findings: sentences that a user must know of.
    """

    task: str
    strategy: str
    checkpoint: str
    device: str
    precision: str
    examples: Mapping[str, int]
    epochs: int
    batch_size: int
    steps: int
    rehearsed: int
    evaluations: int
    seconds: Mapping[str, float]
    training: Mapping[str, float]
    peak_memory_bytes: int
    micro_batch_size: int
    parameters: Mapping[str, int]
    tokens: Tokens | None
    disk: Mapping[str, int]
    kept: float
    savings: tuple[Saving, ...]
    took: float
    findings: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(f"{name:<10}{text}" for name, text in told(self))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For IPython in a terminal: the text."""
        printer.text(str(self))

    def _repr_html_(self) -> str:
        """For a notebook."""
        return html_facts(told(self))

    def to_dict(self) -> dict[str, Any]:
        """As `hftransfer plan --json` prints it."""
        return dataclasses.asdict(self)
