"""Regression: residuals."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hftransfer.report import rows
from hftransfer.report.parts import Part, Picture, Table
from hftransfer.report.views.base import Row, View

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWN = 4
"""Targets that are drawn; all are in the table."""


class Numbers(View):
    """See the module."""

    worst_are: ClassVar[str] = "furthest off"

    @cached_property
    def told(self) -> tuple[NDArray[np.float64], NDArray[np.float64], Any]:
        """(what is, (N, T); what was said, (N, T); words of the inputs, (N,), or None)."""
        parts: list[tuple[Any, ...]] = []
        for batch in rows.batches(self.file, [self.target, "prediction", *self.texts]):
            values = (rows.numbers(batch.column(name)) for name in (self.target, "prediction"))
            parts.append((*values, rows.word_counts(batch, self.texts)))
        true, said, words = zip(*parts, strict=True)
        return np.concatenate(true), np.concatenate(said), None if words[0] is None else np.concatenate(words)

    def fails(self) -> Iterator[Part]:
        from hftransfer.report import plots

        true, said, _ = self.told
        for index, name in enumerate(self.result.labels[:DRAWN]):
            suffix = "" if len(self.result.labels) == 1 else f"-{index + 1}"
            one, other = true[:, index], said[:, index]
            off = other - one
            yield Picture(
                f"predicted{suffix}",
                f"Predicted and true, {name}",
                f"Predicted over true {name} of {len(one):,} {self.split} rows; half are off by at most "
                f"{np.median(np.abs(off)):.3g}.",
                partial(plots.against, one, other, name),
            )
            yield Picture(
                f"residuals{suffix}",
                f"Residuals, {name}",
                f"Predicted minus true {name}: the mean is {off.mean():+.3g}, the standard deviation {off.std():.3g}.",
                partial(plots.residuals, one, other, name),
            )
        yield self._spread(said - true)
        yield from self.tables()

    def _spread(self, off: NDArray[np.float64]) -> Table:
        quantiles = (0.025, 0.25, 0.5, 0.75, 0.975)
        found = [
            [
                name,
                float(off[:, one].mean()),
                float(off[:, one].std()),
                *np.quantile(off[:, one], quantiles).tolist(),
            ]
            for one, name in enumerate(self.result.labels)
        ]
        columns = ["target", "mean", "standard deviation", *(f"{one:.1%}" for one in quantiles)]
        return Table(f"Predicted minus true on {self.split}: mean, spread and quantiles", columns, found)

    def data(self) -> Iterator[Part]:
        yield from self.lengths(self.told[2], None)

    @property
    def _far(self) -> NDArray[np.float64]:
        """(N, T): how far off every number is, in units of its target's spread."""
        true, said, _ = self.told
        spread = true.std(axis=0)
        far: NDArray[np.float64] = np.abs(said - true) / np.where(spread > 0, spread, 1)
        return far

    def worst(self, count: int) -> NDArray[np.int64]:
        return np.argsort(-self._far.max(axis=1), kind="stable")[:count]

    def errors(self, count: int) -> list[Row]:
        """The largest residual, of several targets in units of each one's spread."""
        (true, said, _), far = self.told, self._far
        places = self.worst(count).tolist()
        found = self.rows(places, self.target, "prediction")
        for row, place in zip(found, places, strict=True):
            furthest = int(far[place].argmax())
            if true.shape[1] > 1:
                row["furthest off"] = self.result.labels[furthest]
            row["off by"] = float(said[place, furthest] - true[place, furthest])
        return found
