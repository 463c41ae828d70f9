"""A task's columns, and the source's columns that fill them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hftransfer.errors import DataError, Problem, RecipeError, asked_by, did_you_mean, nearest
from hftransfer.sources.base import Source, some
from hftransfer.sources.media import MEDIA
from hftransfer.sources.memory import MemorySource

if TYPE_CHECKING:
    from hftransfer.recipe import DataSection


FILES = {medium.column: medium for medium in MEDIA}

TOGETHER = ("classes", "numbers", "texts", "choices")
"""Kinds that several columns may fill together."""


@dataclass(frozen=True)
class Column:
    """What a task needs under one of its roles.

    kind: a target of `targets.TARGETS` (class, classes, tags, numbers, ...), or an input of
    `kinds.KINDS` (text, image, ...). whole: rows that have the same text here are set aside together or not at all,
    since a model that has learned from one knows something of the others (questions about one context).
    """

    kind: str
    required: bool = True
    whole: bool = False


@dataclass(frozen=True)
class Place:
    """A split of a source: what we call it and what the source calls it."""

    source: Source
    ours: str
    theirs: str
    others: tuple[tuple[str, str], ...]
    """The other (ours, theirs) in use: what is left when this split is left out."""

    @property
    def leave_out(self) -> str | None:
        """How to do without this split; there is no doing without train."""
        if self.ours == "train" or not self.others:
            return None
        kept = ", ".join(f"{ours}: {written(theirs)}" for ours, theirs in self.others)
        return f"to leave this split out, write data.splits: {{{kept}}}"

    def without(self, name: str) -> str:
        """How one leaves out rows that have nothing in a column, where it is Python that is written."""
        return f": frame.dropna(subset=[{name!r}])" if isinstance(self.source, MemorySource) else ""

    def __str__(self) -> str:
        return self.source.describe_split(self.theirs)


def written(name: str) -> str:
    """A name as it can stand in YAML."""
    return (
        name if name.replace("_", "").replace("-", "").isalnum() and not name.isdigit() else json.dumps(name)
    )


Names = str | tuple[str, ...]
"""The column of a source that fills a role, or several that do so together (one a label)."""


def names_in(names: Names) -> tuple[str, ...]:
    """The columns, one or several."""
    return (names,) if isinstance(names, str) else tuple(names)


def key_of(role: str) -> str:
    """The recipe's key that says which column fills a role."""
    return f"data.columns.{role}"


def check_columns(source: Source, data: DataSection, columns: Mapping[str, Column]) -> None:
    """Find what is wrong with `data.columns` and with the kind of source, without reading rows.

    Raises RecipeError, or InputError when a library that the columns are read with is not installed.
    """
    from hftransfer.splits.kinds import KINDS  # which know columns and places

    problems = [
        Problem(key_of(role), f"the task has no column `{role}`", did_you_mean(role, columns))
        for role in data.columns
        if role not in columns
    ]
    taken: dict[str, str] = {}
    for role in columns:
        if role not in data.columns and not columns[role].required:
            continue
        names = names_in(data.columns.get(role, role))
        if len(names) > 1 and columns[role].kind not in TOGETHER:
            message = f"the task's `{role}` is one column, found a list of {len(names)}"
            problems.append(
                Problem(key_of(role), message, "several columns make several labels, numbers or choices")
            )
        for name in names:
            if name in taken:
                message = f"the column `{name}` is the task's `{taken[name]}` already"
                hint = f"write another column: data.columns: {{{role}: COLUMN}}"
                asked = role if role in data.columns else taken[name]
                problems.append(Problem(key_of(asked), message, hint))
            taken.setdefault(name, role)
    needs = [column.kind for column in columns.values() if column.required and column.kind in KINDS]
    held = next((medium for medium in MEDIA if medium.kind == source.kind), None)
    if held is not None and needs and held.column not in needs:
        problems.append(
            Problem(
                "data.source",
                f"{source.describe()} holds {held.many}, and the task needs {' and '.join(needs)}",
                f"use the task {held.column}-classification, or name a source of another kind",
            )
        )
    if problems:
        raise RecipeError(problems)
    for kind in needs:
        with asked_by("task"):
            KINDS[kind].available()


def map_roles(
    place: Place, there: list[str], data: DataSection, columns: Mapping[str, Column]
) -> dict[str, Names]:
    """Role -> the source's columns, for the roles that are there. Raises DataError for those that are missing."""
    asked: dict[str, Names] = {role: data.columns.get(role, role) for role in columns}
    claimed = {
        name
        for role in columns
        if role in data.columns or columns[role].required
        for name in names_in(asked[role])
    }
    roles: dict[str, Names] = {}
    missing: list[DataError] = []
    for role, column in columns.items():
        settled = column.required or role in data.columns
        gone = [name for name in names_in(asked[role]) if name not in there]
        if settled and gone:
            free = [one for one in there if one not in claimed]
            missing += [_missing(place, role, column, name, there, free) for name in gone]
            continue
        # An optional role does not take by its mere name what another role was given.
        if settled or (not gone and asked[role] not in claimed):
            roles[role] = asked[role]
    if missing:
        *before, last = missing
        raise DataError("\n".join([*map(str, before), last.message]), hint=last.hint, key=missing[0].key)
    return roles


def _missing(
    place: Place, role: str, column: Column, name: str, there: list[str], free: list[str]
) -> DataError:
    for_role = "" if name == role else f" (for the task's `{role}`)"
    close = nearest(name, free) or (free[0] if len(free) == 1 and column.kind not in FILES else None)
    named = written(close) if close else "COLUMN"
    hint = f"write which one it is: data.columns: {{{role}: {named}}}"
    hint += f", or to evaluate and predict: --column {role}={named}"
    if isinstance(place.source, MemorySource):  # then it is Python that is written
        said = json.dumps({role: close or "COLUMN"}, ensure_ascii=False)
        hint = f'write which one it is: data={{"source": ..., "columns": {said}}}, or to evaluate: columns={said}'
        if place.source.index_named(place.theirs, name):
            hint = "that is the data frame's index: give frame.reset_index()"
    if column.kind in FILES and close is None:
        hint += f" ({FILES[column.kind].many} are paths or bytes), or name a folder of class folders"
        hint += "; texts need a text task"
    mark = next((sign for sign in (",", ";", "\t", "|") if len(there) == 1 and sign in there[0]), None)
    if mark:
        hint = f"is it separated by another character? write data.delimiter: {json.dumps(mark)}"
    hint = "; ".join(part for part in (hint, place.leave_out) if part)
    return DataError(
        f"{place} has no column `{name}`{for_role}; its columns: {some(there, 30)}",
        hint=hint,
        key=key_of(role),
    )
