"""A run's events on the terminal: stages, notes, a bar, and a line for every evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hftransfer.cli.console import err
from hftransfer.training.events import Begin, Evaluation, Event, Extraction, Note, Stage, Step

# Without a terminal there is no bar, but so many lines over the whole training.
LINES = 10


class ProgressView:
    """Shows events as they come; use as a context manager, and call it with every event."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._task: Any = None
        self._steps = self._shown = 0

    def __enter__(self) -> ProgressView:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        match event:
            case Stage(_, title):
                self._forget()
                err.print(f"[dim]{title} ...[/dim]")
            case Note(message):
                err.print("  [yellow]note[/yellow]", end=" ")
                err.print(message, markup=False)
            case Extraction(rows, total):
                self._extraction(rows, total)
            case Begin():
                self._begin(event)
            case Step():
                self._step(event)
            case Evaluation():
                mark = " [green](best so far)[/green]" if event.best else ""
                when = f"epoch {event.epoch + 1}, step {event.step}" if event.step else "fitted"
                err.print(f"  {when}: {numbers(event.metrics)}{mark}")

    def _extraction(self, rows: int, total: int) -> None:
        if self._task is None:
            self._task = self._bar.add_task("rows", total=total, loss="")
        self._bar.update(self._task, completed=rows)
        if not err.is_terminal and rows * LINES // total > self._shown:
            self._shown = rows * LINES // total
            err.print(f"  row {rows} of {total}")
        if rows == total:
            self._forget()

    def _forget(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task, self._shown = None, 0

    def _begin(self, event: Begin) -> None:
        self._steps = event.steps
        if not event.steps:
            err.print(f"  {event.examples:,} examples, all at once")
            return
        share = event.trained_parameters / event.total_parameters
        resumed = f", going on after step {event.step}" if event.step else ""
        err.print(
            f"  {event.examples:,} examples, {event.steps:,} steps in {event.epochs} epochs{resumed}; "
            f"{event.trained_parameters:,} of {event.total_parameters:,} parameters are trained ({share:.2%})"
        )
        self._task = self._bar.add_task("training", total=event.steps, completed=event.step, loss="")

    def _step(self, event: Step) -> None:
        if err.is_terminal:
            self._bar.update(self._task, completed=event.step, loss=f"loss {event.loss:.3f}")
        elif event.step * LINES // self._steps > self._shown:
            self._shown = event.step * LINES // self._steps
            err.print(f"  step {event.step} of {self._steps}: loss {event.loss:.3f}")


def numbers(metrics: Mapping[str, Any]) -> str:
    """The metrics that are one number, in a line."""
    return ", ".join(
        f"{name} {value:.4f}" for name, value in metrics.items() if isinstance(value, float | int)
    )
