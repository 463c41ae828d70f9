"""What a user hands to `predict`, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError, did_you_mean
from hftransfer.splits.kinds import KINDS

SHORT = 60
"""Characters of a text that is repeated to whoever wrote it."""

if TYPE_CHECKING:
    import datasets

    from hftransfer.tasks.base import Task


def input_rows(
    task: Task, inputs: Any, *, roles: Sequence[str], columns: Mapping[str, Any] = MappingProxyType({})
) -> datasets.Dataset:
    """A datasets.Dataset with the roles as columns, one row an input.

    roles: what the model takes, e.g. ("text", "text_pair"). inputs: each the value of its one role (a text; an image
    as a path, bytes or PIL image; a clip as a path, bytes, {"array", "sampling_rate"} or (array, rate)), or the
    values of all roles as a tuple or as a mapping by role. A column of pandas or numpy is a list of texts; of a data
    frame, the columns that `columns` names are taken, role -> the frame's name of it, by default the role's own.
    Raises DataError naming the first input that does not fit.
    """
    import datasets

    inputs = _listed(inputs, {role: columns.get(role, role) for role in roles})
    if isinstance(inputs, str) or not isinstance(inputs, Sequence):
        given = repr(inputs) if isinstance(inputs, str) and len(inputs) < SHORT else "..."
        raise DataError(
            f"expected a list of inputs, found {type(inputs).__name__}", hint=f"write predict([{given}])"
        )
    kinds = {role: task.columns[role].kind for role in roles}
    rows = [_row(number, value, kinds) for number, value in enumerate(inputs, 1)]
    if not rows:
        raise DataError("there is nothing to predict: the list of inputs is empty")
    values: dict[str, Any] = {role: [row[role] for row in rows] for role in roles}
    features = datasets.Features({role: KINDS[kind].feature_of(values[role]) for role, kind in kinds.items()})
    return datasets.Dataset.from_dict(values, features=features)


def _listed(inputs: Any, names: Mapping[str, Any]) -> Any:
    """A table or a column of one as a list; anything else as it is. names: role -> the table's name of it."""
    if hasattr(inputs, "to_pandas"):  # of polars or pyarrow
        inputs = inputs.to_pandas()
    if hasattr(inputs, "columns") and hasattr(inputs, "to_dict"):  # found without importing pandas
        wanted = [one for name in names.values() for one in ([name] if isinstance(name, str) else name)]
        missing = [name for name in wanted if name not in inputs.columns]
        if missing:
            raise DataError(
                f"the data frame has no column `{missing[0]}`",
                hint=f"its columns: {', '.join(map(str, inputs.columns))}; rename one: frame.rename(columns=...)",
            )
        return [
            {
                role: row[name] if isinstance(name, str) else [row[one] for one in name]
                for role, name in names.items()
            }
            for row in inputs.to_dict("records")
        ]
    column = getattr(inputs, "ndim", 0) == 1 and hasattr(inputs, "tolist")
    return inputs.tolist() if column else inputs


def _row(number: int, value: Any, kinds: Mapping[str, str]) -> dict[str, Any]:
    roles = tuple(kinds)
    if len(roles) == 1 and KINDS[kinds[roles[0]]].is_value(value):
        value = {roles[0]: value}
    values = value if isinstance(value, tuple | list) else (value,)
    row = dict(value) if isinstance(value, Mapping) else dict(zip(roles, values, strict=False))
    unknown = [key for key in row if key not in roles]
    if unknown:
        raise DataError(
            f"input {number} has `{unknown[0]}`, which the model does not take",
            hint=did_you_mean(unknown[0], roles),
        )
    given = len(row) if isinstance(value, Mapping) else len(values)
    if given != len(roles):
        raise DataError(
            f"input {number} has {given} of the {len(roles)} parts that the model takes: {', '.join(roles)}",
            hint=f"give each as a mapping: {{{', '.join(f'{role!r}: ...' for role in roles)}}}",
        )
    where = f"input {number}" if len(kinds) == 1 else "input {number}: `{role}`"
    return {
        role: KINDS[kinds[role]].take(part, where.format(number=number, role=role))
        for role, part in row.items()
    }
