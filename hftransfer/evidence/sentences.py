"""What the arms and the seeds show, in words: the verdict that terminal, card and page show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hftransfer.metrics.intervals import FEWEST
from hftransfer.registry import METRICS

RANDOM = "random-weights"


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
    least = "" if higher_is_better(metric) else " (lower is better)"
    yield f"{metric}{least} of {ours['name']} on {found['rows']:,} {split} rows{also}: {whose}{value:.4f}{bounds}."
    yield from _of_seeds(found)
    if failed := found.get("failed"):
        yield f"Failed, and not among what is compared: {', '.join(failed)}."
    improving = {arm["name"] for arm in found["arms"] if arm.get("improving")}
    for one in found["comparisons"]:
        yield _against(one, found)
        if one["arm"] == RANDOM in improving and one["verdict"] == "better":
            yield "That was at its best after its last step: trained for longer it may come nearer."
    gain = found.get("transfer_gain") or {}
    if found.get("untaught") and gain.get("verdict") == "better":
        yield (
            f"{RANDOM} is not known to be better than a guess that costs nothing: it may have learned nothing, and the "
            "gain is over that."
        )
    cheapest = found["cheapest_within_noise"]
    if found["comparisons"] and cheapest is not None:
        yield f"Cheapest within noise of the best: {cheapest}."
    if found["comparisons"] and found["over"]:
        yield _over_what(found)


def higher_is_better(metric: str) -> bool:
    return metric != "loss" and METRICS.get(metric).higher_is_better


def _values(found: Mapping[str, Any]) -> list[float]:
    return [one["value"] for one in found["seeds"] if one["value"] is not None]


def _drawn(groups: Mapping[str, Any] | None) -> str:
    """What intervals are over, but for seeds. groups: as in the evidence."""
    return f"whole values of {groups['column']} ({groups['count']:,})" if groups else "rows"


def _over_what(found: Mapping[str, Any]) -> str:
    """What the intervals are about."""
    over, units = found["over"], _drawn(found["groups"])
    if over == "rows":
        return f"One training each: the intervals are over {units}, and say nothing of other seeds."
    alone = f" alone, since {found['metric']} has none over rows" if over == "seeds" else ""
    over = over.replace("rows", units)
    return f"The intervals are over {over}{alone}; what was trained once is taken to vary as much."


def _against(one: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    arm, verdict = one["arm"], one["verdict"]
    apart = f"{one['difference']:+.4f}"
    if one["interval"] is not None:
        apart += " ({:+.4f} to {:+.4f})".format(*one["interval"])
    if verdict == "undetermined":
        what = f"Transfer gain over {arm} undetermined" if arm == RANDOM else f"Undetermined against {arm}"
        return f"{what}: {apart}; {_can_show(one, found)}."
    if arm == RANDOM:
        what = "Transfer gain over" if verdict == "better" else "Negative transfer, worse than"
        return f"{what} {arm}: {apart}."
    return f"{verdict.capitalize()} than {arm}: {apart}."


def _can_show(one: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """What an undetermined difference leaves open."""
    if one["interval"] is None:
        groups = found["groups"]
        few = groups is not None and groups["count"] < FEWEST
        why = f"{groups['count']} values of {groups['column']} are too few" if few else "there is no interval"
        return f"{why} to say more"
    low, high = one["interval"]
    # The interval alone would say that there is a difference: what keeps it from counting is told.
    test = "Student's t over them" if found["groups"] else "McNemar's exact test"
    told = "" if low <= 0 <= high or one["p"] is None else f"{test} has p = {one['p']:.2f}; "
    smallest = one["smallest_detectable"]
    if smallest is None:
        same = low == high == 0
        return "both score the same on every resample" if same else f"{told}so few rows show no difference"
    return f"{told}these {found['over'] or 'rows'} can show one of {smallest:.4f} or more (80 % power)"


def _of_seeds(found: Mapping[str, Any]) -> Iterator[str]:
    values = _values(found)
    if len(values) > 1:
        yield f"Over the seeds: sd {found['sd']:.4f}, from {min(values):.4f} to {max(values):.4f}."
    undefined = [str(one["seed"]) for one in found["seeds"] if one["value"] is None]
    if undefined and values:
        yield f"Not defined, and not in the mean: seed{'s' * (len(undefined) > 1)} {', '.join(undefined)}."
    collapsed = [str(one["seed"]) for one in found["seeds"] if one["collapsed"] and len(found["seeds"]) > 1]
    if collapsed:
        named = f"seed{'s' * (len(collapsed) > 1)} {', '.join(collapsed)}"
        yield f"Collapsed (no better than a guess that costs nothing): {named}."
