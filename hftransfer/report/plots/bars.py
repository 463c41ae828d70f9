"""Counts and lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from hftransfer.report.plots.style import BLUE, CURVES, STYLE, VERMILION, Plot, short

NAMED = 40
"""So many bars have room for a name each."""


@matplotlib.rc_context(STYLE)
def counts(values: Sequence[int], labels: Sequence[str], unit: str = "rows") -> Plot:
    """A bar a label, the longest first. Of many labels the curve alone, with the first and the last named."""
    order = sorted(range(len(labels)), key=lambda index: -values[index])
    heights = [values[index] for index in order]
    if len(labels) > NAMED:
        plot = Plot(8, 3.2)
        axes: Any = plot.subplots()
        axes.bar(range(len(heights)), heights, width=1, color=BLUE, edgecolor="white", linewidth=0.3)
        axes.set_xlabel(
            f"{len(labels)} labels, from {short(labels[order[0]], 30)} to {short(labels[order[-1]], 30)}"
        )
        axes.set_ylabel(unit)
        axes.set_xlim(-1, len(heights))
        axes.set_xticks([])
        return plot
    plot = Plot(7, 1.2 + 0.24 * len(labels))
    axes = plot.subplots()
    bars = axes.barh([short(f"{labels[index]}") for index in order], heights, color=BLUE)
    axes.bar_label(bars, [f"{one:,}" for one in heights], padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.grid(visible=False, axis="y")
    return plot


@matplotlib.rc_context(STYLE)
def scores(values: Sequence[float], labels: Sequence[str], unit: str) -> Plot:
    """A bar a label, from 0 to 1, the weakest first; of many labels the weakest."""
    order = sorted(range(len(labels)), key=lambda index: values[index])[:NAMED]
    plot = Plot(7, 1.2 + 0.24 * len(order))
    axes: Any = plot.subplots()
    heights = [values[index] for index in order]
    bars = axes.barh([*map(str, range(len(order)))], heights, color=BLUE)
    axes.bar_label(bars, [f"{one:.3f}" for one in heights], padding=3, fontsize=8)
    axes.set_yticks(range(len(order)), [short(labels[index]) for index in order])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.08)
    axes.set_xlabel(
        unit + (f" (the weakest {len(order)} of {len(labels)})" if len(order) < len(labels) else "")
    )
    axes.grid(visible=False, axis="y")
    return plot


@matplotlib.rc_context(STYLE)
def shares(names: Sequence[str], many: Sequence[int], share: Sequence[float], unit: str, told: str) -> Plot:
    """A share with its 95 % interval for each of some kinds. many: what each is a share of."""
    plot = Plot(7, 3.4)
    axes: Any = plot.subplots()
    low, high = wilson(np.array(share), np.array(many))
    axes.vlines(range(len(names)), low, high, color=VERMILION, linewidth=1.5)
    axes.plot(range(len(names)), share, "o-", color=VERMILION, markersize=4)
    axes.set_xticks(range(len(names)), [f"{name}\n({one:,})" for name, one in zip(names, many, strict=True)])
    axes.tick_params(axis="x", labelsize=8)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(unit)
    axes.set_ylabel(told)
    axes.yaxis.set_major_formatter("{x:.0%}")
    return plot


@matplotlib.rc_context(STYLE)
def spread(values: NDArray[np.float64], unit: str, what: str) -> Plot:
    """How often each of some numbers from 0 to 1. what: what has them."""
    plot = Plot(7, 3.2)
    axes: Any = plot.subplots()
    axes.hist(values, bins=40, range=(0, 1), color=BLUE, edgecolor="white", linewidth=0.3)
    axes.set_xlim(0, 1)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel(unit)
    axes.set_ylabel(what)
    return plot


@matplotlib.rc_context(STYLE)
def kinds(by_type: Mapping[str, Mapping[str, int]], unit: str) -> Plot:
    """Stacked bars: of every type (a row) how many of each kind (a colour)."""
    names = list(by_type)
    every = list(dict.fromkeys(kind for of in by_type.values() for kind in of))
    plot = Plot(8, 1.6 + 0.4 * len(names))
    axes: Any = plot.subplots()
    start = np.zeros(len(names))
    for kind, colour in zip(every, CURVES, strict=False):
        widths = np.array([by_type[name].get(kind, 0) for name in names], dtype=float)
        axes.barh(range(len(names)), widths, left=start, color=colour, label=kind, edgecolor="white")
        start += widths
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.grid(visible=False, axis="y")
    axes.legend(ncols=min(4, len(every)), loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
    return plot


@matplotlib.rc_context(STYLE)
def lengths(
    words: Mapping[str, NDArray[Any]],
    wrong: NDArray[Any] | None = None,
    told: str = "share that is wrong",
) -> Plot:
    """Histograms of lengths in words, by what they are of; with `wrong` (N,), its share by length beside it.

    wrong: whether each is, or how much of each.
    """
    beside = wrong is not None and len(wrong) >= 50
    plot = Plot(9 if beside else 7, 3.4)
    panels = np.ravel(plot.subplots(1, 2 if beside else 1, squeeze=False))
    every = np.concatenate([*words.values()])
    top = max(2, int(np.quantile(every, 0.995)) + 1) if len(every) else 2
    edges = np.unique(np.linspace(0, top, min(top, 40) + 1).astype(int))
    for (name, values), colour in zip(words.items(), CURVES, strict=False):
        found = np.histogram(np.minimum(values, top), edges)[0]
        panels[0].stairs(found, edges, fill=len(words) == 1, color=colour, label=name, linewidth=1.5)
    panels[0].set_xlabel(
        "words" + (f" ({top} and more in the last bar)" if every.max(initial=0) > top else "")
    )
    panels[0].set_ylabel("rows")
    for axis in (panels[0].xaxis, panels[0].yaxis):
        axis.get_major_locator().set_params(integer=True)
    if len(words) > 1:
        panels[0].legend()
    if beside and wrong is not None:
        _share_by_length(panels[1], next(iter(words.values())), wrong, told)
    return plot


def _share_by_length(axes: Any, words: NDArray[Any], wrong: NDArray[Any], told: str) -> None:
    """The share of wrong rows among the shortest tenth, the next, ..., with its interval."""
    edges = np.unique(np.quantile(words, np.linspace(0, 1, min(10, len(words) // 25) + 1)))
    if len(edges) < 2:
        edges = np.array([edges[0], edges[0] + 1])
    places = np.clip(np.searchsorted(edges, words, side="right") - 1, 0, len(edges) - 2)
    many = np.bincount(places, minlength=len(edges) - 1)
    bad = np.bincount(places, weights=wrong, minlength=len(edges) - 1)
    some = many > 0
    middle = np.bincount(places, weights=words, minlength=len(edges) - 1)[some] / many[some]
    many, bad = many[some], bad[some]
    axes.vlines(middle, *wilson(bad / many, many), color=VERMILION, linewidth=1.5)
    axes.plot(middle, bad / many, "o-", color=VERMILION, markersize=4)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("words (a tenth of the rows at each point)")
    axes.set_ylabel(told)
    axes.yaxis.set_major_formatter("{x:.0%}")


def wilson(share: NDArray[Any], many: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 95 % interval of shares of so many (Wilson 1927): (low, high)."""
    z = 1.96
    centre = (share + z**2 / (2 * many)) / (1 + z**2 / many)
    half = z * np.sqrt(share * (1 - share) / many + z**2 / (4 * many**2)) / (1 + z**2 / many)
    return centre - half, centre + half
