"""A frozen backbone: what trains beside the head, and what does when the head is tied or missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import load_classifier
from transformers import AutoModel, AutoModelForMaskedLM

from hftransfer.errors import InputError
from hftransfer.strategies import Frozen


def trained(model: torch.nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_fresh_weights_inside_the_backbone_train_too(tiny_checkpoint: Callable[..., Path]) -> None:
    model, fresh = load_classifier(tiny_checkpoint("bert", pooler=False))
    pooler = {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert pooler <= fresh
    Frozen().apply(model, fresh)
    assert trained(model) == pooler | {"classifier.weight", "classifier.bias"}
    Frozen().train_mode(model)
    assert model.bert.pooler.training
    # The rest of the backbone is as it is in evaluation, dropout in attention included.
    assert not any(module.training for module in model.bert.encoder.modules())
    assert not any(module.training for module in model.bert.embeddings.modules())
    # A linear probe has no dropout, unless it is asked for.
    assert not model.dropout.training
    Frozen(dropout=True).train_mode(model)
    assert model.dropout.training
    assert not any(module.training for module in model.bert.encoder.modules())


def test_a_head_that_the_checkpoint_held_trains_as_well(tiny_checkpoint: Callable[..., Path]) -> None:
    model, fresh = load_classifier(tiny_checkpoint("deberta-v2", head=True), num_labels=4)
    assert not fresh
    Frozen().apply(model, fresh)
    assert trained(model) == {
        "pooler.dense.weight",
        "pooler.dense.bias",
        "classifier.weight",
        "classifier.bias",
    }


def test_weights_tied_to_the_backbone_are_the_backbone(tiny_checkpoint: Callable[..., Path]) -> None:
    model = AutoModelForMaskedLM.from_pretrained(tiny_checkpoint("bert"))
    decoder, embeddings = model.cls.predictions.decoder.weight, model.bert.embeddings.word_embeddings.weight
    assert decoder is embeddings
    Frozen().apply(model, set())
    assert not decoder.requires_grad
    assert model.cls.predictions.transform.dense.weight.requires_grad


def test_a_model_without_a_head_has_nothing_to_train(tiny_checkpoint: Callable[..., Path]) -> None:
    model = AutoModel.from_pretrained(tiny_checkpoint("bert"))
    with pytest.raises(InputError, match="finds no parameter to train in BertModel"):
        Frozen().apply(model, set())


def test_rates_name_the_parameters_of_what_they_are_given(tiny_checkpoint: Callable[..., Path]) -> None:
    model, fresh = load_classifier(tiny_checkpoint("bert"))
    wrapper = torch.nn.ModuleDict({"module": model})  # as DistributedDataParallel names it
    for outer in (model, wrapper):
        patterns = Frozen().rates(outer, fresh)
        names = {name for name, _ in outer.named_parameters() if any(re.search(p, name) for p in patterns)}
        assert len(names) == 2
        assert all(name.removeprefix("module.").startswith("classifier.") for name in names)
