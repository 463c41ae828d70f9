"""Every registered strategy, on every family: exactly the right parameters move, and the loss falls."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import FAMILIES, load_classifier, make_batch

from hftransfer.errors import InputError
from hftransfer.registry import STRATEGIES
from hftransfer.strategies import Full, LoRA, Partial
from hftransfer.strategies.base import Strategy

BATCH_NORM_FAMILIES = ("resnet", "mobilenet_v2")
CASES = [
    *(part() for part in STRATEGIES if part is not Partial),
    Partial(blocks=1),
    Full(batch_norm="update"),
    LoRA(rslora=True, dora=True, b_rate=16.0, layers=1),
]


def name_of(strategy: Strategy) -> str:
    return "-".join(
        str(value) for value in (strategy.name, *strategy.model_dump(exclude_defaults=True).values())
    )


WITHOUT_BIAS = "modernbert"
LAST = {
    "bert": ("encoder.layer.1.", "pooler."),
    "distilbert": ("transformer.layer.2.",),
    "roberta": ("encoder.layer.1.",),
    "deberta-v2": ("encoder.layer.1.", "encoder.LayerNorm."),
    "electra": ("encoder.layer.1.",),
    "albert": ("encoder.albert_layer_groups.", "pooler."),
    "mpnet": ("encoder.layer.1.",),
    "modernbert": ("layers.2.", "final_norm."),
    "vit": ("layers.1.", "layernorm."),
    "dinov2": ("encoder.layer.1.", "layernorm."),
    "resnet": ("encoder.stages.1.layers.1.",),
    "convnext": ("encoder.stages.1.layers.1.", "layernorm."),
    "mobilenet_v2": ("layer.15.", "conv_1x1."),
}
"""The last of a family's blocks, and what stands above it in the backbone."""
PAIRS = [
    pytest.param(strategy, family, id=f"{name_of(strategy)}-{family}")
    for strategy in CASES
    for family in FAMILIES
    if (strategy.name, family) != ("bitfit", WITHOUT_BIAS)
]


def snapshot(model: torch.nn.Module) -> dict[str, bytes]:
    """The bytes of every parameter and every buffer."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.detach().clone().numpy().tobytes() for name, tensor in tensors}


def train(
    strategy: Strategy, model: Any, batch: dict[str, torch.Tensor], steps: int, rate: float
) -> list[float]:
    """Losses of so many AdamW steps on one batch."""
    torch.manual_seed(0)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    losses = []
    for _ in range(steps):
        strategy.train_mode(model)
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        # Not set to None: a parameter that never had a gradient shows, later, by having none.
        optimizer.zero_grad(set_to_none=False)
        losses.append(loss.item())
    return losses


def should_move(strategy: Strategy, name: str, prefix: str, family: str) -> bool:
    """What each strategy promises, said without the code under test."""
    bare = name.removeprefix("base_model.model.")
    inside = bare.startswith(f"{prefix}.")
    last = bare.removeprefix(f"{prefix}.").startswith(LAST[family])
    adapted = ".lora_" in name and (last or not isinstance(strategy, LoRA) or strategy.layers is None)
    return {
        "full": True,
        "layer-decay": True,
        "probe-then-full": True,  # in the second of its trainings
        "gradual": True,  # in the end
        "frozen": not inside,
        "partial": not inside or last,
        "bitfit": not inside or name.endswith(".bias"),
        "lora": adapted if inside else ".modules_to_save." in name,
        "ia3": ".ia3_l." in name if inside else ".modules_to_save." in name,
    }[strategy.name]


def test_all_strategies_and_families_are_here() -> None:
    names = "bitfit frozen full gradual ia3 layer-decay lora partial probe-then-full"
    assert STRATEGIES.names() == tuple(names.split())
    assert len(FAMILIES) == len(LAST) == 13
    assert len(CASES) == 11


def test_an_architecture_without_biases(tiny_checkpoint: Callable[..., Path]) -> None:
    model, fresh = load_classifier(tiny_checkpoint(WITHOUT_BIAS))
    with pytest.raises(InputError, match="bitfit finds no bias in the backbone of ModernBert") as caught:
        STRATEGIES.get("bitfit")().apply(model, fresh)
    assert "ia3" in str(caught.value.hint)


def test_reading_options_takes_no_torch() -> None:
    code = (
        "import sys, hftransfer.strategies as s; s.LoRA(rank=4); print({'torch', 'peft'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(("strategy", "family"), PAIRS)
def test_exactly_the_right_tensors_move(
    strategy: Strategy, family: str, tiny_checkpoint: Callable[..., Path]
) -> None:
    folder = tiny_checkpoint(family)
    model, fresh = load_classifier(folder)
    prefix = model.base_model_prefix
    model = strategy.apply(model, fresh)
    expected = {name for name, _ in model.named_parameters() if should_move(strategy, name, prefix, family)}
    assert {name for name, p in model.named_parameters() if p.requires_grad} == expected

    before = snapshot(model)
    train(strategy, model, make_batch(family, folder), steps=3, rate=1e-2)
    after = snapshot(model)
    moved = {name for name in before if before[name] != after[name]}

    # DINOv2's mask token has no part in classification.
    unused = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert unused <= {"dinov2.embeddings.mask_token"}
    statistics = {name for name, _ in model.named_buffers() if "running_" in name or "num_batches" in name}
    assert bool(statistics) == (family in BATCH_NORM_FAMILIES)
    moving = statistics if isinstance(strategy, Full) and strategy.batch_norm == "update" else set()
    assert moved == (expected - unused) | moving
    # ... and a training checkpoint would hold all of it.
    assert moved <= strategy.state(model) <= set(model.state_dict())


@pytest.mark.parametrize(("strategy", "family"), PAIRS)
def test_the_loss_falls(strategy: Strategy, family: str, tiny_checkpoint: Callable[..., Path]) -> None:
    folder = tiny_checkpoint(family)
    torch.manual_seed(0)
    model, fresh = load_classifier(folder)
    model = strategy.apply(model, fresh)
    losses = train(strategy, model, make_batch(family, folder), steps=12, rate=1e-2)
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3]), losses


@pytest.mark.parametrize(("strategy", "family"), PAIRS)
def test_state_is_all_that_training_changed(
    strategy: Strategy, family: str, tiny_checkpoint: Callable[..., Path]
) -> None:
    folder = tiny_checkpoint(family)
    batch = make_batch(family, folder)

    def fresh_start() -> Any:
        torch.manual_seed(0)
        model, fresh = load_classifier(folder)
        return strategy.apply(model, fresh)

    model = fresh_start()
    train(strategy, model, batch, steps=2, rate=1e-2)
    names = strategy.state(model)
    held = {name: tensor for name, tensor in model.state_dict().items() if name in names}
    resumed = fresh_start()
    assert snapshot(resumed) != snapshot(model)
    resumed.load_state_dict(held, strict=False)
    assert snapshot(resumed) == snapshot(model)


@pytest.mark.parametrize(("strategy", "family"), PAIRS)
def test_frozen_parts_are_in_evaluation_mode(
    strategy: Strategy, family: str, tiny_checkpoint: Callable[..., Path]
) -> None:
    model, fresh = load_classifier(tiny_checkpoint(family))
    model = strategy.apply(model, fresh)
    model.eval()
    strategy.train_mode(model)
    assert model.training
    for name, module in model.named_modules():
        parameters = list(module.parameters())
        norm = isinstance(module, torch.nn.BatchNorm2d)
        if norm:
            update = isinstance(strategy, Full) and strategy.batch_norm == "update"
            assert module.training == update, name
        elif parameters:
            assert module.training == any(p.requires_grad for p in parameters), name
