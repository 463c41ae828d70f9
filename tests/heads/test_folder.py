"""Models with another head on disk: they come back as they were, and sentence_transformers opens those of texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from sentence_transformers import SentenceTransformer
from tiny import FAMILIES, MAX_LENGTH, TEXT_FAMILIES, load_classifier, logits, make_batch

from hftransfer.heads import MLP, Linear
from hftransfer.heads.folder import load, load_artefact, save
from hftransfer.heads.model import PooledModel, complete
from hftransfer.heads.reading import Field, Pooled
from hftransfer.locate import HEAD
from hftransfer.strategies import structure

Tiny = Callable[..., Path]
TEXTS = ["the cat sat", "a red dog ran over the green hill", "the"]
LAYERS = MLP(widths=(5, 7), activation="gelu", dropout=0.5)


def made(folder: Path, options: Any, reading: Any) -> PooledModel:
    """With a head of random weights."""
    torch.manual_seed(0)
    whole, _ = load_classifier(folder)
    model = PooledModel(structure.backbone(whole), options, [reading], max_length=MAX_LENGTH)
    batch = {name: one for name, one in make_batch(folder.name, folder).items() if name != "labels"}
    with torch.no_grad():
        complete(model, model.eval().pooled(batch)[0].shape[1])
    for parameter in structure.head_parameters(model):
        torch.nn.init.normal_(model.get_parameter(parameter))
    return model.eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_it_comes_back(family: str, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    folder = tiny_checkpoint(family)
    maps = family in ("resnet", "convnext", "mobilenet_v2")
    reading: Any = Field("pooler_output", first=False) if maps else Pooled("cls", (-2,))
    model = made(folder, LAYERS, reading)
    tmp_path = tmp_path / "model"
    tmp_path.mkdir()
    save(model, tmp_path)
    again = load(tmp_path)
    batch = {name: one for name, one in make_batch(family, folder).items() if name != "labels"}
    assert torch.allclose(logits(again, batch), logits(model, batch), atol=1e-6)
    assert again.options == LAYERS
    assert again.reading == reading
    # Its weights are read, not drawn again.
    other = made(folder, LAYERS, reading)
    with torch.no_grad():
        for parameter in other.head.parameters():  # type: ignore[union-attr]
            parameter.mul_(1.5)
    assert not torch.allclose(logits(other, batch), logits(model, batch), atol=1e-3)
    assert (tmp_path / "modules.json").exists() == (family in TEXT_FAMILIES)
    # The backbone alone is a plain checkpoint.
    transformers.AutoModel.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "reading",
    [
        Pooled("mean"),
        Pooled("cls", (-1,)),
        Pooled("max", (0,)),
        Pooled("last", (-1, -2)),
        Pooled("mean", (1, 2)),
    ],
    ids=lambda one: one.told,
)
@pytest.mark.parametrize("family", ["bert", "roberta", "modernbert", "distilbert"])
def test_sentence_transformers_gives_the_logits(
    family: str, reading: Pooled, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    model = made(tiny_checkpoint(family), LAYERS if reading.states else Linear(), reading)
    model.save_pretrained(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint(family))
    tokenizer.save_pretrained(tmp_path)
    batch = dict(tokenizer(TEXTS, padding=True, return_tensors="pt"))
    with torch.no_grad():
        expected = model(**batch).logits
    given = SentenceTransformer(str(tmp_path), device="cpu").encode(TEXTS, convert_to_tensor=True)
    assert torch.allclose(given, expected, atol=1e-5)
    assert not torch.allclose(given.flip(0), expected, atol=1e-2)


def test_long_texts_are_cut_where_they_were(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    model = made(tiny_checkpoint("bert"), Linear(), Pooled("mean"))
    model.max_length = 8
    model.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("bert")).save_pretrained(tmp_path)
    opened = SentenceTransformer(str(tmp_path), device="cpu")
    long = "the cat sat on the hill and "
    whole, same, short = opened.encode([long * 3, long * 4, "the cat"])
    assert (whole == same).all()
    assert (whole != short).any()


def test_other_folders_are_transformers_own(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    made(tiny_checkpoint("bert"), Linear(), Pooled("mean")).save_pretrained(tmp_path)
    kind = "AutoModelForSequenceClassification"
    assert isinstance(load_artefact(tmp_path, kind), PooledModel)
    assert json.loads((tmp_path / HEAD).read_text())["reading"] == {"pooling": "mean", "layers": [-1]}
    (tmp_path / HEAD).unlink()
    assert type(load_artefact(tmp_path, kind)).__name__ == "BertForSequenceClassification"
