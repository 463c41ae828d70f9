"""Scores that are the chances they look like: a temperature from the validation rows, kept inside the saved weights.

A model whose logits z become z / T needs no setting to say so: its last linear layer, divided by T, gives just that, to
whoever loads it (`pipeline`, `AutoModel`, sentence_transformers, an export, an adapter with its head). Only where
there is no such layer is T kept with the task's settings, and applied where predictions are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hftransfer.job import Job
from hftransfer.metrics.calibration import brier, ece, nll
from hftransfer.other_head import probe_rows
from hftransfer.tasks.predictions import Predictions
from hftransfer.tasks.temperature import (
    TEMPERATURE,
    Temperature,
    as_before,
    at_temperature,
    without_temperature,
)

MEASURES = {"ece": ece, "nll": nll, "brier": brier}
NOT_FOLDED = (
    "the temperature {:.3g} is not in the saved weights, since no one layer gives the logits: `predict` and `evaluate` "
    "divide by it, and whoever loads the model in another way gets scores that are not calibrated"
)
EQUAL = 1e-5
"""How near to one another logits are that are the same, relative to the largest (to 1 where that is smaller)."""


def find_temperature(job: Job, outputs: Sequence[NDArray[Any]]) -> Temperature | None:
    """The temperature for what the trained model says of the validation rows, remembered for decoding; None where the
    task's scores are no chances, or it is to leave them alone."""
    found = job.task.calibrate(outputs, job.encoded("validation"), job.rows("validation"), job.pretrained)
    if found is not None and found.value != 1:
        job.pretrained.remember(at_temperature(job.pretrained.settings, found.value))
    return found


def facts(job: Job, temperature: Temperature | None, said: Mapping[str, Predictions]) -> dict[str, Any]:
    """What a temperature did to the scores of every split: `Result.calibration`, without `folded`."""
    if temperature is None:
        return {}
    told: dict[str, Any] = {"temperature": temperature.value, "why": temperature.why}
    for name in MEASURES:
        told[name] = {}
    for split, predictions in said.items():
        references = job.task.references(job.rows(split), job.splits.labels)
        before = as_before(predictions.scores, temperature.value, several=references.ndim == 2)
        for name, measure in MEASURES.items():
            values = {"before": measure(references, before), "after": measure(references, predictions.scores)}
            told[name][split] = values
    return told


def fold_temperature(job: Job) -> bool:
    """Move the temperature from the task's settings into the model's last layer, in place, where one gives the logits.

    Whether the model's own scores are calibrated now: also where there is nothing to move.
    """
    settings = job.pretrained.settings
    if TEMPERATURE not in settings:
        return True
    batch = probe_rows(job)
    layer = logits_layer(job.model.eval(), len(job.splits.labels), lambda: _logits(job, batch))
    if layer is None:
        return False
    _scale(layer, 1 / settings[TEMPERATURE])
    job.pretrained.remember(without_temperature(settings))
    return True


def logits_layer(model: nn.Module, outputs: int, ask: Callable[[], Tensor]) -> nn.Module | None:
    """The trained module whose parameters, divided by a number, divide the logits by it; None where there is none.

    outputs: logits of a row. ask: gives the model's logits of some rows. All that may be it is tried, the last first,
    by halving: that is exact in floating point, so that nothing else can look like it. The model is left as it was.
    """
    whole = ask()
    close = EQUAL * float(whole.detach().abs().max().clamp(min=1.0))
    for module in reversed([*model.modules()]):
        own = [*module.parameters(recurse=False)]
        if not own or not all(one.requires_grad and one.ndim and one.shape[0] == outputs for one in own):
            continue
        before = [one.detach().clone() for one in own]
        _scale(module, 0.5)
        halved = ask()
        with torch.no_grad():
            for parameter, value in zip(own, before, strict=True):
                parameter.copy_(value)
        if torch.allclose(2 * halved, whole, rtol=0, atol=close):
            return module
    return None


def _logits(job: Job, batch: dict[str, Tensor]) -> Tensor:
    with torch.inference_mode():
        logits: Tensor = job.task.run(job.module.eval(), batch, job.pretrained).logits
    return logits.float()


def _scale(module: nn.Module, factor: float) -> None:
    with torch.no_grad():
        for parameter in module.parameters(recurse=False):
            parameter.mul_(factor)
