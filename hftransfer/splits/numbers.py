"""Numbers to predict: one or several a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError
from hftransfer.splits.columns import Names, Place

if TYPE_CHECKING:
    import datasets
    import numpy as np
    from numpy.typing import NDArray


def numbers(rows: datasets.Dataset, place: Place, role: str) -> NDArray[np.float64]:
    """The numbers of every row, (N, T). A cell of text must be written as a number ("2.5").

    Raises DataError naming rows: no number, not a finite one, or not as many as the first row has.
    """
    import numpy as np

    values = rows.data.column(role).to_pylist()
    lists = [value if isinstance(value, list) else [value] for value in values]
    read = [[number(item) for item in one] for one in lists]
    bad = [row for row, one in enumerate(read) if not one or any(item is None for item in one)]
    if bad:
        raise no_numbers(bad, values, place, role)
    count = len(read[0])
    odd = [row for row, one in enumerate(read) if len(one) != count]
    if odd:
        raise DataError(
            f"{len(odd)} of {len(values)} rows of {place} have not {count} numbers in `{place.called(role)}`, "
            "as its first row has: "
            f"{place.source.where(place.theirs, odd)}"
        )
    return np.array(read, dtype=np.float64)


def no_numbers(bad: Sequence[int], values: Sequence[Any], place: Place, name: str) -> DataError:
    """The error for these rows of a column `values`."""
    return DataError(
        f"{len(bad)} of {len(values)} rows of {place} have no number in `{place.called(name)}`: "
        f"{place.source.where(place.theirs, bad)} (found {values[bad[0]]!r})",
        hint="a target is a finite number, written with a point; is it the right column?",
    )


def check_count(values: NDArray[np.float64], count: int, place: Place, role: str, whose: str) -> None:
    """Raise DataError unless there are `count` numbers a row. whose: who has so many, in words."""
    if values.shape[1] != count:
        raise DataError(
            f"`{place.called(role)}` of {place} holds {values.shape[1]} numbers a row, but {whose} {count}"
        )


def target_names(count: int, names: Names, given: Sequence[str] | None) -> tuple[str, ...]:
    """What the targets are called: as given (`data.labels`), as their columns, or by their numbers.

    Raises DataError when other than `count` are given.
    """
    if given is not None:
        if len(given) != count:
            raise DataError(f"data.labels names {len(given)} targets, found {count}", key="data.labels")
        return tuple(given)
    if isinstance(names, tuple):
        return names
    return (names,) if count == 1 else tuple(f"{names}_{index}" for index in range(count))


def number(value: Any) -> float | None:
    """The finite number that a cell holds, or None."""
    import math

    # Python alone takes 1_000 for a number.
    if isinstance(value, bool) or value is None or (isinstance(value, str) and "_" in value):
        return None
    try:
        read = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None
