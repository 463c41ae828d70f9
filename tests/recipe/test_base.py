"""`base`: a recipe that states only its difference from another."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hftransfer.errors import Problem, RecipeError
from hftransfer.recipe import Recipe, copy_recipe, dump_recipe, load_recipe, read_recipe, shipped_recipes
from hftransfer.recipe.file import MAX_BYTES
from hftransfer.recipe.yaml import parse

PARENT = """\
checkpoint: {name: some/model, revision: v1}
data:
  source: some/data
  columns: {text: body, label: topic}
task: {name: text-classification, max_length: 64}
strategy: {name: lora, rank: 4}
training:
  epochs: 7
  optimizer: {name: sgd, momentum: 0.5}
metrics: [accuracy, mcc]
"""
SST2 = "text-classification/sst2-bert-full"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return write(tmp_path / "parent.yaml", PARENT)


def child(parent: Path, text: str, *overrides: str) -> Recipe:
    return load_recipe(write(parent.parent / "child.yaml", f"base: parent.yaml\n{text}"), *overrides)


def refused(path: Path, *overrides: str) -> list[Problem]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, *overrides)
    assert caught.value.source == str(path)
    return list(caught.value.problems)


# --- what wins -------------------------------------------------------------------------------------------------


def test_what_is_not_said_is_the_base_s(parent: Path) -> None:
    assert child(parent, "") == load_recipe(parent)
    assert child(parent, "training: {epochs: 2}\n") == load_recipe(parent, "training.epochs=2")
    assert child(parent, "training: {epochs: 2}\n") != load_recipe(parent)


@pytest.mark.parametrize(
    ("text", "alike"),
    [
        # sections are merged key by key, at any depth
        ("data: {columns: {text: title}}", "data.columns.text=title"),
        ("data: {limits: {train: 5}, config: c}", ("data.limits.train=5", "data.config=c")),
        ("training: {optimizer: {momentum: 0.9}}", "training.optimizer.momentum=0.9"),
        ("strategy: {rank: 16}", "strategy.rank=16"),
        ("strategy: {name: lora, rank: 16}", "strategy.rank=16"),
        ("checkpoint: {revision: v2}", "checkpoint.revision=v2"),
        ("task: {max_length: null}", "task.max_length=null"),
        # another name: another thing, whose options are its own
        ("strategy: {name: layer-decay}", "strategy=layer-decay"),
        ("task: {name: fill-mask}\nmetrics: [perplexity]\ndata: some/texts",
         ("task=fill-mask", "metrics=[perplexity]", "data=some/texts")),
        ("training: {optimizer: {name: adamw}}", "training.optimizer=adamw"),
        ("checkpoint: {name: other/model}", "checkpoint=other/model"),
        # all else replaces
        ("strategy: lora", "strategy=lora"),
        ("checkpoint: other/model", "checkpoint=other/model"),
        ("data: other/data", "data=other/data"),
        ("data: {train: a/b, test: c/d}", "data={train: a/b, test: c/d}"),
        ("metrics: [f1]", "metrics=[f1]"),
        ("training: {optimizer: adamw}", "training.optimizer=adamw"),
    ],
)  # fmt: skip
def test_local_keys_win(parent: Path, text: str, alike: str | tuple[str, ...]) -> None:
    recipe = child(parent, f"{text}\n")
    assert recipe == load_recipe(parent, *([alike] if isinstance(alike, str) else alike))
    assert recipe != load_recipe(parent)


def test_a_section_that_the_base_writes_short_is_written_out(tmp_path: Path) -> None:
    write(tmp_path / "parent.yaml", "checkpoint: a/b\ndata: x/y\ntask: text-classification\nstrategy: lora\n")
    text = (
        "base: parent.yaml\n"
        "checkpoint: {revision: v1}\ndata: {config: c}\ntask: {max_length: 9}\nstrategy: {rank: 2}\n"
    )
    value = read_recipe(write(tmp_path / "child.yaml", text)).value
    assert value == {
        "checkpoint": {"name": "a/b", "revision": "v1"},
        "data": {"source": "x/y", "config": "c"},
        "task": {"name": "text-classification", "max_length": 9},
        "strategy": {"name": "lora", "rank": 2},
    }
    write(tmp_path / "parent.yaml", "data: {train: a.csv, test: b.csv}\n")
    data = read_recipe(write(tmp_path / "child.yaml", "base: parent.yaml\ndata: {config: c}\n")).value["data"]
    assert data["source"] == {"train": str(tmp_path / "a.csv"), "test": str(tmp_path / "b.csv")}


def test_a_chain(parent: Path) -> None:
    write(
        parent.parent / "middle.yml", "base: parent.yaml\nstrategy: frozen\ntraining: {epochs: 5, seed: 1}\n"
    )
    last = write(parent.parent / "last.yaml", "base: middle.yml\ntraining: {seed: 2}\n")
    assert load_recipe(last) == load_recipe(parent, "strategy=frozen", "training.epochs=5", "training.seed=2")


def test_a_base_need_not_be_whole(tmp_path: Path) -> None:
    write(tmp_path / "quick.yaml", "training: {epochs: 1}\n")
    text = "base: quick.yaml\ncheckpoint: a/b\ndata: x/y\ntask: text-classification\n"
    assert load_recipe(write(tmp_path / "child.yaml", text)).training.epochs == 1
    (missing,) = refused(write(tmp_path / "child.yaml", text.replace("task: text-classification\n", "")))
    assert (missing.key, missing.line) == ("task", None)


def test_overrides_come_last(parent: Path) -> None:
    assert child(parent, "strategy: {rank: 16}\n", "strategy.rank=2", "data.limits.train=3") == load_recipe(
        parent, "strategy.rank=2", "data.limits.train=3"
    )


def test_a_shipped_recipe_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "child.yaml", f"base: {SST2}\ndata: {{config: cola}}\n")
    write(tmp_path / f"{SST2}.yaml", "training: {epochs: 99}\n")  # no file comes before a shipped recipe
    assert load_recipe(path) == load_recipe(shipped_recipes()[SST2], "data.config=cola")
    path.write_text(f"base: {SST2}.yaml\n")
    assert read_recipe(path).value == {"training": {"epochs": 99}}


# --- paths -----------------------------------------------------------------------------------------------------


def test_paths_start_at_the_file_they_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    write(
        tmp_path / "up" / "parent.yaml",
        "checkpoint: model\ndata: {source: rows.csv}\ntask: text-classification\n",
    )
    (tmp_path / "up" / "model").mkdir()
    (here / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    path = write(here / "child.yaml", "base: ../up/parent.yaml\ntraining: {epochs: 1}\n")
    assert load_recipe("here/child.yaml").checkpoint.name == str(tmp_path / "up" / "model")
    assert load_recipe(path).data.source == str(tmp_path / "up" / "rows.csv")
    path.write_text("base: ../up/parent.yaml\ncheckpoint: model\ndata: {source: rows.csv}\n")
    assert load_recipe(path).checkpoint.name == str(here / "model")
    assert load_recipe(path).data.source == str(here / "rows.csv")
    # a Hub id of the base stays one, though there is a folder of that name beside the recipe
    write(tmp_path / "up" / "parent.yaml", "checkpoint: some/model\ndata: x\ntask: text-classification\n")
    (here / "some" / "model").mkdir(parents=True)
    path.write_text("base: ../up/parent.yaml\n")
    assert load_recipe(path).checkpoint.name == "some/model"
    path.write_text("base: ../up/parent.yaml\ncheckpoint: some/model\n")
    assert load_recipe(path).checkpoint.name == str(here / "some" / "model")


# --- what is written stands alone ------------------------------------------------------------------------------


def test_the_resolved_recipe_has_no_base(parent: Path, tmp_path: Path) -> None:
    recipe = child(parent, "strategy: {rank: 16}\n")
    alone = write(tmp_path / "alone" / "recipe.yaml", dump_recipe(recipe))
    parent.unlink()
    assert "base" not in parse(alone.read_text()).value
    assert load_recipe(alone) == recipe


def test_a_copy_names_its_base_from_where_it_is(parent: Path, tmp_path: Path) -> None:
    text = "# mine\nbase: ../parent.yaml   # all but the rows\ndata: rows.csv\n"
    path = write(tmp_path / "sub" / "child.yaml", text)
    (tmp_path / "there").mkdir()
    copy = copy_recipe(str(path), tmp_path / "there")
    assert copy.read_text() == (
        f"# mine\nbase: {parent}   # all but the rows\ndata: {tmp_path / 'sub' / 'rows.csv'}\n"
    )
    assert load_recipe(copy) == load_recipe(path)
    path.write_text(f'base: "{SST2}"\ntraining: {{epochs: 1}}\n')
    copied = copy_recipe(str(path), tmp_path / "there" / "second.yaml")
    assert copied.read_text() == path.read_text()


def test_a_copy_of_a_shipped_recipe_names_its_base_and_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = tmp_path / "hftransfer" / "recipes"
    monkeypatch.setattr("hftransfer.recipe.file.recipes_folder", lambda: shelf)
    write(shelf / "text" / "first.yaml", PARENT)
    write(shelf / "text" / "second.yaml", "base: first.yaml\ntraining: {epochs: 2}\n")
    copy = copy_recipe("text/second", tmp_path)
    assert copy.read_text() == "base: text/first\ntraining: {epochs: 2}\n"
    assert load_recipe(copy) == load_recipe("text/second")


# --- mistakes --------------------------------------------------------------------------------------------------


def test_a_mistake_names_the_file_and_line_it_stands_in(parent: Path) -> None:
    parent.write_text(PARENT.replace("epochs: 7", "epochs: many").replace("rank: 4", "rnk: 4"))
    path = write(
        parent.parent / "child.yaml", "# first\nbase: parent.yaml\ndata: {confg: c}\nmetrics: [acuracy]\n"
    )
    problems = refused(path)
    assert [(one.key, one.source, one.line) for one in problems] == [
        ("data.confg", None, 3),
        ("metrics.0", None, 4),
        ("strategy.rnk", str(parent), 6),
        ("training.epochs", str(parent), 8),
    ]
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, "training.epochs=1", "strategy=lora")
    assert f"{path}:3: data.confg: unknown key" in str(caught.value)
    with pytest.raises(RecipeError, match=r"parent\.yaml:8: training\.epochs: expected a whole number"):
        load_recipe(path)
    mended = write(path, "base: parent.yaml\nstrategy: lora\ntraining: {epochs: 3}\n")
    assert load_recipe(mended).training.epochs == 3  # what is replaced is no mistake any more


def test_a_contradiction_between_two_files(parent: Path) -> None:
    path = write(parent.parent / "child.yaml", "base: parent.yaml\ntraining: {best_metric: f1}\n")
    (problem,) = refused(path)
    assert (problem.key, problem.source, problem.line) == ("training.best_metric", None, 2)


def test_what_is_wrong_with_the_text_of_a_base(parent: Path) -> None:
    path = write(parent.parent / "child.yaml", "base: parent.yaml\nmetrics: [f1]\nmetrics: [mcc]\n")
    write(parent, PARENT + "metrics: [f1]\n")
    problems = refused(path)
    assert [(one.source, one.line) for one in problems] == [(None, 3), (str(parent), 11)]
    for text, message in (("", "found nothing"), ("- a\n", "found the list"), ("a: [\n", "")):
        write(parent, text)
        with pytest.raises(RecipeError) as caught:
            load_recipe(write(path, "base: parent.yaml\n"))
        assert caught.value.source == str(parent)
        assert message in caught.value.problems[0].message
    parent.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(RecipeError, match="too many for a recipe"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("[a.yaml, b.yaml]", "one base at most, found the list", "that may have a base of its own"),
        ("", "expected a recipe's file or the name of a shipped recipe, found nothing", None),
        ("{name: x}", "expected a recipe's file", None),
        ("3", "found `3`", None),
        ("gone.yaml", "no such recipe", None),
        ("prent.yaml", "no such recipe", "did you mean `{folder}/parent.yaml`?"),
        ("parent", "no shipped recipe is named `parent`", "write `parent.yaml`"),
        ("text-classification/sst2-bert-ful", "no such recipe", f"did you mean `{SST2}`?"),
        (f"{SST2}.yaml", "beside this recipe", f"is called `{SST2}`"),
        ("folder.yaml", "this is a folder", None),
        ("notes.txt", "no such recipe", None),
        ('"a\\0b.yaml"', "no such recipe", None),
    ],
)
def test_what_is_no_base(parent: Path, written: str, message: str, hint: str | None) -> None:
    (parent.parent / "folder.yaml").mkdir()
    (parent.parent / "notes.txt").write_text(PARENT)
    (problem,) = refused(write(parent.parent / "child.yaml", f"# first\nbase: {written}\n"))
    assert (problem.key, problem.line, problem.source) == ("base", 2, None)
    assert message in problem.message
    assert hint is None or hint.format(folder=parent.parent) in str(problem.hint)


def test_a_circle_is_refused_with_its_way(tmp_path: Path) -> None:
    one = write(tmp_path / "one.yaml", "base: two.yaml\n")
    two = write(tmp_path / "two.yaml", "# second\nbase: sub/../link.yaml\n")
    (tmp_path / "link.yaml").symlink_to(one)
    with pytest.raises(RecipeError) as caught:
        load_recipe(one)
    (problem,) = caught.value.problems
    assert problem.message == f"a recipe cannot be its own base: {one} -> {two} -> {tmp_path / 'link.yaml'}"
    assert (caught.value.source, problem.line) == (str(two), 2)
    own = write(tmp_path / "own.yaml", "base: own.yaml\n")
    assert f"{own} -> {own}" in refused(own)[0].message


def test_a_base_stands_in_a_file_at_its_top(parent: Path) -> None:
    (given,) = refused(parent, "base=other.yaml")
    assert (given.key, given.source) == ("base", "command line")
    assert "at the top of a recipe's file" in str(given.hint)
    (deep,) = refused(write(parent.parent / "deep.yaml", PARENT.replace("epochs: 7", "base: x.yaml")))
    assert (deep.key, deep.line) == ("training.base", 8)
    with pytest.raises(RecipeError, match="at the top of a recipe's file"):
        Recipe(checkpoint="a/b", data="x/y", task="text-classification", base="z.yaml")


def test_mistakes_in_a_chain_are_found_at_once_and_without_torch(parent: Path) -> None:
    for number in range(5):
        base = "parent.yaml" if number == 0 else f"{number - 1}.yaml"
        write(parent.parent / f"{number}.yaml", f"base: {base}\ntraining: {{epochs: {number - 4}}}\n")
    code = (
        "import sys\nfrom hftransfer.recipe import load_recipe\n"
        "try: load_recipe(sys.argv[1])\nexcept Exception as error: print(error)\n"
        "assert 'torch' not in sys.modules"
    )
    start = time.perf_counter()
    command = [sys.executable, "-c", code, str(parent.parent / "4.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert time.perf_counter() - start < 2
    assert "4.yaml:2: training.epochs: expected a whole number above 0, found `0`" in done.stdout


def test_large_sections_are_merged_in_no_time(tmp_path: Path) -> None:
    columns = "".join(f"    c{number}: x\n" for number in range(10_000))
    for name, base in (("one", ""), ("two", "base: one.yaml\n"), ("three", "base: two.yaml\n")):
        write(tmp_path / f"{name}.yaml", f"{base}data:\n  source: a/b\n  columns:\n{columns}")
    start = time.process_time()
    assert len(read_recipe(tmp_path / "three.yaml").value["data"]["columns"]) == 10_000
    assert time.process_time() - start < 8  # three files to read; a second each, and hardly more


def test_show_prints_the_whole(parent: Path) -> None:
    path = write(parent.parent / "child.yaml", "base: parent.yaml\nstrategy: {rank: 16}\n")
    command = [sys.executable, "-m", "hftransfer", "show", str(path), "--json"]
    shown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert "base" not in shown
    assert (shown["strategy"]["rank"], shown["training"]["epochs"]) == (16, 7)
