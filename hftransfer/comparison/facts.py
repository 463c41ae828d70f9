"""What a comparison says, as facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.files import plain
from hftransfer.summary import text_table

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Seed:
    """One of several runs of a recipe. collapsed: its score is not above that of what costs nothing to say."""

    seed: int
    run: str
    value: float | None
    collapsed: bool


@dataclass(frozen=True)
class Row:
    """A run. run: its folder or repository. rank: from 1, the best of its group; None without a value to rank by.

    value: the score; None where it is not defined. interval: (low, high) at 95 %. seconds: of the whole run. trained:
    parameters. settings: dotted key of the recipe -> value, of those that differ within the group.

    Or a recipe that was trained with several seeds: `seeds` are its runs, and `run` the first of them; value: the mean
    of the `n` scores that are defined, and sd theirs (n - 1); interval: None. seconds: the mean; peak_memory_bytes: the
    most.
    """

    run: str
    rank: int | None
    value: float | None
    interval: tuple[float, float] | None
    seconds: float
    trained: int
    peak_memory_bytes: int
    settings: Mapping[str, Any]
    n: int = 1
    sd: float | None = None
    seeds: tuple[Seed, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.run} ({len(self.seeds)} seeds)" if self.seeds else self.run


@dataclass(frozen=True)
class Group:
    """Runs that were scored on the same rows, the best first; those of one recipe and several seeds are one row.

    metric: what they are ranked by, on the split's `examples` rows of `data`. higher_is_better: its direction.
    settings: the dotted keys that differ. verdict: whether the first two can be told apart, in a sentence; difference:
    the same as facts, the first against the second, None where there are none: `metrics.paired.Difference`, and `test`,
    which says by what: "rows", or "groups" where those are drawn (`metrics.paired`), of one run each, which is about
    other rows and not about another training; "seeds and rows", or "seeds" without resamples (`metrics.seeds`), where
    one has several seeds.
    apart: why these are not ranked against those of the first group; empty for that one.
    """

    task: str
    data: str
    split: str
    examples: int
    metric: str
    higher_is_better: bool
    rows: tuple[Row, ...]
    settings: tuple[str, ...]
    verdict: str
    difference: Mapping[str, Any] | None = None
    apart: str = ""

    @property
    def title(self) -> str:
        direction = "" if self.higher_is_better else ", lower is better"
        return f"{self.task}: {self.metric} on {self.examples:,} {self.split} rows of {self.data}{direction}"


@dataclass(frozen=True)
class Comparison:
    """Runs beside one another. left_out: runs that are not among them -> why."""

    groups: tuple[Group, ...]
    left_out: Mapping[str, str]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every run, group by group, the best of each first."""
        return tuple(row for group in self.groups for row in group.rows)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        facts: dict[str, Any] = plain(dataclasses.asdict(self))
        return facts

    @property
    def runs(self) -> int:
        """How many there are, every seed counted."""
        return sum(len(row.seeds) or 1 for row in self.rows)

    @property
    def _settings(self) -> list[str]:
        return list(dict.fromkeys(key for group in self.groups for key in group.settings))

    @cached_property
    def frame(self) -> pandas.DataFrame:
        """A row a run, or a recipe of several seeds: group (from 1), rank, run, task, data, split, examples, metric,
        score, low, high, n, sd, seeds (seed -> score), seconds, trained, peak_memory_bytes, and a column for every
        setting that differs."""
        import pandas

        numbered = [(number, group, row) for number, group in enumerate(self.groups, 1) for row in group.rows]
        frame = pandas.DataFrame([_columns(*one) for one in numbered]).astype({"rank": "Int64"})
        for key in self._settings:
            # As they are: a column of numbers with a gap would make 1.0 of 1.
            frame[key] = pandas.Series([row.settings.get(key) for _, _, row in numbered], dtype=object)
        return frame

    def to_csv(self) -> str:
        """`frame` as comma-separated values, settings as a recipe would have them."""
        from hftransfer.recipe import in_yaml

        shown = self.frame.assign(
            seeds=["" if seeds is None else in_yaml(seeds) for seeds in self.frame["seeds"]],
            **{key: [told(row, [key])[0] for row in self.rows] for key in self._settings},
        )
        text: str = shown.to_csv(index=False, lineterminator="\n")
        return text

    def to_html(self) -> str:
        """A page of its own, which asks no network for anything; with the plot, where matplotlib is installed."""
        from hftransfer.comparison.page import page

        return page(self)

    def plot(self, file: str | Path | None = None) -> Any:
        """The scores with their intervals, as a `matplotlib.figure.Figure`, also written to `file` (png, svg, pdf).

        Raises InputError without matplotlib, and for a file of another kind.
        """
        from hftransfer.comparison.plot import plot, write

        figure = plot(self)
        if file is not None:
            write(figure, Path(file))
        return figure

    def __str__(self) -> str:
        blocks = []
        for group in self.groups:
            header = ["", "run", group.metric, spread(group), "time", "trained", "memory", *group.settings]
            rows = [
                [str(row.rank or ""), row.title, *score(row), *costs(row), *told(row, group.settings)]
                for row in group.rows
            ]
            apart = [f"not ranked against those above: {group.apart}"] if group.apart else []
            several = [f"{row.run}: seeds {seeds(row)}" for row in group.rows if row.seeds]
            lines = [group.title, *apart, *text_table(header, rows), *several, group.verdict]
            blocks.append("\n".join(lines))
        return "\n\n".join([*blocks, *(f"left out: {run}: {why}" for run, why in self.left_out.items())])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For IPython in a terminal: the text."""
        printer.text(str(self))

    def _repr_html_(self) -> str:
        from hftransfer.comparison.page import tables

        return tables(self)


def _columns(number: int, group: Group, row: Row) -> dict[str, Any]:
    low, high = row.interval or (None, None)
    return {
        "group": number,
        "rank": row.rank,
        "run": row.run,
        "task": group.task,
        "data": group.data,
        "split": group.split,
        "examples": group.examples,
        "metric": group.metric,
        "score": row.value,
        "low": low,
        "high": high,
        "n": row.n,
        "sd": row.sd,
        "seeds": {one.seed: one.value for one in row.seeds} or None,
        "seconds": row.seconds,
        "trained": row.trained,
        "peak_memory_bytes": row.peak_memory_bytes,
    }


def costs(row: Row) -> tuple[str, str, str]:
    """Seconds, trained parameters and peak memory, for people."""
    return f"{row.seconds:,.0f} s", f"{row.trained:,}", f"{row.peak_memory_bytes / 2**30:.1f} GiB"


def score(row: Row) -> tuple[str, str]:
    """(the value, its interval or what it is of seeds), for people."""
    value = "not defined" if row.value is None else f"{row.value:.4f}"
    if row.seeds:
        some = f" of {row.n} that are defined" if row.n < len(row.seeds) else ""
        return value, "" if row.sd is None else f"± {row.sd:.4f}{some}"
    return value, "" if row.interval is None else "{:.4f} to {:.4f}".format(*row.interval)


def spread(group: Group) -> str:
    """What stands beside the scores of a group, as a heading."""
    several = [bool(row.seeds) for row in group.rows]
    return " or ".join([*["95 % interval"][: not all(several)], *["sd over seeds"][: any(several)]])


def seeds(row: Row) -> str:
    """Every seed with its score, for people; empty for a single run."""
    values = (
        f"{one.seed}: "
        + ("not defined" if one.value is None else f"{one.value:.4f}")
        + " (collapsed)" * one.collapsed
        for one in row.seeds
    )
    return ", ".join(values)


def told(row: Row, keys: Sequence[str]) -> list[str]:
    """The values of settings, as a recipe would have them; empty where there is no such setting."""
    from hftransfer.recipe import in_yaml

    return [in_yaml(row.settings[key]) if key in row.settings else "" for key in keys]
