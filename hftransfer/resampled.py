"""What a run scores on the resamples of its rows, and which rows it gets right: what comparing it with another takes.

The resamples of the same rows are always the same, so that two runs on them are compared by a subtraction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hftransfer.errors import RunDirectoryError
from hftransfer.files import beside
from hftransfer.metrics.intervals import bounds, resampled
from hftransfer.metrics.paired import Measured
from hftransfer.tasks.predictions import Predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

RIGHT, GROUPS = "right", "groups"
"""In the file, beside the metrics: none of them is called so."""


@dataclass(frozen=True)
class Resampled:
    """Of one split. metrics: name -> values on the resamples, (R,). right: which rows are right, (N,), where accuracy
    is among the metrics and rows are drawn one by one: McNemar's test is of such. groups: (N,) the group of every row,
    where whole ones are drawn."""

    metrics: Mapping[str, NDArray[np.float64]]
    right: NDArray[np.bool_] | None = None
    groups: NDArray[np.int64] | None = None

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        return bounds(self.metrics, self.drawn)

    @property
    def drawn(self) -> int | None:
        """How many groups there are; None where rows are drawn one by one."""
        return Measured(None, groups=self.groups).drawn

    def measured(self, metric: str, value: float | None) -> Measured:
        """A metric whose value on the rows themselves is `value`, as it is compared."""
        right = self.right if metric == "accuracy" else None
        return Measured(value, self.metrics.get(metric), right, self.groups)


def on_resamples(
    names: Sequence[str],
    predictions: Predictions,
    references: Any,
    labels: Sequence[str],
    groups: NDArray[np.int64] | None = None,
) -> Resampled:
    """The named metrics of predictions. references: one a row. groups: (N,) which rows are drawn together."""
    values = resampled(
        names,
        references=references,
        predictions=predictions.values,
        scores=predictions.scores,
        labels=labels,
        groups=groups,
    )
    if "accuracy" not in names or groups is not None:
        return Resampled(values, groups=groups)
    right = np.equal(predictions.values, references).reshape(len(references), -1).all(axis=1)
    return Resampled(values, right)


def write_resampled(path: Path, splits: Mapping[str, Resampled]) -> None:
    """Write beside `path`, then rename. splits: by name."""
    arrays: dict[str, Any] = {}
    for split, one in splits.items():
        arrays |= {f"{split}/{name}": values for name, values in one.metrics.items()}
        beside_them = {RIGHT: one.right, GROUPS: one.groups} if one.metrics else {}
        arrays |= {f"{split}/{name}": rows for name, rows in beside_them.items() if rows is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    new = beside(path, "new")
    with new.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    new.replace(path)


def read_resampled(path: Path) -> dict[str, Resampled]:
    """Split -> what was written; a split without a metric that can be resampled is not there.

    Raises RunDirectoryError where there is no file.
    """
    if not path.is_file():
        raise RunDirectoryError(
            f"{path} is not there: what was scored cannot be compared with anything",
            hint="a run from before it was kept: run its recipe anew",
        )
    found: dict[str, dict[str, Any]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            split, _, name = key.partition("/")
            found.setdefault(split, {})[name] = arrays[key]
    return {split: Resampled(of, of.pop(RIGHT, None), of.pop(GROUPS, None)) for split, of in found.items()}
