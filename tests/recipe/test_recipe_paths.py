"""Where paths in a recipe start, and what is a path at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from hftransfer.errors import RecipeError
from hftransfer.recipe import Recipe, load_recipe
from hftransfer.recipe.paths import is_path


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The recipe's folder, and the current one."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    return home, here


def load(home: Path, data: str, checkpoint: str = "some/model", *overrides: str) -> Recipe:
    path = home / "recipe.yaml"
    path.write_text(f"checkpoint: {checkpoint}\ndata: {data}\ntask: text-classification\n")
    return load_recipe(path, *overrides)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("train.csv", "{home}/train.csv"),
        ("./data", "{home}/data"),
        (".", "{home}"),
        ("../x.tsv", "{root}/x.tsv"),
        ("rows.jsonl.gz", "{home}/rows.jsonl.gz"),
        ("data/*.csv", "{home}/data/*.csv"),
        ("a/b/c", "{home}/a/b/c"),
        ("there", "{home}/there"),
        ("/abs/x.csv", "/abs/x.csv"),
        ("not-there", "not-there"),
        ("nyu-mll/glue", "nyu-mll/glue"),
        ("package:some_package/data/x.csv", "package:some_package/data/x.csv"),
        ("hf://datasets/a/b/c.csv", "hf://datasets/a/b/c.csv"),
    ],
)
def test_data_in_the_file(folders: tuple[Path, Path], written: str, found: str) -> None:
    home, _ = folders
    (home / "there").mkdir()
    expected = found.format(home=home, root=home.parent)
    assert load(home, written).data.source == expected
    assert load(home, f"{{source: '{written}', limits: {{train: 5}}}}").data.source == expected
    assert load(home, f"['{written}']").data.source == [expected]
    assert load(home, f"{{train: ['{written}'], test: '{written}'}}").data.source == {
        "train": [expected],
        "test": expected,
    }


def test_checkpoints_in_the_file(folders: tuple[Path, Path]) -> None:
    home, _ = folders
    (home / "model").mkdir()
    assert load(home, "x/y", "model").checkpoint.name == str(home / "model")
    assert load(home, "x/y", "{name: ./other}").checkpoint.name == str(home / "other")
    assert load(home, "x/y", "gpt2").checkpoint.name == "gpt2"
    assert load(home, "x/y", "some.csv").checkpoint.name == "some.csv"
    assert load(home, "x/y", "package:p/model").checkpoint.name == "package:p/model"


def test_home_is_expanded(folders: tuple[Path, Path]) -> None:
    assert load(folders[0], "~/x.csv").data.source == str(Path.home() / "x.csv")


def test_overrides_start_at_the_current_folder(folders: tuple[Path, Path]) -> None:
    home, here = folders
    (here / "model").mkdir()
    recipe = load(home, "a.csv", "gpt2", "data.source=b.csv", "checkpoint=model")
    assert recipe.data.source == str(here / "b.csv")
    assert recipe.checkpoint.name == str(here / "model")
    kept = load(home, "a.csv", "gpt2", "data.limits.train=3")
    assert kept.data.source == str(home / "a.csv")
    assert load(home, "a.csv", "gpt2", "data=[b.csv, c.csv]").data.source == [
        str(here / "b.csv"),
        str(here / "c.csv"),
    ]


def test_a_file_that_lies_in_the_current_folder_only(folders: tuple[Path, Path]) -> None:
    home, here = folders
    (here / "a.csv").touch()
    with pytest.raises(RecipeError) as caught:
        load(home, "a.csv")
    (problem,) = caught.value.problems
    assert (problem.key, problem.line) == ("data", 2)
    assert "beside the recipe" in problem.message
    assert "write `../here/a.csv`" in str(problem.hint)
    assert "data=a.csv" in str(problem.hint)
    assert load(home, "../here/a.csv").data.source == str(here / "a.csv")
    assert load(home, "x", "gpt2", "data=a.csv").data.source == str(here / "a.csv")
    (home / "a.csv").touch()
    assert load(home, "a.csv").data.source == str(home / "a.csv")


def test_what_is_a_path(tmp_path: Path) -> None:
    assert is_path("x.parquet", tmp_path, data=True)
    assert not is_path("x.parquet", tmp_path, data=False)
    assert not is_path("", tmp_path, data=True)
    assert not is_path("memory: 5 rows", tmp_path, data=True)
    assert not is_path("a\x00b", tmp_path, data=True)
