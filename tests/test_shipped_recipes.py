"""Every recipe that is shipped: it is right, says how it is run, and says what to expect."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from stand_ins.checkpoints import CHECKPOINTS
from stand_ins.data_sets import DATA_SETS

from hftransfer.recipe import dump_recipe, load_recipe, read_recipe, shipped_recipes
from hftransfer.registry import TASKS
from hftransfer.runner import check
from hftransfer.tasks.classification import ProblemType

RECIPES = shipped_recipes()
FOLDER = Path(__file__).parent.parent / "recipes"


def opening_comment(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    length = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    return [line.removeprefix("#").strip() for line in lines[:length]]


def test_they_are_all_found() -> None:
    assert len(RECIPES) >= 68
    assert {file.relative_to(FOLDER).with_suffix("").as_posix() for file in FOLDER.rglob("*.y*ml")} == set(
        RECIPES
    )
    tasks = {load_recipe(name).task.name for name in RECIPES}
    assert tasks == set(TASKS.names())
    strategies = {load_recipe(name).strategy.name for name in RECIPES}
    assert strategies == {"full", "frozen", "lora", "layer-decay", "probe-then-full"}
    assert sum(read_recipe(name).base is not None for name in RECIPES) >= 28
    texts = [load_recipe(name).task for name in RECIPES if name.startswith("text-classification/")]
    assert {task.problem_type for task in texts} == set(get_args(ProblemType))


@pytest.mark.parametrize("name", RECIPES)
def test_it_comes_back_from_its_full_form(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    (tmp_path / "full.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(tmp_path / "full.yaml") == recipe
    assert load_recipe(tmp_path / "full.yaml", "training.seed=7") != recipe


@pytest.mark.parametrize("name", RECIPES)
def test_it_passes_the_check(name: str) -> None:
    recipe = load_recipe(name)
    seen = check(recipe)
    here = str(recipe.data.source).startswith("/")
    packaged = recipe.checkpoint.name.startswith("package:")
    assert seen.unchecked == (
        *([] if here else [f"data.source {recipe.data.source}"]),
        *([] if packaged else [f"checkpoint {recipe.checkpoint.name}"]),
    )
    assert (len(seen.labels) > 1) == here
    assert (seen.steps is not None) == (not seen.unchecked)


@pytest.mark.parametrize("name", RECIPES)
def test_its_first_lines_say_how_to_run_it_and_what_to_expect(name: str) -> None:
    comment = opening_comment(RECIPES[name])
    assert len(comment) >= 3
    assert 20 <= len(comment[0]) <= 120  # `hftransfer list` shows it
    assert comment[1] == f"hftransfer run {name}"
    assert comment[2].startswith("Expect: ")


@pytest.mark.parametrize("name", [name for name in RECIPES if "/" in name])
def test_its_name_says_what_it_holds(name: str) -> None:
    folder, _, rest = name.partition("/")
    recipe = load_recipe(name)
    dataset, checkpoint, strategy = rest.split("-", 2)
    assert recipe.task.name == folder
    assert recipe.strategy.name == strategy
    assert dataset in f"{recipe.data.source} {recipe.data.config}".lower()
    assert checkpoint in recipe.checkpoint.name.lower()


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "quickstart"])
def test_what_it_names_on_the_hub_has_those_splits_and_columns(name: str) -> None:
    """By a table of what is there: a column that the recipe leaves out has the task's own name for it."""
    recipe = load_recipe(name)
    assert recipe.checkpoint.name in CHECKPOINTS
    stand_in = DATA_SETS[recipe.data.source, recipe.data.config]
    assert set(recipe.data.splits.values()) <= set(stand_in.splits)
    named = {
        role: recipe.data.columns.get(role, role) for role, one in recipe.task.columns.items() if one.required
    }
    for column in (*named.values(), *recipe.data.columns.values()):
        for one in [column] if isinstance(column, str) else column:
            first, *rest = one.split(".")
            assert first in stand_in.features
            assert all(step in stand_in.features[first] for step in rest)
    assert set(recipe.data.splits) or not stand_in.unlabelled


def test_the_table_of_the_hub_holds_nothing_else() -> None:
    recipes = [load_recipe(name) for name in RECIPES if name != "quickstart"]
    assert {(recipe.data.source, recipe.data.config) for recipe in recipes} == set(DATA_SETS)
    assert {recipe.checkpoint.name for recipe in recipes} == set(CHECKPOINTS)
