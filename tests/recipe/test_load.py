"""A recipe's way to YAML and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hftransfer.errors import RecipeError
from hftransfer.recipe import Recipe, dump_recipe, load_recipe, shipped_recipes
from hftransfer.recipe.yaml import parse

BASE: dict[str, Any] = {"checkpoint": "some/model", "data": "some/data", "task": "text-classification"}


def round_trip(recipe: Recipe, tmp_path: Path) -> Recipe:
    path = tmp_path / "dumped.yaml"
    path.write_text(dump_recipe(recipe), encoding="utf-8")
    return load_recipe(path)


RECIPES: list[dict[str, Any]] = [
    BASE,
    {**BASE, "strategy": "lora", "training": {"learning_rate": 2e-05}},
    {**BASE, "strategy": {"name": "lora", "targets": ["query", "value"]}},
    {
        **BASE,
        "training": {"optimizer": {"name": "adam", "betas": (0.8, 0.9), "epsilon": 1e-06}, "warmup": 1e-7},
    },
    {**BASE, "data": {"train": "/x/a.csv", "test": ["/x/b.csv", "/x/c.csv"]}},
    {
        **BASE,
        "data": {
            "source": "s",
            "labels": ["007", "010", "no", "null", "~", "1e5", "true", "0x1F", "2020-01-01"],
        },
    },
    {**BASE, "data": {"source": "s", "columns": {"text": "on", "label": "2e-5"}, "delimiter": "\t"}},
    {
        **BASE,
        "data": {"source": "s", "columns": {"text": "a: b", "label": "Grüße # 1"}, "limits": {"train": 10}},
    },
    {**BASE, "data": {"source": "s", "splits": {"train": "<<", "validation": "= x", "test": "- y"}}},
    {**BASE, "data": {"source": "s", "config": "20220301.en", "revision": "1234567"}},
    {**BASE, "data": {"source": "s", "labels": [f"label {i}, with {{brackets}}" for i in range(80)]}},
    {**BASE, "metrics": ["confusion_matrix", "mcc"], "training": {"clip_norm": None, "steps": 7}},
    {
        **BASE,
        "checkpoint": {"name": "package:p/model", "revision": "0o17"},
        "task": {"name": "image-classification"},
    },
]


@pytest.mark.parametrize("sections", RECIPES, ids=range(len(RECIPES)))
def test_dumped_and_loaded_is_equal(sections: dict[str, Any], tmp_path: Path) -> None:
    recipe = Recipe(**sections)
    again = round_trip(recipe, tmp_path)
    assert again == recipe
    assert dump_recipe(again) == dump_recipe(recipe)
    assert again != Recipe(**{**sections, "training": {"epochs": 77}})


def test_every_shipped_recipe_survives_the_round_trip(tmp_path: Path) -> None:
    assert shipped_recipes()
    for name in shipped_recipes():
        recipe = load_recipe(name)
        assert round_trip(recipe, tmp_path) == recipe


def test_every_default_is_written() -> None:
    value = parse(dump_recipe(Recipe(**BASE))).value
    assert value["strategy"]["name"] == "full"
    assert value["training"]["epochs"] == 3
    assert value["training"]["best_metric"] == "accuracy"
    assert value["training"]["learning_rate"] == 5e-5
    assert value["training"]["optimizer"]["name"] == "adamw"
    assert value["metrics"] == ["accuracy", "f1"]
    assert list(value) == list(Recipe.model_fields)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (pd.DataFrame({"text": ["a"] * 120}), "memory: 120 rows"),
        ([{"text": "a"}] * 3, "memory: 3 rows"),
        (
            {"train": pd.DataFrame({"a": [1, 2]}), "dev": pd.DataFrame({"a": [1]})},
            "memory: train 2 rows, dev 1 rows",
        ),
    ],
)
def test_rows_in_memory_are_described_and_not_loaded(source: Any, words: str, tmp_path: Path) -> None:
    recipe = Recipe(**{**BASE, "data": source})
    assert parse(dump_recipe(recipe)).value["data"]["source"] == words
    with pytest.raises(RecipeError, match="made in Python, from data in memory") as caught:
        round_trip(recipe, tmp_path)
    (problem,) = caught.value.problems
    assert problem.key == "data.source"
    assert problem.line is not None


def test_rows_in_memory_can_be_given_again_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "dumped.yaml"
    path.write_text(dump_recipe(Recipe(**{**BASE, "data": pd.DataFrame({"text": ["a"]})})))
    assert load_recipe(path, "data.source=/x/a.csv").data.source == "/x/a.csv"


def test_labels_are_text_as_written(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "checkpoint: a/b\ntask: text-classification\n"
        "data: {source: s, labels: [007, 010, 1.0, true, no, null, 'x y', 1e5]}\n"
    )
    labels = load_recipe(path).data.labels
    assert labels == ("007", "010", "1.0", "true", "no", "null", "x y", "1e5")
