"""A run's events in words: what a terminal's block and a notebook's say alike."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hftransfer.planning.told import duration
from hftransfer.training.events import Begin, Evaluation, Loaded, Stage, Step

WINDOW = 30.0
"""Seconds that the examples a second are of."""


@dataclass
class Pace:
    """How fast something goes: (when, how much is done), of the last half a minute."""

    seen: deque[tuple[float, int]] = field(default_factory=deque)
    start: tuple[float, int] | None = None

    def note(self, done: int) -> None:
        """So much is done by now."""
        now = time.monotonic()
        self.start = self.start or (now, done)
        self.seen.append((now, done))
        while len(self.seen) > 2 and now - self.seen[0][0] > WINDOW:
            self.seen.popleft()

    def pause(self) -> None:
        """What has passed since was spent on something else, and is no part of the rate."""
        if self.seen:
            passed = time.monotonic() - self.seen[-1][0]
            self.seen = deque((moment + passed, done) for moment, done in self.seen)

    @property
    def rate(self) -> float | None:
        """A second, lately."""
        if len(self.seen) < 2:
            return None
        (before, less), (now, more) = self.seen[0], self.seen[-1]
        return (more - less) / (now - before) if now > before else None

    def left(self, total: int) -> float | None:
        """Seconds until all are done, at the pace since the start."""
        if self.start is None or not self.seen:
            return None
        (then, less), (now, more) = self.start, self.seen[-1]
        return (total - more) * (now - then) / (more - less) if more > less else None


@dataclass
class Training:
    """What is known of the training that goes on."""

    begin: Begin
    metric: str | None = None
    step: Step | None = None
    best: Evaluation | None = None
    last: Evaluation | None = None
    examples: Pace = field(default_factory=Pace)
    steps: Pace = field(default_factory=Pace)

    def told(self) -> list[str]:
        """Loss, rate, examples a second and time left; the best so far (none, where it came before a resume)."""
        lines = []
        if self.step is not None:
            parts = [f"loss {self.step.loss:.4f}", f"rate {self.step.learning_rate:.1e}"]
            speed, left = self.examples.rate, self.steps.left(self.begin.steps)
            if speed is not None:
                parts.append(f"{speed:,.1f} examples/s")
            if left:
                parts.append(f"about {duration(left)} left")
            if self.step.step == self.begin.steps:
                parts.append("all steps taken")
            lines.append(", ".join(parts))
        if self.best is not None:
            line = f"best so far, after {when(self.best)}: {_one(self.best, self.metric)}"
            if self.last is not None and self.last is not self.best:
                line += f"; last {_one(self.last, self.metric)}"
            lines.append(line)
        elif self.last is not None:
            before = "; no better than an earlier one" if self.begin.step else ""
            lines.append(f"last, after {when(self.last)}: {_one(self.last, self.metric)}{before}")
        return lines


def stage_told(stage: Stage) -> str:
    """`training`, or, of what a run is compared with, `compared with random-weights (2 of 3): training`."""
    return f"compared with {stage.within}: {stage.title}" if stage.within else stage.title


def whose(stage: Stage) -> str:
    """`random-weights: `, before what is told of something that a run is compared with; empty for the run itself."""
    return f"{stage.within.partition(' ')[0]}: " if stage.within else ""


def rows_told(event: Loaded) -> str:
    """`270 train, 30 validation; 10 labels`."""
    rows = ", ".join(f"{count:,} {split}" for split, count in event.examples.items())
    return rows + (f"; {event.labels} labels" if event.labels else "")


def training_told(event: Begin) -> str:
    """How much is to be done, and how much of the model moves."""
    if not event.steps:
        return f"{event.examples:,} examples, all at once"
    share = event.trained_parameters / event.total_parameters
    resumed = f", going on after step {event.step}" if event.step else ""
    epochs = "epoch" if event.epochs == 1 else "epochs"
    return (
        f"{event.examples:,} examples, {event.steps:,} steps in {event.epochs} {epochs}{resumed}; "
        f"{event.trained_parameters:,} of {event.total_parameters:,} parameters are trained ({share:.2%})"
    )


def when(event: Evaluation) -> str:
    """After which step something was scored."""
    return f"epoch {event.epoch + 1}, step {event.step:,}" if event.step else "fitted"


def _one(event: Evaluation, metric: str | None) -> str:
    """The number that is worth a look: `accuracy 0.7612`."""
    named = {name: value for name, value in event.metrics.items() if isinstance(value, float | int)}
    name = (
        metric
        if metric in named
        else next((name for name in named if name != "loss"), next(iter(named), None))
    )
    return "no number" if name is None else f"{name} {named[name]:.4f}"


def numbers(metrics: Mapping[str, Any]) -> str:
    """The metrics that are one number, in a line."""
    return ", ".join(
        f"{name} {value:.4f}" for name, value in metrics.items() if isinstance(value, float | int)
    )
