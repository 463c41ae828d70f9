"""Differences of two models on the same rows: no effect is found where there is none, and a planted one as often as is
stated."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from hftransfer.metrics.intervals import Resamples
from hftransfer.metrics.paired import (
    POWER,
    SPREADS,
    Difference,
    Measured,
    best_of,
    difference,
    mcnemar,
    mcnemar_power,
    smallest_difference,
)
from hftransfer.registry import METRICS

PAIRS = 1000
"""Simulated pairs of models; their draws are always the same."""
FALSE = 0.06
Numbers = NDArray[np.float64]


def models(rows: int, disagreement: float, apart: float, seed: int = 1) -> tuple[Numbers, Numbers]:
    """Which rows (N, S) one and another of S pairs of models get right."""
    draw = np.random.default_rng(seed)
    chance, both = draw.random((rows, PAIRS)), draw.random((rows, PAIRS)) < 0.7
    first, second = (disagreement + apart) / 2, (disagreement - apart) / 2
    one = np.where(chance < first, 1, np.where(chance < first + second, 0, both))
    other = np.where(chance < first, 0, np.where(chance < first + second, 1, both))
    return one.astype(float), other.astype(float)


def accuracies(one: Numbers, other: Numbers) -> list[Difference]:
    resamples = Resamples(len(one))
    a, b = resamples.sums(one) / len(one), resamples.sums(other) / len(other)
    pairs = []
    for pair in range(one.shape[1]):
        first = Measured(one[:, pair].mean(), a[:, pair], one[:, pair] > 0)
        second = Measured(other[:, pair].mean(), b[:, pair], other[:, pair] > 0)
        pairs.append(difference(first, second))
    return [one for one in pairs if one is not None]


def f1_scores(truth: NDArray[np.bool_], said: NDArray[np.bool_]) -> list[Measured]:
    """Binary F1 of S models (N, S), as the metric gives it, all at once."""
    tables = np.concatenate([truth & said, truth ^ said], axis=1).astype(float)
    count = said.shape[1]
    sums = Resamples(len(said)).sums(tables)
    whole = tables.sum(axis=0)
    hit, wrong = sums[:, :count], sums[:, count:]
    values = 2 * hit / (2 * hit + wrong)
    return [Measured(2 * whole[i] / (2 * whole[i] + whole[count + i]), values[:, i]) for i in range(count)]


def share(found: list[Difference], *verdicts: str) -> float:
    return sum(one.verdict in verdicts for one in found) / len(found)


@pytest.mark.parametrize(("rows", "disagreement"), [(60, 0.05), (100, 0.1), (277, 0.03), (277, 0.1)])
def test_equal_models_are_seldom_told_apart(rows: int, disagreement: float) -> None:
    found = accuracies(*models(rows, disagreement, 0.0))
    assert len(found) == PAIRS
    assert share(found, "better", "worse") <= FALSE
    if disagreement * rows > 20:  # it is not that nothing is ever found
        assert share(found, "better", "worse") > 0.01


def test_neither_are_they_by_a_metric_that_is_no_share_of_rows() -> None:
    draw = np.random.default_rng(2)
    found = []
    for rows in (100, 277, 600):
        truth = draw.random((rows, PAIRS // 2)) < 0.35
        one, other = (truth ^ (draw.random(truth.shape) < 0.2) for _ in range(2))
        pairs = zip(f1_scores(truth, one), f1_scores(truth, other), strict=True)
        found += [made for pair in pairs if (made := difference(*pair)) is not None]
    assert 0.03 < share(found, "better", "worse") <= FALSE
    # The fast F1 of this test is the metric's own.
    metric = METRICS.get("f1_binary")
    given = {
        "references": truth[:, 0].astype(int),
        "predictions": one[:, 0].astype(int),
        "labels": ("a", "b"),
    }
    mine, theirs = f1_scores(truth, one)[0], metric.resampled(Resamples(rows), **given)
    assert mine.value == pytest.approx(metric.compute(**given))
    assert mine.resampled == pytest.approx(theirs)


@pytest.mark.parametrize("rows", [100, 277, 872])
def test_a_planted_difference_is_found_with_the_power_stated(rows: int) -> None:
    planted = smallest_difference(rows, 0.1)
    found = accuracies(*models(rows, 0.1, planted))
    assert share(found, "better") == pytest.approx(POWER, abs=0.04)
    assert share(found, "worse") == 0
    assert share(accuracies(*models(rows, 0.1, planted / 2)), "better") < 0.5  # a smaller one is not


def test_so_is_one_of_errors() -> None:
    rows, draw = 300, np.random.default_rng(3)
    noise = draw.normal(size=(rows, PAIRS))
    planted = SPREADS * noise.std() / math.sqrt(rows)
    theirs = Resamples(rows).sums(noise + planted) / rows
    zero = Measured(0.0, np.zeros(len(theirs)))
    pairs = [Measured((noise + planted)[:, i].mean(), theirs[:, i]) for i in range(PAIRS)]
    found = [made for one in pairs if (made := difference(one, zero, higher_is_better=False)) is not None]
    assert share(found, "worse") == pytest.approx(POWER, abs=0.04)
    told = [one.smallest_detectable for one in found if one.smallest_detectable is not None]
    assert np.mean(told) == pytest.approx(planted, rel=0.03)


@pytest.mark.parametrize(("rows", "points"), [(277, 5.3), (408, 4.4), (872, 3.0), (1043, 2.7)])
def test_what_glue_can_show(rows: int, points: float) -> None:
    """RTE, MRPC, SST-2 and CoLA at 10 % disagreement, by the normal approximation (Connor 1987); the exact test needs a
    little more."""
    from scipy.optimize import brentq

    def lacking(apart: float) -> float:
        away = norm.ppf(0.975) * math.sqrt(0.1) + norm.ppf(0.8) * math.sqrt(0.1 - apart**2)
        return float(away / math.sqrt(rows) - apart)

    assert 100 * brentq(lacking, 0.001, 0.0999) == pytest.approx(points, abs=0.05)
    exact = 100 * smallest_difference(rows, 0.1)
    assert points - 0.05 < exact < points + 0.25
    assert mcnemar_power(rows, 0.1, exact / 100) == pytest.approx(POWER, abs=1e-3)


def test_mcnemar_is_the_sum_over_all_outcomes_at_least_as_odd() -> None:
    """Counted out: of n coins, the share of outcomes that are no likelier than this one."""
    for first, second in ((0, 5), (1, 7), (3, 3), (6, 0), (2, 9)):
        flips = [sum(one) for one in product((0, 1), repeat=first + second)]
        p = sum(abs(2 * heads - first - second) >= abs(first - second) for heads in flips) / len(flips)
        one = np.array([True] * first + [False] * second + [True] * 4)
        other = np.array([False] * first + [True] * second + [True] * 4)
        assert mcnemar(one, other) == pytest.approx(p)
    same = np.array([True, False, True])
    assert mcnemar(same, same) == 1.0


def test_power_is_what_simulation_says() -> None:
    assert mcnemar_power(50, 0.3, 0.2) == pytest.approx(
        share(accuracies(*models(50, 0.3, 0.2)), "better"), abs=0.05
    )
    assert mcnemar_power(50, 0.0, 0.0) == 0
    # Five rows show nothing, a hundred without a disagreement need one of some eight rows.
    assert smallest_difference(5, 0.2) == math.inf
    assert 0.06 < smallest_difference(100, 0.0) < 0.1


def test_what_no_difference_can_be_told_of() -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(0.8, 0.01, 1000)
    one, none = Measured(0.8, values), Measured(None, None)
    assert difference(one, none) is None
    same = difference(one, one)
    # How they would differ is not known of models that are the same: not that these rows show any difference.
    assert same == Difference(0.0, (0.0, 0.0), None, "undetermined", None)
    without = difference(one, Measured(0.5))
    assert without == Difference(pytest.approx(0.3), None, None, "undetermined", None)  # type: ignore[arg-type]
    often = np.where(draw.random(1000) < 0.2, np.nan, values)
    undefined = difference(one, Measured(0.5, often))
    assert undefined is not None
    assert (undefined.interval, undefined.verdict) == (None, "undetermined")


def test_the_sign_is_the_metrics() -> None:
    high, low = Measured(0.9, np.full(1000, 0.9)), Measured(0.1, np.full(1000, 0.1))
    up, down = difference(high, low), difference(high, low, higher_is_better=False)
    assert up is not None
    assert down is not None
    assert (up.verdict, down.verdict) == ("better", "worse")
    assert up.value == down.value == pytest.approx(0.8)
    assert best_of([None, 0.2, 0.9, 0.9]) == 2
    assert best_of([None, 0.2, 0.9], higher_is_better=False) == 1
    assert best_of([None]) is None


def test_few_rows_do_not_decide_where_the_bootstrap_would() -> None:
    """Five rows to none: every resample that holds one is on their side, and chance gives that once in sixteen."""
    right, wrong = np.ones(100), np.ones(100)
    wrong[:5] = 0
    (found,) = accuracies(right[:, None], wrong[:, None])
    assert found.interval is not None
    assert found.interval[0] > 0
    assert found.p == pytest.approx(0.0625)
    assert found.verdict == "undetermined"


@pytest.mark.parametrize("groups", [6, 12, 30])
def test_of_few_groups_equal_models_are_seldom_told_apart(groups: int) -> None:
    """Groups of ten rows that have much in common; the control takes the percentiles as they are of many."""
    draw = np.random.default_rng(5)
    of = np.repeat(np.arange(groups), 10)
    weights = np.concatenate([*Resamples(len(of), groups=of).weights()])
    weights /= weights.sum(axis=1, keepdims=True)
    zero = np.zeros(len(weights))
    found, plain = [], []
    for _ in range(3 * PAIRS):
        apart = (draw.normal(size=groups)[of] + draw.normal(size=len(of))) / 10
        one = Measured(apart.mean(), weights @ apart, groups=of)
        found.append(difference(one, Measured(0.0, zero, groups=of)))
        plain.append(difference(replace(one, groups=None), Measured(0.0, zero)))
    told = share([one for one in found if one is not None], "better", "worse")
    assert 0.01 < told <= FALSE
    assert share([one for one in plain if one is not None], "better", "worse") > told
    if groups < 20:
        assert share([one for one in plain if one is not None], "better", "worse") > FALSE


def test_groups_that_are_too_few_or_others_show_nothing() -> None:
    """Of one group every resample is the same: the interval would exclude 0 for certain."""
    high, low = Measured(0.9, np.full(1000, 0.9)), Measured(0.1, np.full(1000, 0.1))
    nothing = Difference(pytest.approx(0.8), None, None, "undetermined", None)  # type: ignore[arg-type]
    for count in (1, 5):
        of = np.arange(20) % count
        assert difference(replace(high, groups=of), replace(low, groups=of)) == nothing
    of = np.arange(20) % 10
    for other in (None, np.arange(20) % 7):
        assert difference(replace(high, groups=of), replace(low, groups=other)) == nothing
    same = difference(replace(high, groups=of), replace(low, groups=of.copy()))
    assert same is not None
    assert same.verdict == "better"  # control
