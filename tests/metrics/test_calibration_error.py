"""Calibration error, likelihood and Brier's score on rows that can be done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from hftransfer.metrics.calibration import brier, ece, nll, resampled_ece
from hftransfer.metrics.intervals import Resamples, interval

# Sure 0.9, 0.9, 0.6, 0.6; right yes, no, yes, yes.
TRUE = np.array([0, 0, 1, 0])
SAID = np.array([[0.9, 0.1], [0.1, 0.9], [0.4, 0.6], [0.6, 0.4]])


def test_by_hand() -> None:
    # Of those at 0.9 half are right, of those at 0.6 all: |0.9 - 0.5| and |0.6 - 1|, each half of the rows.
    assert ece(TRUE, SAID) == pytest.approx(0.4)
    # In one bin, what they lack and have too much of makes up: |0.75 - 0.75|.
    assert ece(TRUE, SAID, bins=1) == pytest.approx(0)
    assert nll(TRUE, SAID) == pytest.approx(-np.log([0.9, 0.1, 0.6, 0.6]).mean())
    assert brier(TRUE, SAID) == pytest.approx(2 * np.mean([0.1**2, 0.9**2, 0.4**2, 0.4**2]))
    # Control: other rows, other numbers.
    assert ece(1 - TRUE, SAID) == pytest.approx((0.4 + 0.6) / 2)


def test_of_several_labels_every_label_is_a_guess() -> None:
    # At 0.9 one of two labels is there, at 0.1 one of two.
    there, said = np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.1], [0.9, 0.1]])
    assert ece(there, said) == pytest.approx(0.4)
    assert nll(there, said) == pytest.approx(-np.log([0.9, 0.9, 0.1, 0.1]).mean())
    assert brier(there, said) == pytest.approx((0.1**2 + 0.1**2 + 0.9**2 + 0.9**2) / 4)
    # Control: sure, and right.
    assert ece(np.array([[1, 0], [1, 0]]), said) == pytest.approx(0.1)


def test_a_bin_holds_its_upper_bound() -> None:
    # 0.8 = 12 / 15: in one bin with 0.79, not with 0.81.
    def error(other: float, right: bool) -> float:
        said = np.array([[0.8, 0.2], [other, 1 - other]])
        return ece(np.array([0, 0 if right else 1]), said)

    assert error(0.79, False) == pytest.approx(abs((0.8 - 1) + (0.79 - 0)) / 2)
    assert error(0.81, False) == pytest.approx((abs(0.8 - 1) + abs(0.81 - 0)) / 2)


def test_scores_that_come_true_have_hardly_any_error() -> None:
    random = np.random.default_rng(0)
    said = random.dirichlet(np.ones(4), 20_000)
    true = (random.random(20_000)[:, None] > said.cumsum(axis=1)).sum(axis=1)
    assert ece(true, said) < 0.015
    sharper = said**2 / (said**2).sum(axis=1, keepdims=True)
    assert ece(true, sharper) > 0.1  # control


@pytest.mark.parametrize("classes", [2, 5])
def test_equal_scikit_learn(classes: int) -> None:
    random = np.random.default_rng(classes)
    said = random.dirichlet(np.ones(classes), 200)
    true = random.integers(0, classes, 200)
    labels = list(range(classes))
    assert nll(true, said) == pytest.approx(log_loss(true, said, labels=labels))
    assert brier(true, said) == pytest.approx(
        sum(brier_score_loss(true == one, said[:, one]) for one in labels), abs=1e-12
    )
    assert nll(true[::-1], said) != pytest.approx(nll(true, said))  # control


def test_what_was_given_no_chance_at_all_has_a_number() -> None:
    assert np.isfinite(nll(np.array([0]), np.array([[0.0, 1.0]])))
    assert np.isfinite(nll(np.array([[1, 0]]), np.array([[0.0, 1.0]])))


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("groups", [None, np.arange(120) // 3])
def test_on_resamples_it_is_what_it_is_of_the_rows_drawn_less_one_bias(
    several: bool, groups: np.ndarray | None
) -> None:
    random = np.random.default_rng(5)
    said = random.dirichlet(np.ones(3), 120)
    true = (random.random((120, 3)) < said).astype(int) if several else random.integers(0, 3, 120)
    resamples = Resamples(120, groups=groups, count=200)
    values = resampled_ece(resamples, true, said)
    drawn = [np.repeat(np.arange(120), one.astype(int)) for block in resamples.weights() for one in block]
    plain = np.array([ece(true[rows], said[rows]) for rows in drawn])
    bias = plain.mean() - ece(true, said)
    assert bias > 0.005  # control: it is too high on resamples
    assert values == pytest.approx(np.maximum(plain - bias, 0), abs=1e-12)


@pytest.mark.parametrize("sharper", [1.0, 2.0])
def test_nineteen_in_twenty_intervals_hold_what_it_is_on_other_rows(sharper: float) -> None:
    """Of scores that come true, and of some that are too sure."""
    random = np.random.default_rng(3)
    scores, bounds = [], []
    for _ in range(300):
        chances = random.dirichlet(np.ones(3), 300)
        true = (random.random(300)[:, None] > chances.cumsum(axis=1)).sum(axis=1)
        said = chances**sharper / (chances**sharper).sum(axis=1, keepdims=True)
        scores.append(ece(true, said))
        bounds.append(interval(resampled_ece(Resamples(300, count=400), true, said)))
    other = np.mean(scores)
    there = [one for one in bounds if one is not None]
    assert len(there) == 300
    held = np.mean([low <= other <= high for low, high in there])
    assert 0.92 <= held <= 0.99
