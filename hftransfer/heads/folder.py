"""A `PooledModel` on disk.

config.json  model.safetensors     the backbone, as transformers saves it; its processor beside it
head.json                          what is read of the backbone, and which head stands on it
<n>_Dense/                         the head's linear layers, each config.json and model.safetensors
head.skops  units.safetensors      or a learner of scikit-learn
modules.json  0_Pooling/  ...      so that sentence_transformers opens it, see `sentence_transformers`
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file
from torch import nn

from hftransfer.files import write_json
from hftransfer.heads import sentence_transformers
from hftransfer.heads.fitted import FittedHead
from hftransfer.heads.model import OnFeatures, PooledModel, complete
from hftransfer.heads.options import Head
from hftransfer.heads.reading import Field, Pooled
from hftransfer.locate import HEAD

LEARNER, UNITS, WEIGHTS, CONFIG = "head.skops", "units.safetensors", "model.safetensors", "config.json"


def save(model: PooledModel, folder: Path) -> None:
    """Write everything but the processor into an empty folder."""
    assert model.head is not None
    reading, inside = model.reading, model.head.layers
    with sentence_transformers.asking_for(model.backbone.config, reading):
        model.backbone.save_pretrained(folder)
    kept: dict[str, Any] = {"head": model.options.model_dump(), "reading": vars(reading), "dense": []}
    if isinstance(inside, FittedHead):
        inside.save(folder / LEARNER)
        if inside.units is not None:
            save_file(dict(inside.units.state_dict()), folder / UNITS)
    else:
        kept["inputs"] = next(inside.parameters()).shape[1]
        kept["dense"] = _save_dense(inside, folder)
    write_json(folder / HEAD, kept)
    sentence_transformers.describe(model, kept["dense"], folder)


def _save_dense(layers: nn.Module, folder: Path) -> list[str]:
    """Every linear layer with the activation after it, as sentence_transformers' Dense; the names of their folders."""
    names: list[str] = []
    modules = [*layers.children(), nn.Identity()]
    for place, linear in enumerate(modules):
        if isinstance(linear, nn.Linear):
            names.append(f"{len(names) + 1}_Dense")
            config = sentence_transformers.dense(linear, modules[place + 1])
            (folder / names[-1]).mkdir()
            write_json(folder / names[-1] / CONFIG, config)
            tensors = {f"linear.{name}": value.contiguous() for name, value in linear.state_dict().items()}
            save_file(tensors, folder / names[-1] / WEIGHTS)
    return names


def load_artefact(folder: Path, model_class: str) -> Any:
    """The model that a run has saved, on the CPU: transformers' own, by the name of its auto class, or a `PooledModel`.

    Raises RunDirectoryError for a learner that skops would not load as data.
    """
    import transformers

    if (folder / HEAD).is_file():
        return load(folder)
    return getattr(transformers, model_class).from_pretrained(folder)


def load(folder: Path) -> PooledModel:
    """What `save` wrote, on the CPU. Raises RunDirectoryError for a learner that skops would not load as data."""
    import transformers

    kept = json.loads((folder / HEAD).read_text(encoding="utf-8"))
    options: Head = TypeAdapter(Head).validate_python(kept["head"])
    asked = kept["reading"]
    reading = Field(**asked) if "field" in asked else Pooled(asked["pooling"], tuple(asked["layers"]))
    model = PooledModel(
        transformers.AutoModel.from_pretrained(folder, use_safetensors=True, trust_remote_code=False),
        options,
        [reading],
    )
    complete(model, kept.get("inputs", 0))
    assert isinstance(model.head, OnFeatures)
    inside = model.head.layers
    if isinstance(inside, FittedHead):
        inside.load(folder / LEARNER)
        if inside.units is not None:
            inside.units.load_state_dict(load_file(folder / UNITS))
    else:
        linear = [module for module in inside.children() if isinstance(module, nn.Linear)]
        for module, name in zip(linear, kept["dense"], strict=True):
            tensors = load_file(folder / name / WEIGHTS)
            module.load_state_dict({key.removeprefix("linear."): value for key, value in tensors.items()})
    return model.eval()
