"""What the head that a strategy asks for asks of the rest of a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hftransfer.errors import Problem

LOSSES = ("label_smoothing", "focal", "logit_adjustment")
"""Options of a task that change the loss, which a learner of scikit-learn has of its own."""


def contradictions(task: Any, strategy: Any, training: Any) -> Iterator[Problem]:
    """Problems between them; any of them may be None."""
    other = getattr(strategy, "other_head", None)
    if getattr(task, "apart", False) and strategy is not None and other is None:
        message = f"found apart, but the head of strategy {strategy.name} is the architecture's, which reads one text"
        yield Problem(
            "task.pairs", message, "write strategy: {name: frozen, pooling: mean}, or pairs: together"
        )
    if other is None or task is None:
        return
    if not task.on_features:
        key = "strategy.pooling" if other.readings else "strategy.head"
        message = f"another head says something of a whole row, which is not what {task.name} does"
        yield Problem(key, message, "leave it out")
        return
    if other.fitted:
        yield from _fitted(other.options, task, training)


def _fitted(head: Any, task: Any, training: Any) -> Iterator[Problem]:
    named = f"strategy.head is {head.name}"
    if task.problem_type == "regression" and not head.regresses:
        yield Problem(
            "strategy.head",
            f"{head.name} says labels, and not numbers",
            "write ridge, or any other head",
        )
    if task.class_weights == "balanced" and not head.weighted:
        message = f"found balanced, but {named}, for which every row counts the same"
        yield Problem("task.class_weights", message, "leave it out, or write another head")
    fields = type(task).model_fields
    for option in LOSSES:
        if option in fields and getattr(task, option) != fields[option].default:
            message = f"found {getattr(task, option)}, but {named}, which has a loss of its own"
            yield Problem(f"task.{option}", message, "leave it out, or write strategy.head: linear")
    if training is not None and training.sampling == "balanced":
        message = f"found balanced, but {named}, which sees every row once"
        yield Problem("training.sampling", message, "write task.class_weights: balanced instead")
