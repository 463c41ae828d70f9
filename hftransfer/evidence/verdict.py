"""What the arms and the seeds show, as facts and as a sentence.

`Result.evidence` is:

    metric, split, rows     what is compared, and on which rows: test, where there are such
    arms                    the run and every arm: name, metrics, interval, seconds, trained, peak_memory_bytes, run;
                            majority goes by what it is for the task: mean, no answer, lead, copy
    comparisons             the run against every arm: arm, difference (the run's score - the arm's), interval, p
                            (McNemar's), verdict (better, worse, undetermined), smallest_detectable: see
                            `metrics.paired`
    transfer_gain           of the comparisons, that with random-weights; null without it
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
from statistics import mean, stdev
from typing import Any

from hftransfer.evidence.arms import Scored
from hftransfer.metrics.paired import Difference, best_of, difference
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
    against = {arm.name: _apart(ours, arm, metric, split, higher) for arm in arms}
    comparisons = {name: one for name, one in against.items() if one is not None}
    every = [ours, *arms]
    guess = result.baselines.get(recipe.task.baseline_name, {}).get(split, {}).get(metric)
    told = [_seed(seed, one, metric, split, guess, higher) for seed, one in seeds.items()]
    values = [one["value"] for one in told if one["value"] is not None]
    found: dict[str, Any] = {
        "metric": metric,
        "split": split,
        "rows": result.examples[split],
        "arms": [_arm(one, metric, split) for one in every],
        "comparisons": [{"arm": name, **_told(one)} for name, one in comparisons.items()],
        "transfer_gain": _told(comparisons[RANDOM]) if RANDOM in comparisons else None,
        "cheapest_within_noise": _cheapest(every, metric, split, higher),
        "seeds": told,
        "mean": mean(values) if values else None,
        "sd": stdev(values) if len(values) > 1 else None,
    }
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


def _apart(one: Scored, other: Scored, metric: str, split: str, higher: bool) -> Difference | None:
    measured = []
    for arm in (one, other):
        value = arm.metrics[split].get(metric)
        if split not in arm.resampled:
            return None
        measured.append(arm.resampled[split].measured(metric, value))
    return difference(*measured, higher_is_better=higher)


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


def _arm(arm: Scored, metric: str, split: str) -> dict[str, Any]:
    return {
        "name": arm.name,
        "metrics": arm.metrics,
        "interval": arm.intervals.get(split, {}).get(metric),
        "seconds": arm.seconds,
        "trained": arm.trained,
        "peak_memory_bytes": arm.peak_memory_bytes,
        "run": arm.run,
    }


def _seed(
    seed: int, one: Scored, metric: str, split: str, guess: float | None, higher: bool
) -> dict[str, Any]:
    value = one.metrics[split].get(metric)
    above = guess is None or (value is not None and (value > guess if higher else value < guess))
    return {"seed": seed, "value": value, "collapsed": not above, "run": one.run or "."}


def _cheapest(arms: Sequence[Scored], metric: str, split: str, higher: bool) -> str | None:
    place = best_of([arm.metrics[split].get(metric) for arm in arms], higher_is_better=higher)
    if place is None:
        return None
    near = [arms[place]]
    for arm in arms:
        apart = _apart(arms[place], arm, metric, split, higher)
        if apart is not None and apart.verdict == "undetermined":
            near.append(arm)
    return min(near, key=lambda arm: arm.seconds).name


def sentences(found: Mapping[str, Any]) -> Iterator[str]:
    """The verdict: what was scored, what is better and worse and what cannot be told, what suffices, and the seeds."""
    ours = found["arms"][0]
    metric, split = found["metric"], found["split"]
    value = ours["metrics"][split].get(metric)
    if value is None:
        yield f"{metric} is not defined on the {split} rows: nothing can be compared."
        return
    bounds = "" if ours["interval"] is None else " ({:.4f} to {:.4f})".format(*ours["interval"])
    also = "" if split == "test" else ", which also chose the weights"
    least = "" if _higher_is_better(metric) else " (lower is better)"
    yield f"{metric}{least} of {ours['name']} on {found['rows']:,} {split} rows{also}: {value:.4f}{bounds}."
    for one in found["comparisons"]:
        yield _against(one)
    cheapest = found["cheapest_within_noise"]
    if found["comparisons"] and cheapest is not None:
        yield f"Cheapest within noise of the best: {cheapest}."
    if len(found["seeds"]) > 1:
        yield from _of_seeds(found)
    if found["comparisons"]:
        yield _of_one_training(found)


def _higher_is_better(metric: str) -> bool:
    return metric != "loss" and METRICS.get(metric).higher_is_better


def _of_one_training(found: Mapping[str, Any]) -> str:
    """What the comparisons are not about."""
    if len(found["seeds"]) > 1:
        return "The comparisons are those of the first seed alone."
    return "One training each: the intervals are over rows, and say nothing of other seeds."


def _against(one: Mapping[str, Any]) -> str:
    arm, verdict = one["arm"], one["verdict"]
    apart = f"{one['difference']:+.4f}"
    if one["interval"] is not None:
        apart += " ({:+.4f} to {:+.4f})".format(*one["interval"])
    if verdict == "undetermined":
        what = f"Transfer gain over {arm} undetermined" if arm == RANDOM else f"Undetermined against {arm}"
        return f"{what}: {apart}; {_shown_by_rows(one)}."
    if arm == RANDOM:
        what = "Transfer gain over" if verdict == "better" else "Negative transfer, worse than"
        return f"{what} {arm}: {apart}."
    return f"{verdict.capitalize()} than {arm}: {apart}."


def _shown_by_rows(one: Mapping[str, Any]) -> str:
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
    return f"{told}these rows can show one of {smallest:.4f} or more (80 % power)"


def _of_seeds(found: Mapping[str, Any]) -> Iterator[str]:
    values = [one["value"] for one in found["seeds"] if one["value"] is not None]
    if len(values) > 1:
        yield (
            f"Over {len(values)} seeds: mean {found['mean']:.4f}, sd {found['sd']:.4f}, "
            f"from {min(values):.4f} to {max(values):.4f}."
        )
    collapsed = [str(one["seed"]) for one in found["seeds"] if one["collapsed"]]
    if collapsed:
        named = f"seed{'s' * (len(collapsed) > 1)} {', '.join(collapsed)}"
        yield f"Collapsed (no better than a guess that costs nothing): {named}."
