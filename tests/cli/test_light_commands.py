"""Commands that train nothing: what they print, their exit codes, and that they are quick."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml
from cli_runner import hftransfer
from toy import write_texts

from hftransfer import __version__
from hftransfer.recipe import load_recipe, recipe_schema, shipped_recipes
from hftransfer.registry import TASKS

BROKEN = """\
chekpoint: some/model
data: {source: train.csv, columms: {text: t}}
task: text-clasification
training: {epochs: 0, learning_rate: fast}
"""


@pytest.fixture
def recipe(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> Path:
    """A recipe whose paths are relative to it."""
    folder = tmp_path / "home"
    write_texts(folder / "texts", train=40, other=8)
    (folder / "model").symlink_to(tiny_checkpoint("bert"))
    file = folder / "mine.yaml"
    file.write_text("# my own\ncheckpoint: model\ndata: texts   # three files\ntask: text-classification\n")
    return file


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "broken.yaml").write_text(BROKEN)
    return tmp_path / "broken.yaml"


def refused(done: CompletedProcess[str], *messages: str) -> None:
    """Exit code 2, the reasons on stderr and nothing else there, nothing on stdout."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for message in messages:
        assert message in done.stderr


# --- the program itself ----------------------------------------------------------------------------------------


def test_alone_it_lists_its_commands() -> None:
    done = hftransfer()
    assert done.returncode == 2
    said = done.stdout + done.stderr
    for name in (
        "init",
        "run",
        "check",
        "plan",
        "show",
        "list",
        "copy",
        "evaluate",
        "predict",
        "compare",
        "cache",
        "schema",
        "env",
    ):
        assert f" {name} " in said
    assert "Traceback" not in said


def test_help_and_version() -> None:
    asked = hftransfer("run", "-h")
    assert asked.returncode == 0
    for option in ("--output", "--resume", "--processes", "--json", "KEY=VALUE"):
        assert option in asked.stdout
    assert hftransfer("--version").stdout == f"hftransfer {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu", "quickstart"], "No such command 'rnu'"),
        (["run", "quickstart", "--ouput", "x"], "No such option: --ouput"),
        (["run", "quickstart", "--out", "x"], "(Possible options: --output)"),
        (
            ["train", "quickstart", "--resume"],
            "`train` is called `run` here: hftransfer run quickstart --resume",
        ),
        (["list", "recipe"], "did you mean `recipes`?"),
        (["run", "quickstart", "--epochs", "1"], "training.epochs=1"),
        (["check", "quickstart", "--training.epochs=1"], "training.epochs=1"),
        (["show", "quickstart", "--lr", "1e-3"], "training.learning_rate=1e-3"),
        (["run", "quickstart", "--rank", "--json"], "strategy.rank=VALUE"),
        (["run", "quickstart", "training.epochs", "1"], "did you mean `training.epochs=1`?"),
        (["--json", "check", "quickstart"], "hftransfer check quickstart --json"),
        (["--output", "x", "run", "quickstart"], "hftransfer run quickstart --output x"),
        (["run"], "Missing argument 'RECIPE'"),
        (["run", "quickstart", "--processes", "0"], "Invalid value for '--processes'"),
    ],
)
def test_a_command_line_that_is_not_one(arguments: list[str], message: str) -> None:
    refused(hftransfer(*arguments), message)


def test_an_interrupt_before_there_is_a_command() -> None:
    """While the command line is imported, which takes a moment."""
    code = """
import runpy, sys
class Stop:
    def find_spec(self, name, *rest):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
runpy.run_module("hftransfer", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


# --- check -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "plan", "run", "show"])
def test_a_broken_recipe_is_told_whole_in_two_seconds_without_torch(broken: Path, command: str) -> None:
    code = f"""
import sys
from hftransfer.cli import main
sys.argv = ["hftransfer", {command!r}, {str(broken)!r}]
try:
    main()
finally:
    print([name for name in ("torch", "transformers", "datasets", "numpy", "pandas") if name in sys.modules])
"""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=broken.parent
    )
    seconds = time.perf_counter() - start
    assert done.returncode == 2
    assert done.stdout == "[]\n"
    for message in (
        "broken.yaml:1: chekpoint: unknown key",
        "did you mean `checkpoint`?",
        "broken.yaml:2: data.columms",
        "broken.yaml:3: task: no task is named `text-clasification`",
        "broken.yaml:4: training.epochs",
        "training.learning_rate",
    ):
        assert message in done.stderr
    assert [path.name for path in broken.parent.iterdir()] == ["broken.yaml"]
    assert seconds < 2


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    refused(hftransfer("check", "quickstrat"), "did you mean", "quickstart")
    refused(hftransfer("check", tmp_path / "no.yaml"), str(tmp_path / "no.yaml"))
    refused(hftransfer("check", "quickstart", "data.source=no.csv"), "no.csv")
    refused(hftransfer("check", "quickstart", "traning.epochs=1"), "command line: traning", "`training`")


def test_data_where_a_recipe_belongs(tmp_path: Path) -> None:
    """A file of rows, or a folder, is told so; a recipe that is written as JSON is one."""
    (tmp_path / "some.csv").write_text("text,label\na cat,animal\n")
    (tmp_path / "rows.json").write_text('{"version": "1.1", "data": []}')
    for name in ("some.csv", "rows.json"):
        for command in ("check", "run", "show"):
            done = hftransfer(command, name, cwd=tmp_path)
            refused(done, f"{name}: this is data", f"hftransfer init {name} > recipe.yaml")
    refused(hftransfer("check", tmp_path), "this is a folder", f"hftransfer init {tmp_path} > recipe.yaml")
    recipe = {"checkpoint": "a/b", "data": "c/d", "task": "text-classification"}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    assert hftransfer("show", "recipe.json", cwd=tmp_path).returncode == 0


LABELS = "data: {source: texts, labels: [animal, plant]}"


@pytest.mark.parametrize(
    ("line", "place", "messages"),
    [
        ("data: {source: ./gone}", "mine.yaml:2: data.source:", ["no such file or folder"]),
        ("data: {source: empty.csv}", "mine.yaml:2: data.source:", ["empty.csv is empty"]),
        ("data: {source: texts, columns: {text: words}}", "mine.yaml:2: data.columns.text:", ["no column `words`"]),
        ("data: {source: fractions.jsonl}", "mine.yaml:2: data.columns.label:", ["does not look like labels"]),
        (LABELS, "mine.yaml:2: data.labels:", ["not among those listed", "`colour`"]),
        ("data: {source: texts, limits: {train: 1}}", "mine.yaml:2: data.limits.train:", ["all have the label"]),
        ("task: {name: text-classification, max_length: 9999}", "mine.yaml:2: task.max_length:", ["takes at most"]),
        ("checkpoint: ./gone", "mine.yaml:2: checkpoint:", ["no such folder"]),
        ("checkpoint: {name: model, revision: v1}", "mine.yaml:2: checkpoint.revision:", ["leave revision out"]),
    ],
)  # fmt: skip
def test_a_mistake_that_only_data_or_checkpoint_show_names_the_line_that_asked(
    recipe: Path, line: str, place: str, messages: list[str]
) -> None:
    (recipe.parent / "empty.csv").touch()
    (recipe.parent / "fractions.jsonl").write_text(
        '{"text": "a cat", "label": 0.5}\n{"text": "a dog", "label": 1.5}\n'
    )
    section = line.partition(":")[0]
    lines = [one for one in recipe.read_text().splitlines() if not one.startswith(section)]
    recipe.write_text("\n".join([lines[0], line, *lines[1:]]))
    refused(hftransfer("check", recipe), place, *messages)


def test_a_mistake_in_the_data_asked_for_on_the_command_line_says_so(recipe: Path) -> None:
    refused(hftransfer("check", recipe, "data.source=gone.csv"), "error: command line: data.source:")


def test_debug_shows_the_traceback_and_keeps_the_exit_code(broken: Path) -> None:
    done = hftransfer("--debug", "check", broken)
    assert done.returncode == 2
    assert "Traceback (most recent call last)" in done.stderr
    assert "RecipeError" in done.stderr
    assert "error: " in done.stderr


def test_check_says_what_it_saw(recipe: Path, tmp_path: Path) -> None:
    """From another folder: paths are the recipe's own."""
    done = hftransfer("check", recipe, "training.epochs=2", "training.batch_size=16", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        "recipe      is right",
        "data        40 train, 8 validation, 8 test; 2 labels: animal, colour",
    ]
    assert lines[2].startswith("checkpoint  loads; ")
    assert lines[3] == "training    6 steps of 16 examples"
    assert any(line.startswith("note        weights that start from random: ") for line in lines)
    assert sorted(path.name for path in recipe.parent.iterdir()) == ["mine.yaml", "model", "texts"]


def test_check_as_json_names_what_lies_on_the_hub(recipe: Path) -> None:
    done = hftransfer("check", recipe, "checkpoint=google-bert/bert-base-cased", "--json")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["unchecked"] == ["checkpoint google-bert/bert-base-cased"]
    assert seen["examples"] == {"train": 40, "validation": 8, "test": 8}
    assert seen["labels"] == ["animal", "colour"]
    assert seen["steps"] is None


# --- show, copy ------------------------------------------------------------------------------------------------


def test_what_show_prints_is_the_recipe(recipe: Path, tmp_path: Path) -> None:
    overrides = ["training.epochs=7", "strategy=lora", "data.labels=[':smile:', '[b]', 'no', '007']"]
    done = hftransfer("show", recipe, *overrides, COLUMNS="40")
    assert done.returncode == 0, done.stderr
    (tmp_path / "shown.yaml").write_text(done.stdout)
    shown = load_recipe(tmp_path / "shown.yaml")
    assert shown == load_recipe(recipe, *overrides)
    assert shown.data.labels is not None
    assert [*shown.data.labels] == [":smile:", "[b]", "no", "007"]
    as_json = hftransfer("show", recipe, *overrides, "--json")
    assert json.loads(as_json.stdout) == yaml.safe_load(done.stdout)


def test_a_copy_means_the_same_files_and_overwrites_nothing(recipe: Path, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere"
    there.mkdir()
    done = hftransfer("copy", recipe, there)
    assert (done.returncode, done.stdout) == (0, f"wrote {there / 'mine.yaml'}\n"), done.stderr
    text = (there / "mine.yaml").read_text()
    assert text.startswith("# my own\n")
    assert f"data: {recipe.parent / 'texts'}   # three files\n" in text
    assert load_recipe(there / "mine.yaml") == load_recipe(recipe)
    (there / "mine.yaml").write_text("precious")
    refused(hftransfer("copy", recipe, there), "there is a file already; nothing was written")
    refused(hftransfer("copy", recipe, there / "mine.yaml"), "there is a file already")
    assert (there / "mine.yaml").read_text() == "precious"


def test_a_shipped_recipe_is_copied_with_its_data(tmp_path: Path) -> None:
    done = hftransfer("copy", "quickstart", "my-first", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["my-first.yaml"]
    assert load_recipe(tmp_path / "my-first.yaml") == load_recipe("quickstart")


# --- list, schema, env -----------------------------------------------------------------------------------------


def test_list() -> None:
    everything = json.loads(hftransfer("list", "--json").stdout)
    assert list(everything) == ["recipes", "tasks", "strategies", "metrics"]
    assert set(everything["recipes"]) == set(shipped_recipes())
    assert set(everything["strategies"]) >= {"full", "frozen", "lora"}
    assert all(summary for kind in everything.values() for summary in kind.values())
    done = hftransfer("list", "strategies")
    assert done.returncode == 0
    for name, summary in everything["strategies"].items():
        assert name in done.stdout
        assert summary in done.stdout
    assert "accuracy" not in done.stdout


def test_list_tasks_shows_columns_and_metrics() -> None:
    (told,) = json.loads(hftransfer("list", "tasks", "--json").stdout).values()
    assert set(told) == set(TASKS.names())
    done = hftransfer("list", "tasks")
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.split())
    for name, task in told.items():
        assert f"{name} {' '.join(task['summary'].split())}" in shown
        for one in task["variants"]:
            assert f"metrics {', '.join(one['metrics'])}" in shown
    assert "columns text (text), [text_pair (text)], label (class) metrics accuracy, " in shown
    assert "columns image (image), label (numbers) metrics mse, " in shown


def test_a_reader_that_leaves_early_hears_no_complaint() -> None:
    pipe = f"{sys.executable} -m hftransfer schema | head -1"
    done = subprocess.run(pipe, shell=True, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_schema() -> None:
    done = hftransfer("schema")
    assert json.loads(done.stdout) == json.loads(json.dumps(recipe_schema()))
    assert done.stderr == ""


def test_env() -> None:
    facts = json.loads(hftransfer("env", "--json").stdout)
    assert facts["hftransfer"] == __version__
    assert {"python", "platform", "packages", "device", "gpus", "cpu_cores"} <= set(facts)
    assert set(facts["packages"]) >= {"torch", "transformers", "peft", "datasets"}
