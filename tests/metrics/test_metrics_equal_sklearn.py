"""Every metric gives what scikit-learn gives, on many random tables and on the awkward ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from hftransfer.metrics import METRICS
from hftransfer.tasks.classification import METRICS as FITTING

# From scikit-learn called here; what the metrics themselves warn of is recorded and must be nothing.
pytestmark = pytest.mark.filterwarnings("ignore:A single label was found")

Reference = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]


def averaged(function: Callable[..., float], average: str) -> Reference:
    def call(references: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> float:
        if average == "binary":
            return function(references == 1, predictions == 1, zero_division=0)
        return function(
            references, predictions, average=average, labels=range(scores.shape[1]), zero_division=0
        )

    return call


def area(references: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> float | None:
    """The mean of the binary areas, each class against the rest; undefined when one of them is."""
    classes = range(scores.shape[1]) if scores.shape[1] > 2 else [1]
    if any(len(set(references == one)) < 2 for one in classes):
        return None
    return float(np.mean([sk.roc_auc_score(references == one, scores[:, one]) for one in classes]))


def calibration_error(sure: np.ndarray, right: np.ndarray) -> float:
    """By scikit-learn's curve of reliability, whose bins are closed above, too."""
    true, said = calibration_curve(right, sure, n_bins=15)
    counts = np.bincount(np.searchsorted(np.linspace(0, 1, 16)[1:-1], sure), minlength=15)
    return float((np.abs(true - said) * counts[counts > 0]).sum() / len(sure))


EXPECTED: dict[str, Reference] = {
    "ece": lambda references, predictions, scores: calibration_error(
        scores.max(axis=1), predictions == references
    ),
    "accuracy": lambda references, predictions, scores: sk.accuracy_score(references, predictions),
    "mcc": lambda references, predictions, scores: sk.matthews_corrcoef(references, predictions),
    "auroc": area,
    "confusion_matrix": lambda references, predictions, scores: sk.confusion_matrix(
        references, predictions, labels=range(scores.shape[1])
    ).tolist(),
    **{
        f"{name}{suffix}": averaged(function, average)
        for name, function in (
            ("precision", sk.precision_score),
            ("recall", sk.recall_score),
            ("f1", sk.f1_score),
        )
        for suffix, average in (
            ("", "macro"),
            ("_micro", "micro"),
            ("_weighted", "weighted"),
            ("_binary", "binary"),
        )
    },
}


def table(
    random: np.random.Generator, classes: int, rows: int, kind: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """References, predictions and scores of `rows` rows. kind: what is odd about them."""
    references = random.integers(0, classes, rows)
    scores = random.dirichlet(np.ones(classes), rows)
    scores[np.arange(rows), references] += random.random(rows)  # better than chance
    if kind == "missing":
        references[references == classes - 1] = 0
    elif kind == "one reference":
        references[:] = random.integers(classes)
    elif kind == "one prediction":
        scores[:, random.integers(classes)] += 9
    elif kind == "ties":
        scores = scores.round(1) + 1e-3
    scores /= scores.sum(1, keepdims=True)
    return references, scores.argmax(1), scores


def compute(name: str, references: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> Any:
    labels = [f"label {place}" for place in range(scores.shape[1])]
    return METRICS.get(name).compute(
        references=references, predictions=predictions, scores=scores, labels=labels
    )


KINDS = ("plain", "missing", "one reference", "one prediction", "ties")


def test_no_metric_is_left_out() -> None:
    assert set(EXPECTED) == set(FITTING["single_label_classification"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EXPECTED)
def test_equals_scikit_learn(name: str, kind: str) -> None:
    random = np.random.default_rng([KINDS.index(kind), *name.encode()])
    changed = compared = 0
    for rows in (1, 2, 7, 50, 400):
        for classes in (2,) if METRICS.get(name).binary else (2, 3, 10):
            case = table(random, classes, rows, kind)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = compute(name, *case)
            assert [str(warning.message) for warning in caught] == []
            expected = EXPECTED[name](*case)
            if expected is None:
                assert found is None
                continue
            assert np.asarray(found) == pytest.approx(np.asarray(expected), abs=1e-12)
            compared += 1
            # Control: the same metric of other references is another number, so the comparison can fail.
            other = EXPECTED[name]((case[0] + 1) % classes, *case[1:])
            changed += other is not None and np.asarray(found) != pytest.approx(np.asarray(other), abs=1e-12)
    if name == "auroc" and kind in ("missing", "one reference"):
        assert compared == 0
        return
    assert compared >= 5
    if not kind.startswith("one"):  # there many a metric is 0 whatever the references are
        assert changed >= 3


def test_classes_missing_from_the_rows_count() -> None:
    references = predictions = np.array([0, 0, 1, 1])
    scores = np.eye(4)[predictions]
    assert compute("f1", references, predictions, scores) == 0.5
    assert sk.f1_score(references, predictions, average="macro") == 1.0  # what leaving them out would give
    assert compute("f1_weighted", references, predictions, scores) == 1.0


def test_the_positive_label_is_the_second() -> None:
    references, predictions = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    scores = np.eye(2)[predictions]
    computed = partial(compute, references=references, predictions=predictions, scores=scores)
    assert computed("precision_binary") == 0.5
    assert computed("recall_binary") == 1.0
    assert computed("confusion_matrix") == [[2, 1], [0, 1]]


def test_scores_that_differ_in_the_last_bits_of_a_double_are_no_ties() -> None:
    references = np.array([0, 1])
    positive = np.array([0.5, 0.5 + 1e-12])
    scores = np.stack([1 - positive, positive], axis=1)
    assert compute("auroc", references, scores.argmax(1), scores) == 1.0
    rounded = scores.astype(np.float32)
    assert compute("auroc", references, scores.argmax(1), rounded) == 0.5


def test_scores_that_are_not_numbers_raise() -> None:
    scores = np.array([[0.5, 0.5], [np.nan, np.nan]])
    with pytest.raises(ValueError, match="NaN"):
        compute("auroc", np.array([0, 1]), np.array([0, 1]), scores)
