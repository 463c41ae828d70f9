"""Which of a source's splits are train, validation and test."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from hftransfer.errors import Problem, RecipeError, did_you_mean
from hftransfer.sources.base import Source, some
from hftransfer.sources.places import ALIASES
from hftransfer.splits.columns import Place

if TYPE_CHECKING:
    from hftransfer.recipe import DataSection


def choose_splits(
    there: Collection[str], data: DataSection, source: Source
) -> tuple[dict[str, Place], list[str]]:
    """(our split -> where it is, findings).

    By default the same names, or a usual other one (`dev` for validation). Where `data.splits` is given it
    names every split that is used; train is used always. Raises RecipeError: no such split, none or several
    to choose.
    """
    problems = [
        Problem(
            f"data.splits.{ours}",
            f"{source.describe()} has no split `{theirs}`",
            did_you_mean(theirs, there),
        )
        for ours, theirs in data.splits.items()
        if theirs not in there
    ]
    chosen = {str(ours): theirs for ours, theirs in data.splits.items()}
    findings = []
    for ours in ALIASES if not data.splits else {"train"} - set(data.splits):
        found = [name for name in there if name.lower() in ALIASES[ours]]
        if ours in found:
            found = [ours]
        if len(found) > 1:
            several = f"{source.describe()} has several splits that may be {ours}: {some(found)}"
            problems.append(
                Problem("data.splits", several, f"write which: data.splits: {{{ours}: {found[0]}, ...}}")
            )
        elif found:
            chosen[ours] = found[0]
            findings += [f"{ours} is the source's split `{found[0]}`"] if found[0] != ours else []
    twice = sorted({theirs for theirs in chosen.values() if list(chosen.values()).count(theirs) > 1})
    if twice:
        problems.append(Problem("data.splits", f"one split stands for several of ours: {some(twice)}"))
    if "train" not in chosen and not problems:
        missing = f"{source.describe()} has no split to train on; it has {some(list(there))}"
        hint = f"write which: data.splits: {{train: {next(iter(there))}}}"
        problems.append(Problem("data.splits", missing, hint))
    if problems:
        raise RecipeError(problems)
    unused = [name for name in there if name not in chosen.values()]
    findings += [f"splits not used: {some(unused)}"] if unused else []
    return {ours: _place(source, chosen, ours) for ours in ALIASES if ours in chosen}, findings


def _place(source: Source, chosen: dict[str, str], ours: str) -> Place:
    others = tuple((name, chosen[name]) for name in ALIASES if name in chosen and name != ours)
    return Place(source, ours, chosen[ours], others)
