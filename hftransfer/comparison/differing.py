"""Which settings tell runs from one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hftransfer.recipe import flat, read_recipe, settings
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory

PARTS = ("task", "strategy")


def differing(
    results: Sequence[Result], instead: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """(of every run, dotted key -> value of the settings that are not the same in all, those keys in order).

    instead: values in the place of those that the runs' recipes have (all of several seeds).

    An option that only some of the runs have (of another strategy) counts where it is not left at its default.
    """
    known = [{**_settings(one), **other} for one, other in zip(results, instead, strict=True)]
    defaults = [_defaults(one) for one in results]
    keys = [
        key for key in dict.fromkeys(key for one in known for key in one) if _differs(key, known, defaults)
    ]
    return [{key: one[key] for key in keys if key in one} for one in known], keys


def _differs(key: str, known: Sequence[dict[str, Any]], defaults: Sequence[dict[str, Any]]) -> bool:
    there = [one[key] for one in known if key in one]
    if len(there) == len(known):
        return any(value != there[0] for value in there)
    return any(
        key in one and (key not in usual or one[key] != usual[key])
        for one, usual in zip(known, defaults, strict=True)
    )


def _settings(result: Result) -> dict[str, Any]:
    found = settings(result.recipe)
    # Of rows that were in memory the recipe has only this left to say.
    source = read_recipe(RunDirectory(result.run_dir).recipe).value["data"]["source"]
    rest = {key: value for key, value in found.items() if not key.startswith("data.source")}
    return {**rest, **dict(flat({"data": {"source": source}}))}


def _defaults(result: Result) -> dict[str, Any]:
    """What the options of the run's task and strategy are where nobody has said."""
    parts = {name: type(getattr(result.recipe, name))().model_dump(mode="json") for name in PARTS}
    return dict(flat(parts))
