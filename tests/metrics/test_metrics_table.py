"""What every metric in the table keeps to, whichever it is: a new one is tested here unasked."""

from __future__ import annotations

import ast
import importlib
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from metric_rows import FIT, KINDS, names, rows, scored

import hftransfer.metrics
from hftransfer.errors import InputError
from hftransfer.metrics import Metric
from hftransfer.metrics.base import ClassMetric, Measure
from hftransfer.registry import METRICS, UnknownNameError

NAMES = METRICS.names()
of_rows = pytest.mark.parametrize(
    ("metric", "kind"), FIT, indirect=["metric"], ids=[f"{name} of {kind}" for name, kind in FIT]
)
CLASS_METRICS = [name for name in NAMES if isinstance(METRICS.get(name), ClassMetric)]
of_classes = pytest.mark.parametrize(
    "metric",
    sorted({name for name, kind in FIT if kind == "2 classes"}),
    indirect=True,
)


@pytest.fixture(params=NAMES)
def metric(request: pytest.FixtureRequest) -> Metric:
    return METRICS.get(request.param)


def test_the_table_holds_what_the_documentation_names() -> None:
    averaged = {
        f"{name}{kind}"
        for name in ("precision", "recall", "f1")
        for kind in ("", "_micro", "_weighted", "_binary")
    }
    assert set(NAMES) >= averaged | {"accuracy", "mcc", "auroc", "confusion_matrix", "average_precision"}
    assert set(NAMES) >= {"mse", "mae", "r2", "pearson", "spearman"}
    assert len(FIT) >= 15 + 11 + 12 + 2 * 5
    assert {kind for _, kind in FIT} == set(KINDS)
    with pytest.raises(UnknownNameError, match="did you mean `accuracy`"):
        METRICS.get("acuracy")


def test_is_described(metric: Metric) -> None:
    assert METRICS.get(metric.name) is metric
    assert 20 <= len(metric.summary) <= 110
    assert "\n" not in metric.summary
    assert not metric.summary.endswith(".")


@pytest.mark.parametrize("metric", CLASS_METRICS, indirect=True)
def test_is_an_evaluate_metric(metric: Metric) -> None:
    import evaluate

    module, _, name = metric.module.partition(":")
    made = getattr(importlib.import_module(module), name)()
    assert isinstance(made, evaluate.Metric)
    assert made.description
    assert made.inputs_description
    assert made.reference_urls[0].startswith("https://")


@pytest.mark.parametrize(
    "metric", [name for name in NAMES if isinstance(METRICS.get(name), Measure)], indirect=True
)
def test_or_a_function_that_says_what_it_does(metric: Metric) -> None:
    module, _, name = metric.module.partition(":")
    assert getattr(importlib.import_module(module), name).__doc__


@of_rows
def test_scalar_says_what_comes_out(metric: Metric, kind: str) -> None:
    made = rows(kind)
    value = made.score(metric)
    if metric.scalar:
        assert type(value) is float
        assert math.isfinite(value)
        assert -1 <= value <= 1 or metric.name in ("mse", "mae", "r2")
    else:
        assert isinstance(value, list)
        assert [len(row) for row in value] == [len(made.labels)] * len(made.labels)
        assert all(type(cell) is int for row in value for cell in row)


@of_rows
def test_better_predictions_score_better_and_perfect_ones_best(metric: Metric, kind: str) -> None:
    made = rows(kind)
    values: list[Any] = [made.sharpened(share).score(metric) for share in (0, 0.5, 0.9, 1)]
    if not metric.scalar:
        values = [np.trace(value) / len(made) for value in values]
    ordered = sorted(values, reverse=not metric.higher_is_better)
    assert values == ordered
    assert len(set(values)) == len(values)
    assert values[-1] == pytest.approx(1.0 if metric.higher_is_better else 0.0, abs=1e-12)


@of_rows
def test_the_order_of_rows_and_the_kind_of_integer_do_not_matter(metric: Metric, kind: str) -> None:
    made = rows(kind)
    value = made.score(metric)
    order = np.random.default_rng(1).permutation(len(made))
    narrow = np.int32 if made.references.dtype.kind == "i" else np.float64
    shuffled = made.of(order)
    again = replace(shuffled, references=shuffled.references.astype(narrow)).score(metric)
    assert np.asarray(again) == pytest.approx(np.asarray(value), abs=1e-12)
    # Control: rows that no longer belong together are seen.
    apart = replace(made, references=np.roll(made.references, 1, axis=0)).score(metric)
    assert np.asarray(apart) != pytest.approx(np.asarray(value), abs=1e-12)


@of_rows
def test_no_rows_give_nothing(metric: Metric, kind: str) -> None:
    assert rows(kind).of(slice(0)).score(metric) is None


@of_rows
def test_scores_may_be_left_out_where_they_are_not_read(metric: Metric, kind: str) -> None:
    made = rows(kind)
    without = replace(made, scores=None)
    if getattr(metric, "needs_scores", False):
        assert made.scores is not None
        count = len(made.labels)
        with pytest.raises(ValueError, match=rf"needs scores of shape \(200, {count}\); found None"):
            without.score(metric)
        with pytest.raises(ValueError, match=rf"found \(200, {count + 1}\)"):
            replace(made, scores=np.full((200, count + 1), 0.5)).score(metric)
    else:
        assert without.score(metric) == made.score(metric)


@pytest.mark.parametrize("metric", CLASS_METRICS, indirect=True)
@pytest.mark.parametrize("classes", [2, 3])
def test_binary_metrics_are_refused_by_name_elsewhere(metric: ClassMetric, classes: int) -> None:
    labels = ("red", "green", "blue")[:classes]
    if not metric.binary or classes == 2:
        metric.check_labels(labels)
        return
    with pytest.raises(InputError, match="defined for 2 labels; found 3: red, green, blue") as caught:
        metric.compute(references=np.array([0]), predictions=np.array([0]), labels=labels)
    assert caught.value.hint is not None
    assert METRICS.get(caught.value.hint.split("`")[1]).binary is False


@of_classes
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"references": np.array([0, 1, -100])}, r"references\[2\] is -100; expected a class from 0 to 1"),
        ({"predictions": np.array([2, 1, 0])}, r"predictions\[0\] is 2"),
        ({"predictions": np.array([0.9, 0.1, 0.2])}, "predictions: expected integers .* found float64"),
        (
            {"predictions": np.array([0, 1])},
            r"expected integers of shape \(3,\); found int64 of shape \(2,\)",
        ),
        # One column is no table of two labels.
        ({"references": np.array([[0], [1], [0]])}, r"references: expected integers of shape \(3, 2\)"),
    ],
)
def test_rows_that_would_be_left_out_or_cut_are_refused(
    metric: Metric, changed: dict[str, np.ndarray], message: str
) -> None:
    good = {
        "references": np.array([0, 1, 1]),
        "predictions": np.array([0, 1, 0]),
        "scores": np.full((3, 2), 0.5),
    }
    metric.compute(**good, labels=("no", "yes"))
    with pytest.raises(ValueError, match=message):
        metric.compute(**{**good, **changed}, labels=("no", "yes"))


@pytest.mark.parametrize(
    "metric", sorted({name for name, kind in FIT if kind == "several labels"}), indirect=True
)
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"references": np.array([[0, 1], [2, 0], [1, 1]])},
            r"references\[1\] is \[2 0\]; expected 0 and 1",
        ),
        ({"predictions": np.array([[0, 1], [1, 0], [-1, 0]])}, r"predictions\[2\] is \[-1  0\]"),
        ({"predictions": np.full((3, 2), 0.5)}, "predictions: expected integers .* found float64"),
        ({"predictions": np.array([0, 1, 0])}, r"predictions: expected integers of shape \(3,"),
        ({"references": np.eye(3, dtype=np.int64)}, r"references: expected integers of shape \(3, 2\)"),
    ],
)
def test_tables_of_labels_are_looked_at_as_well(
    metric: Metric, changed: dict[str, np.ndarray], message: str
) -> None:
    good = {
        "references": np.array([[0, 1], [1, 0], [1, 1]]),
        "predictions": np.array([[0, 1], [1, 1], [0, 0]]),
        "scores": np.full((3, 2), 0.5),
    }
    metric.compute(**good, labels=("a", "b"))
    with pytest.raises(ValueError, match=message):
        metric.compute(**{**good, **changed}, labels=("a", "b"))


@of_rows
def test_leaves_numpys_random_state_as_it_was(metric: Metric, kind: str) -> None:
    np.random.seed(7)
    expected = np.random.random(3)
    np.random.seed(7)
    rows(kind).score(metric)
    assert (np.random.random(3) == expected).all()


@of_rows
def test_ten_thousand_rows_take_no_time(metric: Metric, kind: str) -> None:
    many = rows(kind, 10_000)
    if kind == "5 classes":  # 77 of them
        scores = np.random.default_rng(0).dirichlet(np.ones(77), 10_000).astype(np.float32)
        many = scored(np.arange(10_000) % 77, scores, names(77))
    rows(kind).score(metric)  # what is imported once is not counted
    start = time.perf_counter()
    many.score(metric)
    assert time.perf_counter() - start < 3  # 0.03 s, and 0.5 s for auroc; the rest is for busy machines


def test_metrics_know_neither_torch_nor_models() -> None:
    files = sorted(Path(hftransfer.metrics.__file__).parent.glob("*.py"))
    found = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    assert len(files) >= 8
    assert "sklearn.metrics" in found
    outside = {name.partition(".")[0] for name in found}
    assert not outside & {"torch", "transformers", "tokenizers", "accelerate", "peft"}
    inside = {name for name in found if name.startswith("hftransfer")}
    assert all(
        name.startswith(("hftransfer.metrics", "hftransfer.registry", "hftransfer.errors")) for name in inside
    )
