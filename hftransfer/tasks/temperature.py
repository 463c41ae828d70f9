"""Temperature scaling: one number T by which all logits are divided, so that scores are the shares that come true.

Guo et al. 2017, arXiv:1706.04599, section 4.2: T minimises the negative log-likelihood of the validation rows. Above 1
it takes back what a model is too sure of, below 1 it makes it surer. The likeliest class stays the likeliest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hftransfer.tasks.thresholds import sigmoid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TEMPERATURE, THRESHOLDS = "temperature", "thresholds"
"""Keys of a task's settings."""
LOWEST, HIGHEST = 0.01, 100.0
"""Between which T is looked for. Rows that are all right call for ever surer scores: there T would go on to 0."""
ERRORS = 1.96
"""Standard errors from 0 that the slope of the likelihood at T = 1 has to be, lest the rows be few, or even enough."""


@dataclass(frozen=True)
class Temperature:
    """value: what logits are divided by. why: where it was to stay 1, the reason, as the end of a sentence."""

    value: float
    why: str = ""


def fit(logits: NDArray[np.float64], references: NDArray[np.int64]) -> Temperature:
    """The temperature of the least negative log-likelihood of these rows; 1 where they do not say.

    logits: (N, C). references: (N,) classes, for a softmax; or (N, C) of 0 and 1, for a sigmoid of every label.

    It is 1 unless the slope of the likelihood there is beyond chance (a score test by rows, at 5 %), and there is a
    best temperature within the bounds.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    if references.ndim == 1:
        logits = logits - logits.max(axis=1, keepdims=True)  # a softmax knows no difference
    slopes = _slopes(logits, references)
    if not abs(slopes.sum()) > ERRORS * math.sqrt(np.square(slopes).sum()):
        return Temperature(1.0, f"{len(logits)} validation rows show no other to be better")
    bounds = (math.log(LOWEST), math.log(HIGHEST))
    found = minimize_scalar(
        lambda log: _likelihoods(logits / math.exp(log), references).mean(),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-6},
    )
    if min(abs(found.x - bound) for bound in bounds) < 0.01:
        least = found.x < 0
        told = "the surer the better, as where all are right" if least else "the less sure the better"
        return Temperature(1.0, f"for the {len(logits)} validation rows, {told}: no temperature is the best")
    return Temperature(math.exp(found.x))


def _likelihoods(logits: NDArray[np.float64], references: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,): the negative log-likelihood of every row. logits: for a softmax, at most 0, which one of each row is."""
    import numpy as np

    told: NDArray[np.float64]
    if references.ndim == 2:
        told = (np.logaddexp(0, logits) - references * logits).sum(axis=1)
    else:
        told = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), references]
    return told


def _slopes(logits: NDArray[np.float64], references: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,): their derivatives by log T, at T = 1."""
    import numpy as np

    slopes: NDArray[np.float64]
    if references.ndim == 2:
        slopes = ((references - sigmoid(logits)) * logits).sum(axis=1)
    else:
        chances = np.exp(logits)
        expected = (chances * logits).sum(axis=1) / chances.sum(axis=1)
        slopes = logits[np.arange(len(logits)), references] - expected
    return slopes


def at_temperature(settings: Mapping[str, Any], temperature: float) -> dict[str, Any]:
    """A task's settings with a temperature in them: thresholds lie where the same rows are above them."""
    import numpy as np
    from scipy.special import expit, logit

    changed = {**settings, TEMPERATURE: temperature}
    if THRESHOLDS in settings:
        changed[THRESHOLDS] = expit(logit(np.asarray(settings[THRESHOLDS])) / temperature).tolist()
    return changed


def without_temperature(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings for a model whose own logits are divided already, or whose scores are asked for as they are."""
    return {key: value for key, value in settings.items() if key != TEMPERATURE}


def as_before(scores: NDArray[np.float64], temperature: float, *, several: bool) -> NDArray[np.float64]:
    """The scores (N, C) that the logits had given undivided. several: labels a row, each by a sigmoid."""
    import numpy as np
    from scipy.special import expit, logit, softmax

    told = scores
    if temperature != 1 and several:
        told = expit(logit(scores) * temperature)
    elif temperature != 1:
        told = softmax(np.log(np.maximum(scores, np.finfo(np.float64).tiny)) * temperature, axis=1)
    return told
