"""Backbone and head, read off the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import FAMILIES, load_classifier
from transformers import AutoModelForMaskedLM

from hftransfer.strategies import structure

HEADS = {
    "distilbert": ["classifier", "pre_classifier"],
    "deberta-v2": ["classifier", "pooler"],
    "modernbert": ["classifier", "head"],
}


@pytest.mark.parametrize("family", FAMILIES)
def test_head_is_all_outside_the_backbone(family: str, tiny_checkpoint: Callable[..., Path]) -> None:
    model, fresh = load_classifier(tiny_checkpoint(family))
    assert sorted(structure.head_modules(model)) == HEADS.get(family, ["classifier"])
    # Nothing was fresh in the backbone of these, and nothing in their heads was not.
    assert set(structure.head_parameters(model)) == fresh


def test_names_are_those_in_the_wrapped_model(tiny_checkpoint: Callable[..., Path]) -> None:
    model, _ = load_classifier(tiny_checkpoint("bert"))
    wrapper = torch.nn.ModuleDict({"module": model})
    assert structure.pretrained(wrapper) == ("module", model)
    assert structure.head_modules(wrapper) == ["module.classifier"]
    assert structure.backbone(wrapper) is model.bert
    assert all(name.startswith("module.bert.") for name in structure.linear_maps(wrapper))


def test_a_tied_decoder_is_no_head_module(tiny_checkpoint: Callable[..., Path]) -> None:
    model = AutoModelForMaskedLM.from_pretrained(tiny_checkpoint("bert"))
    assert structure.head_modules(model) == ["cls.predictions.transform"]
    assert structure.is_tied(model, "cls.predictions.decoder")
    assert structure.is_tied(model, "bert.embeddings.word_embeddings")
    assert not structure.is_tied(model, "cls.predictions.transform")


def test_what_is_no_transformers_model_is_said_to_be_none() -> None:
    with pytest.raises(TypeError, match="Linear holds no transformers model"):
        structure.pretrained(torch.nn.Linear(2, 2))


def test_within_means_a_true_ancestor() -> None:
    assert structure.within("bert.pooler.dense", {"bert.pooler"})
    assert not structure.within("bert.pooler", {"bert.pooler"})
    assert not structure.within("bert.pooler_output.dense", {"bert.pooler"})
