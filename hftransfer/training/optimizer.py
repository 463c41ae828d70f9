"""Which parameter gets which learning rate and weight decay, and how the rate moves over the steps."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from hftransfer.recipe import SGD, Adam, AdamW, RMSprop, TrainingSection


def parameter_groups(
    model: nn.Module, rates: Mapping[str, float], weight_decay: float
) -> list[dict[str, Any]]:
    """Groups for a torch optimizer: one for every (multiplier, decay) among the parameters that require gradients.

    rates: regular expression over parameter names -> multiplier; the first that matches counts.
    Biases and norms (tensors of one dimension) are not decayed, as in BERT's own training (Devlin et al. 2019).
    `multiplier` stays in the group, for `set_rate`.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            multiplier = next(value for pattern, value in rates.items() if re.search(pattern, name))
            groups[multiplier, weight_decay if parameter.ndim > 1 else 0.0].append(parameter)
    return [
        {"params": parameters, "multiplier": multiplier, "weight_decay": decay}
        for (multiplier, decay), parameters in groups.items()
    ]


def make_optimizer(
    model: nn.Module, rates: Mapping[str, float], training: TrainingSection
) -> torch.optim.Optimizer:
    """The optimizer that the recipe names; rates and weight decay as `parameter_groups` says."""
    return optimizer_of(parameter_groups(model, rates, training.optimizer.weight_decay), training)


def optimizer_of(groups: list[dict[str, Any]], training: TrainingSection) -> torch.optim.Optimizer:
    """The optimizer that the recipe names, of such groups; fused kernels where torch has them."""
    choice = training.optimizer
    rate = training.learning_rate or 0.0
    match choice:
        case AdamW():
            return torch.optim.AdamW(groups, lr=rate, betas=choice.betas, eps=choice.epsilon, fused=True)
        case Adam():
            return torch.optim.Adam(groups, lr=rate, betas=choice.betas, eps=choice.epsilon, fused=True)
        case SGD():
            return torch.optim.SGD(
                groups, lr=rate, momentum=choice.momentum, nesterov=choice.nesterov, fused=True
            )
        case RMSprop():
            return torch.optim.RMSprop(
                groups, lr=rate, momentum=choice.momentum, alpha=choice.alpha, eps=choice.epsilon
            )


def without_wrapper(optimizer: Any, compute: Accelerator) -> torch.optim.Optimizer:
    """The optimizer itself, where Accelerate's wrapper does nothing at a step but look on disk for a package (0.3 ms).

    It does more with a gradient scaler, and where it does not run torch's own processes (DeepSpeed, XLA, ...).
    """
    plain = ("NO", "MULTI_CPU", "MULTI_GPU")
    if compute.distributed_type in plain and getattr(optimizer, "scaler", None) is None:
        optimizer = getattr(optimizer, "optimizer", optimizer)
    return optimizer  # type: ignore[no-any-return]


def warmup_steps(warmup: float, total: int) -> int:
    """Steps with a rising rate: a share of all steps (below 1) or a number of them."""
    return round(warmup * total) if warmup < 1 else int(warmup)


def rate_at(step: int, *, total: int, training: TrainingSection) -> float:
    """The learning rate of step `step` (from 0) of `total`, a pure function: there is no scheduler to save.

    Warm-up rises from 0 along a line to the peak at step `warmup`; then `linear` falls to 0 at `total`, `cosine`
    follows half a period (Loshchilov & Hutter 2017), `constant` stays. Equal to transformers' schedules of those names.
    """
    peak, warmup = training.learning_rate or 0.0, warmup_steps(training.warmup, total)
    if step < warmup:
        return peak * step / warmup
    done = (step - warmup) / max(1, total - warmup)
    match training.schedule:
        case "linear":
            return peak * (1 - done)
        case "cosine":
            return peak * 0.5 * (1 + math.cos(math.pi * done))
        case "constant":
            return peak


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its multiple of the rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["multiplier"]
