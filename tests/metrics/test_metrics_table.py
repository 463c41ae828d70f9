"""What every metric in the table keeps to, whichever it is: a new one is tested here unasked."""

from __future__ import annotations

import ast
import importlib
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hftransfer.metrics
from hftransfer.errors import InputError
from hftransfer.metrics import Metric, MetricValue
from hftransfer.registry import METRICS, UnknownNameError

NAMES = METRICS.names()
DEFINED = [
    (name, classes) for name in NAMES for classes in (2, 5) if classes == 2 or not METRICS.get(name).binary
]
LABELS = {2: ("no", "yes"), 5: ("a", "b", "c", "d", "e")}


def rows(classes: int, count: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """References in which every class is there, and scores that know nothing of them."""
    random = np.random.default_rng(seed)
    references = random.permutation(np.arange(count) % classes)
    return references, random.dirichlet(np.ones(classes), count)


def sharpened(references: np.ndarray, scores: np.ndarray, share: float) -> np.ndarray:
    """The same scores, but right for certain in the first `share` of the rows."""
    certain = np.eye(scores.shape[1])[references]
    return np.where((np.arange(len(scores)) < share * len(scores))[:, None], certain, scores)


def score(metric: Metric, references: np.ndarray, scores: np.ndarray) -> MetricValue:
    return metric.compute(
        references=references, predictions=scores.argmax(1), scores=scores, labels=LABELS[scores.shape[1]]
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
    assert set(NAMES) >= averaged | {"accuracy", "mcc", "auroc", "confusion_matrix"}
    with pytest.raises(UnknownNameError, match="did you mean `accuracy`"):
        METRICS.get("acuracy")


def test_is_described(metric: Metric) -> None:
    assert METRICS.get(metric.name) is metric
    assert 20 <= len(metric.summary) <= 110
    assert "\n" not in metric.summary
    assert not metric.summary.endswith(".")


def test_is_an_evaluate_metric(metric: Metric) -> None:
    import evaluate

    module, _, name = metric.module.partition(":")
    made = getattr(importlib.import_module(module), name)()
    assert isinstance(made, evaluate.Metric)
    assert made.description
    assert made.inputs_description
    assert made.reference_urls[0].startswith("https://")


@pytest.mark.parametrize(("metric", "classes"), DEFINED, indirect=["metric"])
def test_scalar_says_what_comes_out(metric: Metric, classes: int) -> None:
    references, scores = rows(classes)
    value = score(metric, references, scores)
    if metric.scalar:
        assert type(value) is float
        assert math.isfinite(value)
        assert -1 <= value <= 1
    else:
        assert isinstance(value, list)
        assert [len(row) for row in value] == [classes] * classes
        assert all(type(cell) is int for row in value for cell in row)


@pytest.mark.parametrize(("metric", "classes"), DEFINED, indirect=["metric"])
def test_better_predictions_score_better_and_perfect_ones_best(metric: Metric, classes: int) -> None:
    references, scores = rows(classes)
    values: list[Any] = [
        score(metric, references, sharpened(references, scores, share)) for share in (0, 0.5, 0.9, 1)
    ]
    if not metric.scalar:
        values = [np.trace(value) / len(references) for value in values]
    ordered = sorted(values, reverse=not metric.higher_is_better)
    assert values == ordered
    assert len(set(values)) == len(values)
    assert values[-1] == (1.0 if metric.higher_is_better else 0.0)


@pytest.mark.parametrize(("metric", "classes"), DEFINED, indirect=["metric"])
def test_the_order_of_rows_and_the_kind_of_integer_do_not_matter(metric: Metric, classes: int) -> None:
    references, scores = rows(classes)
    value = score(metric, references, scores)
    order = np.random.default_rng(1).permutation(len(references))
    again = score(metric, references[order].astype(np.int32), scores[order])
    assert np.asarray(again) == pytest.approx(np.asarray(value), abs=1e-12)
    # Control: rows that no longer belong together are seen.
    assert np.asarray(score(metric, references[order], scores)) != pytest.approx(np.asarray(value), abs=1e-12)


def test_no_rows_give_nothing(metric: Metric) -> None:
    assert score(metric, np.zeros(0, int), np.zeros((0, 2))) is None


def test_scores_may_be_left_out_where_they_are_not_read(metric: Metric) -> None:
    references, scores = rows(2)
    arrays = {"references": references, "predictions": scores.argmax(1), "labels": LABELS[2]}
    if metric.needs_scores:
        with pytest.raises(ValueError, match=r"needs scores of shape \(200, 2\); found None"):
            metric.compute(**arrays)
        with pytest.raises(ValueError, match=r"found \(200, 3\)"):
            metric.compute(**arrays, scores=np.full((200, 3), 1 / 3))
    else:
        assert metric.compute(**arrays) == score(metric, references, scores)


@pytest.mark.parametrize("classes", [2, 3])
def test_binary_metrics_are_refused_by_name_elsewhere(metric: Metric, classes: int) -> None:
    labels = ("red", "green", "blue")[:classes]
    if not metric.binary or classes == 2:
        metric.check_labels(labels)
        return
    with pytest.raises(InputError, match="defined for 2 labels; found 3: red, green, blue") as caught:
        metric.compute(references=np.array([0]), predictions=np.array([0]), labels=labels)
    assert caught.value.hint is not None
    assert METRICS.get(caught.value.hint.split("`")[1]).binary is False


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
        ({"references": np.array([[0], [1], [0]])}, r"references: expected integers of shape \(3,\)"),
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
    metric.compute(**good, labels=LABELS[2])
    with pytest.raises(ValueError, match=message):
        metric.compute(**{**good, **changed}, labels=LABELS[2])


def test_leaves_numpys_random_state_as_it_was(metric: Metric) -> None:
    np.random.seed(7)
    expected = np.random.random(3)
    np.random.seed(7)
    score(metric, *rows(2))
    assert (np.random.random(3) == expected).all()


def test_ten_thousand_rows_of_77_labels_take_no_time(metric: Metric) -> None:
    random = np.random.default_rng(0)
    references = np.arange(10_000) % 77
    scores = random.dirichlet(np.ones(77), 10_000).astype(np.float32)
    labels = [f"label {place}" for place in range(77)]
    if metric.binary:
        references, scores, labels = (
            references % 2,
            scores[:, :2] / scores[:, :2].sum(1, keepdims=True),
            labels[:2],
        )
    score(metric, *rows(2))  # what is imported once is not counted
    start = time.perf_counter()
    metric.compute(references=references, predictions=scores.argmax(1), scores=scores, labels=labels)
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
