"""What a head looks at, family by family, and that it gives from it what the whole model gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny import FAMILIES, load_classifier, make_batch

from hftransfer.features.head import Input, InputModel, read_by_head
from hftransfer.heads.reading import Field
from hftransfer.strategies import Frozen, structure
from hftransfer.tasks.base import LABELS

Tiny = Callable[..., Path]
POOLED, CLS = Field("pooler_output", first=False), Field("last_hidden_state", first=True)
READS: dict[str, Field | Input] = {
    "bert": POOLED,
    "albert": POOLED,
    **dict.fromkeys(("distilbert", "roberta", "deberta-v2", "electra", "mpnet", "modernbert", "vit"), CLS),
    **dict.fromkeys(("resnet", "convnext", "mobilenet_v2"), POOLED),
    "dinov2": Input("classifier"),  # it looks at the mean of all patches, too
}


def case(family: str, tiny_checkpoint: Tiny, **options: Any) -> tuple[Any, set[str], dict[str, torch.Tensor]]:
    folder = tiny_checkpoint(family, **options)
    model, fresh = load_classifier(folder)
    batch = make_batch(family, folder)
    return model, fresh, {name: value for name, value in batch.items() if name != LABELS}


def test_every_family_is_here() -> None:
    assert set(READS) == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_read_is_enough(family: str, tiny_checkpoint: Tiny) -> None:
    model, _, batch = case(family, tiny_checkpoint)
    found = read_by_head(model, batch)
    assert found is not None
    assert found.readings == (READS[family],)
    other = {name: value.flip(0) for name, value in batch.items()}
    with torch.no_grad():
        given = found(found.pooled(other)[0]).logits
        assert torch.allclose(given, model(**other).logits, atol=1e-6)
        # Of other rows it would not.
        assert not torch.allclose(given, model(**batch).logits, atol=1e-3)
    # The model is as it was: its backbone is asked again, and sees what it is given.
    assert structure.backbone(model) is found.backbone


@pytest.mark.parametrize("family", FAMILIES)
def test_training_the_head_trains_the_model(family: str, tiny_checkpoint: Tiny) -> None:
    model, fresh, batch = case(family, tiny_checkpoint)
    Frozen().apply(model, fresh)
    found = read_by_head(model, batch)
    assert found is not None
    trained = {id(p) for p in model.parameters() if p.requires_grad}
    assert {id(p) for p in found.parameters() if p.requires_grad} == trained
    assert {id(p) for p in found.parameters()} == {
        id(model.get_parameter(n)) for n in structure.head_parameters(model)
    }
    Frozen().train_mode(found)
    assert not any(module.training for module in structure.dropouts(found))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        (features,) = found.pooled(batch)
    found(features).logits.square().sum().backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert changed
    assert changed <= set(structure.head_parameters(model))


def test_a_mean_over_tokens_is_not_one_vector(tiny_checkpoint: Tiny) -> None:
    folder = tiny_checkpoint("modernbert")
    config = transformers.AutoConfig.from_pretrained(folder, classifier_pooling="mean", num_labels=3)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, config=config)
    batch = {name: value for name, value in make_batch("modernbert", folder).items() if name != LABELS}
    assert read_by_head(model, batch) is None


def test_layers_that_are_weighted_are_more_than_one_vector() -> None:
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,),
        conv_stride=(5,),
        conv_kernel=(10,),
        num_feat_extract_layers=1,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=8,
        use_weighted_layer_sum=True,
    )
    model = transformers.Wav2Vec2ForSequenceClassification(config)
    assert read_by_head(model, {"input_values": torch.randn(2, 400)}) is None


def test_a_map_of_features_is_more_than_one_vector() -> None:
    config = transformers.PoolFormerConfig(hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1], num_labels=3)
    model = transformers.PoolFormerForImageClassification(config)
    assert read_by_head(model, {"pixel_values": torch.randn(2, 3, 64, 64)}) is None


def test_a_model_without_a_head_has_none(tiny_checkpoint: Tiny) -> None:
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(tiny_checkpoint("t5"))
    assert read_by_head(model, {"input_ids": torch.ones(2, 3, dtype=torch.long)}) is None


def test_a_head_alone_has_no_dropout_either() -> None:
    config = transformers.BartConfig(
        vocab_size=50,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_position_embeddings=32,
        classifier_dropout=0.3,
        num_labels=3,
    )
    model = transformers.BartForSequenceClassification(config)
    ids = torch.tensor([[0, 5, 6, 7, 2], [0, 8, 9, 10, 2]])
    found = read_by_head(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    assert isinstance(found, InputModel)
    for dropout in (False, True):
        Frozen(dropout=dropout).train_mode(found)
        assert any(module.training for module in structure.dropouts(found)) == dropout
