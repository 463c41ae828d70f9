"""From runs to a comparison: what may be compared with what, in which order, and how sure that order is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hftransfer.comparison.alike import Entry, alike, entry, why_apart
from hftransfer.comparison.collect import Asked, collect
from hftransfer.comparison.differing import differing
from hftransfer.comparison.facts import Comparison, Group, Row
from hftransfer.errors import InputError, RunDirectoryError, did_you_mean
from hftransfer.registry import METRICS
from hftransfer.run_directory import RunDirectory

LOSS = "loss"


def compare(
    runs: Asked | Iterable[Asked], *more: Asked, metric: str | None = None, split: str | None = None
) -> Comparison:
    """Finished runs beside one another.

    runs, more: folders of runs, folders of such folders (`runs`), OWNER/NAME on a hub, results. metric: what to rank
    by; by default what chose the weights of the first run, where all of a group have it. split: by default test where
    there is one, else validation.
    Raises InputError for a metric or split that no run has, RunDirectoryError where no run is finished.
    """
    asked = [runs] if isinstance(runs, str | Path) or not isinstance(runs, Iterable) else [*runs]
    found, left_out = collect([*asked, *more])
    entries = [entry(name, result, split) for name, result in found.items()]
    _check_split(entries, split)
    _check_metric(entries, metric)
    left_out |= {one.name: f"it was not scored on {one.split} rows" for one in entries if not one.scores}
    together = alike([one for one in entries if one.scores])
    groups: list[Group] = []
    for rows in together:
        why = why_apart(together[0][0], rows[0]) if groups else ""
        parts = _by_metric(rows, metric)
        for name, part in parts:
            lacks = "" if name == parts[0][0] else f"not scored by {parts[0][0]}"
            groups.append(_group(part, name, why or lacks))
    return Comparison(tuple(groups), left_out)


def _check_split(entries: Sequence[Entry], split: str | None) -> None:
    there = list(dict.fromkeys(name for one in entries for name in one.result.metrics))
    if split is not None and split not in there:
        raise InputError(f"no run was scored on a split `{split}`", hint=did_you_mean(split, there))


def _check_metric(entries: Sequence[Entry], metric: str | None) -> None:
    there = list(dict.fromkeys(name for one in entries for name in one.scores))
    if metric is None or metric in there:
        return
    if metric in METRICS.names() and not METRICS.get(metric).scalar:
        raise InputError(f"`{metric}` is more than a number: runs cannot be ranked by it")
    raise InputError(f"no run has a metric `{metric}`", hint=did_you_mean(metric, there))


def _by_metric(group: Sequence[Entry], metric: str | None) -> list[tuple[str, list[Entry]]]:
    """What to rank runs by that were scored on the same rows; those that have nothing in common stay apart."""
    parts: list[tuple[str, list[Entry]]] = []
    rest = [*group]
    while rest:
        first = rest[0]
        if metric is not None:
            chosen = metric if metric in first.scores else next(iter(first.scores))
        else:
            best = first.result.best_metric
            names = [name for name in dict.fromkeys((best, *first.scores)) if name != LOSS] + [LOSS]
            shared = [name for name in names if all(name in one.scores for one in rest)]
            chosen = next(iter([*shared, *names]))
        parts.append((chosen, [one for one in rest if chosen in one.scores]))
        rest = [one for one in rest if chosen not in one.scores]
    return parts


def _group(entries: Sequence[Entry], metric: str, apart: str) -> Group:
    higher = metric != LOSS and METRICS.get(metric).higher_is_better
    ordered = sorted(entries, key=lambda one: _order(one.scores[metric], higher))
    settings, keys = differing([one.result for one in ordered])
    first = ordered[0]
    verdict, difference = _told_apart(ordered, metric, higher)
    values = [_order(one.scores[metric], higher) for one in ordered]
    ranks = [1 + sum(other < value for other in values) for value in values]
    rows = [_row(*one, metric) for one in zip(ordered, ranks, settings, strict=True)]
    return Group(
        task=first.result.task,
        data=first.source,
        split=first.split,
        examples=first.result.examples[first.split],
        metric=metric,
        higher_is_better=higher,
        rows=tuple(rows),
        settings=tuple(keys),
        verdict=verdict,
        difference=difference,
        apart=apart,
    )


def _order(value: float | None, higher: bool) -> float:
    return math.inf if value is None else -value if higher else value


def _row(one: Entry, rank: int, settings: Mapping[str, Any], metric: str) -> Row:
    result, value = one.result, one.scores[metric]
    bounds = result.intervals.get(one.split, {}).get(metric)
    return Row(
        run=one.name,
        rank=None if value is None else rank,
        value=value,
        interval=None if bounds is None else (bounds[0], bounds[1]),
        seconds=result.seconds["total"],
        trained=result.parameters["trained"],
        peak_memory_bytes=result.peak_memory_bytes,
        settings=settings,
    )


def _told_apart(ordered: Sequence[Entry], metric: str, higher: bool) -> tuple[str, Mapping[str, Any] | None]:
    """(whether the first two can be told apart, in a sentence, the same as facts)."""
    scored = [one for one in ordered if one.scores[metric] is not None]
    if len(scored) < 2:
        return "there is nothing to compare it with" if len(
            ordered
        ) < 2 else "only one of them has a score", None
    from hftransfer.metrics.paired import difference
    from hftransfer.resampled import read_resampled

    measured = []
    for one in scored[:2]:
        try:
            splits = read_resampled(RunDirectory(one.result.run_dir).resampled)
        except RunDirectoryError:
            why = "has not kept what that takes (it is from before that was kept, or from a hub)"
            return f"whether the first two differ by more than chance is not known: {one.name} {why}", None
        if one.split not in splits or metric not in splits[one.split].metrics:
            return (
                f"whether the first two differ by more than chance is not known: {metric} has no resamples",
                None,
            )
        measured.append(splits[one.split].measured(metric, one.scores[metric]))
    found = difference(*measured, higher_is_better=higher)
    assert found is not None  # both have a score
    facts = dataclasses.asdict(found)
    if facts["smallest_detectable"] == math.inf:
        facts["smallest_detectable"] = None
    return _sentence(scored[0].name, scored[1].name, metric, facts), facts


def _sentence(best: str, second: str, metric: str, facts: Mapping[str, Any]) -> str:
    sure = [] if facts["interval"] is None else ["95 % {:+.4f} to {:+.4f}".format(*facts["interval"])]
    sure += [] if facts["p"] is None else [f"McNemar p {_p(facts['p'])}"]
    apart = f"{metric} {facts['value']:+.4f}" + (f" ({', '.join(sure)})" if sure else "")
    if facts["verdict"] == "better":
        return f"{best} is better than {second}: {apart}, on the same rows"
    smallest = facts["smallest_detectable"]
    shown = "" if smallest is None else f"; these rows would show a difference from about {smallest:.4f} on"
    return f"{best} and {second} cannot be told apart: {apart}{shown}"


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"= {value:.4f}"
