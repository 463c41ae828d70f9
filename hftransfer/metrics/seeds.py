"""Which of two recipes is better, where one at least was trained with several seeds, and all on the same rows.

Scores differ by the seed and by the rows that happen to be there (Bouthillier et al. 2021, arXiv:2103.03098). The
variance of the difference of two means is a sum of three: of the seeds of either, their variance by their number; and
of the rows, what it is on the resamples, on which both are scored. The difference, by its root, is compared with
Student's t: that of the seeds (Welch 1947; degrees of freedom by Satterthwaite 1946) and that of the rows (of many: the
normal distribution), each weighted by its share of the variance (Cochran & Cox 1957, section 4.14). Of two or three
seeds one degree of freedom for the sum would say too much: "better" of one in eight pairs that are alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import mean, variance

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import t

from hftransfer.metrics.intervals import FEWEST, tells
from hftransfer.metrics.paired import ALPHA, POWER, Difference, Measured, Verdict

LEAST = 1e-12
"""The least chance that is told apart from none."""


def difference_of_means(
    one: Sequence[Measured],
    other: Sequence[Measured],
    *,
    higher_is_better: bool = True,
    seedless: bool = False,
) -> Difference | None:
    """What sets the mean of `one` recipe's seeds apart from the mean of the `other`'s; None where either has no score.

    A single seed is taken to vary as much as those of the other recipe. seedless: but the single one is what comes out
    with any seed. p: that of the t-test. Without resamples, seeds alone are counted; of fewer than `FEWEST` groups of
    rows nothing is said. Raises ValueError where neither has two seeds with a score.
    """
    ours, theirs = (_defined(several) for several in (one, other))
    if not ours or not theirs:
        return None
    value = mean(scored.value or 0.0 for scored in ours) - mean(scored.value or 0.0 for scored in theirs)
    scores = ([scored.value or 0.0 for scored in several] for several in (ours, theirs))
    groups = ours[0].drawn
    parts = [_of_seeds(*scores, seedless=seedless), (of_rows(ours, theirs) or 0.0, (groups or math.inf) - 1)]
    total = sum(part for part, _ in parts)
    if not total or (groups is not None and groups < FEWEST):
        return Difference(value, None, None, "undetermined", None)
    error = math.sqrt(total)

    def away(chance: float) -> float:
        """How many standard errors chance alone goes beyond with this chance, to one side."""
        return sum(part / total * float(t.isf(chance, freedom)) for part, freedom in parts if part)

    p = 2 * _chance(away, abs(value) / error)
    bound = away(ALPHA / 2)
    verdict: Verdict = "undetermined"
    if p < ALPHA:
        verdict = "better" if (value > 0) == higher_is_better else "worse"
    smallest = (bound + away(1 - POWER)) * error
    return Difference(value, (value - bound * error, value + bound * error), p, verdict, smallest)


def _chance(away: Callable[[float], float], errors: float) -> float:
    """The chance, to one side, of so many standard errors; of more than floating point can tell, 0."""
    if errors >= away(LEAST):
        return 0.0
    return float(math.exp(brentq(lambda log: away(math.exp(log)) - errors, math.log(LEAST), math.log(0.5))))


def of_rows(one: Sequence[Measured], other: Sequence[Measured]) -> float | None:
    """The variance of the difference of two means that comes of the rows; None where they have no resamples, or not the
    same."""
    means = [_mean_resampled(several) for several in (one, other)]
    if means[0] is None or means[1] is None or not all(one[0].drawn_as(each) for each in (*one, *other)):
        return None
    apart = means[0] - means[1]
    if not tells(apart):
        return None
    groups = one[0].drawn
    # Of few groups a resample has less variance than they have.
    few = 1.0 if groups is None or groups < 2 else groups / (groups - 1)
    return few * float(np.var(apart[np.isfinite(apart)], ddof=1))


def _defined(several: Sequence[Measured]) -> list[Measured]:
    return [scored for scored in several if scored.value is not None]


def _mean_resampled(several: Sequence[Measured]) -> NDArray[np.float64] | None:
    there = [scored.resampled for scored in several if scored.resampled is not None]
    return np.mean(there, axis=0) if len(there) == len(several) else None


def _of_seeds(one: Sequence[float], other: Sequence[float], *, seedless: bool) -> tuple[float, float]:
    """(the variance of the difference of their means that comes of the seeds, its degrees of freedom)."""
    several = [values for values in (one, other) if len(values) > 1]
    if len(several) < 2:
        if not several:
            raise ValueError("two seeds of one recipe at least are needed")
        (known,) = several
        return variance(known) * (1 / len(known) + (not seedless)), len(known) - 1
    parts = [variance(values) / len(values) for values in several]
    total = sum(parts)
    if not total:
        return 0.0, math.inf
    return total, total**2 / sum(part**2 / (len(v) - 1) for part, v in zip(parts, several, strict=True))
