"""How sure a score is: percentile bootstrap over the rows that were scored (Efron & Tibshirani 1993, chapter 13).

Rows are drawn with replacement, as many as there are, and the metric is computed on the draw; the interval lies between
percentiles of a thousand such values. No row is scored anew: what a metric adds up of its rows is added up as often as
each of them was drawn. It says how far the score would move with other rows of the kind, not with another training.

Rows that belong together (sentences of one author, scans of one patient) move together: single rows drawn from them
would claim more than they know. Where such groups are known, whole groups are drawn, as many as there are (the cluster
bootstrap: Davison & Hinkley 1997, section 3.8). Of few groups percentiles lie too near one another, and are taken from
further out (Hesterberg 2015, arXiv:1411.5279, "expanded percentiles").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from hftransfer.registry import METRICS

if TYPE_CHECKING:
    from hftransfer.metrics.base import FloatArray

RESAMPLES = 1000
SEED = 0
LEVEL = 0.95
UNDEFINED = 0.05
"""The largest share of resamples on which a metric may be undefined (one without a row of some class)."""
ROUNDING = 1e-12
"""Values nearer to one another than this are the same."""
FEWEST = 6
"""Groups; of fewer, all of them say the same too often by chance: of five in one case of 16."""
CELLS = 1 << 20
"""Numbers held at a time, 8 MB of them."""


class Resamples:
    """`count` draws of `rows` rows out of as many, with replacement; the same ones whenever they are asked for.

    groups: (N,) the group of every row, from 0: whole groups are drawn, as many as there are, and so now more rows, now
    fewer.
    """

    def __init__(
        self, rows: int, *, groups: NDArray[np.int64] | None = None, count: int = RESAMPLES, seed: int = SEED
    ) -> None:
        self.rows, self.groups, self.count, self.seed = rows, groups, count, seed

    def weights(self) -> Iterator[NDArray[np.float64]]:
        """Blocks of (r, N), `count` resamples in all: how often each row is in each of them."""
        random = np.random.default_rng(self.seed)
        units = self.rows if self.groups is None else int(self.groups.max()) + 1
        at_once = max(1, CELLS // self.rows)
        for first in range(0, self.count, at_once):
            size = min(at_once, self.count - first)
            drawn = random.integers(0, units, (size, units))
            drawn += np.arange(size)[:, None] * units
            counts = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
            yield (counts if self.groups is None else counts[:, self.groups]).astype(np.float64)

    def sums(self, table: Any) -> NDArray[np.float64]:
        """(R, D): the sums over each resample of what the rows add, (N, D), an array or one of scipy.sparse."""
        return np.concatenate([np.asarray(weights @ table) for weights in self.weights()])

    def means(self, table: Any) -> NDArray[np.float64]:
        """(R, D): the means over the rows of each resample of what the rows add, (N, D), as in `sums`."""
        return np.concatenate(
            [np.asarray(weights @ table) / weights.sum(axis=1, keepdims=True) for weights in self.weights()]
        )

    def mean(self, values: Sequence[float] | FloatArray) -> NDArray[np.float64]:
        """(R,): the mean over each resample of one number a row, (N,)."""
        return self.means(np.asarray(values, dtype=np.float64)[:, None])[:, 0]


def interval(values: NDArray[np.float64], groups: int | None = None) -> tuple[float, float] | None:
    """Between which percentiles of its values on resamples, (R,), a metric lies at the level `LEVEL`.

    None where there are none, see `percentiles`, and where all values are the same: a score without a single mistake
    has no resample with one, and its bootstrap would claim to be certain of it.
    """
    found = percentiles(values, groups)
    return found if found is not None and np.ptp(found) > ROUNDING * max(1, abs(found[1])) else None


def percentiles(values: NDArray[np.float64], groups: int | None = None) -> tuple[float, float] | None:
    """Those at `LEVEL` of values on resamples, (R,); None where too many are nan, or groups are fewer than `FEWEST`.

    groups: how many were drawn whole; None for single rows.
    """
    if groups is not None and groups < FEWEST:
        return None
    if not tells(values):
        return None
    outside = (1 - LEVEL) / 2
    if groups is not None:
        outside = float(norm.cdf(t.ppf(outside, groups - 1) * np.sqrt(groups / (groups - 1))))
    low, high = np.percentile(values[np.isfinite(values)], [100 * outside, 100 * (1 - outside)])
    return float(low), float(high)


def tells(values: NDArray[np.float64]) -> bool:
    """Whether a metric is defined on enough of the resamples, (R,), to say how sure it is."""
    return bool(np.isfinite(values).mean() >= 1 - UNDEFINED)


def intervals(
    names: Iterable[str], *, references: Any, predictions: Any, scores: Any, labels: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Metric name -> interval, for the metrics that have one on these rows. The arguments are `Metric.compute`'s."""
    return bounds(
        resampled(names, references=references, predictions=predictions, scores=scores, labels=labels)
    )


def bounds(
    values: Mapping[str, NDArray[np.float64]], groups: int | None = None
) -> dict[str, tuple[float, float]]:
    """Metric name -> interval, of those whose values on resamples, (R,), have one. groups: how many were drawn."""
    return {name: found for name, one in values.items() if (found := interval(one, groups)) is not None}


def resampled(
    names: Iterable[str],
    *,
    references: Any,
    predictions: Any,
    scores: Any,
    labels: Sequence[str],
    groups: NDArray[np.int64] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Metric name -> its values on the resamples, (R,), for those that can be had. Given what `Metric.compute` is.

    The resamples of so many rows are always the same: what two models score on them can be compared one by one.
    groups: see `Resamples`.
    """
    found = {}
    for name in names if len(references) else ():
        values = METRICS.get(name).resampled(
            Resamples(len(references), groups=groups),
            references=references,
            predictions=predictions,
            scores=scores,
            labels=labels,
        )
        if values is not None:
            found[name] = values
    return found


def quotient(over: NDArray[np.float64], under: NDArray[np.float64], *, zero: float) -> NDArray[np.float64]:
    """`over / under`, and `zero` where `under` is 0."""
    return np.asarray(np.divide(over, under, out=np.full(np.shape(over), float(zero)), where=under != 0))
