"""Intervals: a metric on a resample is the metric of the rows drawn, and the percentiles are where theory has them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from metric_rows import FIT, rows
from scipy.stats import binomtest

from hftransfer.metrics import rankings
from hftransfer.metrics.intervals import Resamples, bounds, interval, intervals, resampled
from hftransfer.registry import METRICS

WITHOUT = {"confusion_matrix", "entity_report", "qa_report", "iou"}
"""Tables."""
SHIFTED = {"ece"}
"""On a resample it is not what it is of the rows drawn: see `test_calibration_error`."""
WORDS = ["a", "red", "cat", "and", "the", "blue", "dog", "sat", "on", "one", "green", "mat"]


def of_classes(name: str, kind: str, count: int = 60) -> dict[str, Any]:
    made = rows(kind, count)
    if made.scores is not None:
        made = made.sharpened(0.3)
    return {
        "references": made.references,
        "predictions": made.predictions,
        "scores": made.scores,
        "labels": made.labels,
    }


def of_others(name: str, count: int = 60) -> dict[str, Any]:
    """Rows of the tasks that are not about classes or numbers, with predictions that are right in part."""
    draw = np.random.default_rng(3)
    module = METRICS.get(name).module.partition(":")[0].rpartition(".")[2]
    if module == "tagging":
        labels = ("B-LOC", "B-PER", "I-LOC", "I-PER", "O")
        sizes = draw.integers(1, 9, count)
        true = [draw.integers(0, 5, size) for size in sizes]
        said = [np.where(draw.random(len(one)) < 0.7, one, draw.integers(0, 5, len(one))) for one in true]
        return {"references": true, "predictions": said, "labels": labels}
    if module == "segmentation":
        true = [draw.integers(-1, 3, (4, 5)) for _ in range(count)]
        said = [np.where(draw.random((4, 5)) < 0.6, one.clip(0), 1) for one in true]
        return {"references": true, "predictions": said, "labels": ("a", "b", "c", "never")}
    if module == "masked_tokens":
        told = [-draw.random((draw.integers(0, 6), 2)).round(3) for _ in range(count)]
        return {"references": [None] * count, "predictions": [np.abs(one) * [-1, 1] for one in told]}
    gold = [[" ".join(draw.choice(WORDS, draw.integers(4, 9))) for _ in range(2)] for _ in range(count)]
    said = [one[0] if draw.random() < 0.4 else " ".join(draw.choice(WORDS, 6)) for one in gold]
    return {"references": gold, "predictions": said}


def drawn(values: Any, places: Sequence[int]) -> Any:
    return values[places] if isinstance(values, np.ndarray) else [values[place] for place in places]


CASES = [(name, kind) for name, kind in FIT if name not in WITHOUT | SHIFTED] + [
    (name, "") for name in METRICS.names() if name not in WITHOUT | SHIFTED and name not in dict(FIT)
]


UNEVEN = np.repeat(np.arange(24), np.arange(24) % 4 + 1)
"""60 rows in groups of one to four."""


@pytest.mark.parametrize("groups", [None, UNEVEN], ids=["rows", "groups"])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_on_a_resample_a_metric_is_what_it_is_of_the_rows_drawn(
    name: str, kind: str, groups: np.ndarray | None
) -> None:
    metric = METRICS.get(name)
    given = of_classes(name, kind) if kind else of_others(name)
    resamples = Resamples(60, groups=groups, count=25, seed=4)
    values = metric.resampled(resamples, **given)
    assert values is not None
    assert values.shape == (25,)
    labels = given.pop("labels", ())
    (weights,) = resamples.weights()
    expected = []
    for one in weights.astype(int):
        places = np.repeat(np.arange(60), one)
        rows = {key: None if value is None else drawn(value, places) for key, value in given.items()}
        expected.append(metric.compute(**rows, labels=labels))
    assert values == pytest.approx(np.array(expected, dtype=float), rel=1e-9, abs=1e-12)
    assert metric.between[0] <= values.min() <= values.max() <= metric.between[1]
    # Control: they are not the value on all rows, said 25 times.
    whole = metric.compute(**given, labels=labels)
    assert len(set(values.round(9))) > 5
    assert interval(values) is not None
    assert whole is not None
    assert abs(values - whole).max() > 1e-6


def test_every_metric_has_one_or_is_known_not_to() -> None:
    assert len(CASES) >= 55
    assert {name for name, _ in CASES} | WITHOUT | SHIFTED == set(METRICS.names())
    for name, _ in CASES:  # every one of them ends somewhere
        assert np.isfinite(METRICS.get(name).between).any()
    for name in WITHOUT:
        kind = dict(FIT).get(name)
        given = of_classes(name, kind) if kind else of_others(name)
        assert METRICS.get(name).resampled(Resamples(60), **given) is None


@pytest.mark.parametrize(("right", "count"), [(900, 1000), (150, 200), (30, 60)])
def test_accuracy_is_where_wilson_has_it(right: int, count: int) -> None:
    truth = np.ones(count, dtype=np.int64)
    said = (np.arange(count) < right).astype(np.int64)
    given = {"references": truth, "predictions": said, "scores": None, "labels": ("no", "yes")}
    low, high = intervals(["accuracy"], **given)["accuracy"]
    wilson = binomtest(right, count).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((wilson.low, wilson.high), abs=0.5 / count + 0.012)
    # Control: twice as wide for a quarter of the rows.
    quarter = {key: value[::4] if isinstance(value, np.ndarray) else value for key, value in given.items()}
    lower, higher = intervals(["accuracy"], **quarter)["accuracy"]
    assert (higher - lower) / (high - low) == pytest.approx(2, rel=0.25)


def test_nineteen_in_twenty_hold_the_truth() -> None:
    draw = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        said = (draw.random(300) < 0.8).astype(np.int64)
        bounds = intervals(
            ["accuracy"], references=np.ones_like(said), predictions=said, scores=None, labels=("no", "yes")
        )["accuracy"]
        held += bounds[0] <= 0.8 <= bounds[1]
    assert 180 <= held <= 199  # of 200; binomial around 190


def test_rows_that_belong_together_are_drawn_together() -> None:
    (weights,) = Resamples(60, groups=UNEVEN, count=40).weights()
    for group in range(24):
        of = weights[:, group == UNEVEN]
        assert (of == of[:, :1]).all()
    first = weights[:, np.unique(UNEVEN, return_index=True)[1]]
    assert (first.sum(axis=1) == 24).all()
    assert len(set(weights.sum(axis=1))) > 5  # so that now more rows are drawn, now fewer
    alone = [*Resamples(60, groups=np.arange(60), count=40).weights()]
    assert (alone[0] == next(Resamples(60, count=40).weights())).all()


def test_of_groups_nineteen_in_twenty_hold_the_truth_and_of_their_rows_far_fewer() -> None:
    draw = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 10)
    held = {"groups": 0, "rows": 0}
    for _ in range(200):
        said = np.repeat(draw.random(60) < 0.7, 10).astype(np.int64)  # what one row is, its whole group is
        given = {
            "references": np.ones_like(said),
            "predictions": said,
            "scores": None,
            "labels": ("no", "yes"),
        }
        for how, of in (("groups", groups), ("rows", None)):
            low, high = bounds(resampled(["accuracy"], **given, groups=of))["accuracy"]
            held[how] += low <= 0.7 <= high
    assert 178 <= held["groups"] <= 199  # of 200
    assert held["rows"] < 120


def test_they_are_the_same_every_time_and_others_with_another_seed() -> None:
    given = of_classes("f1", "5 classes")
    names = ["accuracy", "f1", "mcc"]
    assert intervals(names, **given) == intervals(names, **given)
    values = [METRICS.get("f1").resampled(Resamples(60, seed=seed), **given) for seed in (0, 1)]
    assert values[0] is not None
    assert values[1] is not None
    assert (values[0] != values[1]).any()


def test_the_size_of_blocks_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate([*Resamples(50, count=40).weights()])
    monkeypatch.setattr("hftransfer.metrics.intervals.CELLS", 7 * 50)
    blocks = [*Resamples(50, count=40).weights()]
    assert len(blocks) == 6
    assert (np.concatenate(blocks) == whole).all()
    assert (whole.sum(axis=1) == 50).all()


def test_there_is_none_where_a_bootstrap_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.arange(40) % 2
    perfect = {"references": truth, "predictions": truth, "scores": None, "labels": ("no", "yes")}
    assert intervals(["accuracy", "f1", "mcc"], **perfect) == {}
    assert intervals(["accuracy"], **{**perfect, "predictions": 1 - truth * (np.arange(40) > 3)}) != {}
    empty = {"references": truth[:0], "predictions": truth[:0], "scores": None, "labels": ("no", "yes")}
    assert intervals(["accuracy"], **empty) == {}
    # Two rows are of one class in half of all resamples: the area is not defined there.
    rare = {"references": np.array([0, 1]), "predictions": np.array([0, 1]), "labels": ("no", "yes")}
    assert intervals(["auroc"], **rare, scores=np.array([[0.6, 0.4], [0.5, 0.5]])) == {}
    # A pass over all resamples for every label of very many rows would take minutes.
    monkeypatch.setattr(rankings, "MOST", 60 * 5 - 1)
    several = of_classes("average_precision", "several labels")
    assert several["references"].shape == (60, 5)
    assert intervals(["average_precision", "auroc"], **several) == {}
    monkeypatch.undo()
    assert len(intervals(["average_precision", "auroc"], **several)) == 2


def test_three_thousand_rows_take_no_time() -> None:
    made = rows("5 classes", 3000)
    given = {"references": made.references, "predictions": made.predictions, "scores": made.scores}
    start = time.perf_counter()
    assert len(intervals(["accuracy", "f1", "mcc"], **given, labels=made.labels)) == 3
    assert time.perf_counter() - start < 3  # 0.3 s; the rest is for busy machines
