"""Runs that differ in their seed alone are one row: the mean, and never the best of them alone."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from toy import toy_recipe, write_texts

from hftransfer import runner
from hftransfer.cli.compare import _show
from hftransfer.comparison import Comparison, Row, compare
from hftransfer.metrics.paired import Measured
from hftransfer.metrics.seeds import difference_of_means
from hftransfer.proof import FreshProcess
from hftransfer.resampled import Resampled, read_resampled, write_resampled
from hftransfer.run_directory import RunDirectory

GOOD, POOR, TEST = (0.75, 0.8125, 0.875), (0.5625, 0.5, 0.625), "test"


@pytest.fixture(scope="module")
def one(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, to be copied as that of another seed, rate and score."""
    root = tmp_path_factory.mktemp("one")
    recipe = toy_recipe(tiny_checkpoint("bert"), write_texts(root / "texts", other=48), epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "hftransfer.stages.saving.prove", lambda *_: {"max_difference": 0.0, "rows": 0, "ways": {}}
        )
        patch.setattr(FreshProcess, "start", lambda self: None)
        runner.run(recipe, output=root / "run")
    return root / "run"


def like(run: Path, to: Path, *, seed: int, score: float | None, **training: Any) -> Path:
    """The same run as if its seed, its accuracy on test and other settings had been these."""
    shutil.copytree(run, to)
    at = RunDirectory(to)
    recipe = yaml.safe_load(at.recipe.read_text())
    recipe["training"] |= {"seed": seed, **training}
    at.recipe.write_text(yaml.safe_dump(recipe))
    facts = json.loads(at.result.read_text())
    moved = (score or 0.0) - facts["metrics"][TEST]["accuracy"]
    facts["metrics"][TEST]["accuracy"] = score
    at.result.write_text(json.dumps(facts))
    there = read_resampled(at.resampled)[TEST]
    write_resampled(
        at.resampled, {TEST: Resampled({"accuracy": there.metrics["accuracy"] + moved}, there.right)}
    )
    return to


@pytest.fixture(scope="module")
def runs(one: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recipes, three seeds each."""
    root = tmp_path_factory.mktemp("seeds")
    for name, rate, values in (("fast", 1e-2, GOOD), ("slow", 1e-5, POOR)):
        for seed, value in enumerate(values):
            like(one, root / f"{name}-{seed}", seed=seed, score=value, learning_rate=rate)
    return root


def rows(comparison: Comparison) -> tuple[Row, ...]:
    (group,) = comparison.groups
    return group.rows


def test_a_row_is_a_recipe_with_every_seed(runs: Path) -> None:
    comparison = compare(runs)
    first, second = rows(comparison)
    assert [Path(row.run).name for row in (first, second)] == ["fast-0", "slow-0"]
    assert first.value == pytest.approx(0.8125)
    assert first.sd == pytest.approx(0.0625)
    assert (first.n, first.rank, second.rank, first.interval) == (3, 1, 2, None)
    assert [(one.seed, Path(one.run).name, one.value) for one in first.seeds] == [
        (seed, f"fast-{seed}", value) for seed, value in enumerate(GOOD)
    ]
    assert [one.collapsed for one in second.seeds] == [False, True, False]  # 0.5 is what the majority scores
    (group,) = comparison.groups
    assert group.settings == ("training.learning_rate",)
    assert comparison.runs == 6


def test_their_means_are_tested(runs: Path) -> None:
    (group,) = compare(runs).groups
    measured = []
    for name, values in (("fast", GOOD), ("slow", POOR)):
        arrays = [read_resampled(RunDirectory(runs / f"{name}-{seed}").resampled) for seed in range(3)]
        measured.append(
            [
                Measured(value, there[TEST].metrics["accuracy"])
                for value, there in zip(values, arrays, strict=True)
            ]
        )
    expected = difference_of_means(*measured)
    assert expected is not None
    assert group.difference == {
        "test": "seeds and rows",
        **{
            key: getattr(expected, key)
            for key in ("value", "interval", "p", "verdict", "smallest_detectable")
        },
    }
    assert "fast-0 (3 seeds) is better than" in group.verdict
    assert "mean accuracy +0.2500 (95 % +" in group.verdict
    assert group.verdict.endswith("over seeds and rows")
    # Without resamples the seeds alone are left.
    bare = runs / "fast-1"
    kept = RunDirectory(bare).resampled.read_bytes()
    values = read_resampled(RunDirectory(bare).resampled)[TEST].metrics["accuracy"]
    RunDirectory(bare).resampled.unlink()
    try:
        (group,) = compare(runs).groups
        # Where the metric is seldom defined on them, too.
        write_resampled(RunDirectory(bare).resampled, {TEST: Resampled({"accuracy": values * float("nan")})})
        (undefined,) = compare(runs).groups
    finally:
        RunDirectory(bare).resampled.write_bytes(kept)
    assert group.difference is not None
    assert group.difference["test"] == "seeds"
    assert undefined.difference == group.difference


def test_few_seeds_that_are_far_apart_show_nothing(one: Path, tmp_path: Path) -> None:
    for name, rate, values in (("a", 1e-2, (0.5, 0.9)), ("b", 1e-5, (0.45, 0.8))):
        for seed, value in enumerate(values):
            like(one, tmp_path / f"{name}-{seed}", seed=seed, score=value, learning_rate=rate)
    (group,) = compare(tmp_path).groups
    assert "cannot be told apart: mean accuracy +0.0750" in group.verdict
    assert "so many seeds and rows would show a difference from about" in group.verdict


def test_a_single_run_beside_seeds(runs: Path, one: Path, tmp_path: Path) -> None:
    other = like(one, tmp_path / "other", seed=7, score=0.5, learning_rate=1e-3)
    comparison = compare([*(runs / f"fast-{seed}" for seed in range(3)), other])
    (group,) = comparison.groups
    assert [row.n for row in group.rows] == [3, 1]
    assert group.rows[1].seeds == ()
    assert group.rows[1].interval is not None
    assert f"of {other} there is one seed, taken to vary as the other's do" in group.verdict
    assert group.rows[0].settings["training.seed"] == [0, 1, 2]
    assert group.rows[1].settings["training.seed"] == 7


def test_what_is_no_other_seed_stays_by_itself(runs: Path, one: Path, tmp_path: Path) -> None:
    """The same seed twice is no second seed; and of more than the seed that differs, no group is made."""
    again = like(one, tmp_path / "again", seed=0, score=0.75, learning_rate=1e-2)
    other = like(one, tmp_path / "other", seed=4, score=0.75, learning_rate=1e-2, warmup=0.1)
    comparison = compare([runs / "fast-0", runs / "fast-1", again, other])
    assert sorted(len(row.seeds) or 1 for row in rows(comparison)) == [1, 1, 2]
    (group,) = compare([runs / "fast-0", again]).groups
    assert group.difference is not None
    assert group.difference["test"] == "rows"


def test_a_seed_without_a_score_is_named_and_not_counted(one: Path, tmp_path: Path) -> None:
    for seed, value in enumerate((0.75, None, 0.8)):
        like(one, tmp_path / f"run-{seed}", seed=seed, score=value)
    (row,) = rows(compare(tmp_path))
    assert (row.n, len(row.seeds)) == (2, 3)
    assert row.value == pytest.approx(0.775)
    assert row.seeds[1].value is None


def test_a_run_with_seeds_of_its_own_brings_them(one: Path, tmp_path: Path) -> None:
    run = like(one, tmp_path / "run", seed=0, score=0.75)
    file = RunDirectory(run).result
    seeds = [
        {"seed": seed, "value": 0.8, "collapsed": False, "run": f"evidence/seed-{seed}"} for seed in (1, 2)
    ]
    facts = json.loads(file.read_text())
    facts["evidence"] = {"seeds": [{"seed": 0, "value": 0.75, "collapsed": False, "run": "."}, *seeds]}
    like(one, RunDirectory(run).evidence("seed-1").path, seed=1, score=0.85)
    file.write_text(json.dumps(facts))
    comparison = compare(run)
    (row,) = rows(comparison)
    assert row.value == pytest.approx(0.8)
    assert [told.run for told in row.seeds] == [str(run), f"{run}/evidence/seed-1"]
    assert comparison.left_out == {f"{run}, seed 2": "its run is not there (it is not published, either)"}


def test_rows_that_the_seed_has_drawn_too(runs: Path, tmp_path: Path) -> None:
    other = shutil.copytree(runs / "fast-1", tmp_path / "other")
    data = RunDirectory(other).data
    data.write_text(json.dumps({**json.loads(data.read_text()), "fingerprint": "another"}))
    shutil.rmtree(RunDirectory(other).predictions("test").parent)
    _, apart = compare([runs / "fast-0", other]).groups
    assert (
        apart.apart
        == "scored on other rows (training.seed 1 drew them, too: write data.seed to keep the rows)"
    )


def test_it_is_told_in_every_form(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs)
    comparison = compare(".")
    told = json.loads(json.dumps(comparison.to_dict()))["groups"][0]
    assert told["difference"]["test"] == "seeds and rows"
    first = told["rows"][0]
    assert (first["n"], first["sd"], first["seeds"][2]["value"]) == (3, pytest.approx(0.0625), 0.875)
    frame = comparison.frame
    assert frame.loc[0, "seeds"] == dict(enumerate(GOOD))
    assert frame["n"].tolist() == [3, 3]
    (line, _) = csv.DictReader(io.StringIO(comparison.to_csv()))
    assert line["seeds"] == "{0: 0.75, 1: 0.8125, 2: 0.875}"
    page = comparison.to_html()
    assert "<h1>6 runs compared</h1>" in page
    assert "fast-0 (3 seeds)" in page
    assert "<td>± 0.0625</td>" in page
    assert "0: 0.5625, 1: 0.5000 (collapsed), 2: 0.6250" in page
    text = " ".join(str(comparison).split())
    assert "1 fast-0 (3 seeds) 0.8125 ± 0.0625" in text
    assert "accuracy sd over seeds time" in text
    assert "slow-0: seeds 0: 0.5625, 1: 0.5000 (collapsed), 2: 0.6250" in text
    figure = comparison.plot(tmp_path / "seeds.png")
    assert "sd over seeds" in figure.axes[0].get_xlabel()
    _show(comparison.groups[0])
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 fast-0 (3 seeds) 0.8125 ± 0.0625" in shown
    assert "fast-0 seeds 0: 0.7500, 1: 0.8125, 2: 0.8750" in shown


def test_a_seed_that_is_named_beside_its_run_is_there_once(one: Path, tmp_path: Path) -> None:
    run = like(one, tmp_path / "run", seed=0, score=0.75)
    at = RunDirectory(run)
    seed = like(one, at.evidence("seed-1").path, seed=1, score=0.85)
    facts = json.loads(at.result.read_text())
    told = [
        {"seed": n, "value": 0.8, "collapsed": False, "run": at}
        for n, at in ((0, "."), (1, "evidence/seed-1"))
    ]
    at.result.write_text(json.dumps({**facts, "evidence": {"seeds": told}}))
    for asked in ([run, seed], [seed, run], [run]):
        (row,) = rows(compare(asked))
        assert [told.seed for told in row.seeds] == [0, 1]
    assert rows(compare(seed))[0].seeds == ()  # control


def test_runs_of_which_one_draws_groups_are_not_told_apart(runs: Path, one: Path, tmp_path: Path) -> None:
    """Their resamples are not the same: what they have apart there is chance."""
    group = like(one, tmp_path / "group", seed=7, score=0.5, learning_rate=1e-3)
    at = RunDirectory(group)
    recipe = yaml.safe_load(at.recipe.read_text())
    recipe["data"].setdefault("hold_out", {})["group"] = "writer"
    at.recipe.write_text(yaml.safe_dump(recipe))
    there = read_resampled(at.resampled)[TEST]
    assert there.right is not None
    groups = np.arange(len(there.right)) % 8
    write_resampled(at.resampled, {TEST: Resampled(there.metrics, groups=groups)})
    for others in ([runs / "fast-0"], [runs / "fast-0", runs / "fast-1"]):
        (told,) = compare([group, *others]).groups
        assert told.difference is None
        assert told.verdict == (
            "whether the first two differ by more than chance is not known: "
            f"{runs / 'fast-0'} draws single rows, {group} draws whole values of writer"
        )
    again = like(group, tmp_path / "again", seed=7, score=0.75, learning_rate=1e-4)
    write_resampled(RunDirectory(again).resampled, {TEST: Resampled(there.metrics, groups=groups)})
    (told,) = compare([group, again]).groups
    assert told.difference is not None
    few = Resampled(there.metrics, groups=groups % 3)
    for run in (group, again):
        write_resampled(RunDirectory(run).resampled, {TEST: few})
    (told,) = compare([group, again]).groups
    assert told.verdict.endswith("is not known: 3 values of writer are too few")
