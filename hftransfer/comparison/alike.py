"""Which runs may be ranked against each other: those that were scored on the same rows, for the same labels.

Runs of one data fingerprint were. Another fingerprint may hold the same rows for all that (fewer training rows, another
seed): then it is what was written down of the scored rows that tells, inputs and targets in their order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hftransfer.predictions import HEAVY
from hftransfer.recipe import in_yaml, read_recipe
from hftransfer.registry import METRICS
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory

LOSS = "loss"
NUMBERED = "row"


@dataclass(frozen=True)
class Entry:
    """A run, on the split that it is compared by. scores: metric -> value, of those that are single numbers."""

    name: str
    result: Result
    split: str

    @property
    def scores(self) -> dict[str, float | None]:
        found = self.result.metrics.get(self.split, {})
        return {name: value for name, value in found.items() if name == LOSS or _scalar(name)}

    @property
    def seed(self) -> int:
        return int(self.result.recipe.training.seed)

    def guess(self, metric: str) -> float | None:
        """The score of what costs nothing to say, the majority or the mean."""
        return (
            self.result.baselines.get(self.result.recipe.task.baseline_name, {})
            .get(self.split, {})
            .get(metric)
        )

    @cached_property
    def data(self) -> dict[str, Any]:
        """The recipe's section, as it was written down."""
        section: dict[str, Any] = read_recipe(RunDirectory(self.result.run_dir).recipe).value["data"]
        return section

    @property
    def source(self) -> str:
        """What the rows come from, briefly."""
        source, config = self.data["source"], self.data.get("config")
        if isinstance(source, str):
            name = Path(source).name if Path(source).is_absolute() else source
        else:
            name = in_yaml(source) if isinstance(source, list) else "files of its own a split"
        return f"{name} ({config})" if config else name

    @cached_property
    def fingerprint(self) -> str:
        file = RunDirectory(self.result.run_dir).data
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        return str(found.get("fingerprint", ""))

    @cached_property
    def digest(self) -> str:
        """Of the scored rows: their numbers, inputs and targets. Empty where those do not tell one row from another
        (images are not written down), or nothing was kept."""
        import pyarrow.parquet as pq

        task = self.result.recipe.task
        file = RunDirectory(self.result.run_dir).predictions(self.split)
        if not file.is_file():
            return ""
        there = pq.read_schema(file).names
        inputs = [
            role for role in self.result.inputs if role in there and task.columns[role].kind not in HEAVY
        ]
        if len(inputs) < len(self.result.inputs):
            return ""
        names = [name for name in (NUMBERED, *inputs, task.target) if name in there]
        hashed = hashlib.sha256(repr((self.result.task, names)).encode())
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(columns=names):
                hashed.update(repr(batch.select(names).to_pydict()).encode())
        return hashed.hexdigest()


def entry(name: str, result: Result, split: str | None) -> Entry:
    """A run on `split`; by default on test where it has one, else on validation."""
    return Entry(name, result, split or ("test" if "test" in result.metrics else "validation"))


def alike(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The runs in groups of the same task, labels, split and rows, in order."""
    groups: list[list[Entry]] = []
    for one in entries:
        home = next((group for group in groups if _same_rows(group[0], one)), None)
        if home is None:
            groups.append([one])
        else:
            home.append(one)
    return groups


def why_apart(theirs: Entry, ours: Entry) -> str:
    """Why a run is not ranked against another one, the first of its group."""
    if ours.result.task != theirs.result.task:
        return f"another task: {ours.result.task}, and not {theirs.result.task}"
    if ours.split != theirs.split:
        return f"scored on {ours.split} rows, and not on {theirs.split}"
    if ours.result.labels != theirs.result.labels:
        return "other labels: {}, and not {}".format(*(_labels(one.result.labels) for one in (ours, theirs)))
    keys = [key for key in {**ours.data, **theirs.data} if ours.data.get(key) != theirs.data.get(key)]
    settings = ", ".join(f"data.{key}" for key in keys)
    seeds = [one.result.recipe.training.seed for one in (ours, theirs)]
    if not keys and seeds[0] != seeds[1] and ours.data.get("seed") is None:
        return f"scored on other rows (training.seed {seeds[0]} drew them, too: write data.seed to keep the rows)"
    return "scored on other rows" + (
        f" ({settings} {'differs' if len(keys) == 1 else 'differ'})" if keys else ""
    )


def _same_rows(one: Entry, other: Entry) -> bool:
    ours, theirs = one.result, other.result
    if (ours.task, one.split, tuple(ours.labels)) != (theirs.task, other.split, tuple(theirs.labels)):
        return False
    if ours.examples.get(one.split) != theirs.examples.get(one.split):
        return False
    if one.fingerprint and one.fingerprint == other.fingerprint:
        return True
    return bool(one.digest) and one.digest == other.digest


def _labels(labels: Sequence[str], most: int = 4) -> str:
    return f"{len(labels)} ({', '.join(labels[:most])}{', ...' if len(labels) > most else ''})"


def _scalar(name: str) -> bool:
    return name in METRICS.names() and METRICS.get(name).scalar
