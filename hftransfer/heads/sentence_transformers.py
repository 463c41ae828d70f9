"""What sentence_transformers has to be told of a folder, so that `SentenceTransformer(folder).encode` gives logits.

Its modules (Transformer, WeightedLayerPooling, Pooling, Dense) and the keys of their configs are those of its
version 2, which all later ones read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import nn

from hftransfer.files import write_json
from hftransfer.heads.pairs import combine
from hftransfer.heads.reading import Field, Pooled, Reading

if TYPE_CHECKING:
    from hftransfer.heads.model import PooledModel

MODULES = "modules.json"
MODES = {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens", "last": "lasttoken"}


@contextmanager
def asking_for(config: Any, reading: Reading) -> Iterator[None]:
    """The config as it is to be saved: it asks for the states of all layers where some of them are read."""
    before = config.output_hidden_states
    config.output_hidden_states = before or reading.states
    try:
        yield
    finally:
        config.output_hidden_states = before


def dense(linear: nn.Linear, after: nn.Module) -> dict[str, Any]:
    """The config of a Dense: a linear layer, and the activation after it where there is one."""
    return {
        "in_features": linear.in_features,
        "out_features": linear.out_features,
        "bias": True,
        "activation_function": f"{type(after).__module__}.{type(after).__name__}",
    }


def describe(model: PooledModel, layers: Sequence[str], folder: Path) -> None:
    """Write the list of modules, and what belongs to the pooling; nothing where the library has no modules for it.

    layers: the folders of the head's Dense layers. A head on pairs that were read apart, and a learner of
    scikit-learn, cannot be said: encode then gives the features that they stand on.
    """
    reading = model.reading
    if reading == Field("last_hidden_state", first=True):
        reading = Pooled("cls")
    if model.backbone.main_input_name != "input_ids" or not isinstance(reading, Pooled):
        return
    width = model.backbone.config.hidden_size
    names = ["", *(["0_Layers"] if reading.states else []), "0_Pooling"]
    kinds = ["Transformer", *(["WeightedLayerPooling"] if reading.states else []), "Pooling"]
    if reading.states:
        _save_layers(reading, model.backbone.config.num_hidden_layers, width, folder / "0_Layers")
    (folder / "0_Pooling").mkdir()
    modes = {f"pooling_mode_{mode}": pooling == reading.pooling for pooling, mode in MODES.items()}
    write_json(folder / "0_Pooling" / "config.json", {"word_embedding_dimension": width, **modes})
    head = [*model.head.layers.children()] if model.head is not None else []
    if layers and head[0].in_features == width:
        names += layers
        kinds += ["Dense"] * len(layers)
    write_json(
        folder / "sentence_bert_config.json", {"max_seq_length": model.max_length, "do_lower_case": False}
    )
    listed = [
        {"idx": number, "name": str(number), "path": name, "type": f"sentence_transformers.models.{kind}"}
        for number, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    write_json(folder / MODULES, listed)


def _save_layers(reading: Pooled, count: int, width: int, folder: Path) -> None:
    """The mean over layers, as weights of all layers from the embeddings (0) on."""
    folder.mkdir()
    config = {"word_embedding_dimension": width, "layer_start": 0, "num_hidden_layers": count}
    write_json(folder / "config.json", config)
    weights = torch.zeros(count + 1)
    for layer in reading.layers:
        weights[layer] += 1
    save_file({"layer_weights": weights}, folder / "model.safetensors")


def encoded(model: PooledModel, folder: Path, rows: Any) -> dict[str, Any] | None:
    """What sentence_transformers makes of rows with a column `text`, or two: {"kind", "values"}, for the proof.

    Of kind "arrays" are logits, of kind "features" what a head stands on that the library has no modules for. None
    where it is not installed, or has nothing for this model.
    """
    if not (folder / MODULES).is_file() or find_spec("sentence_transformers") is None:
        return None
    from sentence_transformers import SentenceTransformer

    opened = SentenceTransformer(str(folder), device="cpu")
    columns = [list(rows[role]) for role in ("text", "text_pair") if role in rows.column_names]
    options = {"show_progress_bar": False, "convert_to_tensor": True, "batch_size": 1}
    if (folder / MODULES).read_text(encoding="utf-8").count("Dense"):
        pairs = len(columns) > 1
        logits = opened.encode([*zip(*columns, strict=True)] if pairs else columns[0], **options)
        return {"kind": "arrays", "values": logits.tolist()}
    features = combine([opened.encode(column, **options) for column in columns])
    return {"kind": "features", "values": features.tolist()}
