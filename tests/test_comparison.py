"""Runs beside one another: the best first, what sets them apart, and no ranking of what cannot be compared."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from cli_runner import hftransfer
from scipy.stats import binomtest
from tiny import make_rows
from toy import toy_recipe, write_texts

from hftransfer import runner
from hftransfer.comparison import Comparison, Row, compare
from hftransfer.errors import InputError, RunDirectoryError
from hftransfer.fresh import FreshProcess
from hftransfer.metrics.intervals import Resamples
from hftransfer.recipe import Recipe
from hftransfer.run_directory import RunDirectory

FULL, FROZEN, FEW, OTHER, NUMBERS, WORSE = "full", "frozen", "few", "other", "numbers", "numbers-worse"


def numbers(count: int, seed: int) -> list[dict[str, Any]]:
    texts, labels = make_rows(count, seed=seed)
    return [
        {"text": text, "label": float(label == "animal")} for text, label in zip(texts, labels, strict=True)
    ]


@pytest.fixture(scope="module")
def runs(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six finished runs. Their models are not proven: nothing here loads one, and it takes seconds each."""
    root = tmp_path_factory.mktemp("compared")
    texts = write_texts(root / "texts", other=48)
    bert = tiny_checkpoint("bert")
    table = {"train": numbers(48, 0), "validation": numbers(24, 1)}
    regression = {"name": "text-classification", "problem_type": "regression"}

    def with_data(recipe: Recipe, **data: Any) -> Recipe:
        return recipe.model_copy(update={"data": recipe.data.model_copy(update=data)})

    recipes = {
        FULL: toy_recipe(bert, texts, learning_rate=3e-3, epochs=8),
        FROZEN: toy_recipe(bert, texts, strategy="frozen", epochs=1, learning_rate=1e-6),
        FEW: with_data(toy_recipe(bert, texts, epochs=1), limits={"train": 32}),
        OTHER: toy_recipe(bert, write_texts(root / "others", other=12), strategy="frozen", epochs=1),
        NUMBERS: toy_recipe(bert, table, task=regression, strategy="frozen", epochs=3),
        WORSE: toy_recipe(bert, table, task=regression, strategy="frozen", epochs=3, learning_rate=1.0),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "hftransfer.stages.saving.prove", lambda *_: {"max_difference": 0.0, "rows": 0, "ways": {}}
        )
        patch.setattr(FreshProcess, "start", lambda self: None)
        for name, recipe in recipes.items():
            runner.run(recipe, output=root / "runs" / name)
    return root / "runs"


def named(comparison: Comparison) -> list[list[str]]:
    return [[Path(row.run).name for row in group.rows] for group in comparison.groups]


def copied(run: Path, to: Path, *, fingerprint: str | None = None) -> Path:
    shutil.copytree(run, to)
    if fingerprint is not None:
        data = RunDirectory(to).data
        data.write_text(json.dumps({**json.loads(data.read_text()), "fingerprint": fingerprint}))
    return to


# --- ranking -----------------------------------------------------------------------------------------------------


def test_the_best_stands_first_with_its_interval_and_cost(runs: Path) -> None:
    comparison = compare([runs / FROZEN, runs / FULL])
    (group,) = comparison.groups
    result = runner.load_run(runs / FULL)
    assert named(comparison) == [[FULL, FROZEN]]
    assert (group.task, group.metric, group.split, group.examples) == (
        "text-classification",
        "accuracy",
        "test",
        48,
    )
    first, second = group.rows
    assert (first.rank, second.rank) == (1, 2)
    assert first.value == result.metrics["test"]["accuracy"]
    assert first.seconds == result.seconds["total"]
    assert first.trained == result.parameters["trained"] > second.trained
    assert first.peak_memory_bytes == result.peak_memory_bytes
    assert second.value is not None
    assert second.interval is not None
    assert second.interval[0] < second.value < second.interval[1]


def test_only_settings_that_differ_are_told(runs: Path) -> None:
    (group,) = compare([runs / FROZEN, runs / FULL]).groups
    assert set(group.settings) == {"strategy.name", "training.epochs", "training.learning_rate"}
    by_name = {Path(row.run).name: row.settings for row in group.rows}
    assert by_name[FULL] == {"strategy.name": "full", "training.epochs": 8, "training.learning_rate": 3e-3}
    assert by_name[FROZEN]["strategy.name"] == "frozen"
    (same,) = compare([runs / FULL]).groups
    assert same.settings == ()


def test_the_first_two_are_tested_on_the_same_rows(runs: Path) -> None:
    """By what the predictions' files say, computed here once more."""
    (group,) = compare([runs / FULL, runs / FROZEN]).groups
    right = []
    for name in (FULL, FROZEN):
        table = pq.read_table(RunDirectory(runs / name).predictions("test")).to_pydict()
        right.append(np.array(table["label"]) == np.array(table["prediction"]))
    found = group.difference
    assert found is not None
    assert found["value"] == pytest.approx(right[0].mean() - right[1].mean())
    apart = Resamples(48).mean(right[0].astype(float) - right[1])
    assert found["interval"] == pytest.approx(np.percentile(apart, [2.5, 97.5]))
    only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    assert found["p"] == pytest.approx(binomtest(only[0], sum(only)).pvalue)
    assert found["p"] < 0.05
    assert found["verdict"] == "better"
    assert group.verdict.startswith(f"{runs / FULL} is better than {runs / FROZEN}: accuracy +")


def test_a_run_is_not_better_than_itself(runs: Path, tmp_path: Path) -> None:
    (group,) = compare([runs / FULL, copied(runs / FULL, tmp_path / "again")]).groups
    assert "cannot be told apart: accuracy +0.0000" in group.verdict
    assert [row.rank for row in group.rows] == [1, 1]
    assert group.difference is not None
    assert group.difference["p"] == 1


def test_where_less_is_better_the_least_stands_first(runs: Path) -> None:
    (group,) = compare([runs / WORSE, runs / NUMBERS]).groups
    assert (group.metric, group.split, group.higher_is_better) == ("mse", "validation", False)
    first, second = group.rows
    assert Path(first.run).name == NUMBERS
    assert first.value is not None
    assert second.value is not None
    assert first.value < second.value
    assert group.difference is not None
    assert group.difference["value"] < 0
    assert group.difference["verdict"] == "better"
    assert group.title.endswith("memory: train 48 rows, validation 24 rows, lower is better")
    (by_r2,) = compare([runs / WORSE, runs / NUMBERS], metric="r2").groups
    assert by_r2.higher_is_better
    assert named(Comparison((by_r2,), {})) == [[NUMBERS, WORSE]]


def test_a_run_that_has_not_kept_what_a_test_takes(runs: Path, tmp_path: Path) -> None:
    old = copied(runs / FROZEN, tmp_path / "old")
    RunDirectory(old).resampled.unlink()
    (group,) = compare([runs / FULL, old]).groups
    assert named(Comparison((group,), {})) == [[FULL, "old"]]
    assert group.difference is None
    assert "is not known" in group.verdict
    assert str(old) in group.verdict
    (by_loss,) = compare([runs / FULL, runs / FROZEN], metric="loss").groups
    assert "loss has no resamples" in by_loss.verdict


# --- what may be compared ----------------------------------------------------------------------------------------


def test_fewer_training_rows_are_ranked_by_the_same_test_rows(runs: Path) -> None:
    comparison = compare([runs / FULL, runs / FEW])
    assert named(comparison) == [[FULL, FEW]]
    assert comparison.groups[0].difference is not None
    assert "data.limits.train" in comparison.groups[0].settings


def test_one_other_text_makes_other_rows(runs: Path, tmp_path: Path) -> None:
    """The control of the test above: the rows are looked at, and not only counted."""
    changed = copied(runs / FEW, tmp_path / "changed")
    file = RunDirectory(changed).predictions("test")
    table = pq.read_table(file)
    texts = ["another text", *table.column("text").to_pylist()[1:]]
    pq.write_table(table.set_column(table.column_names.index("text"), "text", [texts]), file)
    assert named(compare([runs / FULL, changed])) == [[FULL], ["changed"]]


def test_rows_that_were_not_written_down_are_known_by_the_fingerprint(runs: Path, tmp_path: Path) -> None:
    for name, fingerprint in (("same", None), ("another", "0" * 64)):
        bare = copied(runs / FROZEN, tmp_path / name, fingerprint=fingerprint)
        shutil.rmtree(RunDirectory(bare).predictions("test").parent)
    assert named(compare([runs / FULL, tmp_path / "same"])) == [[FULL, "same"]]
    assert named(compare([runs / FULL, tmp_path / "another"])) == [[FULL], ["another"]]


def test_runs_of_other_data_are_shown_and_not_ranked(runs: Path) -> None:
    comparison = compare(runs)
    assert [set(names) for names in named(comparison)] == [{FULL, FROZEN, FEW}, {NUMBERS, WORSE}, {OTHER}]
    first, second, third = comparison.groups
    assert first.apart == ""
    assert second.apart == "scored on validation rows, and not on test"
    assert third.apart == "scored on other rows (data.source, data.limits differ)"
    assert third.verdict == "there is nothing to compare it with"
    assert named(compare([runs / OTHER, runs / FULL])) == [[OTHER], [FULL]]


def test_another_task_and_other_labels_are_named(runs: Path, tmp_path: Path) -> None:
    changes: dict[str, dict[str, Any]] = {
        "pairs": {"task": "token-classification"},
        "labels": {"labels": ["a", "b"]},
    }
    for name, change in changes.items():
        file = RunDirectory(copied(runs / FULL, tmp_path / name)).result
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    _, *rest = compare([runs / FULL, tmp_path / "pairs", tmp_path / "labels"]).groups
    assert [group.apart for group in rest] == [
        "another task: token-classification, and not text-classification",
        "other labels: 2 (a, b), and not 2 (animal, colour)",
    ]


def test_runs_without_a_metric_in_common(runs: Path, tmp_path: Path) -> None:
    file = RunDirectory(copied(runs / FROZEN, tmp_path / "f1-alone")).result
    facts = json.loads(file.read_text())
    facts["metrics"]["test"] = {"f1": facts["metrics"]["test"]["f1"]}
    file.write_text(json.dumps(facts))
    (by_f1,) = compare([runs / FULL, tmp_path / "f1-alone"]).groups
    assert by_f1.metric == "f1"
    by_accuracy, other = compare([runs / FULL, tmp_path / "f1-alone"], metric="accuracy").groups
    assert (by_accuracy.metric, other.metric) == ("accuracy", "f1")
    assert other.apart == "not scored by accuracy"


# --- which runs --------------------------------------------------------------------------------------------------


def test_unfinished_runs_are_named_and_left_out(runs: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    copied(runs / FULL, home / "done")
    RunDirectory(copied(runs / FROZEN, home / "half")).result.unlink()
    copied(runs / FROZEN, home / "done" / "evidence" / "frozen")
    comparison = compare([home, home / "done"])
    assert named(comparison) == [["done"]]
    assert comparison.left_out == {str(home / "half"): "it is not finished"}
    again = compare([runner.load_run(home / "done"), home / "done"])
    assert named(again) == [["done"]]
    with pytest.raises(RunDirectoryError, match=r"no finished run to compare .*half: it is not finished"):
        compare(home / "half")


def test_a_split_that_some_lack(runs: Path) -> None:
    comparison = compare([runs / FULL, runs / NUMBERS], split="test")
    assert named(comparison) == [[FULL]]
    assert comparison.left_out == {str(runs / NUMBERS): "it was not scored on test rows"}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"metric": "acuracy"}, "did you mean `accuracy`"),
        ({"metric": "confusion_matrix"}, "more than a number"),
        ({"split": "tset"}, "did you mean `test`"),
        ({"runs": "nowhere"}, "there is no run in nowhere"),
        ({"runs": []}, "no runs to compare"),
    ],
)
def test_mistakes(runs: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        compare(**{"runs": runs / FULL, **asked})
    assert message in str(caught.value)


# --- how it is told ----------------------------------------------------------------------------------------------


def test_as_a_frame_and_as_csv(runs: Path) -> None:
    comparison = compare(runs)
    frame = comparison.frame
    assert len(frame) == len(comparison.rows) == 6
    assert frame["group"].tolist() == [1, 1, 1, 2, 2, 3]
    assert frame["score"].tolist() == [row.value for row in comparison.rows]
    assert frame.loc[0, "data.limits.train"] is None
    read = [*csv.DictReader(io.StringIO(comparison.to_csv()))]
    assert [one["run"] for one in read] == [row.run for row in comparison.rows]
    assert {one["training.epochs"] for one in read if one["group"] == "1"} == {"8", "1"}
    few = next(one for one in read if one["run"].endswith(FEW))
    assert few["data.limits.train"] == "32"


def test_as_html_names_are_text(runs: Path, tmp_path: Path) -> None:
    nasty = copied(runs / FROZEN, tmp_path / "<script>alert(1)<")
    page = compare([runs / FULL, nasty]).to_html()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;" in page
    assert "<script" not in compare([runs / FULL, nasty])._repr_html_()
    for outside in ("http://", "https://", 'src="/', "@import", "url("):
        assert outside not in page
    assert page.count("data:image/png;base64,") == 1
    assert page.count("<table>") == 1


def test_the_plot_is_written_in_one_piece(runs: Path, tmp_path: Path) -> None:
    comparison = compare(runs)
    figure = comparison.plot(tmp_path / "runs.png")
    assert (tmp_path / "runs.png").read_bytes().startswith(b"\x89PNG")
    assert [axes.get_title(loc="left").partition(":")[0] for axes in figure.axes] == [
        "text-classification"
    ] * 3
    assert [one.name for one in tmp_path.iterdir()] == ["runs.png"]
    svg = tmp_path / "dollars.svg"
    row = Row("$x_1$ <b>", 1, 0.5, (0.4, 0.6), 1.0, 1, 1, {})
    (group, *_) = comparison.groups
    Comparison((type(group)(**{**vars(group), "rows": (row,)}),), {}).plot(svg)
    assert "$x_1$ &lt;b&gt;" in svg.read_text()
    with pytest.raises(InputError, match=r"unknown kind of picture"):
        comparison.plot(tmp_path / "runs.gif")


def test_on_the_command_line(runs: Path, tmp_path: Path) -> None:
    """All that it writes, from one process."""
    half = copied(runs / FROZEN, tmp_path / "half")
    RunDirectory(half).result.unlink()
    files = {name: tmp_path / f"runs.{name}" for name in ("csv", "html", "png")}
    done = hftransfer(
        *(
            "compare",
            runs,
            half,
            "--json",
            "--csv",
            files["csv"],
            "--html",
            files["html"],
            "--plot",
            files["png"],
        )
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"left out {half}: it is not finished\n"
    assert json.loads(done.stdout) == compare([runs, half]).to_dict()
    assert all(file.stat().st_size for file in files.values())


def test_the_recipes_of_the_runs_were_not_touched(runs: Path) -> None:
    """Rows in memory are told as the recipe has them."""
    (group,) = compare(runs / NUMBERS).groups
    kept = yaml.safe_load(RunDirectory(runs / NUMBERS).recipe.read_text())
    assert group.data == kept["data"]["source"]
