"""Metrics of several labels a row give what scikit-learn gives on tables of 0 and 1."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from metric_rows import names, scored
from sklearn import metrics as sk
from test_metrics_equal_sklearn import calibration_error

from hftransfer.metrics import METRICS
from hftransfer.tasks.classification import METRICS as FITTING

Reference = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]
FUNCTIONS = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
SUFFIXES = {"": "macro", "_micro": "micro", "_weighted": "weighted"}


def averaged(function: Callable[..., float], average: str) -> Reference:
    return lambda references, predictions, _: function(
        references, predictions, average=average, zero_division=0
    )


def mean_over_labels(function: Callable[..., float]) -> Reference:
    """One label at a time, as its own problem of two classes; undefined where one of them is."""

    def call(references: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> float | None:
        there = references.any(axis=0)
        if function is sk.roc_auc_score:
            there = there & (references == 0).any(axis=0)
        if not there.all():
            return None
        return float(np.mean([function(references[:, c], scores[:, c]) for c in range(scores.shape[1])]))

    return call


EXPECTED: dict[str, Reference] = {
    "ece": lambda references, _, scores: calibration_error(scores.ravel(), references.ravel()),
    "accuracy": lambda references, predictions, _: float((references == predictions).all(axis=1).mean()),
    "auroc": mean_over_labels(sk.roc_auc_score),
    "average_precision": mean_over_labels(sk.average_precision_score),
    **{
        f"{name}{suffix}": averaged(function, average)
        for name, function in FUNCTIONS.items()
        for suffix, average in SUFFIXES.items()
    },
}


def table(
    random: np.random.Generator, labels: int, rows: int, kind: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """References, predictions and scores of `rows` rows. kind: what is odd about them."""
    references = random.integers(0, 2, (rows, labels))
    scores = (random.random((rows, labels)) + 0.6 * references) / 1.6  # better than chance
    if kind == "never there":
        references[:, 0] = 0
    elif kind == "always there":
        references[:, -1] = 1
    elif kind == "none predicted":
        scores *= 0.4
    elif kind == "ties":
        scores = scores.round(1)
    return references, (scores >= 0.5).astype(np.int64), scores


def compute(name: str, references: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> Any:
    return METRICS.get(name).compute(
        references=references, predictions=predictions, scores=scores, labels=names(scores.shape[1])
    )


KINDS = ("plain", "never there", "always there", "none predicted", "ties")


def test_no_metric_is_left_out() -> None:
    assert set(EXPECTED) == set(FITTING["multi_label_classification"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EXPECTED)
def test_equals_scikit_learn(name: str, kind: str) -> None:
    random = np.random.default_rng([KINDS.index(kind), *name.encode()])
    changed = compared = 0
    for rows in (1, 2, 7, 50, 400):
        for labels in (2, 3, 10):
            case = table(random, labels, rows, kind)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = compute(name, *case)
            assert [str(warning.message) for warning in caught] == []
            expected = EXPECTED[name](*case)
            if expected is None:
                assert found is None
                continue
            assert found == pytest.approx(expected, abs=1e-12)
            compared += 1
            # Control: the same metric of other references is another number, so the comparison can fail.
            other = EXPECTED[name](1 - case[0], *case[1:])
            changed += other is not None and found != pytest.approx(other, abs=1e-12)
    if (name, kind) in {
        ("auroc", "never there"),
        ("auroc", "always there"),
        ("average_precision", "never there"),
    }:
        assert compared == 0
        return
    assert compared >= 6
    assert changed >= 3 or kind in ("none predicted", "always there")


def test_one_label_counts_where_it_is_there() -> None:
    """scikit-learn takes a table of one column for two classes, and would average over them."""
    references, scores = np.array([[1], [1], [0], [0]]), np.array([[0.9], [0.2], [0.8], [0.1]])
    one = scored(references, scores, ("only",))
    column = partial(one.references[:, 0].__eq__, 1)()
    found = {name: one.score(METRICS.get(name)) for name in EXPECTED}
    for name, function in FUNCTIONS.items():
        for suffix in SUFFIXES:
            assert found[f"{name}{suffix}"] == function(column, one.predictions[:, 0] == 1)
    assert found["f1"] == found["accuracy"] == 0.5
    assert found["auroc"] == sk.roc_auc_score(column, scores[:, 0])
    assert found["average_precision"] == sk.average_precision_score(column, scores[:, 0])
    # Control: what the table as it is would give.
    skewed = scored(references, np.array([[0.9], [0.2], [0.3], [0.1]]), ("only",))
    macro = sk.f1_score(skewed.references, skewed.predictions, average="macro")
    assert skewed.score(METRICS.get("f1")) == pytest.approx(2 / 3)
    assert macro == pytest.approx(0.7333, abs=1e-3)


def test_scores_that_differ_in_the_last_bits_of_a_double_are_no_ties() -> None:
    references = np.array([[0, 1], [1, 0]])
    scores = np.array([[0.5, 0.5 + 1e-12], [0.5 + 1e-12, 0.5]])
    for name in ("auroc", "average_precision"):
        assert compute(name, references, references, scores) == 1.0
        assert compute(name, references, references, scores.astype(np.float32)) == 0.5
