"""Figures of what a run did, by matplotlib, which comes with the extra `report`: pure functions of arrays.

Colours are those of Okabe and Ito (2008), which the colour-blind tell apart, and maps that go from light to dark.
"""

try:
    import matplotlib as _matplotlib  # noqa: F401
except ModuleNotFoundError:
    from hftransfer.errors import InputError

    raise InputError(
        "plots are drawn by matplotlib, which is not installed", hint='pip install "hftransfer[report]"'
    ) from None

from hftransfer.report.plots.bars import counts, kinds, lengths, scores, shares, spread
from hftransfer.report.plots.calibration import histogram, reliability
from hftransfer.report.plots.confusion import confusion
from hftransfer.report.plots.images import masks, sheet
from hftransfer.report.plots.makeup import balance, tokens
from hftransfer.report.plots.numbers import against, residuals
from hftransfer.report.plots.sounds import Spectrogram, sounds, spectrogram
from hftransfer.report.plots.style import Plot
from hftransfer.report.plots.training import metric_curves, training_curves

__all__ = [
    "Plot",
    "Spectrogram",
    "against",
    "balance",
    "confusion",
    "counts",
    "histogram",
    "kinds",
    "lengths",
    "masks",
    "metric_curves",
    "reliability",
    "residuals",
    "scores",
    "shares",
    "sheet",
    "sounds",
    "spectrogram",
    "spread",
    "tokens",
    "training_curves",
]
