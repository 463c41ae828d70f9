"""Every registered task x strategy x architecture: trains, and what is saved gives the same outputs elsewhere.

A new task, strategy or family is taken in unasked. (Which parameters move is tested in tests/strategies.)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard
from tiny import TEXT_FAMILIES
from toy import toy_recipe
from toys import toy
from transformers.pipelines import SUPPORTED_TASKS

from hftransfer.registry import STRATEGIES, TASKS
from hftransfer.runner import load_run, run

NOTHING_TO_TRAIN = {("bitfit", family) for family in ("modernbert", "modernbert-mlm", "t5")}
"""They have no biases."""
PROBE = ("probe-then-full", "frozen")  # what it begins with
EPOCHS = 5
REPRESENTATIVE = ("bert", "deberta-v2", "modernbert")
UNLIKE = ("deberta-v2", "modernbert", "resnet", "dinov2")
BASIC = ("full", "frozen", "lora")
VARIED = (("text-classification", "roberta"), ("image-classification", "resnet"))
COMBINATIONS = [
    (task, strategy, family)
    for task in TASKS.names()
    for family in toy(task).FAMILIES
    for strategy in STRATEGIES.names()
    if strategy.replace(*PROBE) not in getattr(toy(task), "WITHOUT", ())
    and (strategy, family) not in NOTHING_TO_TRAIN
]


def test_the_table_is_whole() -> None:
    assert len(COMBINATIONS) >= 2 * 3 * 4
    text = "bert distilbert roberta deberta-v2 electra albert mpnet modernbert"
    image = "vit dinov2 resnet convnext"
    assert {family for _, _, family in COMBINATIONS} >= {*text.split(), *image.split()}


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    made: dict[str, Any] = {}

    def get(task: str) -> Any:
        if task not in made:
            made[task] = toy(task).write(tmp_path_factory.mktemp(task))
        return made[task]

    return get


def marked(combination: tuple[str, str, str]) -> Any:
    """With full, tasks that read texts meet three families always, and the rest with --long; others meet every one.

    Frozen and lora meet the first family of every task, with whole rows those that differ most, too; the variations of
    these three meet a text and an image. None of them knows of tasks, and each meets every family in tests/strategies.
    """
    task, strategy, family = combination
    often = task.endswith("-classification") and task != "token-classification"
    usual = family not in (*TEXT_FAMILIES, *(f"{one}-mlm" for one in TEXT_FAMILIES))
    kept = usual or family.removesuffix("-mlm") in REPRESENTATIVE
    if strategy in BASIC[1:]:
        kept = kept and family in (toy(task).FAMILIES[0], *(UNLIKE if often else ()))
    if strategy not in BASIC:
        kept = (task, family) in VARIED
    return pytest.param(*combination, marks=() if kept else pytest.mark.long, id="-".join(combination))


@pytest.mark.parametrize(("task", "strategy", "family"), map(marked, COMBINATIONS))
def test_trains_saves_and_reloads(
    task: str,
    strategy: str,
    family: str,
    tiny_checkpoint: Callable[..., Path],
    toy_data: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    rate = max(3e-3, STRATEGIES.get(strategy).default_learning_rate)
    recipe = toy_recipe(
        tiny_checkpoint(family),
        toy_data(task),
        task={"name": task, **getattr(toy(task), "OPTIONS", {})},
        strategy=strategy,
        columns=getattr(toy(task), "COLUMNS", None),
        **{"epochs": EPOCHS, "learning_rate": rate, **getattr(toy(task), "TRAINING", {})},
    )
    result = run(recipe, output=tmp_path / "run")
    told = events(tmp_path / "run")
    assert sum(event["event"] == "step" for event in told) == result.steps > 6
    # Of the training rows, by epoch: a frozen random backbone gives nothing that would hold for other rows.
    epochs = recipe.training.epochs
    losses = [
        [one["loss"] for one in told if one["event"] == "step" and one["epoch"] == e] for e in range(epochs)
    ]
    assert mean(losses[-1]) < mean(losses[0])
    # Other processes loaded it, by every way there is; each way's difference was measured on real rows.
    ways = set(result.reload_check["ways"])
    assert TASKS.get(task).model_class in ways
    assert ("pipeline" in ways) == (task in SUPPORTED_TASKS)
    assert ("PeftModel" in ways) == (result.run_dir / "adapter").is_dir()
    assert result.reload_check["max_difference"] < 1e-4
    assert result.reload_check["rows"] >= 12
    made = pq.read_schema(tmp_path / "run" / "predictions" / "validation.parquet").names
    assert {*recipe.task.added} <= {*made}
    assert ModelCard.load(result.model / "README.md").data.pipeline_tag == task
    assert not [event for event in told if "card" in event.get("message", "")]
    assert load_run(tmp_path / "run").metrics == json.loads(json.dumps(result.metrics))


def events(run_dir: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl."""
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
