"""What arms and seeds show, said: of simulated scores, without a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from toy import toy_recipe

from hftransfer.cli.console import out
from hftransfer.cli.evidence import show_evidence
from hftransfer.evidence.arms import Scored
from hftransfer.evidence.sentences import sentences
from hftransfer.evidence.verdict import facts
from hftransfer.metrics.intervals import Resamples
from hftransfer.resampled import Resampled

ROWS = 400


def arm(
    name: str,
    right: int,
    *,
    shift: int = 0,
    seconds: float = 1.0,
    trained: int | None = 10,
    run: str | None = "evidence/arm",
) -> Scored:
    """Right on so many rows, from row `shift` on."""
    rows = (np.arange(ROWS) - shift) % ROWS < right
    there = Resampled({"accuracy": Resamples(ROWS).mean(rows.astype(float))}, rows)
    metrics = {"validation": {"accuracy": right / ROWS, "loss": 0.5}}
    intervals = {"validation": there.intervals}
    return Scored(name, metrics, intervals, {"validation": there}, seconds, trained, 10**6, run)


def told(
    tmp_path: Path, ours: Scored, arms: list[Scored], seeds: dict[int, Scored] | None = None
) -> dict[str, Any]:
    recipe = toy_recipe(tmp_path / "checkpoint", tmp_path / "data")
    guess = {"majority": {"validation": {"accuracy": 0.5}}}
    result: Any = SimpleNamespace(baselines=guess, examples={"validation": ROWS})
    return facts(ours, arms, recipe, result, seeds or {0: ours})


def test_better_and_worse_and_what_cannot_be_told(tmp_path: Path) -> None:
    ours = arm("full", 320, seconds=50)
    found = told(
        tmp_path,
        ours,
        [
            arm("majority", 200, seconds=0),
            arm("words", 316, shift=30),
            arm("frozen", 380, shift=350, seconds=3),
        ],
    )
    verdicts = {one["arm"]: one["verdict"] for one in found["comparisons"]}
    assert verdicts == {"majority": "better", "words": "undetermined", "frozen": "worse"}
    for one in found["comparisons"]:
        low, high = one["interval"]
        assert low <= one["difference"] <= high
        assert (one["verdict"] == "undetermined") == (low <= 0 <= high) == (one["p"] >= 0.05)
    assert found["cheapest_within_noise"] == "frozen"
    text = found["verdict"]
    assert text.startswith("accuracy of full on 400 validation rows, which also chose the weights: 0.8000 (")
    assert "Better than majority: +0.3000 (" in text
    words = found["comparisons"][1]
    apart = "+0.0100 ({:+.4f} to {:+.4f})".format(*words["interval"])
    can_show = f"these rows can show one of {words['smallest_detectable']:.4f} or more"
    assert f"Undetermined against words: {apart}; {can_show}" in text
    assert "Worse than frozen: -0.1500 (" in text
    assert found["transfer_gain"] is None
    assert text.endswith("One training each: the intervals are over rows, and say nothing of other seeds.")


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((-0.056, -0.006), "McNemar's exact test has p = 0.06; these rows can show one of 0.0438 or more"),
        ((-0.056, 0.001), "(-0.0560 to +0.0010); these rows can show one of 0.0438 or more"),
        ((0.0, 0.0), "(+0.0000 to +0.0000); both score the same on every resample."),
    ],
)
def test_an_interval_without_0_that_is_not_enough(interval: tuple[float, float], said: str) -> None:
    apart: dict[str, Any] = {
        "difference": -0.028,
        "interval": interval,
        "p": 0.0625,
        "smallest_detectable": 0.0438,
    }
    if interval == (0.0, 0.0):
        apart |= {"difference": 0.0, "p": None, "smallest_detectable": None}
    ours = {"name": "full", "value": 0.97, "interval": None, "collapsed": False}
    found = {
        "metric": "accuracy", "split": "test", "rows": 179, "arms": [ours], "seeds": [ours],
        "comparisons": [{"arm": "words", "verdict": "undetermined", **apart}], "cheapest_within_noise": None,
        "over": "rows", "groups": None,
    }  # fmt: skip
    assert said in " ".join(sentences(found))


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (200, "Transfer gain over random-weights: +0.3000 ("),
        (390, "Negative transfer, worse than random-weights: -0.1750 ("),
        (322, "Transfer gain over random-weights undetermined: -0.0050 ("),
    ],
)
def test_transfer_gain_and_negative_transfer(tmp_path: Path, right: int, said: str) -> None:
    found = told(tmp_path, arm("full", 320), [arm("random-weights", right)])
    assert said in found["verdict"]
    longer = told(tmp_path, arm("full", 320), [replace(arm("random-weights", right), improving=True)])
    may = "That was at its best after its last step: trained for longer it may come nearer."
    assert (may in longer["verdict"]) == (right == 200)
    assert may not in found["verdict"]
    assert ("it may have learned nothing, and the gain is over that" in found["verdict"]) == (right == 200)
    assert found["transfer_gain"]["difference"] == pytest.approx((320 - right) / ROWS)


def test_the_cheapest_of_those_that_are_not_known_to_be_worse(tmp_path: Path) -> None:
    arms = [
        arm("words", 321, shift=2, seconds=1),
        arm("frozen", 322, seconds=30),
        arm("majority", 200, seconds=0),
    ]
    found = told(tmp_path, arm("full", 323, seconds=100), arms)
    assert found["cheapest_within_noise"] == "words"  # majority is cheaper, and worse
    assert told(tmp_path, arm("full", 390, seconds=100), arms)["cheapest_within_noise"] == "full"


def test_every_seed_is_told_and_collapsed_ones_are_named(tmp_path: Path) -> None:
    ours = arm("full", 300)
    seeds = {0: ours, 1: arm("seed-1", 200), 2: arm("seed-2", 310)}
    found = told(tmp_path, ours, [], seeds)
    assert [one["collapsed"] for one in found["seeds"]] == [False, True, False]
    assert found["mean"] == pytest.approx(0.675)
    assert found["sd"] == pytest.approx(np.std([0.75, 0.5, 0.775], ddof=1))
    assert "validation rows, which also chose the weights: mean of 3 seeds 0.6750 (" in found["verdict"]
    assert "Over the seeds: sd 0.1521, from 0.5000 to 0.7750." in found["verdict"]
    assert found["verdict"].endswith("Collapsed (no better than a guess that costs nothing): seed 1.")


def test_it_is_the_mean_of_the_seeds_that_is_compared(tmp_path: Path) -> None:
    """Never the best of them: here the first one is, and alone it would be better than all."""
    ours = arm("full", 330, seconds=9)
    seeds = {seed: arm("full", right, shift=seed) for seed, right in enumerate((330, 296, 300, 302, 290))}
    arms = [arm("words", 297, shift=40, run=None), arm("frozen", 297, shift=40, seconds=3)]
    arms.append(arm("random-weights", 160))
    alone = told(tmp_path, ours, arms)
    assert [one["verdict"] for one in alone["comparisons"]] == ["better"] * 3
    found = told(tmp_path, ours, arms, {**seeds, 0: ours})
    words, frozen, random = found["comparisons"]
    assert [one["verdict"] for one in found["comparisons"]] == ["undetermined", "undetermined", "better"]
    assert words["difference"] == frozen["difference"] == pytest.approx((303.6 - 297) / ROWS)
    assert found["transfer_gain"]["difference"] == random["difference"] == pytest.approx(143.6 / ROWS)
    # What was trained once may have been lucky, too; words are the same with every seed.
    assert frozen["smallest_detectable"] > 1.1 * words["smallest_detectable"]
    model, *others = found["arms"]
    assert (model["name"], model["title"]) == ("full", "mean of 5 seeds")
    assert model["value"] == pytest.approx(303.6 / ROWS)
    low, high = model["interval"]
    assert low < 303.6 / ROWS < high
    assert high - low > np.ptp(alone["arms"][0]["interval"])
    assert [one["title"] for one in others] == ["words", "frozen", "random-weights"]
    assert found["cheapest_within_noise"] == "words"
    assert "these seeds and rows can show one of" in found["verdict"]
    assert found["verdict"].endswith(
        "The intervals are over seeds and rows; what was trained once is taken to vary as much."
    )


def test_an_interval_ends_where_scores_do(tmp_path: Path) -> None:
    seeds = {seed: arm("full", right) for seed, right in enumerate((400, 396))}
    found = told(tmp_path, seeds[0], [], seeds)
    low, high = found["arms"][0]["interval"]
    assert 0.9 < low < 0.995
    assert high == 1


def test_the_table_fits_into_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    hour = {"seconds": 13_600.0, "trained": 125_000_000}
    ours, other = arm("probe-then-full", 300, **hour), arm("random-weights", 297, **hour)
    found = told(tmp_path, ours, [other], dict.fromkeys(range(5), ours))
    with out.capture() as captured:
        show_evidence(SimpleNamespace(evidence=found))
    text = captured.get()
    assert "mean of 5 seeds" in text
    assert "random-weights" in text
    assert "13,600 125.0 M" in text
    assert "…" not in text


def test_a_metric_of_which_less_is_better_says_so() -> None:
    ours = {"name": "full", "value": 0.5, "interval": None, "collapsed": False}
    found = {"metric": "mse", "split": "test", "rows": 9, "arms": [ours], "seeds": [ours]}
    text = " ".join(sentences({**found, "comparisons": [], "cheapest_within_noise": None}))
    assert text == "mse (lower is better) of full on 9 test rows: 0.5000."


def test_a_metric_that_is_not_defined(tmp_path: Path) -> None:
    none = {"validation": {"accuracy": None, "f1": None, "loss": None}}
    ours = Scored("full", none, {}, {})
    found = told(tmp_path, ours, [arm("words", 300)])
    assert found["comparisons"] == []
    assert found["verdict"] == "loss is not defined on the validation rows: nothing can be compared."


def test_seeds_that_failed_or_are_not_defined_are_told(tmp_path: Path) -> None:
    """They are not in the mean, and a mean of those that went well says too much."""
    recipe = toy_recipe(tmp_path / "checkpoint", tmp_path / "data")
    result: Any = SimpleNamespace(baselines={}, examples={"validation": ROWS})
    ours = arm("full", 300)
    none = Scored(
        "full", {"validation": {"accuracy": None, "loss": 1.0}}, {}, ours.resampled, run="evidence/seed-1"
    )
    seeds = {0: ours, 1: none, 2: arm("full", 310)}
    failed = {"seed-3": "the loss is nan"}
    found = facts(ours, [arm("words", 300, run=None)], recipe, result, seeds, failed=failed)
    text = found["verdict"]
    assert "mean of 2 seeds 0.7625" in text
    assert "Not defined, and not in the mean: seed 1." in text
    assert "Failed, and not among what is compared: seed-3." in text
    assert [one["collapsed"] for one in found["seeds"]] == [False, True, False]
    assert found["failed"] == failed
    well = told(tmp_path, ours, [], {0: ours, 2: seeds[2]})["verdict"]
    assert "Failed" not in well
    assert "Not defined" not in well


def test_the_first_seed_may_be_the_one_that_is_not_defined(tmp_path: Path) -> None:
    ours = arm("full", 300)
    none = replace(ours, metrics={"validation": {"accuracy": None, "loss": 1.0}})
    seeds = {0: none, 1: arm("seed-1", 300), 2: arm("seed-2", 310)}
    found = told(tmp_path, none, [arm("majority", 200, run=None, seconds=2)], seeds)
    assert (found["metric"], found["cheapest_within_noise"]) == ("accuracy", "full")
    assert "accuracy of full on 400 validation rows" in found["verdict"]
    assert "mean of 2 seeds 0.7625" in found["verdict"]
    assert "Not defined, and not in the mean: seed 0." in found["verdict"]


def bare(one: Scored, values: np.ndarray | None = None) -> Scored:
    """Without resamples, or with others."""
    there = {} if values is None else {"validation": Resampled({"accuracy": values})}
    return replace(one, resampled=there, intervals={"validation": {}})


@pytest.mark.parametrize(
    "values", [None, np.where(np.arange(1000) % 5, 0.7, np.nan)], ids=["none", "seldom defined"]
)
def test_without_an_interval_nothing_is_within_noise(tmp_path: Path, values: np.ndarray | None) -> None:
    """The majority costs nothing, and is not as good as the best for want of an interval."""
    ours, others = (
        bare(arm("full", 300, seconds=9), values),
        [bare(arm("majority", 200, seconds=0, run=None), values)],
    )
    found = told(tmp_path, ours, others)
    assert found["over"] is None
    assert found["cheapest_within_noise"] is None
    assert "Undetermined against majority: +0.2500; there is no interval to say more." in found["verdict"]
    assert "Cheapest" not in found["verdict"]
    assert "intervals are" not in found["verdict"]
    seeds = {seed: bare(arm("full", right), values) for seed, right in enumerate((300, 304, 296))}
    several = told(tmp_path, seeds[0], others, seeds)
    assert several["over"] == "seeds"
    assert several["comparisons"][0]["verdict"] == "better"
    assert "The intervals are over seeds alone, since accuracy has none over rows; what" in several["verdict"]


def in_groups(one: Scored, groups: np.ndarray) -> Scored:
    right = one.resampled["validation"].right
    assert right is not None
    there = Resampled({"accuracy": Resamples(ROWS, groups=groups).mean(right.astype(float))}, groups=groups)
    return replace(one, resampled={"validation": there}, intervals={"validation": there.intervals})


@pytest.mark.parametrize(("size", "count"), [(10, 40), (100, 4), (ROWS, 1)])
def test_of_groups_it_says_so_and_of_very_few_nothing(tmp_path: Path, size: int, count: int) -> None:
    groups = np.arange(ROWS) // size
    ours, guess = (in_groups(arm(name, right), groups) for name, right in (("full", 380), ("majority", 200)))
    recipe = toy_recipe(tmp_path / "checkpoint", tmp_path / "data")
    held = recipe.data.hold_out.model_copy(update={"group": "patient"})
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"hold_out": held})})
    result: Any = SimpleNamespace(baselines={}, examples={"validation": ROWS})
    for seeds in ({0: ours}, dict.fromkeys(range(3), ours)):
        found = facts(ours, [guess], recipe, result, seeds)
        (one,) = found["comparisons"]
        assert found["groups"] == {"column": "patient", "count": count}
        assert one["verdict"] == ("better" if count == 40 else "undetermined")
        if count == 40:
            assert "whole values of patient (40)" in found["verdict"]
        else:
            assert (
                f"Undetermined against majority: +0.4500; {count} values of patient are too few"
                in found["verdict"]
            )
            assert found["over"] is None
            assert found["arms"][0]["interval"] is None
