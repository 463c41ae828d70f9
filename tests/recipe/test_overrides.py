"""Dotted overrides from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hftransfer.errors import Problem, RecipeError
from hftransfer.recipe import Recipe, load_recipe, read_recipe

TEXT = """\
checkpoint: some/model
data: some/data
task: text-classification
strategy: lora
training:
  epochs: 2
  optimizer: {name: sgd, momentum: 0.5}
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(TEXT)
    return path


def problem_of(path: Path, *overrides: str) -> Problem:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, *overrides)
    (problem,) = caught.value.problems
    assert problem.source == "command line"
    assert str(caught.value).startswith("command line: ")
    return problem


def value_at(recipe: Recipe, key: str) -> Any:
    value: Any = recipe
    for step in key.split("."):
        value = value[step] if isinstance(value, dict) else getattr(value, step)
    return value


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("training.epochs=1", "training.epochs", 1),
        ("training.learning_rate=2e-5", "training.learning_rate", 2e-5),
        ("training.seed=010", "training.seed", 10),
        (" training.seed = 7 ", "training.seed", 7),
        ("metrics=[accuracy,f1]", "metrics", ("accuracy", "f1")),
        ("metrics=[mcc]", "training.best_metric", "mcc"),
        ("strategy.rank=16", "strategy.rank", 16),
        ("strategy={name: lora, rank: 4}", "strategy.rank", 4),
        ("checkpoint.revision=main", "checkpoint.revision", "main"),
        ("checkpoint.revision=main", "checkpoint.name", "some/model"),
        ("data.limits.train=100", "data.limits.train", 100),
        ("data.limits.train=100", "data.source", "some/data"),
        ("data.limits={train: 5, test: 6}", "data.limits.test", 6),
        ("data.labels=[007, 010, no]", "data.labels", ("007", "010", "no")),
        ("data.config=", "data.config", None),
        ("training.clip_norm=null", "training.clip_norm", None),
        ("task.max_length=64", "task.max_length", 64),
        ("training.optimizer.weight_decay=0.1", "training.optimizer.weight_decay", 0.1),
        ("training.optimizer.weight_decay=0.1", "training.optimizer.momentum", 0.5),
        ("training.optimizer=adam", "training.optimizer.name", "adam"),
        ("training.optimizer.name=adam", "training.optimizer.name", "adam"),
        ("training.warmup=0", "training.warmup", 0.0),
        ("data.config='2020'", "data.config", "2020"),
        ("data.config=a=b", "data.config", "a=b"),
        ("training={epochs: 9}", "training.epochs", 9),
    ],
)
def test_an_override(recipe_file: Path, override: str, key: str, value: Any) -> None:
    assert value_at(load_recipe(recipe_file, override), key) == value


def test_without_it_the_file_counts(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file)
    assert (recipe.training.epochs, recipe.training.optimizer.name) == (2, "sgd")


def test_another_part_drops_the_options_of_the_old_one(recipe_file: Path) -> None:
    recipe_file.write_text(TEXT.replace("strategy: lora", "strategy: {name: lora, rank: 4}"))
    assert load_recipe(recipe_file).strategy.name == "lora"
    assert load_recipe(recipe_file, "strategy=frozen").strategy.name == "frozen"
    assert load_recipe(recipe_file, "strategy.name=frozen").strategy.name == "frozen"
    kept: Any = load_recipe(recipe_file, "strategy.name=lora").strategy
    assert kept.rank == 4
    fresh: Any = load_recipe(recipe_file, "strategy=lora").strategy
    assert fresh.rank == 8


def test_overrides_build_on_one_another(recipe_file: Path) -> None:
    recipe: Any = load_recipe(recipe_file, "strategy=full", "training.epochs=5", "strategy.batch_norm=update")
    assert (recipe.strategy.batch_norm, recipe.training.epochs) == ("update", 5)


def test_a_section_that_is_not_in_the_file(recipe_file: Path) -> None:
    recipe_file.write_text("checkpoint: a/b\ndata: x/y\ntask: text-classification\n")
    recipe = load_recipe(
        recipe_file, "training.optimizer.weight_decay=0.5", "strategy=lora", "strategy.rank=2"
    )
    assert (recipe.training.optimizer.name, recipe.training.optimizer.weight_decay) == ("adamw", 0.5)


def test_a_missing_section_comes_whole_from_the_command_line(recipe_file: Path) -> None:
    recipe_file.write_text("data: x/y\ntask: text-classification\n")
    assert load_recipe(recipe_file, "checkpoint=a/b").checkpoint.name == "a/b"


def test_per_split_sources(recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe_file.write_text(TEXT.replace("some/data", "{train: a.csv, test: b.csv}"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    recipe = load_recipe(recipe_file, "data.train=c.csv", "data.validation=d.csv")
    assert recipe.data.source == {
        "train": str(here / "c.csv"),
        "test": str(tmp_path / "b.csv"),
        "validation": str(here / "d.csv"),
    }
    limited = load_recipe(recipe_file, "data.limits.train=3")
    assert limited.data.source == {"train": str(tmp_path / "a.csv"), "test": str(tmp_path / "b.csv")}
    assert limited.data.limits == {"train": 3}


@pytest.mark.parametrize(
    ("override", "key", "message", "hint"),
    [
        ("training.epochs", "", "`training.epochs` has no `=`", "KEY=VALUE"),
        (
            "runs/mine",
            "",
            "`runs/mine` has no `=`",
            "training.epochs=1; the folder to write to is --output runs/mine",
        ),
        ("other.yaml", "", "`other.yaml` has no `=`", "one recipe at a time"),
        ("=5", "", "is not a key", "KEY=VALUE"),
        ("training..epochs=5", "", "is not a key", "KEY=VALUE"),
        ("training.epochs=three", "training.epochs", "a whole number above 0, found `three`", None),
        ("training.epochs=", "training.epochs", "found nothing (null)", None),
        ("epochs=3", "epochs", "unknown key", "belongs in `training`"),
        ("training.lr=3", "training.lr", "unknown key", "called `learning_rate`"),
        (
            "training.epochs.x=3",
            "training.epochs.x",
            "`training.epochs` is not a section; it is `2`",
            "whole of it",
        ),
        ("strategy.rnk=3", "strategy.rnk", "unknown key", "did you mean `rank`?"),
        ("strategy=lorra", "strategy", "no strategy is named", "did you mean `lora`?"),
        ("checkpoint=#x", "checkpoint", "`#x` is not one value", "quote it"),
        ("checkpoint=a #x", "checkpoint", "is not one value", "quote it"),
        ("checkpoint=a: b", "checkpoint", "is not one value", "quote it"),
        ("metrics=- f1", "metrics", "is not one value", "quote it"),
        ("metrics=[f1", "metrics", "not closed", "]"),
        ("metrics=[f1, f1]", "metrics", "named twice", None),
        ("checkpoint=@x", "checkpoint", "may not start with `@`", "quotes"),
        ("checkpoint=!!python/name:os.system", "checkpoint", "the tag", None),
        ("training.seed=.inf", "training.seed", "finite", None),
        ("data.source=", "data.source", "found nothing", None),
    ],
)
def test_a_wrong_override(recipe_file: Path, override: str, key: str, message: str, hint: str | None) -> None:
    problem = problem_of(recipe_file, override)
    assert problem.key == key
    assert message in problem.message
    assert hint is None or hint in str(problem.hint)
    assert problem.line is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.epochs=1", "training.epochs=2"], "is given twice"),
        (["strategy.rank=4", "strategy=lora"], "would undo `strategy.rank`"),
        (
            ["training.optimizer.momentum=0.1", "training={epochs: 1}"],
            "would undo `training.optimizer.momentum`",
        ),
    ],
)
def test_an_override_may_not_undo_another(recipe_file: Path, overrides: list[str], message: str) -> None:
    assert message in problem_of(recipe_file, *overrides).message


def test_mistakes_of_file_and_command_line_are_told_together(recipe_file: Path) -> None:
    recipe_file.write_text(TEXT.replace("epochs: 2", "epochs: x"))
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe_file, "training.seed=y", "nonsense")
    told = {(problem.key, problem.source, problem.line) for problem in caught.value.problems}
    assert told == {
        ("training.epochs", None, 6),
        ("training.seed", "command line", None),
        ("", "command line", None),
    }


def test_an_override_mends_a_mistake_in_the_file(recipe_file: Path) -> None:
    recipe_file.write_text(TEXT.replace("epochs: 2", "epochs: x"))
    assert load_recipe(recipe_file, "training.epochs=4").training.epochs == 4


def test_a_document_tells_what_came_from_the_command_line(recipe_file: Path) -> None:
    document = read_recipe(recipe_file, ["strategy.rank=16"])
    assert document.value["strategy"] == {"name": "lora", "rank": 16}
    assert document.places[("strategy", "rank")].origin == "command line"
    assert document.places[("strategy", "name")].line == 4
    assert document.text == TEXT
