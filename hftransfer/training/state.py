"""What a training must keep to go on: the tensors that move, and the optimizer's."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

SEPARATOR = "|"
"""Between a parameter's name and the optimizer's own name for a tensor of it; no parameter name has it."""


def take_tensors(model: nn.Module, names: Collection[str]) -> dict[str, Tensor]:
    """Name -> tensor, for the names (of `model.state_dict()`) that training can change. A copy."""
    held = model.state_dict()
    return {name: held[name].detach().clone().contiguous() for name in sorted(names)}


def put_tensors(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """The reverse of `take_tensors`. Raises KeyError for a name that the model does not have."""
    unknown = model.load_state_dict(dict(tensors), strict=False).unexpected_keys
    if unknown:
        raise KeyError(f"the model has no {unknown[0]}")


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's tensors, named after the parameters of `model` they belong to."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    return {
        f"{names[parameter]}{SEPARATOR}{key}": torch.as_tensor(value).contiguous()
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
        if value is not None
    }


def load_optimizer_tensors(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """The reverse of `optimizer_tensors`."""
    parameters = dict(model.named_parameters())
    for key, tensor in tensors.items():
        name, _, slot = key.rpartition(SEPARATOR)
        parameter = parameters[name]
        # As the optimizer had it: laid out in memory as its parameter is, step counts on the parameter's device.
        like = (
            torch.empty_like(parameter)
            if tensor.shape == parameter.shape
            else torch.empty_like(tensor, device=parameter.device)
        )
        optimizer.state[parameter][slot] = like.copy_(tensor)
