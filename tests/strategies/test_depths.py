"""Blocks and depths, and the strategies that go by them: partial, layer-decay, gradual; blocks drawn anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from tiny import FAMILIES, load_classifier
from transformers import AutoConfig, AutoModelForSemanticSegmentation, AutoModelForSeq2SeqLM, SegformerConfig

from hftransfer.errors import InputError
from hftransfer.strategies import (
    BitFit,
    Frozen,
    Full,
    Gradual,
    LayerDecay,
    LoRA,
    Partial,
    ProbeThenFull,
    structure,
)
from hftransfer.training.optimizer import parameter_groups

Tiny = Callable[..., Path]

BLOCKS = {
    "bert": ("bert.encoder.layer", 2),
    "distilbert": ("distilbert.transformer.layer", 3),
    "roberta": ("roberta.encoder.layer", 2),
    "deberta-v2": ("deberta.encoder.layer", 2),
    "electra": ("electra.encoder.layer", 2),
    "albert": ("albert.encoder.albert_layer_groups.0.albert_layers", 1),  # one layer, used twice
    "mpnet": ("mpnet.encoder.layer", 2),
    "modernbert": ("model.layers", 3),
    "vit": ("vit.layers", 2),
    "dinov2": ("dinov2.encoder.layer", 2),
    "mobilenet_v2": ("mobilenet_v2.layer", 16),
}
STAGES = [
    "encoder.stages.0.layers.0",
    "encoder.stages.0.layers.1",
    "encoder.stages.1.layers.0",
    "encoder.stages.1.layers.1",
]


def classifier(tiny_checkpoint: Tiny, family: str = "bert", **overrides: Any) -> tuple[Any, set[str]]:
    return load_classifier(tiny_checkpoint(family, **overrides))


@pytest.mark.parametrize("family", FAMILIES)
def test_blocks_from_the_input_to_the_output(family: str, tiny_checkpoint: Tiny) -> None:
    model, _ = classifier(tiny_checkpoint, family)
    if family in BLOCKS:
        name, count = BLOCKS[family]
        expected = [f"{name}.{number}" for number in range(count)]
    else:
        expected = [f"{model.base_model_prefix}.{stage}" for stage in STAGES]
    assert structure.blocks(model) == expected
    wrapped = LoRA().apply(model, set())
    assert structure.blocks(wrapped) == [f"base_model.model.{name}" for name in expected]


@pytest.mark.parametrize("family", FAMILIES)
def test_depths_rise_from_the_embeddings_to_the_head(family: str, tiny_checkpoint: Tiny) -> None:
    model, _ = classifier(tiny_checkpoint, family)
    blocks, depths = structure.blocks(model), structure.depths(model)
    assert list(depths) == [name for name, _ in model.named_parameters()]
    assert set(depths.values()) == set(range(len(blocks) + 2))
    for number, block in enumerate(blocks, 1):
        inside = {name for name in depths if name.startswith(f"{block}.")}
        assert inside
        assert {depths[name] for name in inside} == {number}
    for name, depth in depths.items():
        if not name.startswith(f"{model.base_model_prefix}.") or ".pooler" in name:
            assert depth == len(blocks) + 1, name
        # Relative positions, too, wherever the model holds them: every block reads them.
        if "embeddings.weight" in name or "relative_attention_bias" in name:
            assert depth == 0, name


def test_an_encoder_lies_below_its_decoder(tiny_checkpoint: Tiny) -> None:
    model = AutoModelForSeq2SeqLM.from_pretrained(tiny_checkpoint("t5"))
    assert structure.blocks(model) == [
        f"{half}.block.{n}" for half in ("encoder", "decoder") for n in range(2)
    ]
    depths = structure.depths(model)
    assert depths["shared.weight"] == 0
    assert depths["encoder.final_layer_norm.weight"] == 2
    assert depths["decoder.final_layer_norm.weight"] == 5


def test_stages_are_taken_apart_and_what_joins_them_is_no_block() -> None:
    config = SegformerConfig(hidden_sizes=[8, 8, 8, 8], depths=[1, 2, 1, 1], num_attention_heads=[1, 1, 1, 1])
    model = AutoModelForSemanticSegmentation.from_config(config)
    stages = ((0, 1), (1, 2), (2, 1), (3, 1))
    blocks = [f"segformer.stages.{stage}.blocks.{n}" for stage, count in stages for n in range(count)]
    assert structure.blocks(model) == blocks
    assert structure.depths(model)["decode_head.classifier.weight"] == 6


class TestLayerDecay:
    def test_the_rate_of_every_parameter(self, tiny_checkpoint: Tiny) -> None:
        model, fresh = classifier(tiny_checkpoint)
        strategy = LayerDecay(decay=0.5)
        model = strategy.apply(model, fresh)
        groups = parameter_groups(model, strategy.rates(model, fresh), 0.01)
        found = {id(p): group["multiplier"] for group in groups for p in group["params"]}
        expected = {
            "embeddings": 0.125,
            "encoder.layer.0": 0.25,
            "encoder.layer.1": 0.5,
            "pooler": 1.0,
            "classifier": 1.0,
        }
        for name, parameter in model.named_parameters():
            (rate,) = [
                rate for part, rate in expected.items() if name.removeprefix("bert.").startswith(f"{part}.")
            ]
            assert found[id(parameter)] == rate, name

    def test_one_is_full(self, tiny_checkpoint: Tiny) -> None:
        model, fresh = classifier(tiny_checkpoint)
        assert set(LayerDecay(decay=1.0).rates(model, fresh).values()) == {1.0}

    def test_fresh_weights_move_at_the_full_rate(self, tiny_checkpoint: Tiny) -> None:
        model, fresh = classifier(tiny_checkpoint)
        deep = "bert.encoder.layer.0.output.dense.bias"
        rates = LayerDecay(decay=0.5).rates(model, fresh | {deep})
        (rate,) = [rate for pattern, rate in rates.items() if pattern.replace("\\", "") == f"^{deep}$"]
        assert rate == 1.0


class TestPartial:
    def test_by_names(self, tiny_checkpoint: Tiny) -> None:
        model, fresh = classifier(tiny_checkpoint)
        Partial(parameters=["layer.0.*LayerNorm", "pooler"]).apply(model, fresh)
        moved = {name for name, p in model.named_parameters() if p.requires_grad}
        norms = {
            f"bert.encoder.layer.0.{n}.LayerNorm.{k}"
            for n in ("attention.output", "output")
            for k in ("weight", "bias")
        }
        assert moved == norms | {
            f"{part}.{k}" for part in ("bert.pooler.dense", "classifier") for k in ("weight", "bias")
        }

    def test_all_blocks_are_all_but_the_embeddings(self, tiny_checkpoint: Tiny) -> None:
        model, fresh = classifier(tiny_checkpoint)
        Partial().apply(model, fresh)  # 2 of 2
        still = {name for name, p in model.named_parameters() if not p.requires_grad}
        assert still == {name for name, _ in model.named_parameters() if name.startswith("bert.embeddings.")}

    def test_more_blocks_than_there_are(self, tiny_checkpoint: Tiny) -> None:
        model, fresh = classifier(tiny_checkpoint, "albert")
        with pytest.raises(
            InputError, match="partial: blocks is 2, and this backbone has 1 blocks"
        ) as caught:
            Partial().apply(model, fresh)
        assert caught.value.hint == "write at most 1"

    def test_a_name_that_nothing_has(self, tiny_checkpoint: Tiny) -> None:
        model, fresh = classifier(tiny_checkpoint)
        with pytest.raises(
            InputError, match="no parameter of BertForSequenceClassification has a name with 'layr'"
        ):
            Partial(parameters=["layr"]).apply(model, fresh)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"blocks": 1, "parameters": ["pooler"]}, "leave one out"),
            ({"parameters": ["("]}, "is no regular expression"),
            ({"parameters": []}, "at least 1 item"),
            ({"blocks": 0}, "greater than 0"),
        ],
    )
    def test_options_that_cannot_be(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            Partial(**options)


class TestGradual:
    @pytest.mark.parametrize(
        ("until", "epochs", "expected"),
        [(0.5, 4, [3, 1, 0, 0]), (0.9, 3, [3, 1, 0]), (0.25, 4, [3, 0, 0, 0]), (0.5, 2, [3, 0])],
    )
    def test_a_block_more_with_every_epoch(
        self, until: float, epochs: int, expected: list[int], tiny_checkpoint: Tiny
    ) -> None:
        """expected: how many of three blocks are frozen; with none of them the embeddings move, too."""
        model, fresh = classifier(tiny_checkpoint, num_hidden_layers=3)
        strategy = Gradual(until=until)
        model = strategy.apply(model, fresh)
        depths = structure.depths(model)
        found = []
        for epoch in range(epochs):
            strategy.train_mode(model, epoch, epochs)
            moved = {depths[name] for name, p in model.named_parameters() if p.requires_grad}
            found.append(min(moved) - 1 if min(moved) else 0)
            assert moved == set(range(min(moved), 5))
            # What does not move yet is in evaluation mode: no dropout below the first block that moves.
            assert model.bert.embeddings.training == (min(moved) == 0)
        assert found == expected

    def test_one_epoch_is_too_few(self, tiny_checkpoint: Tiny) -> None:
        model, fresh = classifier(tiny_checkpoint)
        with pytest.raises(InputError, match="there is one epoch") as caught:
            Gradual().train_mode(Gradual().apply(model, fresh), 0, 1)
        assert caught.value.key == "training.epochs"


class TestReinitialize:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_exactly_the_top_is_drawn_anew(self, family: str, tiny_checkpoint: Tiny) -> None:
        model, _ = classifier(tiny_checkpoint, family)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        depths, count = structure.depths(model), len(structure.blocks(model))
        drawn = Full(reinitialize=1, batch_norm="update").renew(model)
        assert drawn == {name for name, depth in depths.items() if depth == count}
        after = model.state_dict()
        changed = {name for name in after if not torch.equal(after[name], before[name])}
        # Norms and biases may be where they started; a matrix never is.
        assert changed <= drawn
        assert {name for name in drawn if after[name].ndim > 1} <= changed

    def test_drawn_as_the_architecture_draws(self, tiny_checkpoint: Tiny) -> None:
        model, _ = classifier(tiny_checkpoint)
        spread = AutoConfig.from_pretrained(tiny_checkpoint("bert")).initializer_range
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(9.0)
        Full(reinitialize=1).renew(model)
        layer = model.bert.encoder.layer[1]
        assert layer.output.dense.weight.std().item() == pytest.approx(spread, rel=0.1)
        assert not layer.output.dense.bias.any()
        assert (layer.output.LayerNorm.weight == 1).all()
        assert (model.bert.encoder.layer[0].output.dense.weight == 9).all()

    def test_the_same_seed_draws_the_same(self, tiny_checkpoint: Tiny) -> None:
        drawn = []
        for seed in (1, 1, 2):
            model, _ = classifier(tiny_checkpoint)
            torch.manual_seed(seed)
            Full(reinitialize=1).renew(model)
            drawn.append(model.bert.encoder.layer[1].output.dense.weight.detach().clone())
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.equal(drawn[0], drawn[2])

    def test_what_is_drawn_anew_is_trained(self, tiny_checkpoint: Tiny) -> None:
        model, fresh = classifier(tiny_checkpoint)
        strategy = BitFit(reinitialize=1)
        strategy.apply(model, fresh | strategy.renew(model))
        moved = {name for name, p in model.named_parameters() if p.requires_grad}
        assert {name for name in structure.depths(model) if ".layer.1." in name} <= moved
        assert {name for name in moved if ".layer.0." in name and not name.endswith(".bias")} == set()

    def test_held_statistics_do_not_fit(self, tiny_checkpoint: Tiny) -> None:
        model, _ = classifier(tiny_checkpoint, "resnet")
        with pytest.raises(InputError, match="BatchNorm layers anew") as caught:
            Full(reinitialize=1).renew(model)
        assert "batch_norm: update" in str(caught.value.hint)

    @pytest.mark.parametrize("strategy", [Frozen, ProbeThenFull])
    def test_a_head_alone_cannot_train_them(self, strategy: Any) -> None:
        with pytest.raises(ValidationError, match="draws blocks anew"):
            strategy(reinitialize=1)

    def test_none_and_too_many(self, tiny_checkpoint: Tiny) -> None:
        model, _ = classifier(tiny_checkpoint)
        assert Full().renew(model) == set()
        with pytest.raises(InputError, match="full: reinitialize is 3, and this backbone has 2 blocks"):
            Full(reinitialize=3).renew(model)
