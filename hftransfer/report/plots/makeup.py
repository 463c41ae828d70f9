"""What splits are made of: lengths in tokens, and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np

from hftransfer.report.plots.bars import NAMED
from hftransfer.report.plots.style import BLUE, CURVES, GREY, SKY, STYLE, VERMILION, Plot, short

MARKS = ((VERMILION, "o"), (BLUE, "D"), (GREY, "s"))
"""Of the splits beside the first, which has bars."""


@matplotlib.rc_context(STYLE)
def tokens(edges: Sequence[int], counts: Mapping[str, Sequence[int]], limit: int | None) -> Plot:
    """counts: split -> (B,) texts by length; the share of each split is drawn. limit: where texts are cut."""
    plot = Plot(7, 3.4)
    axes: Any = plot.subplots()
    for (name, values), colour in zip(counts.items(), CURVES, strict=False):
        share = np.array(values) / max(sum(values), 1)
        axes.stairs(share, edges, fill=True, color=colour, alpha=0.15)
        axes.stairs(share, edges, color=colour, label=name, linewidth=1.5)
    axes.set_xlim(0, edges[-1])
    far = limit is not None and limit > edges[-1]
    if limit is not None and not far:
        axes.axvline(limit, color="black", linestyle="--", label=f"limit: {limit:,}")
    axes.set_xlabel("tokens of a text" + (f" (the limit of {limit:,} lies beyond)" if far else ""))
    axes.set_ylabel("share of the split's texts")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend()
    return plot


@matplotlib.rc_context(STYLE)
def balance(
    amounts: Mapping[str, Sequence[int]], labels: Sequence[str], unit: str, totals: Mapping[str, int]
) -> Plot:
    """amounts: split -> (C,) of every label. totals: split -> what they are shares of. Bars of the first split, in
    whose order labels are, and marks of the others. Of many labels the first and the last alone are named."""
    first = next(iter(amounts.values()))
    order = sorted(range(len(labels)), key=lambda index: -first[index])
    many = len(labels) > NAMED
    plot = Plot(9, 3.6) if many else Plot(7, 1.5 + 0.26 * len(labels))
    axes: Any = plot.subplots()
    places = np.arange(len(labels))
    drawn: list[Any] = []
    for index, (name, values) in enumerate(amounts.items()):
        share = np.array([values[one] for one in order]) / max(totals[name], 1)
        said = f"{name} ({totals[name]:,})"
        if not index:
            draw: Any = axes.bar if many else axes.barh
            drawn.append(draw(places, share, 0.9, color=SKY, label=said))
            continue
        colour, mark = MARKS[(index - 1) % len(MARKS)]
        x, y = (places, share) if many else (share, places)
        drawn += axes.plot(x, y, mark, color=colour, markersize=3 if many else 5, label=said)
    told = f"share of the split's {unit}"
    if many:
        axes.set_xlim(-1, len(labels))
        axes.set_xticks([])
        axes.set_xlabel(
            f"{len(labels)} labels, from {short(labels[order[0]], 30)} to {short(labels[order[-1]], 30)}"
        )
        axes.set_ylabel(told)
        axes.yaxis.set_major_formatter("{x:.1%}")
    else:
        axes.set_yticks(places, [short(labels[one]) for one in order])
        axes.invert_yaxis()
        axes.set_xlabel(told)
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.grid(visible=False, axis="y")
    axes.legend(handles=drawn, ncols=len(drawn), loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
    return plot
