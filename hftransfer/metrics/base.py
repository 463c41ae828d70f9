"""What a metric is to a recipe: a name, a direction, and how to compute it."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hftransfer.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    IntArray = NDArray[np.integer[Any]]
    FloatArray = NDArray[np.floating[Any]]

MetricValue = float | list[list[int]] | None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row of the METRICS table: an `evaluate.Metric` with its arguments fixed.

    name: what a recipe calls it.
    summary: one line on what it measures.
    module: "package.module:Class" of the `evaluate.Metric`, imported when it is first computed.
    arguments: what its `compute` is given beside the rows.
    higher_is_better: the direction in which a score is better.
    scalar: whether the value is a single number, so that it can choose the best weights.
    needs_scores: whether it reads the scores of all labels; the others need only the predicted label.
    over_labels: whether it is told every label of the task, so that those missing from the rows count too.
    binary: whether it is defined for two labels only, of which the second is the positive one.
    """

    name: str
    summary: str
    module: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)
    higher_is_better: bool = True
    scalar: bool = True
    needs_scores: bool = False
    over_labels: bool = False
    binary: bool = False

    def check_labels(self, labels: Sequence[str]) -> None:
        """Raises InputError, naming the labels, when the metric is not defined for a task with these."""
        if self.binary and len(labels) != 2:
            shown = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
            raise InputError(
                f"the metric {self.name} is defined for 2 labels; found {len(labels)}: {shown}",
                hint=f"write `{self.name.removesuffix('_binary')}`, the mean over all labels",
            )

    def compute(
        self,
        *,
        references: IntArray,
        predictions: IntArray,
        scores: FloatArray | None = None,
        labels: Sequence[str],
    ) -> MetricValue:
        """The metric on N rows of a task with C labels.

        references, predictions: (N,) indices into `labels`.
        scores: (N, C) probabilities, each row's sum 1; may be left out where `needs_scores` is false.
        labels: the task's C labels, whether or not the rows hold them all.

        Returns a number, by scikit-learn's definition; where `scalar` is false, a C x C table of counts;
        None where the metric is not defined on these rows (no rows at all; `auroc`: a label without rows).
        Raises InputError when it is not defined for these labels, ValueError for other arrays than these.
        """
        self.check_labels(labels)
        count = len(labels)
        _check_classes("references", references, len(references), count)
        _check_classes("predictions", predictions, len(references), count)
        if self.needs_scores and (scores is None or scores.shape != (len(references), count)):
            shape = None if scores is None else scores.shape
            raise ValueError(f"{self.name} needs scores of shape {(len(references), count)}; found {shape}")
        if not len(references):
            return None
        rows = {"prediction_scores": scores} if self.needs_scores else {"predictions": predictions}
        options = {"labels": list(range(count))} if self.over_labels else {}
        result = self._load().compute(references=references, **rows, **options, **self.arguments)
        (value,) = result.values()
        if not self.scalar:
            return [[int(cell) for cell in row] for row in value]
        return None if math.isnan(value) else float(value)

    def _load(self) -> Any:
        """An `evaluate.Metric` for one call (0.3 ms): they hold rows, so one must not serve two callers."""
        module, _, name = self.module.partition(":")
        return getattr(importlib.import_module(module), name)()


def _check_classes(name: str, values: IntArray, rows: int, count: int) -> None:
    """Raises ValueError unless `values` are `rows` integers from 0 to count - 1.

    scikit-learn leaves rows of other classes out without a word, and evaluate cuts 0.9 to 0.
    """
    if values.shape != (rows,) or values.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: expected integers of shape {(rows,)}; found {values.dtype} of shape {values.shape}"
        )
    outside = (values < 0) | (values >= count)
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(f"{name}[{row}] is {values[row]}; expected a class from 0 to {count - 1}")
