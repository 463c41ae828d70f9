"""The layer that gives a model's outputs, and what the training rows tell it before and after training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn


def last_layer(model: nn.Module, outputs: int) -> Any:
    """The trained linear layer with a bias that gives the model's outputs; None where it ends in something else."""
    from torch import nn

    linear = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear) and module.out_features == outputs and module.weight.requires_grad
    ]
    return linear[-1] if linear and linear[-1].bias is not None else None


def start_at_log_odds(layer: Any, there: NDArray[np.int64], rows: int) -> None:
    """Let the layer's biases be the log-odds of labels that (C,) of so many rows have.

    From zero they would take thousands of steps down to there, and until then the features below are bent to do it,
    which costs them what they say. (RetinaNet starts from a prior for the same reason: Lin et al. 2017,
    arXiv:1708.02002, 4.1.) Half a row is added on either side: a label that is never there has no log-odds.
    """
    import numpy as np
    import torch

    odds = np.log((there + 0.5) / (rows - there + 0.5))
    with torch.no_grad():
        layer.bias.copy_(torch.as_tensor(odds))


def take_units(layer: Any, mean: Tensor, spread: Tensor) -> None:
    """Let a layer that was trained on standardised targets give them in their own units. mean, spread: (T,)."""
    import torch

    with torch.no_grad():
        mean, spread = mean.to(layer.weight), spread.to(layer.weight)
        layer.weight.mul_(spread[:, None])
        layer.bias.mul_(spread).add_(mean)
