"""What a model is made of: backbone and head, read off its structure and never off lists of names.

The backbone is what transformers calls `base_model` (the attribute named by `base_model_prefix`); the head is
everything outside it. `model` may be wrapped (PEFT, DistributedDataParallel): names are those in what is
given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


def pretrained(model: nn.Module) -> tuple[str, PreTrainedModel]:
    """The transformers model inside `model`, and its name there (empty when it is `model` itself).

    Raises TypeError where there is none.
    """
    from transformers import PreTrainedModel

    for name, module in model.named_modules():
        if isinstance(module, PreTrainedModel):
            return name, module
    raise TypeError(f"{type(model).__name__} holds no transformers model")


def is_head(model: nn.Module) -> bool:
    """Whether it is a head alone, with no transformers model in it."""
    from transformers import PreTrainedModel

    return not any(isinstance(module, PreTrainedModel) for module in model.modules())


def backbone(model: nn.Module) -> nn.Module:
    """The pretrained body; the whole model where it has no head."""
    body: nn.Module = pretrained(model)[1].base_model
    return body


def head_parameters(model: nn.Module) -> list[str]:
    """Names of the parameters outside the backbone. (One that is tied to the backbone belongs to it.)"""
    body = {id(parameter) for parameter in backbone(model).parameters()}
    return [name for name, parameter in model.named_parameters() if id(parameter) not in body]


def head_modules(model: nn.Module) -> list[str]:
    """Names of the topmost modules outside the backbone that hold parameters, none of them the backbone's.

    (A decoder that shares the embedding's weights is thus left out, its untied siblings are not.)
    """
    prefix, inner = pretrained(model)
    body = {id(parameter) for parameter in inner.base_model.parameters()}
    return list(_untied(inner, prefix, body))


def _untied(module: nn.Module, name: str, body: set[int]) -> Iterator[str]:
    for child_name, child in module.named_children():
        parameters = {id(parameter) for parameter in child.parameters()}
        path = join(name, child_name)
        if parameters and parameters.isdisjoint(body):
            yield path
        elif not parameters <= body:
            yield from _untied(child, path, body)


def is_tied(model: nn.Module, module: str) -> bool:
    """Whether a parameter of the module of that name is used outside it as well."""
    inside = {id(parameter) for parameter in model.get_submodule(module).parameters()}
    everywhere = model.named_parameters(remove_duplicate=False)
    return any(id(parameter) in inside and not within(name, {module}) for name, parameter in everywhere)


def linear_maps(model: nn.Module) -> dict[str, nn.Module]:
    """Name -> module, for every linear layer and convolution of the backbone."""
    from torch import nn

    body = {id(module) for module in backbone(model).modules()}
    kinds = (nn.Linear, nn.Conv2d)
    return {name: m for name, m in model.named_modules() if id(m) in body and isinstance(m, kinds)}


def in_blocks(model: nn.Module) -> set[str]:
    """Names of the modules inside the backbone's repeated blocks (in a ModuleList or Sequential)."""
    from torch import nn

    body = {id(module) for module in backbone(model).modules()}
    lists = {
        name
        for name, module in model.named_modules()
        if id(module) in body and isinstance(module, nn.ModuleList | nn.Sequential)
    }
    return {name for name, _ in model.named_modules() if within(name, lists)}


def blocks(model: nn.Module) -> list[str]:
    """Names of the backbone's repeated blocks (transformer layers, residual blocks), from its input to its output.

    They are the elements of its outermost lists of modules of one kind, and where these are stages, the elements of
    theirs. Lists count in the order in which the model holds them: an encoder before its decoder.
    """
    prefix, inner = pretrained(model)
    body = next(name for name, module in inner.named_modules() if module is inner.base_model)
    return list(_blocks(inner.base_model, join(prefix, body)))


def _blocks(module: nn.Module, name: str) -> Iterator[str]:
    for child_name, child in module.named_children():
        path = join(name, child_name)
        if not _repeats(child):
            yield from _blocks(child, path)
            continue
        for number, block in child.named_children():
            inside = [("", block), *block.named_children()]
            stage = [
                join(path, number, key, n)
                for key, one in inside
                if _repeats(one)
                for n, _ in one.named_children()
            ]
            yield from stage or [join(path, number)]


def _repeats(module: nn.Module) -> bool:
    """Whether it is a list of modules of one kind, which have parts of their own."""
    from torch import nn

    if not isinstance(module, nn.ModuleList | nn.Sequential):
        return False
    return len({type(one) for one in module}) == 1 and all(list(one.children()) for one in module)


def depths(model: nn.Module) -> dict[str, int]:
    """Parameter name -> how deep it lies: in the n-th of N blocks n, below them 0, above them and in the head N + 1.

    Embedding tables lie at 0 wherever the model holds them (DeBERTa's and MPNet's relative positions are read by every
    block); what stands between two blocks lies with the lower one. For all else beside the blocks the order counts in
    which the model holds it, which is mostly, and not always, that in which it is used (wav2vec2's last norm).
    """
    from torch import nn

    order = {name: number for number, name in enumerate(blocks(model), 1)}
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    top = len(order) + 1
    outside = set(head_parameters(model))
    found: dict[str, int] = {}
    seen = 0
    for name, parameter in model.named_parameters():
        parts = name.split(".")
        inside = next((n for end in range(len(parts)) if (n := order.get(".".join(parts[:end])))), None)
        if inside is not None:
            seen = inside
            found[name] = inside
        elif name in outside:
            found[name] = top
        elif id(parameter) in tables:
            found[name] = 0
        else:
            found[name] = top if seen == len(order) and seen else seen
    return found


def initialize(model: nn.Module, parameters: Collection[str]) -> None:
    """Draw these parameters anew as the architecture draws fresh ones, in place; every other keeps its bytes.

    parameters: names, of whole modules.
    """
    _, inner = pretrained(model)
    chosen = {id(model.get_parameter(name)) for name in parameters}
    for module in inner.modules():
        own = list(module.parameters(recurse=False))
        if own and all(id(one) in chosen for one in own):
            for one in own:
                one._is_hf_initialized = False  # transformers would leave loaded weights alone
            inner._init_weights(module)


def batch_norms(model: nn.Module) -> list[nn.Module]:
    """The BatchNorm layers of the backbone (with or without synchronisation, of any dimension)."""
    from torch.nn.modules.batchnorm import _BatchNorm

    return [module for module in backbone(model).modules() if isinstance(module, _BatchNorm)]


def dropouts(model: nn.Module) -> list[nn.Module]:
    """The dropout layers, of any dimension."""
    from torch.nn.modules.dropout import _DropoutNd

    return [module for module in model.modules() if isinstance(module, _DropoutNd)]


def join(*names: str) -> str:
    """Dotted name of its parts, empty ones left out."""
    return ".".join(name for name in names if name)


def within(name: str, ancestors: Collection[str]) -> bool:
    """Whether one of `ancestors` is a true ancestor of the module or parameter `name`."""
    parts = name.split(".")
    return any(".".join(parts[:end]) in ancestors for end in range(1, len(parts)))
