"""The recipe built in Python: the same defaults, the same checks, tables in memory untouched."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

from hftransfer.errors import InputError, RecipeError
from hftransfer.recipe import CheckpointSection, Recipe, TrainingSection
from hftransfer.registry import STRATEGIES, TASKS

BASE: dict[str, Any] = {"checkpoint": "some/model", "data": "some/data", "task": "text-classification"}


def keys_of(**sections: Any) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        Recipe(**sections)
    assert all(problem.line is None for problem in caught.value.problems)
    return [problem.key for problem in caught.value.problems]


def test_tables_in_memory_stay_the_same_object() -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "label": [0, 1]})
    rows = datasets.Dataset.from_pandas(frame)
    both = datasets.DatasetDict(train=rows, unsupervised=rows)
    for table in (frame, rows, both, [{"text": "a", "label": 0}]):
        assert Recipe(**{**BASE, "data": table}).data.source is table
        assert Recipe(**{**BASE, "data": {"source": table, "columns": {"text": "text"}}}).data.source is table
    splits: Any = Recipe(**{**BASE, "data": {"train": frame, "dev": rows}}).data.source
    assert splits["train"] is frame
    assert splits["dev"] is rows


def test_a_recipe_with_a_table_can_be_copied_and_pickled() -> None:
    frame = pd.DataFrame({"text": ["a", "b"]})
    recipe = Recipe(**{**BASE, "data": frame})
    assert copy.copy(recipe).data.source is frame
    assert pickle.loads(pickle.dumps(recipe)).data.source.equals(frame)


def test_paths_may_be_path_objects() -> None:
    assert Recipe(**{**BASE, "data": Path("a.csv")}).data.source == "a.csv"
    assert Recipe(**{**BASE, "data": (Path("a.csv"), "b.csv")}).data.source == ["a.csv", "b.csv"]


def test_sections_and_parts_may_be_objects() -> None:
    strategy = STRATEGIES.get("lora")(rank=2)
    recipe = Recipe(
        checkpoint=CheckpointSection(name="x"),
        data="some/data",
        task=TASKS.get("text-classification")(max_length=9),
        strategy=strategy,
        training=TrainingSection(epochs=2),
    )
    assert recipe.strategy is strategy
    assert recipe.training.epochs == 2
    assert recipe == Recipe(
        checkpoint="x",
        data="some/data",
        task={"name": "text-classification", "max_length": 9},
        strategy={"name": "lora", "rank": 2},
        training={"epochs": 2},
    )


def test_defaults_follow_the_parts() -> None:
    assert Recipe(**BASE).training.learning_rate == STRATEGIES.get("full").default_learning_rate
    assert (
        Recipe(**BASE, strategy="lora").training.learning_rate == STRATEGIES.get("lora").default_learning_rate
    )
    assert Recipe(**BASE).metrics == TASKS.get("text-classification")().default_metrics
    several = {"name": "text-classification", "problem_type": "multi_label_classification"}
    assert Recipe(**{**BASE, "task": several}).metrics == ("f1", "f1_micro", "accuracy")
    numbers = {"name": "text-classification", "problem_type": "regression"}
    assert Recipe(**{**BASE, "task": numbers}).training.best_metric == "mse"
    assert Recipe(**BASE, metrics=["confusion_matrix", "mcc"]).training.best_metric == "mcc"
    assert Recipe(**BASE, metrics=["confusion_matrix"]).training.best_metric == "loss"
    assert Recipe(**BASE, training={"best_metric": "loss"}).training.best_metric == "loss"


def test_what_was_given_is_not_changed() -> None:
    sections = {**BASE, "training": {"epochs": 2}, "data": {"source": "s", "limits": {"train": 5}}}
    before = copy.deepcopy(sections)
    Recipe(**sections)
    assert sections == before


def test_a_recipe_is_frozen() -> None:
    recipe = Recipe(**BASE)
    with pytest.raises(InputError, match="`metrics` stays"):
        recipe.metrics = ("f1",)  # type: ignore[misc]
    with pytest.raises(InputError, match="`epochs` stays"):
        recipe.training.epochs = 5  # type: ignore[misc]


def test_no_and_yes_are_what_people_mean_for_a_switch() -> None:
    assert Recipe(**BASE, training={"group_by_length": "no"}).training.group_by_length is False
    assert Recipe(**BASE, training={"group_by_length": "yes"}).training.group_by_length is True


@pytest.mark.parametrize(
    ("sections", "keys"),
    [
        ({}, ["checkpoint", "data", "task"]),
        ({**BASE, "epochs": 3}, ["epochs"]),
        (
            {**BASE, "task": 5, "strategy": None, "training": [], "metrics": 3},
            ["task", "strategy", "training", "metrics"],
        ),
        ({**BASE, "task": STRATEGIES.get("lora")()}, ["task"]),
        ({**BASE, "task": TASKS.get("text-classification")}, ["task"]),
        ({**BASE, "training": {"epochs": True}}, ["training.epochs"]),
        (
            {**BASE, "training": {"optimizer": {"name": "adam", "betas": (True, 0.9)}}},
            ["training.optimizer.betas.0"],
        ),
        ({**BASE, "strategy": {"name": "lora", "rank": True}}, ["strategy.rank"]),
        ({**BASE, "data": {"source": "s", "limits": {"train": True}}}, ["data.limits.train"]),
        ({**BASE, "training": {"learning_rate": float("nan")}}, ["training.learning_rate"]),
        ({**BASE, "training": {"warmup": 10**400}}, ["training.warmup"]),
        ({**BASE, "training": TrainingSection(warmup=20, steps=10)}, ["training.warmup"]),
        ({**BASE, "data": {"source": {"train": {"a": 1}}}}, ["data.source"]),
        ({**BASE, "data": "memory: 3 rows"}, ["data"]),
    ],
)
def test_mistakes_in_python_are_told_the_same_way(sections: dict[str, Any], keys: list[str]) -> None:
    assert keys_of(**sections) == keys


def test_model_validate_raises_the_same_error() -> None:
    with pytest.raises(RecipeError):
        Recipe.model_validate({**BASE, "training": {"epochs": 0}})
    assert Recipe.model_validate(BASE) == Recipe(**BASE)
