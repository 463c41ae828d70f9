"""How the training went, from the events that the run wrote down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hftransfer.registry import METRICS
from hftransfer.report.parts import Part, Picture, Say
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory

LINES = 200_000
"""Of more steps, every second, third, ... is read: no eye sees more."""


def curves(result: Result) -> Iterator[Part]:
    """Loss, learning rate, and metrics over evaluations; a sentence where there was no training step by step."""
    file = RunDirectory(result.run_dir).metrics
    if not file.is_file():
        yield Say("There is no record of the training here.")
        return
    steps, losses, rates, evaluations = _read(file)
    if not steps:
        yield Say("Fitted in one go: there are no steps to draw.")
        return
    from hftransfer.report import plots

    validation = [
        (one["step"], one["metrics"]["loss"]) for one in evaluations if _number(one["metrics"].get("loss"))
    ]
    yield Picture(
        "loss",
        "Loss and learning rate",
        f"Training loss over {steps[-1]:,} optimizer steps, from {losses[0]:.3g} to {losses[-1]:.3g}"
        + (f"; validation from {validation[0][1]:.3g} to {validation[-1][1]:.3g}" if validation else "")
        + f". The weights of step {result.best_step:,} were kept.",
        lambda: plots.training_curves(steps, losses, rates, validation, result.best_step),
    )
    told = {
        name: [one["metrics"].get(name) for one in evaluations]
        for name in (evaluations[0]["metrics"] if evaluations else ())
        if name != "loss" and METRICS.get(name).scalar
    }
    drawn = {name: values for name, values in told.items() if all(map(_number, values))}
    if drawn and len(evaluations) > 1:
        yield Picture(
            "metrics",
            "Validation over evaluations",
            "Validation metrics, first and last: "
            + ", ".join(f"{name} {values[0]:.4f} and {values[-1]:.4f}" for name, values in drawn.items())
            + ".",
            lambda: plots.metric_curves([one["step"] for one in evaluations], drawn, result.best_step),
        )


def _read(file: Path) -> tuple[list[int], list[float], list[float], list[dict[str, Any]]]:
    """(steps, losses, learning rates, evaluations). A line that a kill has cut is left out."""
    steps, losses, rates, evaluations = [], [], [], []
    with file.open("rb") as stream:
        every = max(1, sum(1 for _ in stream) // LINES)
    with file.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream):
            step = line.startswith('{"event": "step"')
            if (step and number % every) or not (step or '"evaluation"' in line[:30]):
                continue
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if not step:
                evaluations.append(event)
                continue
            steps.append(int(event["step"]))
            losses.append(float("nan") if event["loss"] is None else float(event["loss"]))
            rates.append(float(event["learning_rate"]))
    return steps, losses, rates, evaluations


def _number(value: Any) -> bool:
    return isinstance(value, int | float)
