"""Regression: what was said beside what is."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from hftransfer.report.plots.style import BLUE, GREY, STYLE, VERMILION, Plot, short

DOTS = 3000
"""More dots than that hide one another: then cells are coloured by how many there are."""


@matplotlib.rc_context(STYLE)
def against(true: NDArray[np.float64], said: NDArray[np.float64], name: str) -> Plot:
    """Predicted values over true ones, (N,) each; on the line they are equal."""
    plot = Plot(5.5, 5)
    axes: Any = plot.subplots()
    _scatter(axes, true, said)
    low, high = min(true.min(), said.min()), max(true.max(), said.max())
    axes.plot([low, high], [low, high], color=GREY, linestyle="--", label="equal")
    axes.set_xlabel(f"true {short(name)}")
    axes.set_ylabel(f"predicted {short(name)}")
    axes.legend()
    return plot


@matplotlib.rc_context(STYLE)
def residuals(true: NDArray[np.float64], said: NDArray[np.float64], name: str) -> Plot:
    """Predicted minus true, over what was predicted, and how often each."""
    plot = Plot(9, 3.6)
    left, right = plot.subplots(1, 2, width_ratios=[2, 1], sharey=True)
    off = said - true
    _scatter(left, said, off)
    left.axhline(0, color=GREY, linestyle="--")
    left.set_xlabel(f"predicted {short(name)}")
    left.set_ylabel("predicted minus true")
    right.hist(off, bins=40, orientation="horizontal", color=BLUE)
    right.axhline(float(off.mean()), color=VERMILION, label=f"mean {off.mean():+.3g}")
    right.set_xlabel("rows")
    right.legend()
    return plot


def _scatter(axes: Any, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    if len(x) <= DOTS:
        axes.plot(x, y, "o", color=BLUE, alpha=0.35, markersize=4, markeredgewidth=0)
    else:
        axes.hexbin(x, y, gridsize=45, bins="log", cmap="cividis", mincnt=1, linewidths=0)
