"""A task's columns, and the source's columns that fill them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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

Names = str | tuple[str, ...]
"""The column of a source that fills a role, or several that do so together (one a label)."""


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
    columns: Mapping[str, Names] = field(default_factory=dict, compare=False)
    """Role -> what the source calls it, once that is settled."""

    def called(self, role: str) -> str:
        """What fills a role, by the name that whoever made the rows knows it under."""
        return ", ".join(names_in(self.columns.get(role, role)))

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
    missing: list[tuple[str, str]] = []
    for role, column in columns.items():
        settled = column.required or role in data.columns
        gone = [name for name in names_in(asked[role]) if name not in there]
        if settled and gone:
            missing += [(role, name) for name in gone]
        # An optional role does not take by its mere name what another role was given.
        elif settled or (not gone and asked[role] not in claimed):
            roles[role] = asked[role]
    if missing:
        free = [one for one in there if one not in claimed]
        raise _missing(place, missing, columns, there, _meant(missing, free, columns, data))
    return roles


ALIKE = 0.75
"""How like a role's own name a column's must be: nobody has written it, so that it is no slip of the pen."""


def _meant(
    missing: list[tuple[str, str]], free: list[str], columns: Mapping[str, Column], data: DataSection
) -> dict[str, str]:
    """Role -> the column that was probably meant by a name that is not there; no column is meant twice."""
    meant: dict[str, str] = {}
    for role, name in missing:
        left = [one for one in free if one not in meant.values()]
        close = nearest(name, left) if role in data.columns else nearest(name, left, cutoff=ALIKE)
        if close is None and len(left) == len(missing) == 1 and columns[role].kind not in FILES:
            close = left[0]
        if close is not None:
            meant.setdefault(role, close)
    return meant


def _missing(
    place: Place,
    missing: list[tuple[str, str]],
    columns: Mapping[str, Column],
    there: list[str],
    meant: Mapping[str, str],
) -> DataError:
    """missing: (role, the name that is not there)."""
    told = [f"`{name}`" + ("" if name == role else f" (for the task's `{role}`)") for role, name in missing]
    roles = list(dict.fromkeys(role for role, _ in missing))
    named = {role: written(meant[role]) if role in meant else "COLUMN" for role in roles}
    which = "which one it is" if len(roles) == 1 else "which they are"
    hint = f"write {which}: data.columns: {{{', '.join(f'{role}: {name}' for role, name in named.items())}}}"
    hint += (
        f", or to evaluate and predict: {' '.join(f'--column {role}={name}' for role, name in named.items())}"
    )
    if isinstance(place.source, MemorySource):  # then it is Python that is written
        said = json.dumps({role: meant.get(role, "COLUMN") for role in roles}, ensure_ascii=False)
        hint = f'write {which}: data={{"source": ..., "columns": {said}}}, or to evaluate: columns={said}'
        if any(place.source.index_named(place.theirs, name) for _, name in missing):
            hint = "that is the data frame's index: give frame.reset_index()"
    medium = next((FILES[columns[role].kind] for role in roles if columns[role].kind in FILES), None)
    if medium is not None and not meant:
        hint += (
            f" ({medium.many} are paths or bytes), or name a folder of class folders; texts need a text task"
        )
    mark = next((sign for sign in (",", ";", "\t", "|") if len(there) == 1 and sign in there[0]), None)
    if mark:
        hint = f"is it separated by another character? write data.delimiter: {json.dumps(mark)}"
    return DataError(
        f"{place} has no column {' and no column '.join(told)}; its columns: {some(there, 30)}",
        hint="; ".join(part for part in (hint, place.leave_out) if part),
        key=key_of(roles[0]),
    )
