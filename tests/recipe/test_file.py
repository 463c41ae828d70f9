"""Finding a recipe and reading its text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hftransfer.errors import Problem, RecipeError
from hftransfer.locate import recipes_folder
from hftransfer.recipe import load_recipe, read_recipe, shipped_recipes
from hftransfer.recipe.file import MAX_BYTES

GOOD = "checkpoint: some/model\ndata: some/data\ntask: text-classification\n"


def problem_of(name: str | Path) -> Problem:
    with pytest.raises(RecipeError) as caught:
        load_recipe(name)
    (problem,) = caught.value.problems
    return problem


def write(folder: Path, content: str | bytes, name: str = "recipe.yaml") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_path_with_and_without_its_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, GOOD)
    assert read_recipe(path).path == path
    assert read_recipe(str(tmp_path / "recipe")).path == path
    monkeypatch.chdir(tmp_path)
    document = read_recipe("recipe")
    assert (document.name, document.text) == ("recipe", GOOD)
    assert document.value["task"] == "text-classification"


def test_shipped_recipes_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = list(shipped_recipes())
    assert "quickstart" in names
    for name in names:
        assert read_recipe(name).path == shipped_recipes()[name]
    (tmp_path / "quickstart").write_text("#!/bin/sh\n")  # a script of that name is not the recipe
    assert read_recipe("quickstart").path == shipped_recipes()["quickstart"]
    own = write(tmp_path, GOOD, "quickstart.yaml")
    assert read_recipe("quickstart").path.resolve() == own


def test_every_shipped_recipe_loads() -> None:
    shipped = shipped_recipes()
    assert len(shipped) > 0
    assert len(shipped) == len(list(recipes_folder().rglob("*.yaml")))
    for name in shipped:
        recipe = load_recipe(name)
        assert recipe.metrics
        assert recipe.training.learning_rate


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("quickstrat", "did you mean `quickstart`?"),
        ("text-classification/sst2-bert-lra", "did you mean `text-classification/sst2-bert-lora`?"),
        ("sst2-bert-lora", "did you mean `text-classification/sst2-bert-lora`?"),
        ("something-else-altogether", "hftransfer list recipes"),
        ("no/such/folder/at-all.yaml", "hftransfer list recipes"),
    ],
)
def test_a_name_that_is_not_there(
    wanted: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hint in str(problem_of(wanted).hint)


def test_the_nearest_file_in_the_folder_is_named(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "my-recipe.yaml")
    assert f"did you mean `{tmp_path / 'my-recipe.yaml'}`?" in str(
        problem_of(tmp_path / "my-recpie.yaml").hint
    )


def test_a_folder(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    problem = problem_of(tmp_path)
    assert "this is a folder" in problem.message
    assert str(tmp_path / "recipe.yaml") in str(problem.hint)


def test_odd_names() -> None:
    assert "empty" in problem_of("").message
    assert "no such recipe" in problem_of("a\x00b").message
    assert problem_of("x" * 5000).message
    assert "regular file" in problem_of("/dev/null").message


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "regular file" in problem_of(tmp_path / "pipe.yaml").message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"   \n\n", "the file is empty"),
        (b"# nothing\n# here\n", "comments only"),
        (b"---\n", "no recipe"),
        (b"null\n", "found nothing"),
        (b"- a\n- b\n", "found the list ['a', 'b']"),
        (b"just words\n", "found `just words`"),
        (b"42\n", "found `42`"),
        (GOOD.encode("utf-16"), "UTF-16"),
        (GOOD.encode("utf-16-be"), "UTF-16"),
        (GOOD.encode("utf-16-le"), "UTF-16"),
        ("# Grüße\n".encode("latin-1") + GOOD.encode(), "not UTF-8: byte 0xfc in line 1"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)), "binary file"),
        (bytes(range(1, 32)) * 10 + b"\xff\xfe\xfa", "binary file"),
    ],
)
def test_what_is_no_recipe(tmp_path: Path, content: bytes, message: str) -> None:
    assert message in problem_of(write(tmp_path, content)).message


def test_a_missing_space_after_the_colon(tmp_path: Path) -> None:
    assert "`checkpoint: some/model`" in str(problem_of(write(tmp_path, "checkpoint:some/model\n")).hint)


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path, b"\xef\xbb\xbf" + GOOD.encode())) == load_recipe(
        write(tmp_path, GOOD, "plain.yaml")
    )


def test_fifty_megabytes_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    problem = problem_of(path)
    assert "50,000,000 bytes" in problem.message
    padded = GOOD + "#" * (MAX_BYTES - len(GOOD))
    assert load_recipe(write(tmp_path, padded))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.chmod(0)
    assert "cannot be read" in problem_of(path).message
