"""The page's calibration error is the metric's, though its rows come a few at a time."""

from __future__ import annotations

import numpy as np
import pytest

from hftransfer.metrics.calibration import ece
from hftransfer.report.reliability import Reliability


def test_in_pieces_it_is_what_the_metric_says_of_all_rows() -> None:
    random = np.random.default_rng(0)
    scores = random.dirichlet(np.ones(4), 500)
    labels = random.integers(0, 4, 500)
    sure, right = scores.max(axis=1), scores.argmax(axis=1) == labels
    reliability = Reliability()
    for start in range(0, 500, 70):
        reliability.add(sure[start : start + 70], right[start : start + 70])
    assert reliability.total == 500
    assert reliability.error == pytest.approx(ece(labels, scores), abs=1e-12)
    # The control: of other rows it is another.
    assert abs(reliability.error - ece(np.roll(labels, 1), scores)) > 1e-3
