"""From a source to splits: columns mapped, labels named, hold-outs drawn, and everything noticed said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError, asked_by, did_you_mean
from hftransfer.sources.base import Source, some
from hftransfer.splits import parts as stages
from hftransfer.splits.choose import choose_splits
from hftransfer.splits.columns import Column, Names, Place, check_columns, key_of, map_roles, names_in
from hftransfer.splits.groups import SINGLE, Grouping, Groups, drawn_together, groups_by
from hftransfer.splits.kinds import KINDS
from hftransfer.splits.labels import label_names
from hftransfer.splits.made import OneSplit, Splits
from hftransfer.splits.nested import outer, reach_into
from hftransfer.splits.parts import Part, Parts
from hftransfer.splits.targets import TARGETS, make_targets, read_targets
from hftransfer.splits.together import together

if TYPE_CHECKING:
    import datasets
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from hftransfer.recipe import DataSection

ROW = "row"


CheckRows = Callable[[Any, Callable[[Sequence[int]], str]], None]
"""Given rows, and their places in words, raises DataError for those that a task cannot use."""


def unchecked(rows: Any, where: Callable[[Sequence[int]], str]) -> None:
    """Takes all rows."""


def make_splits(
    source: Source,
    data: DataSection,
    *,
    columns: Mapping[str, Column],
    seed: int,
    check_rows: CheckRows = unchecked,
    look: bool = True,
) -> Splits:
    """Load the source and make its splits, as `data` says and `columns` (role -> what the task needs) asks.

    Where there is no validation split, `data.hold_out.validation` of the training rows are set aside,
    stratified by class, copies of a row together, or each value of the column `data.hold_out.group`, or of a `whole`
    one; a test split is made only when `data.hold_out.test` asks for it. Hold-outs are drawn before limits, so they are
    the same for every limit. Rows keep the source's order. look: whether to look into every row for what cannot be used
    (images, sounds, ...), which those that were looked into before need not be.

    Raises RecipeError (splits or columns that are not there) or DataError (rows that cannot be used, by
    place).
    """
    check_columns(source, data, columns)
    loaded = _load(source, data, columns)
    places, findings = choose_splits(loaded, data, source)
    findings = [*source.findings, *findings]
    names = {ours: loaded[place.theirs].column_names for ours, place in places.items()}
    # Optional columns are settled by train: what is there is needed in every split.
    needed = {role: columns[role] for role in map_roles(places["train"], names["train"], data, columns)}
    needed = {role: replace(column, required=True) for role, column in needed.items()}
    roles = {ours: map_roles(place, names[ours], data, needed) for ours, place in places.items()}
    places = {ours: replace(place, columns=roles[ours]) for ours, place in places.items()}
    unused = _unused(names["train"], roles["train"])
    group = data.hold_out.group
    findings += _ignored_columns([name for name in unused if name != group])
    rows = {o: _prepare(loaded[p.theirs], p, roles[o], needed, findings) for o, p in places.items()}
    target = _target_role(needed)
    parts, labels = _labelled(rows, places, data, target, needed, roles["train"], findings)
    # What is set aside or left out is balanced by class, where rows have one.
    classes = labels if parts["train"].ids is not None else ()
    grouping = Grouping.read(group, loaded, places) if group is not None else None
    noticed, copied = _set_aside(parts, data, seed, classes, needed, grouping)
    findings += noticed
    findings += stages.limit(parts, data, seed, classes)
    for part in parts.values() if look else ():
        findings += _check(part, needed, check_rows)
    findings += _shared(parts, needed, grouping)
    scored = {} if grouping is None else grouping.scored(parts)
    findings += drawn_together(scored, str(group))
    chosen = {ours: place.theirs for ours, place in places.items()}
    return Splits(
        train=parts["train"].dataset(),
        validation=parts["validation"].dataset(),
        test=parts["test"].dataset() if "test" in parts else None,
        labels=labels,
        findings=tuple(findings),
        fingerprint=_fingerprint(source, data, [chosen, roles["train"], labels, seed, *copied]),
        places={ours: part.place for ours, part in parts.items()},
        groups=scored,
        unused=loaded[chosen["train"]].select_columns(unused).select(parts["train"].keep) if unused else None,
    )


def read_split(
    source: Source,
    data: DataSection,
    *,
    columns: Mapping[str, Column],
    labels: Sequence[str],
    split: str | None = None,
    check_rows: CheckRows = unchecked,
) -> OneSplit:
    """One split of a source, for a model that is made: to score it, or to predict with it.

    labels: what the model knows; a row of another label is an error. split: the source's name of it; by
    default the source's only one. Columns that `columns` does not require are read where they are there: make
    the class optional to read rows with or without labels. Raises as `make_splits`.
    """
    check_columns(source, data, columns)
    loaded = _load(source, data, columns)
    if split is None and len(loaded) > 1:
        raise DataError(f"{source.describe()} has several splits", hint=f"name one of {some(list(loaded))}")
    theirs = next(iter(loaded)) if split is None else split
    if theirs not in loaded:
        raise DataError(f"{source.describe()} has no split `{theirs}`", hint=did_you_mean(theirs, loaded))
    place = Place(source, theirs, theirs, ())
    roles = map_roles(place, loaded[theirs].column_names, data, columns)
    place = replace(place, columns=roles)
    needed = {role: columns[role] for role in roles}
    group = data.hold_out.group
    unused = _unused(loaded[theirs].column_names, roles)
    findings = [*source.findings, *_ignored_columns([name for name in unused if name != group])]
    rows = _prepare(loaded[theirs], place, roles, needed, findings)
    target = _target_role(needed)
    values = None if target is None else read_targets(needed[target], rows, place, target, labels)
    part = _part(place, rows, target, values, None)
    findings += _check(part, needed, check_rows)
    groups = None if group is None else groups_by(group, loaded[theirs], place)
    if group is not None and target is not None and group not in loaded[theirs].column_names:
        findings.append(f"{place} has no column `{group}`, {SINGLE}")
    return OneSplit(part.rows, tuple(findings), groups)


def _load(source: Source, data: DataSection, columns: Mapping[str, Column]) -> dict[str, datasets.Dataset]:
    wanted = {name for role in columns for name in names_in(data.columns.get(role, role))}
    wanted |= {data.hold_out.group} if data.hold_out.group else set()
    return {split: reach_into(rows, wanted) for split, rows in source.load(outer(wanted)).items()}


def _target_role(columns: Mapping[str, Column]) -> str | None:
    return next((role for role, column in columns.items() if column.kind in TARGETS), None)


def _unused(there: Sequence[str], roles: Mapping[str, Names]) -> list[str]:
    used = {name for names in roles.values() for name in names_in(names)}
    return [name for name in there if name not in used]


def _ignored_columns(unused: Sequence[str]) -> list[str]:
    return [f"columns ignored: {some(unused)}"] if unused else []


def _prepare(
    loaded: datasets.Dataset,
    place: Place,
    roles: Mapping[str, Names],
    columns: Mapping[str, Column],
    findings: list[str],
) -> datasets.Dataset:
    """The rows with the roles as columns, inputs as their kinds read them. Nothing is written to disk."""
    if not len(loaded):
        raise DataError(f"{place} has no rows")
    rows = loaded.select_columns([name for names in roles.values() for name in names_in(names)])
    if (
        rows._indices is not None
    ):  # a selection: columns cannot be looked at as a whole before it is made real
        rows = rows.flatten_indices(keep_in_memory=True)
    renamed = {names: role for role, names in roles.items() if isinstance(names, str)}
    joined = {}
    wrong: list[DataError] = []
    for role, names in roles.items():
        kind = columns[role].kind
        try:
            with asked_by(key_of(role)):
                if not isinstance(names, str):
                    joined[role] = together(rows, names, kind, place)
                elif kind in KINDS:
                    rows, noticed = KINDS[kind].read(rows, place, names)
                    findings += noticed
                elif kind == "class" and wrong:  # else it is looked at when the labels are named
                    label_names(rows, place, names)
        except DataError as error:
            wrong.append(error)
    if wrong:
        *before, last = wrong
        told = "\n".join([*map(str, before), last.message])
        raise DataError(told, hint=last.hint, key=wrong[0].key) from last
    # Last, since a column may have another role's name.
    rows = rows.select_columns(list(renamed))
    rows = rows.rename_columns({name: role for name, role in renamed.items() if name != role})
    for role, values in joined.items():
        rows = rows.add_column(role, values)
    return rows


def _labelled(
    rows: Mapping[str, datasets.Dataset],
    places: Mapping[str, Place],
    data: DataSection,
    target: str | None,
    columns: Mapping[str, Column],
    roles: Mapping[str, Names],
    findings: list[str],
) -> tuple[Parts, tuple[str, ...]]:
    """(every split with its targets, the labels), by the labels of train."""
    if target is None:
        return {ours: _part(place, rows[ours], None, None, None) for ours, place in places.items()}, ()
    found = make_targets(columns[target], rows, places, target, roles[target], data)
    findings += found.findings
    parts = {
        ours: _part(place, rows[ours], target, found.values[ours], found.ids.get(ours))
        for ours, place in places.items()
    }
    return parts, found.labels


def _part(
    place: Place,
    rows: datasets.Dataset,
    target: str | None,
    values: pa.Array | None,
    ids: NDArray[np.int64] | None,
) -> Part:
    import numpy as np

    if target is not None:
        rows = rows.remove_columns([target]).add_column(target, values)
    every = np.arange(len(rows))
    return Part(place, rows.add_column(ROW, every), ids, every)


def _set_aside(
    parts: Parts,
    data: DataSection,
    seed: int,
    labels: Sequence[str],
    columns: Mapping[str, Column],
    grouping: Grouping | None,
) -> tuple[list[str], list[str]]:
    """Hold-outs are made; findings, and what was done about copies, where there are any: so the rows are others."""
    stages.check_shares(parts, data)
    if not stages.to_hold_out(parts, data):
        return [], []
    train = parts["train"]
    groups = grouping.groups(train) if grouping else Groups.of_copies(train, columns)
    copied = ["copies together"] if groups.column is None and groups.repeated else []
    return stages.hold_out(parts, data, seed, labels, groups), copied


def _shared(parts: Parts, columns: Mapping[str, Column], grouping: Grouping | None) -> list[str]:
    """Findings: what of a column whose values belong together stands in train and in another split."""
    findings = [] if grouping is None else [*grouping.findings, *grouping.shared(parts)]
    whole = (role for role, column in columns.items() if column.whole)
    return [*findings, *(one for role in whole for one in stages.shared(parts, role))]


def _check(part: Part, columns: Mapping[str, Column], check_rows: CheckRows) -> list[str]:
    """What costs a look into every row that is kept; findings."""
    findings: list[str] = []
    for role, column in columns.items():
        if column.kind in KINDS:
            with asked_by(key_of(role)):
                findings += KINDS[column.kind].check(part.rows, part.keep, part.place, role) or ()
    source, theirs = part.place.source, part.place.theirs
    check_rows(part.dataset(), lambda rows: source.where(theirs, [int(part.keep[row]) for row in rows]))
    return findings


def _fingerprint(source: Source, data: DataSection, choices: list[object]) -> str:
    settings = json.dumps(
        [*choices, data.limits, data.hold_out.model_dump(exclude_none=True)], sort_keys=True
    )
    return hashlib.sha256(f"{source.fingerprint()}\n{settings}".encode()).hexdigest()
