"""What is typed in a hurry in a notebook: each ends in what was hoped for, or in a line that says what to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tiny import make_rows
from toy import toy_recipe

import hftransfer as ht
from hftransfer.by_split import BySplit
from hftransfer.checked import Check
from hftransfer.errors import DataError, InputError, RecipeError, RunDirectoryError
from hftransfer.inputs import input_rows
from hftransfer.lint.findings import Example, Finding
from hftransfer.planning import Estimate
from hftransfer.registry import TASKS
from hftransfer.runner import load_data, resolve
from hftransfer.tasks.label_predictions import one_label, several_labels


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    texts, labels = make_rows(40)
    return pd.DataFrame({"text": texts, "label": labels})


@pytest.fixture
def of(tiny_checkpoint: Callable[..., Path]) -> Callable[..., ht.Recipe]:
    """of(rows, ...) -> a recipe for them."""

    def recipe(rows: Any, **options: Any) -> ht.Recipe:
        return toy_recipe(tiny_checkpoint("bert"), rows, **options)

    return recipe


# --- calls -----------------------------------------------------------------------------------------------------


def test_options_of_the_recipe_given_to_run(of: Callable[..., ht.Recipe], frame: pd.DataFrame) -> None:
    call: Any = ht.run
    for given, key, written in (
        ({"epochs": 3}, "training.epochs", "training={'epochs': 3}"),
        ({"lr": 1e-3}, "training.learning_rate", "training={'learning_rate': 0.001}"),
        ({"strategy": "lora"}, "strategy", "strategy='lora'"),
    ):
        with pytest.raises(InputError, match=f"that is the recipe's `{key}`") as error:
            call(of(frame), **given)
        assert written in str(error.value.hint)
    with pytest.raises(InputError, match="no option `outputs`") as error:
        call(of(frame), outputs="runs/x")
    assert str(error.value.hint).startswith("did you mean `output`?")
    with pytest.raises(InputError, match="found processes='2'"):
        call(of(frame), processes="2")


def test_what_comes_after_the_recipe_without_a_name(
    of: Callable[..., ht.Recipe], frame: pd.DataFrame
) -> None:
    call: Any = ht.run
    for given, hint in (
        ("runs/a", "write ht.run(recipe, output='runs/a')"),
        (Path("runs/a"), "write ht.run(recipe, output='runs/a')"),
        (True, "write ht.run(recipe, resume=True)"),
        (2, "write ht.run(recipe, processes=2)"),
        (print, "write ht.run(recipe, watch=...)"),
        ("training.epochs=3", "write ht.run(ht.load_recipe(NAME, 'training.epochs=3'))"),
        (frame, "its options have names: output, resume, processes, progress, watch"),
    ):
        with pytest.raises(InputError, match="takes the recipe alone without a name") as error:
            call(of(frame), given)
        assert error.value.hint == hint


def test_a_push_to_nowhere(tmp_path: Path) -> None:
    for call in (
        lambda: ht.push(tmp_path),
        lambda: ht.Result.push(SimpleNamespace(run_dir=tmp_path)),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError, match=r"push\(\) needs the repository") as error:
            call()
        assert "result.push('me/my-model')" in str(error.value.hint)


def test_overrides_as_python_would_have_them() -> None:
    call: Any = ht.load_recipe
    with pytest.raises(InputError, match=r"training\.epochs") as error:
        call("quickstart", epochs=3)
    assert "ht.load_recipe(NAME, 'training.epochs=3')" in str(error.value.hint)
    with pytest.raises(RecipeError, match="an override is a text, KEY=VALUE"):
        call("quickstart", {"training.epochs": 3})
    assert ht.load_recipe("quickstart", "training.epochs=3").training.epochs == 3


@pytest.mark.parametrize("function", [ht.run, ht.plan, ht.check, resolve])
def test_what_is_no_recipe(function: Any) -> None:
    for given, hint in (
        ("quickstart", "write ht.load_recipe('quickstart') in its place"),
        (Path("mine.yaml"), "write ht.load_recipe('mine.yaml') in its place"),
        ({"checkpoint": "x"}, "write ht.Recipe(**...) of it"),
        (3, "write ht.Recipe(checkpoint=..., data=..., task=...)"),
    ):
        with pytest.raises(InputError, match="expected a recipe, found a") as error:
            function(given)
        assert error.value.hint == hint


def test_a_recipe_of_what_has_no_name() -> None:
    call: Any = ht.Recipe
    with pytest.raises(RecipeError, match="sections are given by name") as error:
        call("quickstart")
    assert "ht.load_recipe(NAME)" in str(error.value)


def test_a_recipe_does_not_change(of: Callable[..., ht.Recipe], frame: pd.DataFrame) -> None:
    recipe = of(frame)
    with pytest.raises(InputError, match="`epochs` stays 4") as error:
        recipe.training.epochs = 5
    assert recipe.training.epochs == 4
    assert error.value.hint is not None
    made = eval(error.value.hint.partition(": ")[2], {"ht": ht, "recipe": recipe})  # what it says to write
    assert made.training.epochs == 5
    assert made.data.source is frame


def test_a_name_of_the_package_that_is_nearly_right() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_recip'; did you mean `load_recipe`"):
        ht.load_recip  # noqa: B018
    assert not {"Any", "TYPE_CHECKING", "annotations", "stages"} & set(dir(ht))  # completed by nobody


def test_a_folder_of_runs_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "result.json").write_text("{}")
    with pytest.raises(RunDirectoryError, match="there is no run in") as error:
        ht.load_run(tmp_path)
    assert str(error.value.hint).endswith(f"the newest that is finished: {tmp_path / 'mine'}")
    with pytest.raises(RunDirectoryError) as error:
        ht.load_run(tmp_path / "mine" / "nothing")
    assert "a run is the folder" in str(error.value.hint)


def test_a_run_whose_name_is_nearly_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs" / "text-frozen").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="runs/text-frozn is not a folder here") as error:
        ht.load_run("runs/text-frozn")
    assert error.value.hint == "did you mean `runs/text-frozen`?"
    with pytest.raises(InputError) as error:
        ht.load_run("runs/sst2")
    assert error.value.hint == "the folder runs holds text-frozen"
    with pytest.raises(InputError) as error:
        ht.load_run("me/text-frozn")
    assert "check the name and the network" in str(error.value.hint)


# --- rows ------------------------------------------------------------------------------------------------------


def test_a_table_of_another_library_is_read_as_a_frame(
    of: Callable[..., ht.Recipe], frame: pd.DataFrame
) -> None:
    """polars has `to_pandas` and `columns` as pyarrow does."""
    there = load_data(resolve(of(pa.Table.from_pandas(frame))))
    assert there.fingerprint == load_data(resolve(of(frame))).fingerprint
    assert there.fingerprint != load_data(resolve(of(frame.iloc[::-1]))).fingerprint  # the control


def slips(frame: pd.DataFrame) -> dict[str, tuple[Any, str, str]]:
    """Rows that cannot be used, what is wrong with them, and what to write."""
    first = frame.index == 3
    return {
        "series": (frame["text"], "found a Series", "give the whole data frame"),
        "array": (frame.to_numpy(), "found a ndarray", "name its columns: pandas.DataFrame"),
        "columns": (frame.to_dict("list"), "`text` and `label` to lists", "pandas.DataFrame({...})"),
        "index": (frame.set_index("text"), "no column `text`", "give frame.reset_index()"),
        "misspelt": (frame.rename(columns={"text": "Text"}), "no column `text`", '"columns": {"text": "Text"}'),
        "number": (frame.rename(columns={"text": 0}), "a column is named 0", "frame.rename(columns=str)"),
        "no text": (frame.assign(text=frame.text.mask(first)), "no text in", "frame.dropna(subset=['text'])"),
        "no label": (frame.assign(label=frame.label.mask(first)), "no label", "frame.dropna(subset=['label'])"),
        "fractions": (frame.assign(label=np.linspace(0, 1, 40)), "fractions", "problem_type: regression"),
        "lists": (frame.assign(label=[["a"]] * 40), "list", "problem_type: multi_label_classification"),
        "empty": (frame.iloc[:0], "no rows", "look at what was left out"),
        "of a run": (pd.DataFrame(), "no rows", "a run does not keep rows that were in memory"),
    }  # fmt: skip


@pytest.mark.parametrize("slip", list(slips(pd.DataFrame({"text": ["a"] * 40, "label": "b"}))))
def test_rows_that_cannot_be_used(slip: str, of: Callable[..., ht.Recipe], frame: pd.DataFrame) -> None:
    rows, wrong, hint = slips(frame)[slip]
    with pytest.raises((DataError, RecipeError)) as error:
        load_data(resolve(of(rows)))
    message, _, told = str(error.value).partition("\n")
    assert wrong in message
    assert hint in told


def test_a_file_is_not_mended_in_python(of: Callable[..., ht.Recipe], tmp_path: Path) -> None:
    """The control of what is said of frames."""
    (tmp_path / "rows.csv").write_text("text,label\na,x\n  ,y\n")
    with pytest.raises(DataError, match="fill or remove these rows; nothing"):
        load_data(resolve(of(tmp_path / "rows.csv")))


@pytest.mark.parametrize("kind", ["int64", "float64", "bool", "category", "Int64"])
def test_labels_of_any_kind(kind: str, of: Callable[..., ht.Recipe], frame: pd.DataFrame) -> None:
    labels = frame.label.eq("animal").astype("int64").astype(kind)
    rows = frame.assign(label=labels).sample(30, random_state=0)  # an index that is not from 0
    splits = load_data(resolve(of(rows)))
    assert splits.labels == (("False", "True") if kind == "bool" else ("0", "1"))
    assert sum(splits.sizes.values()) == 30


# --- asking a model --------------------------------------------------------------------------------------------


def asked(inputs: Any, columns: Mapping[str, Any] | None = None) -> list[str]:
    task = TASKS.get("text-classification")()
    rows: datasets.Dataset = input_rows(task, inputs, roles=("text",), columns=columns or {})
    return list(rows["text"])


def test_inputs_as_they_come() -> None:
    texts = ["a cat", "a dog"]
    frame = pd.DataFrame({"id": [7, 8], "My Text": texts})
    for given in (
        texts,
        tuple(texts),
        pd.Series(texts, index=[5, 9]),
        np.array(texts),
        frame["My Text"].values,
    ):
        assert asked(given) == texts
    for table in (frame, pa.Table.from_pandas(frame)):
        assert asked(table, {"text": "My Text", "label": "gone"}) == texts
    assert asked(pa.Table.from_pandas(frame)["My Text"]) == texts
    with pytest.raises(DataError, match="no column `text`") as error:
        asked(frame)
    assert "its columns: id, My Text" in str(error.value.hint)
    with pytest.raises(DataError) as error:
        asked("a cat")
    assert error.value.hint == "write predict(['a cat'])"


def test_an_answer_of_many_labels_is_short() -> None:
    scores = np.array([[0.5, 0.25, 0.125, 0.0625, 0.0625]])
    (one,) = one_label(np.array([0]), scores, "abcde").answers
    assert (
        repr(one)
        == "Label(label='a', score=0.5000, scores={'a': 0.5000, 'b': 0.2500, 'c': 0.1250, ... 2 more})"
    )
    assert len(one.scores) == 5
    (two,) = several_labels(np.array([[1, 1, 0]]), scores[:, :3], "abc").answers
    assert repr(two) == "Labels(labels=('a', 'b'), scores={'a': 0.5000, 'b': 0.2500, 'c': 0.1250})"


# --- what is shown ---------------------------------------------------------------------------------------------


def test_a_score_without_its_split() -> None:
    metrics = BySplit({"validation": {"accuracy": 0.5}, "test": {"accuracy": 0.6}})
    assert metrics["test"]["accuracy"] == 0.6
    assert metrics == {"validation": {"accuracy": 0.5}, "test": {"accuracy": 0.6}}
    assert metrics.get("train") is None
    with pytest.raises(KeyError) as missing:
        metrics["accuracy"]
    assert str(missing.value) == 'metrics are by split: write result.metrics["test"]["accuracy"]'
    loose: Any = metrics
    with pytest.raises(AttributeError, match=r'write result.metrics\["test"\]\["accuracy"\]'):
        loose.accuracy  # noqa: B018
    with pytest.raises(KeyError, match="there is no `acuracy`; splits: validation, test; in each: accuracy"):
        metrics["acuracy"]


def test_a_check_shows_itself() -> None:
    nasty = "<script>"
    found = Finding("leakage", "warning", ("test", "train"), 3, 10, f"3 of {nasty}", "mend it",
                    (Example("test", 1, "row 2", nasty),))  # fmt: skip
    check = Check({"train": 40}, ("a", "b"), {"trained": 1, "total": 4}, 12, (nasty,), (), (found,), 16)
    html, text = check._repr_html_(), str(check)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 3
    assert "mend it" in html
    quiet = Check(lint=(replace(found, severity="info"),))._repr_html_()
    assert "leakage" in quiet
    assert "mend it" not in quiet  # what does not matter is counted, and no more
    for line in (
        "recipe      is right",
        "data        40 train; 2 labels: a, b",
        "training    12 steps of 16 examples",
        "note        <script>",
        "warning     leakage: 3 of <script>",
    ):
        assert line in text.splitlines()
    # What the look at the rows says is among the notes, too, where it matters: it is shown once.
    twice = replace(check, findings=(nasty, found.message))
    assert (twice._repr_html_(), str(twice)) == (html, text)
    assert ("note", found.message) in twice.told()
    part = Check(unchecked=("checkpoint x",))
    assert "is right as far as it was looked at" in str(part)
    assert "checkpoint x: it lies on the Hub" in part._repr_html_()


def test_a_plan_shows_itself() -> None:
    facts: dict[str, Any] = dict.fromkeys(Estimate.__dataclass_fields__, 1)
    facts |= {
        "seconds": {"total": 90.0, "train": 80.0},
        "device": "cpu",
        "examples": {"train": 9},
        "tokens": None,
    }
    facts |= {
        "parameters": {"total": 4, "trained": 2},
        "savings": (),
        "findings": ("<b>",),
        "precision": "fp32",
    }
    facts |= {"disk": dict.fromkeys(("checkpoints", "model", "predictions", "features"), 0)}
    plan = Estimate(**facts)
    assert "about 1 min 30 s on one CPU process" in plan._repr_html_()
    assert "&lt;b&gt;" in plan._repr_html_()
    assert "note      <b>" in str(plan).splitlines()
