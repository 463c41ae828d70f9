"""What a run comes to, in a sentence, and its scores as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hftransfer.registry import METRICS
from hftransfer.report.parts import Part, Say, Table
from hftransfer.result import Result


def verdict(result: Result) -> str:
    """What the evidence says, where it was gathered; else the first metric beside what costs nothing."""
    said = evidence(result).get("verdict")
    return str(said) if said else _plain(result)


def evidence(result: Result) -> Mapping[str, Any]:
    """What the run was compared with; empty where nothing was asked for."""
    found: Mapping[str, Any] = result.to_dict().get("evidence") or {}
    return found


def _plain(result: Result) -> str:
    split = list(result.metrics)[-1]
    values = result.metrics[split]
    metric = next(
        (one for one in result.recipe.metrics if METRICS.get(one).scalar and values.get(one) is not None),
        None,
    )
    if metric is None:
        return f"No metric is defined on the {result.examples[split]:,} {split} rows."
    interval = result.intervals.get(split, {}).get(metric)
    bounds = f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    text = f"{metric} {values[metric]:.3f}{bounds} on {result.examples[split]:,} {split} rows."
    free = next(
        (
            (name, of[split][metric])
            for name, of in result.baselines.items()
            if of.get(split, {}).get(metric) is not None
        ),
        None,
    )
    if free is None:
        return text
    name, score = free
    text += f" The guess that costs nothing ({name}) scores {score:.3f}"
    if not interval:
        above = values[metric] > score if METRICS.get(metric).higher_is_better else values[metric] < score
        return f"{text}." if above else f"{text}: the model does no better than that."
    if interval[0] <= score <= interval[1]:
        text += ", which lies within that interval"
        return f"{text}: by {metric} alone these rows do not show the model to be better."
    better = (score < interval[0]) == METRICS.get(metric).higher_is_better
    return f"{text}." if better else f"{text}: the model is worse than that."


def scores(result: Result) -> Table:
    """Every metric of every split that is a number."""
    free = list(result.baselines)
    table: list[list[Any]] = []
    for split, values in result.metrics.items():
        for metric, value in sorted(values.items(), key=lambda one: one[0] == "loss"):
            if metric == "loss" or METRICS.get(metric).scalar:
                interval = result.intervals.get(split, {}).get(metric)
                bounds = f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else None
                guesses = [result.baselines[name].get(split, {}).get(metric) for name in free]
                shown = "not defined" if value is None else value
                table.append([split, result.examples[split], metric, shown, bounds, *guesses])
    columns = ["split", "rows", "metric", "score", "95 % interval", *free]
    return Table("Scores beside what they are to be compared with", columns, table)


def arms(result: Result) -> Iterator[Part]:
    """The evidence: what every arm scored and cost, how it compares, and every seed."""
    found = evidence(result)
    if not found:
        return
    metric, split = found.get("metric"), found.get("split")
    compared = {one["arm"]: one for one in found.get("comparisons", ())}
    columns = [
        "arm", str(metric), "95 % interval", "strategy minus arm", "95 % interval of it", "p",
        "the strategy is", "seconds", "trained parameters", "peak memory",
    ]  # fmt: skip
    table = [_arm(arm, compared.get(arm["name"], {})) for arm in found.get("arms", ())]
    yield Table(f"What the strategy is worth: {metric} on {split}, on the same rows", columns, table)
    seeds, groups = found.get("seeds", ()), found.get("groups")
    units = f"whole values of {groups['column']}" if groups else "rows"
    test = "Student's t over them" if groups else "McNemar's exact test"
    over = str(found.get("over") or "seeds and rows").replace("rows", units)
    yield Say(
        f"Intervals and p are over {over} (Student's t); what was trained once is taken to vary as much."
        if len(seeds) > 1
        else f"Intervals are over {units} (paired bootstrap); p, where there is one, that of {test}."
    )
    for one in compared.values():
        if one.get("verdict") == "undetermined" and one.get("smallest_detectable") is not None:
            yield Say(
                f"{one['arm']}: undetermined; a difference of {one['smallest_detectable']:.4f} can be shown."
            )
    if cheapest := found.get("cheapest_within_noise"):
        yield Say(f"The cheapest arm within noise of the best: {cheapest}.")
    if len(seeds) > 1:
        cells = [[one["seed"], one["value"], "collapsed" if one.get("collapsed") else None] for one in seeds]
        mean, sd = found.get("mean"), found.get("sd")
        told = (
            f"; mean {mean:.4f}, standard deviation {sd:.4f}" if mean is not None and sd is not None else ""
        )
        yield Table(f"Every seed: {metric} on {split}{told}", ["seed", str(metric), ""], cells)


def _arm(arm: Mapping[str, Any], against: Mapping[str, Any]) -> list[Any]:
    """A row of the table of arms. against: what sets the strategy apart from it; empty for the strategy itself."""
    memory = arm.get("peak_memory_bytes")
    return [
        arm["title"],
        arm["value"],
        _bounds(arm.get("interval")),
        against.get("difference"),
        _bounds(against.get("interval")),
        _p(against.get("p")),
        against.get("verdict"),
        None if arm.get("seconds") is None else round(arm["seconds"]),
        arm.get("trained"),
        f"{memory / 2**30:.1f} GiB" if memory else None,
    ]


def _p(value: float | None) -> float | str | None:
    return value if value is None or value >= 1e-4 else "< 0.0001"


def _bounds(value: Any) -> str | None:
    return f"{value[0]:.4f} to {value[1]:.4f}" if value else None
