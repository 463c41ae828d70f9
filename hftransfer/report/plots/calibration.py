"""How far scores are to be believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from hftransfer.report.plots.style import BLUE, GREY, RIGHT, STYLE, WRONG, Plot


@matplotlib.rc_context(STYLE)
def reliability(
    counts: NDArray[np.int64], confidence: NDArray[np.float64], accuracy: NDArray[np.float64], error: float
) -> Plot:
    """Of B bins of equal width: guesses, their mean score, the share that is right. error: the ECE of it all."""
    plot = Plot(6, 5.5)
    above, below = plot.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    edges = np.linspace(0, 1, len(counts) + 1)
    some = counts > 0
    left, width = edges[:-1][some], 1 / len(counts)
    above.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="as often right as said")
    above.bar(left, accuracy[some], width, align="edge", color=BLUE, edgecolor="white", label="share right")
    above.plot(
        confidence[some], accuracy[some], "o", color="black", markersize=4, label="mean score of a bin"
    )
    above.vlines(confidence[some], confidence[some], accuracy[some], color=WRONG, linewidth=2, label="gap")
    above.set_ylim(0, 1.02)
    above.set_xlim(0, 1)
    above.set_ylabel("share that is right")
    above.set_title(f"expected calibration error {error:.3f} ({len(counts)} bins)")
    above.legend(loc="upper left")
    below.bar(left, counts[some], width, align="edge", color=GREY, edgecolor="white")
    below.set_ylabel("guesses")
    below.set_xlabel("score of the guess")
    return plot


@matplotlib.rc_context(STYLE)
def histogram(counts: Mapping[str, NDArray[np.int64]], unit: str, top: float = 1) -> Plot:
    """counts: (B,) guesses in B bins from 0 to `top`, by what they are ("right", "wrong"); shares of each. What lies
    beyond the top, where anything can, is in the last bin."""
    plot = Plot(7, 3.4)
    axes: Any = plot.subplots()
    for (name, values), colour in zip(counts.items(), (RIGHT, WRONG), strict=False):
        edges = np.linspace(0, top, len(values) + 1)
        total = int(values.sum())
        axes.stairs(
            values / max(total, 1), edges, fill=True, alpha=0.45, color=colour, label=f"{name} ({total:,})"
        )
        axes.stairs(values / max(total, 1), edges, color=colour)
    axes.set_xlim(0, top)
    axes.set_xlabel(unit)
    axes.set_ylabel("share of each")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend()
    return plot
