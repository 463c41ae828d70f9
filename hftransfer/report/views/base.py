"""What every kind of predictions shows, and the table of a split's metrics that are more than a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from hftransfer.errors import DataError
from hftransfer.report import rows
from hftransfer.report.parts import Part, Picture, Table
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = dict[str, Any]


class View:
    """The predictions of one split, read once and added up. Subclasses say what they show; all of it may be nothing."""

    worst_are: ClassVar[str] = "wrong, and with the highest score"
    """What `errors` are."""

    def __init__(self, result: Result, split: str) -> None:
        self.result, self.split = result, split
        self.file = RunDirectory(result.run_dir).predictions(split)

    @property
    def target(self) -> str:
        """The column of what was to be predicted."""
        return str(self.result.recipe.task.target)

    def fails(self) -> Iterator[Part]:
        """Where the model fails."""
        yield from self.tables()

    def data(self) -> Iterator[Part]:
        """What the rows are like."""
        yield from ()

    def balance(self) -> Iterator[Part]:
        """How many of its rows have each label: of runs that have not written it down for every split."""
        yield from ()

    def calibration(self) -> Iterator[Part]:
        """How far its scores are to be believed."""
        yield from ()

    def errors(self, count: int) -> list[Row]:
        """The worst errors, the worst first: the row's number in its source, its inputs, what is and what was said.

        Raises DataError for a task of which no row is right or wrong.
        """
        raise DataError(
            f"{self.result.task}: no row is right or wrong by itself",
            hint="its texts are in the predictions: " + str(self.file),
        )

    def worst(self, count: int) -> NDArray[np.int64]:
        """The places in the split of the rows of `errors`, each once. Raises DataError as that does."""
        raise DataError(f"{self.result.task}: no row is right or wrong by itself")

    def doubtful(self, count: int) -> list[Row]:
        """Rows whose label is probably a mistake, the likeliest first; empty where nobody knows how to tell."""
        return []

    @cached_property
    def texts(self) -> list[str]:
        """The inputs that predictions keep."""
        there = rows.names(self.file)
        return [role for role in self.result.inputs if role in there]

    @property
    def long(self) -> list[str]:
        """The columns of `errors` that hold long texts."""
        return self.texts

    def rows(self, places: Sequence[int], *more: str) -> list[Row]:
        """The rows at these places: their number in the source, their inputs, and other columns."""
        return rows.pick(self.file, places, ["row", *self.texts, *more])

    def tables(self) -> Iterator[Table]:
        """Metrics that are a table."""
        for name, value in self.result.metrics[self.split].items():
            if isinstance(value, Mapping) and value:
                yield _table(f"{name.replace('_', ' ')}, {self.split}", value)

    def lengths(
        self, words: NDArray[np.int64] | None, wrong: NDArray[Any] | None, told: str = "share that is wrong"
    ) -> Iterator[Part]:
        """How long the inputs are, and whether that matters. words: (N,). wrong: (N,), whether each is, or how much of
        each; told: what its mean is."""
        import numpy as np

        from hftransfer.report import plots

        if words is None or not len(words):
            return
        middle, most = int(np.median(words)), int(words.max())
        yield Picture(
            "lengths",
            "Length of texts in words",
            f"Histogram of the words of {len(words):,} {self.split} texts: half have at most {middle:,}, the longest "
            f"has {most:,}."
            + (f" Beside it, the {told}, by length, with its 95 % interval." if wrong is not None else ""),
            lambda: plots.lengths({"texts": words}, wrong, told),
        )


def _table(caption: str, value: Mapping[str, Any]) -> Table:
    """A row for every key; a column for every number below it, or one for the number itself."""
    found = {str(key): one if isinstance(one, Mapping) else {"value": one} for key, one in value.items()}
    columns = list(dict.fromkeys(str(column) for one in found.values() for column in one))
    cells = [[key, *(one.get(column) for column in columns)] for key, one in found.items()]
    return Table(caption, ["", *columns], cells)
