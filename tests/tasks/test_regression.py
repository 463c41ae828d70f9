"""Numbers: trained on standardised targets; the finished model gives the targets' own units to whoever loads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from tiny import FAMILIES, TEXT_FAMILIES, make_batch

from hftransfer.checkpoint import load_checkpoint
from hftransfer.errors import CheckpointError
from hftransfer.recipe.schema import CheckpointSection
from hftransfer.registry import STRATEGIES, TASKS
from hftransfer.tasks.base import LABELS, forward
from hftransfer.tasks.label_predictions import Values
from hftransfer.tasks.losses import SquaredError
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.text_classification import TextClassification

TASK = TextClassification(problem_type="regression")


def targets_of(count: int, rows: int = 50) -> np.ndarray:
    """(rows, count) in units of their own."""
    random = np.random.default_rng(count)
    return random.normal(size=(rows, count)) * [20.0, 0.5, 300.0][:count] + [100.0, -3.0, 0.0][:count]


def rows(targets: np.ndarray) -> Any:
    return datasets.Dataset.from_dict({"label": targets.tolist()})


def prepared(
    family: str, strategy: Any, targets: np.ndarray, checkpoint: Path
) -> tuple[Any, Any, Pretrained, SquaredError]:
    """(task, model, pretrained, loss) as a run has them once it has trained: the head is random, not new zeros."""
    name = "text-classification" if family in TEXT_FAMILIES else "image-classification"
    task = TASKS.get(name)(problem_type="regression")
    labels = tuple("xyz"[: targets.shape[1]])
    torch.manual_seed(0)
    loaded = load_checkpoint(CheckpointSection(name=str(checkpoint)), task, labels)
    model = strategy.apply(loaded.model, fresh=loaded.fresh)
    pretrained = Pretrained(loaded.processor, loaded.model.config, loaded.max_length)
    pretrained.remember(task.learn(rows(targets), labels, pretrained))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    loss = task.make_loss(rows(targets), labels, pretrained)
    assert isinstance(loss, SquaredError)
    return task, model.eval(), pretrained, loss


def outputs(model: Any, batch: Any) -> np.ndarray:
    with torch.inference_mode():
        found: np.ndarray = forward(model, batch).logits.double().numpy()
    return found


def decode(task: Any, raw: np.ndarray, pretrained: Pretrained) -> Any:
    return task.decode(list(raw), SimpleNamespace(rows=None), range(len(raw)), pretrained)


CASES = [
    *((family, "full", {}, 3) for family in FAMILIES),
    *((family, "lora", {}, 1) for family in FAMILIES),
    ("bert", "full", {}, 1),
    ("bert", "lora", {}, 3),
    ("bert", "frozen", {}, 2),
    # An update of as many rows as there are targets is no head.
    ("bert", "lora", {"rank": 1}, 1),
    ("bert", "lora", {"rank": 3}, 3),
]


@pytest.mark.parametrize(("family", "strategy", "options", "count"), CASES)
def test_settled_outputs_are_in_the_targets_units(
    family: str, strategy: str, options: dict[str, Any], count: int, tiny_checkpoint: Callable[..., Path]
) -> None:
    targets, chosen = targets_of(count), STRATEGIES.get(strategy)(**options)
    task, model, pretrained, loss = prepared(family, chosen, targets, tiny_checkpoint(family))
    checkpoint = tiny_checkpoint(family)
    batch = make_batch(family, checkpoint) | {LABELS: torch.tensor(targets[:8], dtype=torch.float32)}
    mean, spread = targets.mean(axis=0), targets.std(axis=0)

    raw = outputs(model, batch)
    before = decode(task, raw, pretrained).values
    assert before == pytest.approx(raw * spread + mean, rel=1e-9)
    standard = loss.sum(SimpleNamespace(logits=torch.tensor(raw)), batch)

    settled = task.settle(model, pretrained, loss)
    raw_after = outputs(model, batch)
    after = decode(task, raw_after, pretrained).values
    assert np.abs((raw_after - before) / spread).max() < 1e-5
    assert np.abs((after - before) / spread).max() < 1e-5
    assert pretrained.settings == {}
    own = settled.sum(SimpleNamespace(logits=torch.tensor(raw_after)), batch)
    assert own.item() == pytest.approx(standard.item(), rel=1e-3)
    # What is written as the plain model is settled, too.
    assert np.abs((outputs(chosen.plain(model), batch) - before) / spread).max() < 1e-4
    # Control: without it, whoever loads the model gets standardised numbers.
    assert np.abs((raw - before) / spread).max() > 1


def test_settling_twice_changes_nothing(tiny_checkpoint: Callable[..., Path]) -> None:
    checkpoint = tiny_checkpoint("bert")
    task, model, pretrained, loss = prepared("bert", STRATEGIES.get("full")(), targets_of(2), checkpoint)
    batch = make_batch("bert", checkpoint)
    settled = task.settle(model, pretrained, loss)
    once = outputs(model, batch)
    assert task.settle(model, pretrained, settled) is settled
    assert outputs(model, batch).tolist() == once.tolist()


def test_only_numbers_are_settled(tiny_checkpoint: Callable[..., Path]) -> None:
    task = TextClassification()
    loss = task.make_loss(datasets.Dataset.from_dict({"label": [0, 1]}), ("a", "b"), None)  # type: ignore[arg-type]
    assert task.settle(torch.nn.Linear(2, 2), Pretrained(None, SimpleNamespace(), None), loss) is loss


def test_a_head_that_cannot_take_a_mean_is_named() -> None:
    loss = SquaredError(torch.zeros(2), torch.ones(2))
    known = Pretrained(None, SimpleNamespace(hftransfer={"mean": [0, 0], "spread": [1, 1]}), None)
    for head in (torch.nn.Linear(4, 2, bias=False), torch.nn.Linear(4, 3)):
        with pytest.raises(
            CheckpointError, match="Linear ends in no trained linear layer with a bias and 2 outputs"
        ):
            TASK.settle(head, known, loss)


def test_what_is_learned_is_the_training_rows_mean_and_spread() -> None:
    targets = targets_of(3)
    learned = TASK.learn(rows(targets), ("x", "y", "z"), None)  # type: ignore[arg-type]
    assert learned["mean"] == pytest.approx(targets.mean(axis=0))
    assert learned["spread"] == pytest.approx(targets.std(axis=0))
    # A target that never changes can still be divided by.
    assert TASK.learn(rows(np.full((5, 1), 7.0)), ("x",), None) == {"mean": [7.0], "spread": [1.0]}  # type: ignore[arg-type]
    assert TextClassification().learn(rows(targets), ("x",), None) == {}  # type: ignore[arg-type]


def test_answers_are_named_numbers() -> None:
    known = Pretrained(None, SimpleNamespace(id2label={0: "x", 1: "y"}, hftransfer=None), None)
    predictions = decode(TASK, np.array([[1.5, -2.0], [0.25, 3.0]]), known)
    assert predictions.scores is None
    assert predictions.answers[0] == Values({"x": 1.5, "y": -2.0})
    assert predictions.answers[0].columns() == {"prediction": {"x": 1.5, "y": -2.0}}
    assert predictions.answers[0].record() == {"x": 1.5, "y": -2.0}
    assert predictions.answers[1].line() == "x 0.2500, y 3.0000"
    assert TASK.expected(predictions.answers[1], ("x", "y")) == {"x": 0.25, "y": 3.0}
    # One number is a number, not a table of one.
    assert Values({"x": 1.5}).columns() == {"prediction": 1.5}


def test_the_baseline_is_the_mean_of_the_training_rows() -> None:
    guess = TASK.baseline(rows(np.array([[1.0, 2.0], [3.0, 6.0]])), rows(np.zeros((3, 2))), ("x", "y"))
    assert guess is not None
    assert guess.values.tolist() == [[2.0, 4.0]] * 3
    assert TASK.baseline_name == "mean"


def test_targets_are_floats() -> None:
    table = rows(np.array([[1.5, 2.0], [3.0, 6.0]]))
    assert TASK.references(table, ("x", "y")).tolist() == [[1.5, 2.0], [3.0, 6.0]]
    assert TASK.told(table, ("x", "y")) == [[1.5, 2.0], [3.0, 6.0]]
    assert TASK.told(rows(np.array([[1.5], [2.0]])), ("x",)) == [1.5, 2.0]
    batch = TASK.targets([{LABELS: one} for one in table["label"]], Pretrained(None, None, None))
    assert batch[LABELS].dtype == torch.float32
    assert batch[LABELS].tolist() == [[1.5, 2.0], [3.0, 6.0]]
    assert TASK.activation == {"function_to_apply": "none"}
