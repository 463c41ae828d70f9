"""What a metric is to a recipe: a name, a direction, and how to compute it."""

from __future__ import annotations

import importlib
import importlib.util
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hftransfer.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hftransfer.metrics.intervals import Resamples

    IntArray = NDArray[np.integer[Any]]
    FloatArray = NDArray[np.floating[Any]]

MetricValue = float | list[list[int]] | dict[str, Any] | None

SHARE = (0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """One row of the METRICS table.

    name: what a recipe calls it.
    summary: one line on what it measures.
    module: "package.module:name" of what computes it, imported when it is first computed.
    arguments: what that is given beside the rows.
    higher_is_better: the direction in which a score is better.
    between: the least and the greatest value that it can have.
    scalar: whether the value is a single number, so that it can choose the best weights.
    hub: what the Hub calls it (https://huggingface.co/metrics), where that is another name.
    package: what has to be importable beside what every installation has; it comes with the extra of the name `extra`.
    """

    name: str
    summary: str
    module: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)
    higher_is_better: bool = True
    between: tuple[float, float] = (-math.inf, math.inf)
    scalar: bool = True
    hub: str | None = None
    package: str | None = None
    extra: str | None = None

    def check_installed(self) -> None:
        """Raises InputError, saying what to install, when the library that computes the metric is not there."""
        if self.package is not None and importlib.util.find_spec(self.package) is None:
            raise InputError(
                f"the metric {self.name} is computed by {self.package}, which is not installed",
                hint=f'pip install "hftransfer[{self.extra}]"',
                key="metrics",
            )

    def check_labels(self, labels: Sequence[str]) -> None:  # noqa: B027  # most metrics take any
        """Raises InputError, naming the labels, when the metric is not defined for a task with these."""

    @abstractmethod
    def compute(
        self, *, references: Any, predictions: Any, scores: Any = None, labels: Sequence[str] = ()
    ) -> MetricValue:
        """The metric on N rows, by the definition of the library that `module` calls.

        references, predictions: one a row, of the form that the metric is about. scores: what backs the predictions.
        labels: the task's labels, whether or not the rows hold them all.
        Returns a number, or what is said where `scalar` is false; None where it is not defined on these rows.
        """

    def resampled(
        self,
        resamples: Resamples,
        *,
        references: Any,
        predictions: Any,
        scores: Any = None,
        labels: Sequence[str] = (),
    ) -> FloatArray | None:
        """The metric on each of R resamples of the rows, (R,), nan where it is not defined; the rest is `compute`'s.

        None for a metric that cannot be had without computing it anew for each of them: it has no interval.
        """
        return None

    def _load(self) -> Any:
        self.check_installed()
        return self._named(self.module.partition(":")[2])

    def _named(self, name: str) -> Any:
        """What the module of the metric has under a name."""
        return getattr(importlib.import_module(self.module.partition(":")[0]), name)


@dataclass(frozen=True, kw_only=True)
class Measure(Metric):
    """A metric that a function computes: `function(references, predictions, **arguments)` -> number, table or None.

    needs_scores: whether the function is given the scores in place of the predictions.
    over_labels: whether it is told the task's labels (`labels=`).
    resampler: name, in the same module, of the function that gives it on resamples, see `Metric.resampled`:
    `resampler(resamples, references, predictions, **arguments)` -> (R,).
    """

    needs_scores: bool = False
    over_labels: bool = False
    resampler: str | None = None

    def compute(
        self, *, references: Any, predictions: Any, scores: Any = None, labels: Sequence[str] = ()
    ) -> MetricValue:
        """See `Metric.compute`."""
        if not len(references):
            return None
        value = self._load()(*self._rows(references, predictions, scores), **self._options(labels))
        if not self.scalar or value is None:
            return value  # type: ignore[no-any-return]
        return float(value) if math.isfinite(value) else None

    def resampled(
        self,
        resamples: Resamples,
        *,
        references: Any,
        predictions: Any,
        scores: Any = None,
        labels: Sequence[str] = (),
    ) -> FloatArray | None:
        """See `Metric.resampled`."""
        if self.resampler is None:
            return None
        rows = self._rows(references, predictions, scores)
        return self._named(self.resampler)(resamples, *rows, **self._options(labels))  # type: ignore[no-any-return]

    def _rows(self, references: Any, predictions: Any, scores: Any) -> tuple[Any, Any]:
        return references, scores if self.needs_scores else predictions

    def _options(self, labels: Sequence[str]) -> dict[str, Any]:
        return {**({"labels": labels} if self.over_labels else {}), **self.arguments}


@dataclass(frozen=True, kw_only=True)
class ClassMetric(Metric):
    """A metric of classes: an `evaluate.Metric` with its arguments fixed. One class a row, or several.

    needs_scores: whether it reads the scores of all labels; the others need only the predicted labels.
    over_labels: whether it is told every label of the task, so that those missing from the rows count too.
    binary: whether it is defined for two labels only, of which the second is the positive one.
    """

    between: tuple[float, float] = SHARE
    needs_scores: bool = False
    over_labels: bool = False
    binary: bool = False

    def check_labels(self, labels: Sequence[str]) -> None:
        """See `Metric.check_labels`."""
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
        labels: Sequence[str] = (),
    ) -> MetricValue:
        """The metric on N rows of a task with C labels.

        references, predictions: (N,) indices into `labels`; or, of several labels a row, (N, C) of 0 and 1.
        scores: (N, C) probabilities; may be left out where `needs_scores` is false.
        labels: the task's C labels, whether or not the rows hold them all.

        Returns a number, by scikit-learn's definition; where `scalar` is false, a C x C table of counts;
        None where the metric is not defined on these rows (no rows at all; `auroc`: a label without rows).
        Raises InputError when it is not defined for these labels, ValueError for other arrays than these.
        """
        self.check_labels(labels)
        count = len(labels)
        _check_classes("references", references, (len(references),), count)
        _check_classes("predictions", predictions, references.shape, count)
        if self.needs_scores and (scores is None or scores.shape != (len(references), count)):
            shape = None if scores is None else scores.shape
            raise ValueError(f"{self.name} needs scores of shape {(len(references), count)}; found {shape}")
        if not len(references):
            return None
        # One for one call (0.3 ms): they hold rows, so one must not serve two callers.
        one = self._load()()
        asked = self._asked(references, predictions, scores, labels)
        (value,) = getattr(one, "of_arrays", one.compute)(**asked).values()
        if not self.scalar:
            return [[int(cell) for cell in row] for row in value]
        return None if math.isnan(value) else float(value)

    def resampled(
        self,
        resamples: Resamples,
        *,
        references: IntArray,
        predictions: IntArray,
        scores: FloatArray | None = None,
        labels: Sequence[str] = (),
    ) -> FloatArray | None:
        """See `Metric.resampled`; it is the class's own `resampled`, given what its `_compute` is."""
        resampled = getattr(self._load()(), "resampled", None)
        asked = self._asked(references, predictions, scores, labels)
        return None if resampled is None else resampled(resamples, **asked)

    def _asked(
        self, references: IntArray, predictions: IntArray, scores: FloatArray | None, labels: Sequence[str]
    ) -> dict[str, Any]:
        """The arguments of what computes it."""
        asked: dict[str, Any] = {"references": references, **self.arguments}
        asked |= {"prediction_scores": scores} if self.needs_scores else {"predictions": predictions}
        several = references.ndim == 2
        if self.over_labels and (not several or len(labels) == 1):
            # scikit-learn takes a table of one column for two classes, of which 1 is the label.
            asked["labels"] = [1] if several else list(range(len(labels)))
        return asked


def _check_classes(name: str, values: IntArray, shape: tuple[int, ...], count: int) -> None:
    """Raises ValueError unless `values` are integers of that shape: classes from 0 to count - 1, or 0 and 1 for each.

    scikit-learn leaves rows of other classes out without a word, and evaluate cuts 0.9 to 0.
    """
    several = values.ndim == 2
    wanted = (shape[0], count) if several else shape
    if values.shape != wanted or values.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: expected integers of shape {wanted}; found {values.dtype} of shape {values.shape}"
        )
    outside = (values < 0) | (values >= (2 if several else count))
    if outside.any():
        row = int(outside.argmax()) if not several else int(outside.any(axis=1).argmax())
        found = f"{values[row]}; expected a class from 0 to {count - 1}"
        raise ValueError(f"{name}[{row}] is {found if not several else f'{values[row]}; expected 0 and 1'}")
