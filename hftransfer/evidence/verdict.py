"""What the arms and the seeds show, as facts; `sentences` says them.

`Result.evidence` is:

    metric, split, rows     what is compared, and on which rows: test, where there are such
    groups                  where rows are drawn in groups: column, whose values they are, and count; else null
    over                    what the intervals are over: rows, seeds and rows, or seeds, where the metric has no
                            resamples; null where there are none
    arms                    the run and every arm: name (majority goes by what it is for the task: mean, no answer,
                            lead, copy), title for people, metrics, value and interval of what is compared, seconds,
                            trained, peak_memory_bytes, run, improving: see `arms.Scored`. Of a run with several seeds
                            value is their mean, and interval is over other rows and other seeds; all else is the first
                            seed's
    comparisons             the run against every arm: arm, difference (the run's value - the arm's), interval, p,
                            verdict (better, worse, undetermined), smallest_detectable: see `metrics.paired`, where p is
                            McNemar's, or of groups Student's; of a run with several seeds see `metrics.seeds`, so that
                            it is never the best of them that is compared. An arm was trained once, and is taken to vary
                            as much
    transfer_gain           of the comparisons, that with random-weights; null without it
    untaught                whether random-weights is not known to be better than a guess that costs nothing
    cheapest_within_noise   of the best arm, and of those that are not known to be worse, the one that took the fewest
                            seconds
    seeds                   the run with every seed: seed, value, collapsed, run; mean and sd are theirs (sd: n - 1)
    left_out, failed        arms that there are none of -> why; that failed (a seed: seed-3) -> what went wrong
    verdict                 the sentence

Collapsed is a seed whose score is no better than the majority's (Mosbach et al. 2021, arXiv:2006.04884), or is not
defined where others are: a correlation with what is always the same.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from types import MappingProxyType
from typing import Any

import numpy as np

from hftransfer.evidence.arms import Scored
from hftransfer.evidence.sentences import RANDOM, higher_is_better, sentences
from hftransfer.metrics.intervals import FEWEST, tells
from hftransfer.metrics.paired import Difference, Measured, best_of, difference
from hftransfer.metrics.seeds import difference_of_means, of_rows
from hftransfer.recipe import Recipe
from hftransfer.registry import METRICS
from hftransfer.resampled import Resampled
from hftransfer.result import Result

NOTHING = Resampled({})


def facts(
    ours: Scored,
    arms: Sequence[Scored],
    recipe: Recipe,
    result: Result,
    seeds: Mapping[int, Scored],
    *,
    left_out: Mapping[str, str] = MappingProxyType({}),
    failed: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """`Result.evidence`. ours: the run; seeds: it and those of other seeds, by seed; left_out, failed: see above."""
    split = "test" if "test" in ours.metrics else "validation"
    metric = compared_metric(recipe, [*seeds.values()] or [ours], split)
    higher = higher_is_better(metric)
    compared = _Compared(metric, split, higher)
    trainings = [one for one in seeds.values() if one.metrics[split].get(metric) is not None] or [ours]
    against = {arm.name: compared.apart(trainings, [arm]) for arm in arms}
    comparisons = {name: one for name, one in against.items() if one is not None}
    every = {ours.name: trainings, **{arm.name: [arm] for arm in arms}}
    guess = result.baselines.get(recipe.task.baseline_name, {}).get(split, {}).get(metric)
    told = [_seed(seed, one, metric, split, guess, higher) for seed, one in seeds.items()]
    values = [one["value"] for one in told if one["value"] is not None]
    groups = compared.resampled(ours).drawn
    found: dict[str, Any] = {
        "metric": metric,
        "split": split,
        "rows": result.examples[split],
        "groups": None if groups is None else {"column": recipe.data.hold_out.group, "count": groups},
        "over": compared.over(trainings),
        "arms": [_arm(ours, compared, trainings), *(_arm(arm, compared, [arm]) for arm in arms)],
        "comparisons": [{"arm": name, **_told(one)} for name, one in comparisons.items()],
        "transfer_gain": _told(comparisons[RANDOM]) if RANDOM in comparisons else None,
        "cheapest_within_noise": _cheapest(every, compared),
        "seeds": told,
        "mean": mean(values) if values else None,
        "sd": stdev(values) if len(values) > 1 else None,
        "left_out": {**left_out},
        "failed": {**failed},
    }
    found["untaught"] = _untaught(arms, compared, guess)
    return {**found, "verdict": " ".join(sentences(found))}


def compared_metric(recipe: Recipe, trainings: Sequence[Scored], split: str) -> str:
    """What chose the weights, or else the first of the metrics: of which the resamples of a seed tell, then any number.

    Where it is not defined with some seed, that seed is told, and not another metric.
    """
    best = recipe.training.best_metric or "loss"
    numbers = [name for name in dict.fromkeys((best, *recipe.metrics)) if name != "loss"]
    scalars = [name for name in numbers if METRICS.get(name).scalar]
    numbers = [name for name in scalars if any(one.metrics[split].get(name) is not None for one in trainings)]
    there = [one.resampled.get(split, NOTHING).metrics for one in trainings]
    telling = [name for name in numbers if any(name in one and tells(one[name]) for one in there)]
    return next(iter([*telling, *numbers]), "loss")


@dataclass(frozen=True)
class _Compared:
    """What is compared of trainings: one, or several that differ by their seeds."""

    metric: str
    split: str
    higher_is_better: bool

    def value(self, trainings: Sequence[Scored]) -> float | None:
        """The mean over the seeds; None where it is not defined."""
        values = [one.metrics[self.split].get(self.metric) for one in trainings]
        known = [value for value in values if value is not None]
        return mean(known) if len(known) == len(values) else None

    def interval(self, trainings: Sequence[Scored]) -> Any:
        """Over other rows and, of several seeds, other seeds; None where there is none."""
        if len(trainings) == 1:
            return trainings[0].intervals.get(self.split, {}).get(self.metric)
        measured = self._measured(trainings)
        apart = difference_of_means(measured, [_nothing(measured)], seedless=True)
        if apart is None or apart.interval is None:
            return None
        # A t-test knows nothing of where a score ends.
        low, high = METRICS.get(self.metric).between if self.metric != "loss" else (-math.inf, math.inf)
        return max(low, apart.interval[0]), min(high, apart.interval[1])

    def over(self, trainings: Sequence[Scored]) -> str | None:
        """What intervals are over."""
        measured = self._measured(trainings)
        if (measured[0].drawn or FEWEST) < FEWEST:
            return None
        rows = of_rows(measured, [_nothing(measured)]) is not None
        return " and ".join([*["seeds"][: len(trainings) - 1], *["rows"][:rows]]) or None

    def apart(self, ours: Sequence[Scored], theirs: Sequence[Scored]) -> Difference | None:
        """What sets the mean of one apart from that of the other."""
        one, other = self._measured(ours), self._measured(theirs)
        if len(one) == len(other) == 1:
            return difference(one[0], other[0], higher_is_better=self.higher_is_better)
        # What is no run was not trained from a seed: a guess, and words with a linear model.
        seedless = any(several[0].run is None for several in (ours, theirs) if len(several) == 1)
        return difference_of_means(one, other, higher_is_better=self.higher_is_better, seedless=seedless)

    def _measured(self, trainings: Sequence[Scored]) -> list[Measured]:
        return [
            self.resampled(one).measured(self.metric, one.metrics[self.split].get(self.metric))
            for one in trainings
        ]

    def resampled(self, one: Scored) -> Resampled:
        return one.resampled.get(self.split, NOTHING)


def _nothing(measured: Sequence[Measured]) -> Measured:
    """What scores 0 on the resamples of these."""
    count = next((len(one.resampled) for one in measured if one.resampled is not None), 0)
    return replace(measured[0], value=0.0, resampled=np.zeros(count))


def _told(one: Difference) -> dict[str, Any]:
    facts = dataclasses.asdict(one)
    smallest = facts["smallest_detectable"]
    return {
        "difference": facts["value"],
        "interval": facts["interval"],
        "p": facts["p"],
        "verdict": facts["verdict"],
        # None as well where these rows would show no difference at all.
        "smallest_detectable": smallest if smallest is not None and math.isfinite(smallest) else None,
    }


def _arm(arm: Scored, compared: _Compared, trainings: Sequence[Scored]) -> dict[str, Any]:
    return {
        "name": arm.name,
        "title": arm.name if len(trainings) == 1 else f"mean of {len(trainings)} seeds",
        "metrics": arm.metrics,
        "value": compared.value(trainings),
        "interval": compared.interval(trainings),
        "seconds": arm.seconds,
        "trained": arm.trained,
        "peak_memory_bytes": arm.peak_memory_bytes,
        "run": arm.run,
        "improving": arm.improving,
    }


def _seed(
    seed: int, one: Scored, metric: str, split: str, guess: float | None, higher: bool
) -> dict[str, Any]:
    value = one.metrics[split].get(metric)
    above = value is not None and (guess is None or (value > guess if higher else value < guess))
    return {"seed": seed, "value": value, "collapsed": not above, "run": one.run or "."}


def _untaught(arms: Sequence[Scored], compared: _Compared, guess: float | None) -> bool:
    """Whether random-weights is there, and not known to be better than a guess that costs nothing."""
    one = next((arm for arm in arms if arm.name == RANDOM), None)
    value = None if one is None else compared.value([one])
    if one is None or value is None or guess is None:
        return False
    low, high = compared.interval([one]) or (value, value)
    return bool(low <= guess if compared.higher_is_better else high >= guess)


def _cheapest(arms: Mapping[str, Sequence[Scored]], compared: _Compared) -> str | None:
    """arms: the trainings of each, the run's own among them, by name. None where nothing is known of noise."""
    names = [*arms]
    place = best_of(
        [compared.value(arm) for arm in arms.values()], higher_is_better=compared.higher_is_better
    )
    if place is None:
        return None
    best = names[place]
    apart = {name: compared.apart(arms[best], arm) for name, arm in arms.items() if name != best}
    known = {name: one.verdict for name, one in apart.items() if one is not None and one.interval is not None}
    if apart and not known:
        return None
    near = [best, *(name for name, verdict in known.items() if verdict == "undetermined")]
    return min(near, key=lambda name: arms[name][0].seconds)
