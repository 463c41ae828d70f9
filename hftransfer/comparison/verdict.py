"""Whether the first two of a group can be told apart, as facts and as a sentence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hftransfer.comparison.alike import Entry
from hftransfer.comparison.several import Several
from hftransfer.errors import RunDirectoryError
from hftransfer.run_directory import RunDirectory

if TYPE_CHECKING:
    from hftransfer.metrics.paired import Measured


SINGLE = ("rows", "groups")
"""Tests of one training each."""
UNKNOWN = "whether the first two differ by more than chance is not known"


def told_apart(ordered: Sequence[Several], metric: str, higher: bool) -> tuple[str, Mapping[str, Any] | None]:
    """(whether the first two can be told apart, in a sentence, the same as facts)."""
    scored = [one for one in ordered if one.mean(metric) is not None]
    if len(scored) < 2:
        alone = len(ordered) < 2
        return "there is nothing to compare it with" if alone else "only one of them has a score", None
    from hftransfer.metrics.paired import difference
    from hftransfer.metrics.seeds import difference_of_means, of_rows

    pair = scored[:2]
    known = [[run for run in one.runs if run.scores[metric] is not None] for one in pair]
    measured = [[_measured(run, metric) for run in runs] for runs in known]
    if why := _not_known(known, measured, metric):
        return f"{UNKNOWN}: {why}", None
    if any(len(one) > 1 for one in measured):
        found = difference_of_means(*measured, higher_is_better=higher)
        test = "seeds" if of_rows(*measured) is None else "seeds and rows"
    else:
        ((one,), (other,)) = measured
        found = difference(one, other, higher_is_better=higher)
        test = "rows" if one.groups is None else "groups"
    assert found is not None  # both have a score
    facts = {"test": test, **dataclasses.asdict(found)}
    if facts["smallest_detectable"] == math.inf:
        facts["smallest_detectable"] = None
    if found.interval is None:
        return f"{UNKNOWN}: {_no_interval(known[0][0], measured[0][0], metric, test)}", facts
    return _sentence(pair[0], pair[1], metric, facts), facts


def _not_known(
    known: Sequence[Sequence[Entry]], measured: Sequence[Sequence[Measured]], metric: str
) -> str | None:
    """Why nothing can be said of two recipes by the rows: of single runs, for want of resamples; of all, where those
    are of single rows here and of whole groups there."""
    runs = [pair for one, told in zip(known, measured, strict=True) for pair in zip(one, told, strict=True)]
    lacking = [run for run, scores in runs if scores.resampled is None]
    if lacking:
        return _why(lacking[0], metric) if len(runs) == len(known) else None
    first, scores = runs[0]
    others = [run for run, more in runs if not more.drawn_as(scores)]
    return f"{_drawn(first)}, {_drawn(others[0])}" if others else None


def _drawn(run: Entry) -> str:
    column = run.result.recipe.data.hold_out.group
    return f"{run.name} draws " + (f"whole values of {column}" if column else "single rows")


def _no_interval(run: Entry, scores: Measured, metric: str, test: str) -> str:
    from hftransfer.metrics.intervals import FEWEST

    if scores.drawn is not None and scores.drawn < FEWEST:
        return f"{scores.drawn} values of {run.result.recipe.data.hold_out.group} are too few"
    return f"{metric} is not defined on many resamples" if test in SINGLE else "no seed differs from another"


def _measured(run: Entry, metric: str) -> Measured:
    from hftransfer.metrics.paired import Measured
    from hftransfer.resampled import read_resampled

    value = run.scores[metric]
    try:
        splits = read_resampled(RunDirectory(run.result.run_dir).resampled)
    except RunDirectoryError:
        return Measured(value)
    return splits[run.split].measured(metric, value) if run.split in splits else Measured(value)


def _why(run: Entry, metric: str) -> str:
    if RunDirectory(run.result.run_dir).resampled.is_file():
        return f"{metric} has no resamples"
    return f"{run.name} has not kept what that takes (it is from before that was kept, or from a hub)"


def _sentence(best: Several, second: Several, metric: str, facts: Mapping[str, Any]) -> str:
    by_rows = facts["test"] in SINGLE
    named = "McNemar" if facts["test"] == "rows" else "t-test"
    sure = [] if facts["interval"] is None else ["95 % {:+.4f} to {:+.4f}".format(*facts["interval"])]
    sure += [] if facts["p"] is None else [f"{named} p {_p(facts['p'])}"]
    apart = f"{'' if by_rows else 'mean '}{metric} {facts['value']:+.4f}" + (
        f" ({', '.join(sure)})" if sure else ""
    )
    if facts["verdict"] == "better":
        over = "on the same rows, one training each" if by_rows else f"over {facts['test']}"
        return f"{_called(best)} is better than {_called(second)}: {apart}, {over}{_assumed(best, second, metric)}"
    smallest, what = facts["smallest_detectable"], "these rows" if by_rows else f"so many {facts['test']}"
    shown = "" if smallest is None else f"; {what} would show a difference from about {smallest:.4f} on"
    told = f"{_called(best)} and {_called(second)} cannot be told apart: {apart}{shown}"
    return told + _assumed(best, second, metric)


def _called(one: Several) -> str:
    return f"{one.first.name} ({len(one.runs)} seeds)" if one.runs[1:] else one.first.name


def _assumed(best: Several, second: Several, metric: str) -> str:
    """What was taken for granted of a recipe with one seed beside one with several."""
    single = [one.first.name for one in (best, second) if len(one.values(metric)) == 1]
    return f"; of {single[0]} there is one seed, taken to vary as the other's do" if len(single) == 1 else ""


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"= {value:.4f}"
