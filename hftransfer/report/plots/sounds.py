"""Sounds, as they are seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from numpy.typing import NDArray

from hftransfer.report.plots.style import STYLE, WRONG, Plot, short

COLUMNS = 4
WINDOW = 0.025
"""Seconds that a column of a spectrogram looks at."""
DEPTH = 80.0
"""Decibels below the loudest that are told apart."""
FRAMES, BANDS = 120, 64
"""Columns and rows of a thumbnail: no more are seen, and a page of them would be large."""
TOP = 8000.0
"""Hertz that are drawn: speech has little above."""


@dataclass(frozen=True)
class Spectrogram:
    """decibels: (F, T) of power, from -`DEPTH` to 0, the loudest; the lowest frequency first."""

    decibels: NDArray[np.float32]
    seconds: float
    hertz: float


def spectrogram(samples: NDArray[np.float32], rate: int) -> Spectrogram:
    """Of a clip, (N,): the power of windows of 25 ms (Hann), evenly over it and half overlapping, or farther apart."""
    size = max(16, int(rate * WINDOW))
    padded = np.pad(samples, (0, max(0, size - len(samples))))
    starts = np.linspace(0, len(padded) - size, min(FRAMES, max(1, 2 * len(padded) // size))).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[starts] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames, axis=1).T) ** 2
    power = power[: int(min(TOP, rate / 2) / rate * size) + 1]
    bands = np.unique(np.linspace(0, len(power), min(BANDS, len(power)) + 1).astype(int)[:-1])
    power = np.add.reduceat(power, bands) / np.diff([*bands, len(power)])[:, None]
    top = max(float(power.max()), 1e-20)
    decibels = 10 * np.log10(np.maximum(power / top, 10 ** (-DEPTH / 10)))
    return Spectrogram(decibels.astype(np.float32), len(samples) / rate, min(TOP, rate / 2))


@matplotlib.rc_context(STYLE)
def sounds(clips: Sequence[Spectrogram], given: Sequence[str], said: Sequence[str]) -> Plot:
    """Spectrograms in rows of four, each over the label it was given and, in colour, what was said."""
    rows = -(-len(clips) // COLUMNS)
    plot = Plot(2.6 * COLUMNS, 1.8 * rows)
    panels = np.ravel(plot.subplots(rows, COLUMNS, squeeze=False))
    for panel, clip, label, prediction in zip(panels, clips, given, said, strict=False):
        panel.imshow(
            clip.decibels,
            origin="lower",
            aspect="auto",
            cmap="magma",
            extent=(0, clip.seconds, 0, clip.hertz / 1000),
            vmin=-DEPTH,
            vmax=0,
            interpolation="nearest",
        )
        panel.set_title(short(label, 30), fontsize=8)
        panel.set_xlabel(short(prediction, 30), fontsize=8, color=WRONG)
        panel.tick_params(labelsize=6, length=2, pad=1)
        panel.grid(visible=False)
    for panel in panels[len(clips) :]:
        panel.remove()
    return plot
