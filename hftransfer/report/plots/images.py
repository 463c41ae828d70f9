"""A contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np

from hftransfer.report.plots.style import STYLE, WRONG, Plot, short

COLUMNS = 6


@matplotlib.rc_context(STYLE)
def sheet(images: Sequence[Any], given: Sequence[str], said: Sequence[str]) -> Plot:
    """Images (PIL) in rows of six, each over the label it was given and, in colour, what was said."""
    rows = -(-len(images) // COLUMNS)
    plot = Plot(1.7 * COLUMNS, 2.1 * rows)
    panels = np.ravel(plot.subplots(rows, COLUMNS, squeeze=False))
    for panel, image, label, prediction in zip(panels, images, given, said, strict=False):
        panel.imshow(np.asarray(image))
        panel.set_title(short(label, 22), fontsize=8)
        panel.set_xlabel(short(prediction, 22), fontsize=8, color=WRONG)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.grid(visible=False)
    for panel in panels[len(images) :]:
        panel.remove()
    return plot
