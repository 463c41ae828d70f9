"""Adapters by PEFT: small trained parts inside a frozen backbone, under a head that is trained whole."""

from __future__ import annotations

import copy
import json
from abc import abstractmethod
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from hftransfer.errors import HFTransferError, InputError, did_you_mean
from hftransfer.strategies import structure
from hftransfer.strategies.base import Strategy, check_blocks

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from torch import nn
    from transformers import PreTrainedModel

ADAPTER = "default"  # PEFT's name for the first adapter; it stands in parameter names


def _list_of_names(value: Any) -> Any:
    if isinstance(value, str) and value != "auto":
        raise ValueError("write `auto`, or a list of module names such as [query, value]")
    return value


class Adapter(Strategy):
    """Base of the strategies that PEFT does: the head and fresh weights are trained whole beside it."""

    targets: Annotated[
        Literal["auto"] | Annotated[tuple[str, ...], Field(min_length=1)], BeforeValidator(_list_of_names)
    ] = Field(
        "auto",
        description="linear layers and convolutions of the backbone to adapt, by the end of their names; "
        "auto: every linear layer in its repeated blocks, or every convolution there where there is none",
    )
    layers: int | None = Field(
        None, gt=0, description="adapt the last so many of the backbone's blocks alone; by default all"
    )

    trained: ClassVar[str]
    """Regular expression over the names of PEFT's own parameters."""

    @abstractmethod
    def peft_config(self, targets: list[str], whole: list[str], model: nn.Module) -> PeftConfig:
        """PEFT's settings. targets, whole: names of the modules to adapt, and of those to train and save whole."""

    def rates(self, model: nn.Module, fresh: Collection[str]) -> dict[str, float]:
        return {self.trained: 1.0, rf"\.modules_to_save\.{ADAPTER}\.": 1.0}

    def apply(self, model: nn.Module, fresh: Collection[str]) -> nn.Module:
        """As `Strategy.apply`. Raises InputError when `targets` names nothing that can be adapted."""
        from peft import get_peft_model

        whole = trained_whole(model, fresh, self.name)
        can_be = _adaptable(model, whole, self.layers, self.name)
        targets = (
            auto_targets(model, can_be, self.name) if self.targets == "auto" else self._named_targets(can_be)
        )
        wrapped = get_peft_model(model, self.peft_config(targets, whole, model))
        _check_wrapped(wrapped, targets, whole)
        if not _runs(wrapped):
            _lend_attributes(wrapped)
        return super().apply(wrapped, fresh)

    def _named_targets(self, can_be: Collection[str]) -> list[str]:
        found: set[str] = set()
        for target in self.targets:
            matches = {name for name in can_be if f".{name}".endswith(f".{target}")}
            if not matches:
                kinds = sorted({name.rpartition(".")[2] for name in can_be})
                raise InputError(
                    f"{self.name}: no linear layer or convolution of this backbone is named `{target}`",
                    hint=did_you_mean(target, kinds),
                )
            found |= matches
        return sorted(found)

    def plain(self, model: nn.Module) -> PreTrainedModel:
        """A copy with the updates added to the weights and without any trace of PEFT."""
        # Merged in a copy: adding an update and taking it away again would not give back the same bits.
        peft_model = copy.deepcopy(_peft_model(model))
        _put_whole_modules_back(peft_model)
        return peft_model.merge_and_unload()

    def save_adapter(self, model: nn.Module, folder: Path, *, base: str | None = None) -> bool:
        """As `Strategy.save_adapter`, for `PeftModel.from_pretrained`."""
        peft_model = _peft_model(model)
        if any(_LENT[0] in vars(layer) for layer in _adapted_convolutions(peft_model)):
            return False  # plain PEFT could load it, but not run it
        config = peft_model.peft_config[ADAPTER]
        before = config.base_model_name_or_path
        try:
            config.base_model_name_or_path = base or before
            # "auto" would ask the hub whether the vocabulary grew; a trained embedding is in modules_to_save.
            peft_model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
        finally:
            config.base_model_name_or_path = before
        _tidy(folder)
        return True


def trained_whole(model: nn.Module, fresh: Collection[str], strategy: str) -> list[str]:
    """Names of the modules that an adapter trains and saves whole: the head's, and the smallest with fresh weights.

    fresh: names in `model`, which is not wrapped. Raises InputError for a fresh weight in no such module.
    """
    whole = set(structure.head_modules(model))
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    for name in parameters.intersection(
        fresh
    ):  # fresh buffers are constants, or move with the parameters beside them
        module = name.rpartition(".")[0]
        if structure.within(name, whole):
            continue
        if not module or structure.is_tied(model, module):
            if not model.get_parameter(name).any():
                continue  # a bias beside a tied weight stays at zero, where it starts everywhere: nothing is lost
            # PEFT trains a copy: there is none of the model itself, and a copy would no longer be tied.
            raise InputError(
                f"{strategy} cannot train the fresh weight `{name}`: it is tied, or in no module of its own",
                hint="use the strategy full",
            )
        whole.add(module)
    return sorted(module for module in whole if not structure.within(module, whole))


def _adaptable(
    model: nn.Module, whole: Collection[str], layers: int | None, strategy: str
) -> dict[str, nn.Module]:
    """Name -> module, for the backbone's linear layers and convolutions; those of its last `layers` blocks alone."""
    maps = structure.linear_maps(model)
    if layers is not None:
        blocks = structure.blocks(model)
        check_blocks(blocks, layers, f"{strategy}: layers")
        maps = {name: one for name, one in maps.items() if structure.within(name, blocks[-layers:])}
    return {
        name: one for name, one in maps.items() if name not in whole and not structure.within(name, whole)
    }


def auto_targets(model: nn.Module, can_be: Mapping[str, nn.Module], strategy: str) -> list[str]:
    """Of these modules every linear layer in the backbone's blocks, or every ungrouped convolution where there is none.

    Raises InputError where there is neither.
    """
    from torch import nn

    blocks = structure.in_blocks(model)
    maps = {name: module for name, module in can_be.items() if name in blocks}
    linear = [name for name, module in maps.items() if isinstance(module, nn.Linear)]
    convolutions = [name for name, m in maps.items() if isinstance(m, nn.Conv2d) and m.groups == 1]
    if not (linear or convolutions):
        raise InputError(
            f"{strategy} finds no linear layer or convolution to adapt in the blocks of {type(model).__name__}",
            hint="name them (strategy.targets), or use the strategy full",
        )
    return sorted(linear or convolutions)


def _peft_model(model: nn.Module) -> PeftModel:
    """The PEFT model that `apply` made, inside whatever wraps it."""
    from peft import PeftModel

    return next(module for module in model.modules() if isinstance(module, PeftModel))


def _put_whole_modules_back(model: nn.Module) -> None:
    """The modules that were trained whole in place of those they stand for.

    PEFT (0.21) would do so as it merges, but fails at (IA)^3 beside a head of several layers.
    """
    from peft.utils import ModulesToSaveWrapper

    for name, module in [*model.named_modules()]:
        if isinstance(module, ModulesToSaveWrapper):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, module.modules_to_save[ADAPTER])


def _check_wrapped(model: nn.Module, targets: Collection[str], whole: Collection[str]) -> None:
    """PEFT matches `modules_to_save` by the ends of names: be sure it took what was asked and no other."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils import ModulesToSaveWrapper

    wrapped = [
        (name.removeprefix("base_model.model."), module)
        for name, module in model.named_modules()
        if isinstance(module, BaseTunerLayer | ModulesToSaveWrapper)
    ]
    adapted = {name for name, module in wrapped if isinstance(module, BaseTunerLayer)}
    saved = {name for name, module in wrapped if isinstance(module, ModulesToSaveWrapper)}
    if adapted != set(targets) or saved != set(whole):
        raise HFTransferError(
            "PEFT has not wrapped the modules it was asked to: "
            f"{sorted((adapted ^ set(targets)) | (saved ^ set(whole)))}"
        )


_LENT = ("stride", "padding", "dilation", "kernel_size", "groups")


def _adapted_convolutions(model: nn.Module) -> list[nn.Module]:
    from peft.tuners import ia3, lora

    return [module for module in model.modules() if isinstance(module, lora.Conv2d | ia3.Conv2d)]


def _runs(model: PeftModel) -> bool:
    """Whether the model still runs with adapters in place of its convolutions.

    MobileNetV2 does not: it reads `stride` and the like off them, and PEFT's (0.21) have none.
    """
    import torch

    if not _adapted_convolutions(model):
        return True
    weight, config = next(model.parameters()), model.config
    size = getattr(config, "image_size", 64)
    height, width = (size, size) if isinstance(size, int) else size
    pixels = weight.new_zeros(1, getattr(config, "num_channels", 3), height, width)
    model.eval()
    try:
        with torch.no_grad():
            model(pixel_values=pixels)
    except AttributeError:
        return False
    return True


def _lend_attributes(model: nn.Module) -> None:
    """Give each adapted convolution the attributes of the one that it stands for."""
    for layer in _adapted_convolutions(model):
        for name in _LENT:
            setattr(layer, name, getattr(layer.base_layer, name))


def _tidy(folder: Path) -> None:
    """Sort the lists that PEFT writes from sets (same run, same bytes), and remove its blank model card."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    for key in ("target_modules", "modules_to_save", "feedforward_modules"):
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (folder / "README.md").unlink(missing_ok=True)
