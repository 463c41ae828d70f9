"""Which of a source's splits are train, validation and test, where a recipe does not say."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hftransfer.propose.columns import look_at
from hftransfer.propose.shapes import Guess
from hftransfer.propose.write import Entry
from hftransfer.recipe import in_yaml
from hftransfer.sources.places import ALIASES, suffix_of

HOLD_OUT, MORE_OF_FEW, FEW = 0.1, 0.2, 500
WHOSE = re.compile(
    r"(^|[^a-z])(patient|subject|participant|person|user|author|speaker|customer|client|document|doc|article|session)"
    r"s?([^a-z]?id)?$"
)
"""Names of columns that say whose a row is."""


@dataclass(frozen=True)
class Chosen:
    """splits: our split -> the source's. written: whether a recipe has to say so. notes: what was assumed."""

    splits: Mapping[str, str]
    written: bool
    notes: tuple[str, ...] = ()

    def without_unlabelled(self, loaded: Mapping[str, Any], guess: Guess) -> Chosen:
        """Without a test or validation split in which no row has a label, as some data sets publish them."""
        target = guess.roles.get("label")
        if not isinstance(target, str):
            return self
        bare = []
        for ours in ("validation", "test"):
            if ours not in self.splits:
                continue
            rows = loaded[self.splits[ours]]
            if target not in rows.column_names or not look_at(rows.select_columns([target]))[target].counts:
                bare.append(ours)
        if not bare:
            return self
        kept = {ours: theirs for ours, theirs in self.splits.items() if ours not in bare}
        notes = (f"{' and '.join(bare)} left out: no row of it has a label",)
        return Chosen(kept, True, (*self.notes, *notes))

    def training_rows(self, loaded: Mapping[str, Any]) -> int:
        """Rows to train on, when some have been set aside."""
        rows = len(loaded[self.splits["train"]])
        return rows if "validation" in self.splits else round(rows * (1 - self._share(rows)))

    def sizes(self, loaded: Mapping[str, Any]) -> str:
        """Rows of every split."""
        return ", ".join(f"{len(loaded[theirs]):,} {ours}" for ours, theirs in self.splits.items()) + " rows"

    def entries(self, loaded: Mapping[str, Any], used: Collection[str]) -> list[Entry]:
        """What a recipe has to say about splits. used: the columns that have a role."""
        found = [Entry("splits", dict(self.splits), "ours: the source's")] if self.written else []
        if "validation" not in self.splits:
            rows = len(loaded[self.splits["train"]])
            share = self._share(rows)
            why = f"no validation split: about {round(share * rows):,} training rows are set aside, the same every time"
            group = _group(loaded[self.splits["train"]], used)
            if group is not None:
                why += f"; to keep the rows of one `{group}` on one side, add group: {in_yaml(group)}"
            found.append(Entry("hold_out", {"validation": share}, why))
        return found

    @staticmethod
    def _share(rows: int) -> float:
        return MORE_OF_FEW if rows < FEW else HOLD_OUT


def _group(rows: Any, used: Collection[str]) -> str | None:
    """A column whose name and values say that several rows are of one person or document."""
    for name in rows.column_names:
        if name in used or not WHOSE.search(name.lower()):
            continue
        look = look_at(rows.select_columns([name]))[name]
        if look.form in ("text", "whole", "class") and 1 < len(look.counts) <= len(rows) / 2:
            return str(name)
    return None


def choose(loaded: Mapping[str, Any]) -> Chosen:
    """By the names of the splits; train is the largest, where none is called so."""
    splits: dict[str, str] = {}
    clear = True
    for ours, aliases in ALIASES.items():
        exact = [name for name in loaded if name.lower() in aliases]
        near = [name for name in loaded if name.lower().partition("_")[0] in aliases]
        if exact or near:
            splits[ours] = ours if ours in loaded else (exact or near)[0]
        clear = clear and (ours in exact or len(exact) == 1 or (not exact and not near))
    if "train" in splits:
        return Chosen(splits, written=not clear)
    rest = [name for name in loaded if name not in splits.values()] or list(loaded)
    train = max(rest, key=lambda name: len(loaded[name]))
    splits = {"train": train, **{ours: theirs for ours, theirs in splits.items() if theirs != train}}
    return Chosen(splits, True, (f"`{train}`, the largest split, is trained on",))


def siblings(data: str) -> tuple[str, ...]:
    """Files beside a training file that look like its other splits."""
    file = Path(data).expanduser()
    if not file.is_file() or file.stem.lower() not in ALIASES["train"]:
        return ()
    others = (*ALIASES["validation"], *ALIASES["test"])
    found = sorted(
        one.name for one in file.absolute().parent.iterdir()
        if one.stem.lower() in others and suffix_of(one) == suffix_of(file)
    )  # fmt: skip
    return (
        (f"{', '.join(found)} beside it not used: give the folder, {file.parent}, to use them",)
        if found
        else ()
    )
