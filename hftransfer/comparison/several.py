"""Runs of one recipe that were trained with several seeds, as one: with their mean, and every seed named."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from hftransfer.comparison.alike import Entry
from hftransfer.comparison.facts import Seed
from hftransfer.errors import InputError
from hftransfer.recipe import settings
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory

SEED = "training.seed"
IDLE = ("evidence.", "hub.")
"""Sections that train nothing."""


@dataclass(frozen=True)
class Several:
    """Runs of one recipe, each with another seed, those of the lowest first; for most recipes a single one."""

    runs: tuple[Entry, ...]

    @property
    def first(self) -> Entry:
        return self.runs[0]

    def values(self, metric: str) -> list[float]:
        """Every score that is defined."""
        return [value for one in self.runs if (value := one.scores.get(metric)) is not None]

    def mean(self, metric: str) -> float | None:
        values = self.values(metric)
        return mean(values) if values else None

    def sd(self, metric: str) -> float | None:
        """With n - 1; None of fewer than two scores."""
        values = self.values(metric)
        return stdev(values) if len(values) > 1 else None

    def seeds(self, metric: str, higher: bool) -> tuple[Seed, ...]:
        """Every run, where there are several. Collapsed: not above what costs nothing to say."""
        if len(self.runs) < 2:
            return ()
        told = []
        for one in self.runs:
            value, guess = one.scores.get(metric), one.guess(metric)
            above = guess is None or (value is not None and (value > guess if higher else value < guess))
            told.append(Seed(one.seed, one.name, value, collapsed=not above))
        return tuple(told)


def by_recipe(entries: Sequence[Entry], missing: dict[str, str]) -> list[Several]:
    """Runs of the same rows, those of one recipe together, in order of their first.

    A run that was trained with more seeds brings them along; what is not there of them is noted in `missing`, run ->
    why. A second run of the same recipe and seed is no other seed: it stays by itself. A seed that was named beside
    the run that brings it is there once.
    """
    along = [[*_trained_along(one, missing)] for one in entries]
    brought = {_folder(more) for several in along for more in several}
    homes: list[tuple[str, dict[int, Entry]]] = []
    for one, several in zip(entries, along, strict=True):
        if _folder(one) in brought:
            continue
        recipe = _apart_from_seed(one.result)
        found = {one.seed: one, **{more.seed: more for more in several}}
        home = next((there for known, there in homes if known == recipe and not there.keys() & found), None)
        if home is None:
            homes.append((recipe, found))
        else:
            home.update(found)
    return [Several(tuple(home[seed] for seed in sorted(home))) for _, home in homes]


def _folder(one: Entry) -> str:
    return os.path.realpath(one.result.run_dir)


def _trained_along(one: Entry, missing: dict[str, str]) -> Iterator[Entry]:
    """The same recipe with the other seeds that its evidence was asked for."""
    for told in one.result.evidence.get("seeds", [])[1:]:
        folder = one.result.run_dir / told["run"]
        if not RunDirectory(folder).result.is_file():
            missing[f"{one.name}, seed {told['seed']}"] = "its run is not there (it is not published, either)"
            continue
        try:
            yield Entry(f"{one.name}/{told['run']}", Result.read(folder), one.split)
        except InputError as error:
            missing[f"{one.name}, seed {told['seed']}"] = error.message


def _apart_from_seed(result: Result) -> str:
    """What two runs have in common that differ in their seed alone."""
    found = {key: value for key, value in settings(result.recipe).items() if not key.startswith(IDLE)}
    del found[SEED]
    return json.dumps([found, result.checkpoint["fingerprint"]], sort_keys=True, default=str)
