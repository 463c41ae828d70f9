"""The scores of runs with their intervals, by matplotlib, which comes with the extra `report`.

Colours are those of Okabe and Ito (2008), which the colour-blind tell apart; shapes say the same once more.
"""

from __future__ import annotations

import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.comparison.facts import Comparison, Group, spread
from hftransfer.errors import InputError
from hftransfer.files import beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEST, OTHER = "#D55E00", "#0072B2"
KINDS = (".png", ".svg", ".pdf")
LONGEST = 48
"""Characters of a run's name that are shown: its end tells it from others."""
TITLE = 100
STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none"}


def check(file: Path) -> None:
    """Raises InputError without matplotlib, for another kind of file, and where there is no folder for it."""
    if find_spec("matplotlib") is None:
        raise InputError(
            "plots are drawn by matplotlib, which is not installed", hint='pip install "hftransfer[report]"'
        )
    if file.suffix.lower() not in KINDS:
        raise InputError(f"cannot draw {file}: unknown kind of picture", hint=f"known: {', '.join(KINDS)}")
    if not file.absolute().parent.is_dir():
        raise InputError(f"cannot write {file}: there is no folder {file.parent}")


def plot(comparison: Comparison) -> Figure:
    """A panel a group, the best run at its top: a mark at the score, a line over its interval; or, of several seeds, a
    mark at the mean, a line over a standard deviation to either side, and a stroke at every seed."""
    check(Path("a.png"))
    import matplotlib

    from hftransfer.report.plots.style import Plot

    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        heights = [1.0 + 0.3 * len(group.rows) for group in comparison.groups]
        figure = Plot(8, sum(heights))
        panels: Any = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
        for axes, group in zip(panels[:, 0], comparison.groups, strict=True):
            _panel(axes, group)
    return figure


def write(figure: Figure, file: Path) -> None:
    """Draw it beside `file`, then rename."""
    check(file)
    new = beside(file, "new")
    figure.savefig(new, format=file.suffix.lower().removeprefix("."))
    new.replace(file)


def _panel(axes: Any, group: Group) -> None:
    rows = group.rows
    for place, row in enumerate(rows):
        if row.value is None:
            continue
        sd = row.sd or 0.0
        low, high = row.interval or (row.value - sd, row.value + sd)
        best = row.rank == 1
        axes.plot([low, high], [place, place], color=BEST if best else OTHER, linewidth=2)
        axes.plot(
            row.value,
            place,
            marker="D" if best else "o",
            markersize=7,
            color=BEST if best else OTHER,
            linestyle="",
        )
        values = [one.value for one in row.seeds if one.value is not None]
        axes.plot(values, [place] * len(values), marker="|", markersize=9, color="#1b1b1b", linestyle="")
    axes.set_yticks(range(len(rows)), [_short(row.title) for row in rows], parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=True, axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    several = ", strokes: every seed" * any(row.seeds for row in rows)
    axes.set_xlabel(f"{group.metric}, with its {spread(group)}{several}", parse_math=False)
    axes.set_title(
        textwrap.shorten(group.title, TITLE, placeholder=" …"), loc="left", fontsize=10, parse_math=False
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else "…" + name[1 - LONGEST :]
