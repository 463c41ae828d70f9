"""Which of two recipes is better, where one at least was trained with several seeds, and all on the same rows.

Scores differ by the seed and by the rows that happen to be there (Bouthillier et al. 2021, arXiv:2103.03098). The
variance of the difference of two means is a sum of three: of the seeds of either, their variance by their number; and
of the rows, what it is on the resamples, on which both are scored. The difference, by its root, is compared with
Student's t (Welch 1947; degrees of freedom by Satterthwaite 1946, the rows' part counting as known).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, variance

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from hftransfer.metrics.intervals import UNDEFINED
from hftransfer.metrics.paired import ALPHA, POWER, Difference, Measured, Verdict


def difference_of_means(
    one: Sequence[Measured],
    other: Sequence[Measured],
    *,
    higher_is_better: bool = True,
    seedless: bool = False,
) -> Difference | None:
    """What sets the mean of `one` recipe's seeds apart from the mean of the `other`'s; None where either has no score.

    A single seed is taken to vary as much as those of the other recipe. seedless: but the single one is what comes out
    with any seed. p: that of the t-test. Without resamples, seeds alone are counted. Raises ValueError where neither
    has two seeds with a score.
    """
    ours, theirs = (_defined(several) for several in (one, other))
    if not ours or not theirs:
        return None
    value = mean(scored.value or 0.0 for scored in ours) - mean(scored.value or 0.0 for scored in theirs)
    scores = ([scored.value or 0.0 for scored in several] for several in (ours, theirs))
    seeds, freedom = _of_seeds(*scores, seedless=seedless)
    total = seeds + (of_rows(ours, theirs) or 0.0)
    if not total:
        return Difference(value, None, None, "undetermined", None)
    freedom *= (total / seeds) ** 2 if seeds else math.inf
    error = math.sqrt(total)
    p = 2 * float(t.sf(abs(value) / error, freedom))
    bound = float(t.ppf(1 - ALPHA / 2, freedom))
    verdict: Verdict = "undetermined"
    if p < ALPHA:
        verdict = "better" if (value > 0) == higher_is_better else "worse"
    smallest = (bound + float(t.ppf(POWER, freedom))) * error
    return Difference(value, (value - bound * error, value + bound * error), p, verdict, smallest)


def of_rows(one: Sequence[Measured], other: Sequence[Measured]) -> float | None:
    """The variance of the difference of two means that comes of the rows; None where they have no resamples."""
    means = [_mean_resampled(several) for several in (one, other)]
    if means[0] is None or means[1] is None:
        return None
    apart = means[0] - means[1]
    defined = apart[np.isfinite(apart)]
    return float(np.var(defined, ddof=1)) if len(defined) >= (1 - UNDEFINED) * len(apart) else None


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
