"""Which of two models is better, where both were scored on the same rows.

Two scores differ by chance, too. What is told of a difference:

- its interval: percentile paired bootstrap (Efron & Tibshirani 1993; Berg-Kirkpatrick et al. 2012, D12-1091). Both are
  scored on the same resamples of the rows, so that what is hard for both moves neither nearer to the other. Where the
  one's draw groups of rows and the other's do not, they are not the same, and there is none;
- for a share of rows that are right, McNemar's exact test on the rows that only one of them gets right; where groups of
  rows are drawn, Student's t over these, for percentiles alone find too much in few of them;
- a verdict. Better or worse where the interval excludes 0, and the test, where there is one, has p < 0.05; all else is
  undetermined: "not better" would be something else;
- the smallest difference that so many rows would have shown with a chance of 80 % (Card et al. 2020,
  2020.emnlp-main.745).

It is about other rows of the kind, and not about another training: that is what several seeds are for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binom, norm, t

from hftransfer.metrics.intervals import LEVEL, ROUNDING, percentiles

Verdict = Literal["better", "worse", "undetermined"]

ALPHA = 1 - LEVEL
POWER = 0.8
SPREADS = float(norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER))
"""Standard errors (2.80) by which a true difference has to be away from 0 to be seen with a chance of `POWER`."""
NEGLIGIBLE = 1e-9
"""Chances that are left out of a sum of them."""


@dataclass(frozen=True)
class Measured:
    """What a metric says of a model on N rows. value: None where it is not defined.

    resampled: its values on the resamples of the rows, (R,), nan where it is not defined; None for a metric that cannot
    be had so. right: where the metric is the share of rows that are right, which those are, (N,). groups: (N,) the
    group of every row, from 0, where resamples draw whole ones.
    """

    value: float | None
    resampled: NDArray[np.float64] | None = None
    right: NDArray[np.bool_] | None = None
    groups: NDArray[np.int64] | None = None

    @property
    def drawn(self) -> int | None:
        """How many groups there are."""
        return None if self.groups is None else int(self.groups.max()) + 1

    def drawn_as(self, other: Measured) -> bool:
        """Whether the resamples of both are of the same rows, or of the same groups of them."""
        if self.groups is None or other.groups is None:
            return self.groups is other.groups
        return np.array_equal(self.groups, other.groups)


@dataclass(frozen=True)
class Difference:
    """One model against another. value: its score - the other's, in units of the metric; interval: at 95 %.

    p: McNemar's, where the metric is a share of rows; Student's, where groups are drawn. smallest_detectable: see
    `smallest_difference`, or `SPREADS` standard errors of the difference (of groups, as many by Student's t); None
    where two models that score the same on every resample show none. Both it and the interval are None for a metric
    that has no resamples, and where those of the two are not the same.
    """

    value: float
    interval: tuple[float, float] | None
    p: float | None
    verdict: Verdict
    smallest_detectable: float | None


def difference(one: Measured, other: Measured, *, higher_is_better: bool = True) -> Difference | None:
    """What sets `one` apart from `other`, scored on the same rows and resamples. None where a score is not defined."""
    if one.value is None or other.value is None:
        return None
    value = one.value - other.value
    p = smallest = interval = None
    if one.resampled is not None and other.resampled is not None and one.drawn_as(other):
        apart = one.resampled - other.resampled
        interval = _interval(apart, one.drawn)
        error = 0.0 if interval is None else _error(apart, one.drawn)
        if error > ROUNDING:
            freedom = math.inf if one.drawn is None else one.drawn - 1
            smallest = float(t.ppf(1 - ALPHA / 2, freedom) + t.ppf(POWER, freedom)) * error
            p = None if one.drawn is None else 2 * float(t.sf(abs(value) / error, freedom))
    if one.right is not None and other.right is not None:
        p = mcnemar(one.right, other.right)
        smallest = smallest_difference(len(one.right), float(np.mean(one.right != other.right)))
    seen = interval is not None and (interval[0] > 0 or interval[1] < 0) and (p is None or p < ALPHA)
    verdict: Verdict = "undetermined"
    if seen:
        verdict = "better" if (value > 0) == higher_is_better else "worse"
    return Difference(value, interval, p, verdict, smallest)


def _interval(apart: NDArray[np.float64], groups: int | None) -> tuple[float, float] | None:
    """Between which percentiles the differences on resamples, (R,), lie; None where there are none."""
    found = percentiles(apart, groups)
    if found is None:
        return None
    return tuple(0.0 if abs(one) < ROUNDING else one for one in found)  # type: ignore[return-value]


def _error(apart: NDArray[np.float64], groups: int | None) -> float:
    """The standard error, of the differences on resamples, (R,); of few groups these vary less than it."""
    few = 1.0 if groups is None else math.sqrt(groups / (groups - 1))
    return few * float(np.std(apart[np.isfinite(apart)], ddof=1))


def mcnemar(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """The exact two-sided p of McNemar's test (1947): how odd it is that of the rows, (N,), which only one of two
    models gets right, so many are the same one's. 1 where there is no such row."""
    first, second = int(np.sum(one & ~other)), int(np.sum(other & ~one))
    return min(1.0, 2 * float(binom.cdf(min(first, second), first + second, 0.5)))


@lru_cache(maxsize=1024)
def smallest_difference(rows: int, disagreement: float, *, power: float = POWER) -> float:
    """The smallest true difference of two shares of right rows that McNemar's exact test finds with this chance.

    disagreement: the share of rows which only one of the two gets right; where that is less than a difference takes,
    as much as it takes. Above 1: no difference on so few rows would be found.
    """

    def lacking(apart: float) -> float:
        return mcnemar_power(rows, max(disagreement, apart), apart) - power

    return float(brentq(lacking, 0.0, 1.0, xtol=1e-6)) if lacking(1.0) >= 0 else float("inf")


def mcnemar_power(rows: int, disagreement: float, apart: float) -> float:
    """The chance that McNemar's exact test finds a true difference of `apart` (p < 0.05, on either side).

    Only one of the two is right on Binomial(rows, disagreement) rows; of these the better one, on each with a chance of
    (disagreement + apart) / (2 disagreement) (Miettinen 1968).
    """
    if not disagreement:
        return 0.0
    counts = np.arange(rows + 1)
    chances = binom.pmf(counts, rows, disagreement)
    counts, chances = counts[chances > NEGLIGIBLE], chances[chances > NEGLIGIBLE]
    fewest = _fewest(counts)
    better = min(1.0, (disagreement + apart) / (2 * disagreement))
    found = binom.cdf(fewest, counts, better) + binom.sf(counts - fewest - 1, counts, better)
    return float(np.sum(chances * np.where(fewest < 0, 0.0, found)))


def _fewest(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of so many rows that only one gets right, the most that may be the worse one's where p is below `ALPHA`; -1 for
    none at all."""
    most = binom.ppf(ALPHA / 2, counts, 0.5).astype(
        np.int64
    )  # the first with a tail of half of ALPHA or more
    return np.asarray(np.where(binom.cdf(most, counts, 0.5) < ALPHA / 2, most, most - 1))


def best_of(values: Sequence[float | None], *, higher_is_better: bool = True) -> int | None:
    """Which of the values is the best one (the first of equals); None where there is none."""
    known = [place for place, value in enumerate(values) if value is not None]
    sign = 1 if higher_is_better else -1
    return max(known, key=lambda place: sign * (values[place] or 0.0), default=None)
