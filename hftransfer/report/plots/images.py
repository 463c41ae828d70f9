"""Contact sheets, of images and of images with masks over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from hftransfer.report.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    STYLE,
    VERMILION,
    WRONG,
    YELLOW,
    Plot,
    short,
)

COLUMNS = 6
CLASSES = (ORANGE, BLUE, GREEN, PURPLE, SKY, VERMILION, YELLOW)
"""Of more classes the rest are grey: the colour-blind tell no more apart."""
OPAQUE = 0.55
"""How much of a class's colour lies over an image."""


@matplotlib.rc_context(STYLE)
def sheet(images: Sequence[Any], given: Sequence[str], said: Sequence[str]) -> Plot:
    """Images (PIL) in rows of six, each over the label it was given and, in colour, what was said."""
    rows = -(-len(images) // COLUMNS)
    plot = Plot(1.7 * COLUMNS, 2.1 * rows)
    panels = np.ravel(plot.subplots(rows, COLUMNS, squeeze=False))
    for panel, image, label, prediction in zip(panels, images, given, said, strict=False):
        _shown(panel, np.asarray(image))
        panel.set_title(short(label, 22), fontsize=8)
        panel.set_xlabel(short(prediction, 22), fontsize=8, color=WRONG)
    for panel in panels[len(images) :]:
        panel.remove()
    return plot


@matplotlib.rc_context(STYLE)
def masks(
    images: Sequence[Any],
    true: Sequence[NDArray[Any]],
    said: Sequence[NDArray[Any]],
    labels: Sequence[str],
    told: Sequence[str],
) -> Plot:
    """Two images (PIL) a row, each as it is, under its classes and under those that were said: (H, W), negative where
    there is none. The commonest class has no colour, so that the image is seen. told: below each."""
    from matplotlib.patches import Patch

    colours = _colours(true, said, labels)
    rows = -(-len(images) // 2)
    plot = Plot(10.2, 1.95 * rows + 0.6)
    panels = plot.subplots(rows, 6, squeeze=False).reshape(-1, 3)
    for number, (trio, image, one, other) in enumerate(zip(panels, images, true, said, strict=False)):
        pixels = np.asarray(image)
        for panel, mask in zip(trio, (None, one, other), strict=True):
            _shown(panel, pixels if mask is None else _under(pixels, mask, colours))
        trio[0].set_xlabel(told[number], fontsize=8)
        for panel, title in zip(trio, ("image", "given", "said"), strict=True):
            panel.set_title(title, fontsize=8, color=WRONG if title == "said" else "black")
    for panel in panels[len(images) :].ravel():
        panel.remove()
    plain = next(index for index in colours if colours[index] is None)
    named = [Patch(facecolor="none", edgecolor=GREY, label=f"{short(labels[plain], 30)} (no colour)")]
    named += [
        Patch(color=colour, label=short(labels[index], 30))
        for index, colour in colours.items()
        if index >= 0 and colour not in (None, GREY)
    ]
    if GREY in colours.values():
        named.append(Patch(color=GREY, label="any other"))
    if any((mask < 0).any() for mask in true):
        named.append(Patch(color=BLACK, label="has no class, does not count"))
    plot.legend(handles=named, loc="outside upper left", ncols=min(5, len(named)), fontsize=8)
    return plot


def _colours(
    true: Sequence[NDArray[Any]], said: Sequence[NDArray[Any]], labels: Sequence[str]
) -> dict[int, str | None]:
    """Class -> its colour, of those that are there or said, by how many pixels they have; -1 for what has none."""
    total = np.zeros(len(labels), np.int64)
    for mask in (*true, *said):
        total += np.bincount(mask[mask >= 0], minlength=len(labels))
    order = [index for index in np.argsort(-total, kind="stable").tolist() if total[index] or not total.any()]
    palette = [None, *CLASSES, *[GREY] * len(labels)]
    return {**dict(zip(order, palette, strict=False)), -1: BLACK}


def _under(pixels: NDArray[Any], mask: NDArray[Any], colours: dict[int, str | None]) -> NDArray[np.uint8]:
    """(H, W, 3): an image under the colours of its classes."""
    from matplotlib.colors import to_rgb

    mixed = pixels.astype(np.float64)
    for index, colour in colours.items():
        if colour is not None:
            these = mask == index if index >= 0 else mask < 0
            mixed[these] = (1 - OPAQUE) * mixed[these] + OPAQUE * 255 * np.array(to_rgb(colour))
    return mixed.round().astype(np.uint8)


def _shown(panel: Any, pixels: NDArray[Any]) -> None:
    panel.imshow(pixels)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.grid(visible=False)
