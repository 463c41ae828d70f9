"""How training went: loss, learning rate, and metrics over evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np

from hftransfer.report.plots.style import BLUE, CURVES, GREY, STYLE, VERMILION, Plot, short

SMOOTH = 50
"""Windows that a noisy loss is averaged over, at most: one is a fiftieth of the training."""
POINTS = 2000
"""More are not seen."""


@matplotlib.rc_context(STYLE)
def training_curves(
    steps: Sequence[int],
    losses: Sequence[float],
    rates: Sequence[float],
    validation: Sequence[tuple[int, float]],
    best: int,
) -> Plot:
    """The loss of every step with its running mean, that of validation at (step, loss), and the learning rate.

    best: the step whose weights were kept.
    """
    plot = Plot(8, 5)
    above, below = plot.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    thin = slice(None, None, max(1, len(steps) // POINTS))
    above.plot(steps[thin], losses[thin], color=BLUE, alpha=0.25, linewidth=0.8)
    above.plot(steps[thin], running_mean(losses)[thin], color=BLUE, label="training")
    if validation:
        above.plot(
            *zip(*validation, strict=True), color=VERMILION, marker="o", markersize=4, label="validation"
        )
    above.axvline(best, color=GREY, linestyle=":", label=f"weights kept (step {best:,})")
    finite = [one for one in losses if np.isfinite(one)]
    above.set_ylim(bottom=min(0, *finite) if finite else 0)
    above.set_ylabel("loss")
    above.legend()
    below.plot(steps[thin], rates[thin], color=BLUE)
    below.set_ylabel("learning rate")
    below.set_xlabel("optimizer step")
    below.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2), useMathText=False)
    return plot


def running_mean(values: Sequence[float]) -> Any:
    """The mean of the last few values at each."""
    known = np.nan_to_num(np.asarray(values, dtype=np.float64))
    width = max(1, len(known) // SMOOTH)
    sums = np.concatenate([[0.0], known.cumsum()])
    ends = np.arange(1, len(known) + 1)
    starts = np.maximum(0, ends - width)
    return (sums[ends] - sums[starts]) / (ends - starts)


@matplotlib.rc_context(STYLE)
def metric_curves(steps: Sequence[int], metrics: Mapping[str, Sequence[float]], best: int) -> Plot:
    """Metrics of validation at every evaluation, a panel each: they have scales of their own."""
    columns = min(3, len(metrics))
    rows = -(-len(metrics) // columns)
    plot = Plot(max(4.5, 3.2 * columns), 2.6 * rows)
    panels = np.ravel(plot.subplots(rows, columns, squeeze=False))
    for panel, (name, values), colour in zip(panels, metrics.items(), CURVES * len(metrics), strict=False):
        panel.plot(steps, values, color=colour, marker="o", markersize=4)
        panel.axvline(best, color=GREY, linestyle=":")
        panel.set_title(short(name))
        panel.set_xlabel("optimizer step")
    for panel in panels[len(metrics) :]:
        panel.remove()
    return plot
