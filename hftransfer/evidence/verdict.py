"""What the arms and the seeds show, as facts and as a sentence.

`Result.evidence` is:

    metric, split, rows     what is compared, and on which rows: test, where there are such
    group                   the column whose whole values intervals are drawn by (data.hold_out.group); null: rows
    arms                    the run and every arm: name (majority goes by what it is for the task: mean, no answer,
                            lead, copy), title for people, metrics, value and interval of what is compared, seconds,
                            trained, peak_memory_bytes, run, improving: see `arms.Scored`. Of a run with several seeds
                            value is their mean, and interval is over other rows and other seeds; all else is the first
                            seed's
    comparisons             the run against every arm: arm, difference (the run's value - the arm's), interval, p,
                            verdict (better, worse, undetermined), smallest_detectable: see `metrics.paired`, where p is
                            McNemar's; of a run with several seeds see `metrics.seeds`, so that it is never the best of
                            them that is compared. An arm was trained once, and is taken to vary as much
    transfer_gain           of the comparisons, that with random-weights; null without it
    untaught                whether random-weights is not known to be better than a guess that costs nothing
    cheapest_within_noise   of the best arm, and of those that are not known to be worse, the one that took the fewest
                            seconds
    seeds                   the run with every seed: seed, value, collapsed, run; mean and sd are theirs (sd: n - 1)
    left_out, failed        arms that there are none of -> why; that failed -> what went wrong
    verdict                 the sentence

Collapsed is a seed whose score is no better than the majority's (Mosbach et al. 2021, arXiv:2006.04884).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

import numpy as np

from hftransfer.evidence.arms import Scored
from hftransfer.metrics.paired import Difference, Measured, best_of, difference
from hftransfer.metrics.seeds import difference_of_means
from hftransfer.recipe import Recipe
from hftransfer.registry import METRICS
from hftransfer.result import Result

RANDOM = "random-weights"


def facts(
    ours: Scored, arms: Sequence[Scored], recipe: Recipe, result: Result, seeds: Mapping[int, Scored]
) -> dict[str, Any]:
    """`Result.evidence`, without what was left out. ours: the run; seeds: it and those of other seeds, by seed."""
    split = "test" if "test" in ours.metrics else "validation"
    metric = compared_metric(recipe, ours, split)
    higher = _higher_is_better(metric)
    compared = _Compared(metric, split, higher)
    trainings = [one for one in seeds.values() if one.metrics[split].get(metric) is not None] or [ours]
    against = {arm.name: compared.apart(trainings, [arm]) for arm in arms}
    comparisons = {name: one for name, one in against.items() if one is not None}
    every = [trainings, *([arm] for arm in arms)]
    guess = result.baselines.get(recipe.task.baseline_name, {}).get(split, {}).get(metric)
    told = [_seed(seed, one, metric, split, guess, higher) for seed, one in seeds.items()]
    values = [one["value"] for one in told if one["value"] is not None]
    found: dict[str, Any] = {
        "metric": metric,
        "split": split,
        "rows": result.examples[split],
        "group": recipe.data.hold_out.group,
        "arms": [_arm(ours, compared, trainings), *(_arm(arm, compared, [arm]) for arm in arms)],
        "comparisons": [{"arm": name, **_told(one)} for name, one in comparisons.items()],
        "transfer_gain": _told(comparisons[RANDOM]) if RANDOM in comparisons else None,
        "cheapest_within_noise": _cheapest(every, compared),
        "seeds": told,
        "mean": mean(values) if values else None,
        "sd": stdev(values) if len(values) > 1 else None,
    }
    found["untaught"] = _untaught(arms, compared, guess)
    return {**found, "verdict": " ".join(sentences(found))}


def compared_metric(recipe: Recipe, ours: Scored, split: str) -> str:
    """What chose the weights, or else the first of the metrics: that has an interval, and then any that is a number."""
    best = recipe.training.best_metric or "loss"
    numbers = [name for name in dict.fromkeys((best, *recipe.metrics)) if name != "loss"]
    numbers = [
        name for name in numbers if METRICS.get(name).scalar and ours.metrics[split].get(name) is not None
    ]
    there = ours.resampled.get(split)
    with_interval = [name for name in numbers if there is not None and name in there.metrics]
    return next(iter([*with_interval, *numbers]), "loss")


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
        rows = next((one.resampled for one in measured if one.resampled is not None), None)
        nothing = Measured(0.0, None if rows is None else np.zeros_like(rows))
        apart = difference_of_means(measured, [nothing], seedless=True)
        return None if apart is None else apart.interval

    def apart(self, ours: Sequence[Scored], theirs: Sequence[Scored]) -> Difference | None:
        """What sets the mean of one apart from that of the other."""
        if any(self.split not in one.resampled for one in (*ours, *theirs)):
            return None
        one, other = self._measured(ours), self._measured(theirs)
        if len(one) == len(other) == 1:
            return difference(one[0], other[0], higher_is_better=self.higher_is_better)
        # What is no run was not trained from a seed: a guess, and words with a linear model.
        seedless = any(several[0].run is None for several in (ours, theirs) if len(several) == 1)
        return difference_of_means(one, other, higher_is_better=self.higher_is_better, seedless=seedless)

    def _measured(self, trainings: Sequence[Scored]) -> list[Measured]:
        return [
            one.resampled[self.split].measured(self.metric, one.metrics[self.split].get(self.metric))
            for one in trainings
            if self.split in one.resampled
        ]


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
    above = guess is None or (value is not None and (value > guess if higher else value < guess))
    return {"seed": seed, "value": value, "collapsed": not above, "run": one.run or "."}


def _untaught(arms: Sequence[Scored], compared: _Compared, guess: float | None) -> bool:
    """Whether random-weights is there, and not known to be better than a guess that costs nothing."""
    one = next((arm for arm in arms if arm.name == RANDOM), None)
    value = None if one is None else compared.value([one])
    if one is None or value is None or guess is None:
        return False
    low, high = compared.interval([one]) or (value, value)
    return bool(low <= guess if compared.higher_is_better else high >= guess)


def _cheapest(arms: Sequence[Sequence[Scored]], compared: _Compared) -> str | None:
    """arms: the trainings of each, the run's own among them."""
    place = best_of([compared.value(arm) for arm in arms], higher_is_better=compared.higher_is_better)
    if place is None:
        return None
    near = [arms[place]]
    for arm in arms:
        apart = compared.apart(arms[place], arm) if arm is not arms[place] else None
        if apart is not None and apart.verdict == "undetermined":
            near.append(arm)
    return min(near, key=lambda arm: arm[0].seconds)[0].name


def sentences(found: Mapping[str, Any]) -> Iterator[str]:
    """The verdict: what was scored, what is better and worse and what cannot be told, what suffices, and the seeds."""
    ours = found["arms"][0]
    metric, split = found["metric"], found["split"]
    value, seeds = ours["value"], max(1, len(_values(found)))
    if value is None:
        yield f"{metric} is not defined on the {split} rows: nothing can be compared."
        return
    bounds = "" if ours["interval"] is None else " ({:.4f} to {:.4f})".format(*ours["interval"])
    also = "" if split == "test" else ", which also chose the weights"
    whose = f"mean of {seeds} seeds " if seeds > 1 else ""
    least = "" if _higher_is_better(metric) else " (lower is better)"
    yield f"{metric}{least} of {ours['name']} on {found['rows']:,} {split} rows{also}: {whose}{value:.4f}{bounds}."
    yield from _of_seeds(found)
    improving = {arm["name"] for arm in found["arms"] if arm.get("improving")}
    for one in found["comparisons"]:
        yield _against(one, "these rows" if seeds == 1 else "these seeds and rows")
        if one["arm"] == RANDOM in improving and one["verdict"] == "better":
            yield "That was at its best after its last step: trained for longer it may come nearer."
    gain = found.get("transfer_gain") or {}
    if found.get("untaught") and gain.get("verdict") == "better":
        yield f"{RANDOM} is no better than a guess that costs nothing: it learned nothing, and the gain is over that."
    cheapest = found["cheapest_within_noise"]
    if found["comparisons"] and cheapest is not None:
        yield f"Cheapest within noise of the best: {cheapest}."
    if found["comparisons"]:
        yield _over_what(seeds, drawn(found))


def _higher_is_better(metric: str) -> bool:
    return metric != "loss" and METRICS.get(metric).higher_is_better


def _values(found: Mapping[str, Any]) -> list[float]:
    return [one["value"] for one in found["seeds"] if one["value"] is not None]


def drawn(found: Mapping[str, Any]) -> str:
    """What intervals are over, but for seeds."""
    group = found.get("group")
    return f"whole values of {group}" if group else "rows"


def _over_what(seeds: int, units: str) -> str:
    """What the intervals are about."""
    if seeds > 1:
        return f"The intervals are over {units} and seeds; what was trained once is taken to vary as much."
    return f"One training each: the intervals are over {units}, and say nothing of other seeds."


def _against(one: Mapping[str, Any], seen: str) -> str:
    """seen: by what a difference is shown."""
    arm, verdict = one["arm"], one["verdict"]
    apart = f"{one['difference']:+.4f}"
    if one["interval"] is not None:
        apart += " ({:+.4f} to {:+.4f})".format(*one["interval"])
    if verdict == "undetermined":
        what = f"Transfer gain over {arm} undetermined" if arm == RANDOM else f"Undetermined against {arm}"
        return f"{what}: {apart}; {_can_show(one, seen)}."
    if arm == RANDOM:
        what = "Transfer gain over" if verdict == "better" else "Negative transfer, worse than"
        return f"{what} {arm}: {apart}."
    return f"{verdict.capitalize()} than {arm}: {apart}."


def _can_show(one: Mapping[str, Any], seen: str) -> str:
    """What an undetermined difference leaves open."""
    if one["interval"] is None:
        return "the metric has no interval"
    low, high = one["interval"]
    # The interval alone would say that there is a difference: what keeps it from counting is told.
    told = "" if low <= 0 <= high or one["p"] is None else f"McNemar's exact test has p = {one['p']:.2f}; "
    smallest = one["smallest_detectable"]
    if smallest is None:
        same = low == high == 0
        return "both score the same on every resample" if same else f"{told}so few rows show no difference"
    return f"{told}{seen} can show one of {smallest:.4f} or more (80 % power)"


def _of_seeds(found: Mapping[str, Any]) -> Iterator[str]:
    values = _values(found)
    if len(values) > 1:
        yield f"Over the seeds: sd {found['sd']:.4f}, from {min(values):.4f} to {max(values):.4f}."
    collapsed = [str(one["seed"]) for one in found["seeds"] if one["collapsed"] and len(found["seeds"]) > 1]
    if collapsed:
        named = f"seed{'s' * (len(collapsed) > 1)} {', '.join(collapsed)}"
        yield f"Collapsed (no better than a guess that costs nothing): {named}."
