"""Differences of recipes with several seeds: no effect is found where there is none, and a planted one as often as is
stated, over other seeds and other rows alike."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm, t, ttest_ind

from hftransfer.metrics.intervals import Resamples
from hftransfer.metrics.paired import POWER, Difference, Measured
from hftransfer.metrics.seeds import difference_of_means

PAIRS = 1000
FALSE = 0.06
ROWS = 200
Numbers = NDArray[np.float64]


def recipes(seeds: tuple[int, int], spread: float, *, seedless: bool = False) -> list[Difference]:
    """Of PAIRS pairs of recipes that are alike, with so many seeds each, on new rows each. A row is right by how hard
    it is for all and for a recipe, by how good a seed is (normal with standard deviation `spread`) and by chance.
    seedless: of the first the seeds are all as good."""
    draw = np.random.default_rng(7)
    weights = np.concatenate([*Resamples(ROWS).weights()]) / ROWS
    found = []
    for _ in range(PAIRS):
        hard = draw.normal(size=(ROWS, 1))
        measured = []
        for count in seeds:
            own = hard + 0.7 * draw.normal(size=(ROWS, 1)) + 0.5 * draw.normal(size=(ROWS, count))
            alike = seedless and not measured
            right = (own < 1 + (0 if alike else spread) * draw.normal(size=count)).astype(float)
            measured.append([Measured(one.mean(), weights @ one) for one in right.T])
        one = difference_of_means(*measured, seedless=seedless)
        assert one is not None
        found.append(one)
    return found


def share(found: list[Difference], *verdicts: str) -> float:
    return float(np.mean([one.verdict in verdicts for one in found]))


@pytest.mark.parametrize("spread", [0.0, 0.2])
@pytest.mark.parametrize("seeds", [(2, 2), (5, 5), (1, 5), (1, 2), (1, 3)])
def test_recipes_that_are_alike_are_seldom_told_apart(seeds: tuple[int, int], spread: float) -> None:
    """The spreads are none and 6 points of accuracy."""
    assert share(recipes(seeds, spread), "better", "worse") <= FALSE


def test_nor_is_one_from_what_is_the_same_with_every_seed() -> None:
    found = recipes((1, 5), 0.2, seedless=True)
    assert share(found, "better", "worse") <= FALSE
    # Control: it is told apart more surely than one that could have come out otherwise.
    smallest = [
        np.mean([one.smallest_detectable for one in several if one.smallest_detectable is not None])
        for several in (found, recipes((1, 5), 0.2))
    ]
    assert smallest[0] < 0.9 * smallest[1]


def scores(
    draw: np.random.Generator, mean: float, count: int, spread: float, rows: Numbers
) -> list[Measured]:
    values = draw.normal(mean, spread, count)
    return [Measured(value, value + rows) for value in values]


@pytest.mark.parametrize("higher", [True, False])
def test_a_planted_difference_is_found_with_the_power_stated(higher: bool) -> None:
    """Seeds and rows move scores alike. The rows are those of both, and move one recipe more."""
    draw, spread = np.random.default_rng(1), 0.01
    rows = spread * norm.ppf((np.arange(1000) + 0.5) / 1000)
    error = spread * np.sqrt(2 / 5 + 1)
    # Of either's share of the variance its own distribution: the seeds' has 8 degrees of freedom.
    away = [(0.4 * t.isf(chance, 8) + norm.isf(chance)) / 1.4 for chance in (0.025, 1 - POWER)]
    planted = error * sum(away)
    found = []
    for _ in range(PAIRS):
        moved = draw.normal(0, spread)  # the rows that happen to be there
        pair = scores(draw, planted + moved, 5, spread, rows), scores(draw, 0, 5, spread, np.zeros(1000))
        one = difference_of_means(*pair, higher_is_better=higher)
        assert one is not None
        found.append(one)
    assert share(found, "better" if higher else "worse") == pytest.approx(POWER, abs=0.04)
    told = [one.smallest_detectable for one in found if one.smallest_detectable is not None]
    assert np.mean(told) == pytest.approx(planted, rel=0.05)
    # Control: where the rows are left out, what they move counts as the recipe's.
    without = [
        difference_of_means(
            [Measured(moved + v) for v in draw.normal(0, spread, 5)],
            [Measured(v) for v in draw.normal(0, spread, 5)],
        )
        for moved in draw.normal(0, spread, PAIRS)
    ]
    assert share([one for one in without if one is not None], "better", "worse") > 2 * FALSE


def test_of_seeds_alone_it_is_welch() -> None:
    draw = np.random.default_rng(2)
    one, other = draw.normal(0.8, 0.02, 5), draw.normal(0.77, 0.01, 3)
    found = difference_of_means([Measured(v) for v in one], [Measured(v) for v in other])
    expected = ttest_ind(one, other, equal_var=False)
    assert found is not None
    assert found.value == pytest.approx(one.mean() - other.mean())
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(expected.confidence_interval(0.95))
    assert found.p != pytest.approx(ttest_ind(one, other).pvalue)  # control


def test_a_single_seed_is_taken_to_vary_as_the_others() -> None:
    """As a t-test has it that pools variances: the single value has none of its own."""
    several = np.array([0.80, 0.83, 0.79, 0.81])
    found = difference_of_means([Measured(v) for v in several], [Measured(0.77)])
    assert found is not None
    assert found.p == pytest.approx(ttest_ind(several, [0.77]).pvalue)
    with pytest.raises(ValueError, match="two seeds"):
        difference_of_means([Measured(0.8)], [Measured(0.7)])


def test_what_is_not_defined_is_left_out() -> None:
    values = [Measured(0.8), Measured(None), Measured(0.82)]
    found = difference_of_means(values, [Measured(0.7), Measured(0.72)])
    assert found is not None
    assert found.value == pytest.approx(0.1)
    assert difference_of_means(values, [Measured(None)]) is None
    # Seeds that make no difference at all, of scores without resamples: nothing can be said.
    same = difference_of_means([Measured(0.8)] * 2, [Measured(0.7)] * 2)
    assert same is not None
    assert (same.verdict, same.p, same.interval) == ("undetermined", None, None)


def test_few_groups_of_rows_count_as_few() -> None:
    values, rows = (0.80, 0.83, 0.79), 0.02 * norm.ppf((np.arange(1000) + 0.5) / 1000)

    def found(groups: NDArray[np.int64] | None) -> Difference | None:
        several = [Measured(value, value + rows, groups=groups) for value in values]
        return difference_of_means(several, [Measured(0.7, 0 * rows, groups=groups)], seedless=True)

    many, ten, few = (found(of) for of in (None, np.arange(100) % 10, np.arange(100) % 5))
    assert many is not None
    assert ten is not None
    assert ten.p is not None
    assert many.p is not None
    assert ten.smallest_detectable is not None
    assert many.smallest_detectable is not None
    assert ten.p > 1.3 * many.p
    assert ten.smallest_detectable > many.smallest_detectable
    assert few == Difference(many.value, None, None, "undetermined", None)
