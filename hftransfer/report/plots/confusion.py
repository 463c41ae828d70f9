"""The confusion matrix, of two classes or of a hundred and fifty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from hftransfer.report.plots.style import STYLE, Plot, short

FEW = 12
"""Up to so many classes keep their order; more are put in one where those that are confused are neighbours."""
WRITTEN = 20
"""Up to so many classes there is room for counts."""
CELL, FONT = 0.1, 6.5
"""The side of a cell, in inches, and the points of a name, of more classes than that: to be read at full size."""
MOST = 150
"""Of more classes, those with most mistakes are shown."""


def order(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The classes (C,) in an order in which those that are confused stand together.

    Average linkage on one minus the symmetrised share of confusion, leaves ordered as in Bar-Joseph et al. 2001.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(counts) <= FEW:
        return np.arange(len(counts))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # The root, as the colours have it: else one large confusion hides all small ones.
    apart = 1 - np.sqrt(np.clip((shares + shares.T) / 2, 0, 1))
    np.fill_diagonal(apart, 0)
    found: NDArray[np.int64] = leaves_list(
        linkage(squareform(apart, checks=False), "average", optimal_ordering=True)
    )
    return found.astype(np.int64)


def shown(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The classes there is room for, rising: all, or those with most mistakes."""
    if len(counts) <= MOST:
        return np.arange(len(counts))
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    return np.sort(np.argsort(-wrong, kind="stable")[:MOST])


@matplotlib.rc_context(STYLE)
def confusion(counts: NDArray[np.int64], labels: Sequence[str], unit: str = "rows") -> Plot:
    """counts: (C, C) of `unit` by given and predicted label. Coloured by the share of what has the given label."""
    from matplotlib.colors import PowerNorm

    kept = shown(counts)
    places = kept[order(counts[np.ix_(kept, kept)])]
    table = counts[np.ix_(places, places)]
    shares = table / np.maximum(counts.sum(axis=1)[places, None], 1)
    size = len(places)
    side = 3.2 + 0.42 * size if size <= WRITTEN else 2.3 + CELL * size
    plot = Plot(side + 1, side)
    axes: Any = plot.subplots()
    # The root of the share: a twentieth has to be seen beside the nine tenths of the diagonal.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    font = 9 if size <= WRITTEN else FONT
    named = [short(labels[place], 34 if size > WRITTEN else 40) for place in places]
    axes.set_xticks(range(size), named, rotation=90, fontsize=font)
    axes.set_yticks(range(size), named, fontsize=font)
    axes.grid(visible=False)
    axes.tick_params(length=0, pad=2)
    axes.set_xlabel("predicted")
    axes.set_ylabel("given")
    for place in range(size - 1) if size > WRITTEN else ():
        if place % 5 == 4:  # to follow a row to its label
            axes.axhline(place + 0.5, color="#cccccc", linewidth=0.4)
            axes.axvline(place + 0.5, color="#cccccc", linewidth=0.4)
    for row, column in np.ndindex(size, size) if size <= WRITTEN else ():
        if table[row, column]:
            colour = "white" if shares[row, column] > 0.4 else "black"
            text = f"{table[row, column]:,}" + (f"\n{shares[row, column]:.0%}" if size <= 8 else "")
            axes.text(
                column, row, text, ha="center", va="center", color=colour, fontsize=9 if size <= 12 else 7
            )
    bar = plot.colorbar(image, ax=axes, shrink=0.5, aspect=30, pad=0.01, format="{x:.0%}")
    bar.set_ticks([0, 0.05, 0.2, 0.5, 1])
    bar.set_label(f"share of the given label's {unit}")
    bar.outline.set_visible(False)
    return plot
