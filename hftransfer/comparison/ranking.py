"""From runs to a comparison: what may be compared with what, in which order, and how sure that order is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from hftransfer.comparison.alike import Entry, alike, entry, why_apart
from hftransfer.comparison.collect import Asked, collect
from hftransfer.comparison.differing import differing
from hftransfer.comparison.facts import Comparison, Group, Row
from hftransfer.comparison.several import SEED, Several, by_recipe
from hftransfer.comparison.verdict import told_apart
from hftransfer.errors import InputError, did_you_mean
from hftransfer.registry import METRICS

LOSS = "loss"


def compare(
    runs: Asked | Iterable[Asked], *more: Asked, metric: str | None = None, split: str | None = None
) -> Comparison:
    """Finished runs beside one another; those that differ in `training.seed` alone are one row, with their mean.

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
            groups.append(_group(by_recipe(part, left_out), name, why or lacks))
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


def _group(recipes: Sequence[Several], metric: str, apart: str) -> Group:
    higher = metric != LOSS and METRICS.get(metric).higher_is_better
    ordered = sorted(recipes, key=lambda one: _order(one.mean(metric), higher))
    seeds = [[run.seed for run in one.runs] for one in ordered]
    instead = [{SEED: told} if len(told) > 1 else {} for told in seeds]
    settings, keys = differing([one.first.result for one in ordered], instead)
    first = ordered[0].first
    verdict, difference = told_apart(ordered, metric, higher)
    values = [_order(one.mean(metric), higher) for one in ordered]
    ranks = [1 + sum(other < value for other in values) for value in values]
    rows = [_row(*one, metric, higher) for one in zip(ordered, ranks, settings, strict=True)]
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


def _row(one: Several, rank: int, settings: Mapping[str, Any], metric: str, higher: bool) -> Row:
    results, first = [run.result for run in one.runs], one.first
    seeds = one.seeds(metric, higher)
    bounds = None if seeds else first.result.intervals.get(first.split, {}).get(metric)
    value = one.mean(metric)
    return Row(
        run=first.name,
        rank=None if value is None else rank,
        value=value,
        interval=None if bounds is None else (bounds[0], bounds[1]),
        seconds=mean(result.seconds["total"] for result in results),
        trained=first.result.parameters["trained"],
        peak_memory_bytes=max(result.peak_memory_bytes for result in results),
        settings=settings,
        n=len(one.values(metric)),
        sd=one.sd(metric),
        seeds=seeds,
    )
