"""LoRA: which modules it adapts, which it trains whole, and that the merged model is the trained one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import LoraLayer
from peft.utils import ModulesToSaveWrapper
from pydantic import ValidationError
from tiny import FAMILIES, load_classifier, logits, make_batch
from transformers import AutoModelForMaskedLM

from hftransfer.errors import InputError
from hftransfer.strategies import LoRA
from hftransfer.training.optimizer import parameter_groups

# family: (last names of the adapted modules, how many there are, the modules trained whole)
EXPECTED: dict[str, tuple[set[str], int, set[str]]] = {
    "bert": ({"query", "key", "value", "dense"}, 12, {"classifier"}),
    "roberta": ({"query", "key", "value", "dense"}, 12, {"classifier"}),
    "electra": ({"query", "key", "value", "dense"}, 12, {"classifier"}),
    "distilbert": (
        {"q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"},
        18,
        {"pre_classifier", "classifier"},
    ),
    "deberta-v2": ({"query_proj", "key_proj", "value_proj", "dense"}, 12, {"pooler", "classifier"}),
    "albert": (
        {"query", "key", "value", "dense", "ffn", "ffn_output"},
        6,
        {"classifier"},
    ),  # one layer, used twice
    "mpnet": ({"q", "k", "v", "o", "dense"}, 12, {"classifier"}),
    "modernbert": ({"Wqkv", "Wo", "Wi"}, 12, {"head", "classifier"}),
    "vit": ({"q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"}, 12, {"classifier"}),
    "dinov2": ({"q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"}, 12, {"classifier"}),
    "resnet": ({"convolution"}, 9, {"classifier"}),
    "convnext": ({"pwconv1", "pwconv2"}, 8, {"classifier"}),
    "mobilenet_v2": ({"convolution"}, 32, {"classifier"}),
}


def wrapped(model: torch.nn.Module, kind: type) -> dict[str, Any]:
    modules = model.named_modules()
    return {name.removeprefix("base_model.model."): m for name, m in modules if isinstance(m, kind)}


def train(strategy: LoRA, model: Any, batch: dict[str, torch.Tensor]) -> None:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    for _ in range(3):
        strategy.train_mode(model)
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


def test_every_family_is_expected() -> None:
    assert set(EXPECTED) == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_auto_adapts_the_blocks_and_trains_the_head_whole(
    family: str, tiny_checkpoint: Callable[..., Path]
) -> None:
    model, fresh = load_classifier(tiny_checkpoint(family))
    prefix = model.base_model_prefix
    model = LoRA().apply(model, fresh)
    last_names, count, whole = EXPECTED[family]
    adapted = wrapped(model, LoraLayer)
    assert {name.rpartition(".")[2] for name in adapted} == last_names
    assert len(adapted) == count
    assert all(name.startswith(f"{prefix}.") for name in adapted)
    assert set(wrapped(model, ModulesToSaveWrapper)) == whole
    if family == "mobilenet_v2":  # the 1x1 ones: the others are grouped
        assert {layer.base_layer.kernel_size for layer in adapted.values()} == {(1, 1)}


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_is_unmerged_and_leaves_the_trained_model_alone(
    family: str, tiny_checkpoint: Callable[..., Path]
) -> None:
    folder = tiny_checkpoint(family)
    torch.manual_seed(0)
    model, fresh = load_classifier(folder)
    batch = make_batch(family, folder)
    untrained = logits(model, batch)
    model = LoRA().apply(model, fresh)
    torch.testing.assert_close(logits(model, batch), untrained)  # B starts at zero
    train(LoRA(), model, batch)
    trained = logits(model, batch)
    assert (trained - untrained).abs().max() > 1e-2
    plain = LoRA().plain(model)
    torch.testing.assert_close(logits(plain, batch), trained, rtol=0, atol=1e-4)
    assert torch.equal(logits(model, batch), trained)
    reference, _ = load_classifier(folder)
    assert type(plain) is type(reference)
    assert plain.state_dict().keys() == reference.state_dict().keys()


@pytest.mark.parametrize(
    ("family", "whole"),
    [("bert", {"classifier", "bert.pooler.dense"}), ("albert", {"classifier", "albert.pooler"})],
)
def test_a_fresh_pooler_is_trained_whole(
    family: str, whole: set[str], tiny_checkpoint: Callable[..., Path]
) -> None:
    model, fresh = load_classifier(tiny_checkpoint(family, pooler=False))
    model = LoRA().apply(model, fresh)
    assert set(wrapped(model, ModulesToSaveWrapper)) == whole


def test_a_fresh_parameter_takes_its_module_along(tiny_checkpoint: Callable[..., Path]) -> None:
    folder = tiny_checkpoint("vit")
    model, fresh = load_classifier(folder, image_size=48, ignore_mismatched_sizes=True)
    assert "vit.embeddings.position_embeddings" in fresh
    model = LoRA().apply(model, fresh)
    assert set(wrapped(model, ModulesToSaveWrapper)) == {"classifier", "vit.embeddings"}
    assert logits(model, {"pixel_values": torch.zeros(1, 3, 48, 48)}).shape == (1, 3)


def test_nothing_is_adapted_inside_what_is_trained_whole(tiny_checkpoint: Callable[..., Path]) -> None:
    model, fresh = load_classifier(tiny_checkpoint("bert"))
    layer = "bert.encoder.layer.0.attention"
    model = LoRA().apply(model, fresh | {f"{layer}.self.query.weight", f"{layer}.output.LayerNorm.weight"})
    whole = {"classifier", f"{layer}.self.query", f"{layer}.output.LayerNorm"}
    assert set(wrapped(model, ModulesToSaveWrapper)) == whole
    assert f"{layer}.self.query" not in wrapped(model, LoraLayer)
    assert f"{layer}.self.key" in wrapped(model, LoraLayer)


def test_a_tied_fresh_weight_is_refused(tiny_checkpoint: Callable[..., Path]) -> None:
    model = AutoModelForMaskedLM.from_pretrained(tiny_checkpoint("bert"))
    with pytest.raises(InputError, match="word_embeddings"):
        LoRA().apply(model, {"bert.embeddings.word_embeddings.weight"})


def test_named_targets(tiny_checkpoint: Callable[..., Path]) -> None:
    model, fresh = load_classifier(tiny_checkpoint("bert"))
    model = LoRA(targets=("query", "layer.1.attention.self.value"), rank=2, alpha=4).apply(model, fresh)
    adapted = wrapped(model, LoraLayer)
    assert set(adapted) == {
        "bert.encoder.layer.0.attention.self.query",
        "bert.encoder.layer.1.attention.self.query",
        "bert.encoder.layer.1.attention.self.value",
    }
    assert {layer.scaling["default"] for layer in adapted.values()} == {2.0}


def test_the_patch_projection_can_be_named(tiny_checkpoint: Callable[..., Path]) -> None:
    model, fresh = load_classifier(tiny_checkpoint("vit"))
    model = LoRA(targets=("projection",)).apply(model, fresh)
    (name,) = wrapped(model, LoraLayer)
    assert name.startswith("vit.embeddings.")


@pytest.mark.parametrize("target", ["qeury", "classifier", "LayerNorm", "uery"])
def test_a_target_that_is_not_there_lists_those_that_are(
    target: str, tiny_checkpoint: Callable[..., Path]
) -> None:
    model, fresh = load_classifier(tiny_checkpoint("bert"))
    with pytest.raises(InputError, match=f"named `{target}`") as caught:
        LoRA(targets=("value", target)).apply(model, fresh)
    assert "known: dense, key, query, value" in str(caught.value)
    if target == "qeury":
        assert "did you mean `query`?" in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"rank": 0}, {"alpha": 0}, {"dropout": 1.0}, {"targets": []}, {"targets": "query"}, {"r": 8}]
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LoRA(**options)


def test_recipes_may_give_a_list_of_targets() -> None:
    assert LoRA.model_validate({"name": "lora", "targets": ["query", "value"]}).targets == ("query", "value")
    with pytest.raises(ValidationError, match="write `auto`, or a list"):
        LoRA.model_validate({"targets": "query"})


def test_dropout_in_the_blocks_stays_and_that_of_frozen_modules_goes(
    tiny_checkpoint: Callable[..., Path],
) -> None:
    model, fresh = load_classifier(tiny_checkpoint("bert"))
    strategy = LoRA()
    model = strategy.apply(model, fresh)
    strategy.train_mode(model)
    bert = model.base_model.model.bert
    assert bert.encoder.layer[0].attention.output.dropout.training
    assert bert.encoder.layer[0].attention.self.query.lora_dropout["default"].training
    assert not bert.embeddings.dropout.training


class TestVariants:
    def test_b_learns_faster(self, tiny_checkpoint: Callable[..., Path]) -> None:
        model, fresh = load_classifier(tiny_checkpoint("bert"))
        strategy = LoRA(b_rate=16.0)
        model = strategy.apply(model, fresh)
        groups = parameter_groups(model, strategy.rates(model, fresh), 0.0)
        names = {id(p): name for name, p in model.named_parameters()}
        found = {group["multiplier"]: {names[id(p)] for p in group["params"]} for group in groups}
        assert set(found) == {1.0, 16.0}
        assert all(".lora_B." in name for name in found[16.0])
        assert not any(".lora_B." in name for name in found[1.0])

    def test_scales_of_an_update(self, tiny_checkpoint: Callable[..., Path]) -> None:
        for strategy, expected in ((LoRA(rank=4, alpha=8), 2.0), (LoRA(rank=4, alpha=8, rslora=True), 4.0)):
            model, fresh = load_classifier(tiny_checkpoint("bert"))
            layers = wrapped(strategy.apply(model, fresh), LoraLayer).values()
            assert {layer.scaling["default"] for layer in layers} == {expected}

    def test_the_last_blocks_alone(self, tiny_checkpoint: Callable[..., Path]) -> None:
        model, fresh = load_classifier(tiny_checkpoint("bert"))
        adapted = wrapped(LoRA(layers=1).apply(model, fresh), LoraLayer)
        assert len(adapted) == 6
        assert all(name.startswith("bert.encoder.layer.1.") for name in adapted)
        model, fresh = load_classifier(tiny_checkpoint("bert"))
        with pytest.raises(InputError, match="lora: layers is 3, and this backbone has 2 blocks"):
            LoRA(layers=3).apply(model, fresh)

    def test_dora_learns_lengths(self, tiny_checkpoint: Callable[..., Path]) -> None:
        model, fresh = load_classifier(tiny_checkpoint("bert"))
        model = LoRA(dora=True).apply(model, fresh)
        lengths = {name: p for name, p in model.named_parameters() if "lora_magnitude_vector" in name}
        assert len(lengths) == 12
        assert all(parameter.requires_grad for parameter in lengths.values())
