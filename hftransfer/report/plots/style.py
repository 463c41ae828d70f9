"""How every figure looks."""

from __future__ import annotations

import io
import warnings
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hftransfer.report.markdown import visible

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
RIGHT, WRONG, CURVES = BLUE, VERMILION, (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
GREY = "#767676"

STYLE: Any = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "text.parse_math": False,  # a `$` in a label is a dollar
    "text.usetex": False,
    "savefig.dpi": 150,
}
LONGEST = 40
"""Characters of a label that a figure has room for."""


class Plot(Figure):
    """A figure that looks the same whatever the user's settings are, and shows itself in a notebook."""

    def __init__(self, width: float, height: float) -> None:
        with matplotlib.rc_context(STYLE):
            super().__init__(figsize=(width, height))
            FigureCanvasAgg(self)

    def draw(self, renderer: Any) -> None:
        """See `Figure.draw`."""
        with matplotlib.rc_context(STYLE), warnings.catch_warnings():
            # A letter that the font lacks is a box; the tables of the report have it.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            warnings.filterwarnings("ignore", message=".* does not support .* natively")
            super().draw(renderer)

    def png(self, dpi: float = 150) -> bytes:
        """As a PNG file. dpi: pixels an inch."""
        file = io.BytesIO()
        # No version and no date in it: the same figure is the same bytes.
        self.savefig(file, format="png", dpi=dpi, metadata={"Software": None})
        return file.getvalue()

    def _repr_png_(self) -> bytes:
        return self.png(100)


def short(label: str, most: int = LONGEST) -> str:
    """A label in one line, cut where there is no room for all of it."""
    text = visible(" ".join(str(label).split()))
    return text if len(text) <= most else text[: most - 1] + "…"
