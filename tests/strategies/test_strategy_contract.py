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

from hftransfer.registry import STRATEGIES
from hftransfer.strategies import Full
from hftransfer.strategies.base import Strategy

BATCH_NORM_FAMILIES = ("resnet", "mobilenet_v2")
CASES = [*(part() for part in STRATEGIES), Full(batch_norm="update")]


def name_of(strategy: Strategy) -> str:
    return (
        "-".join(str(value) for value in strategy.model_dump(exclude_defaults=True).values()) or strategy.name
    )


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


def should_move(strategy: Strategy, name: str, prefix: str) -> bool:
    """What each strategy promises, said without the code under test."""
    inside = name.removeprefix("base_model.model.").startswith(f"{prefix}.")
    return {
        "full": True,
        "frozen": not inside,
        "lora": (".lora_A." in name or ".lora_B." in name) if inside else ".modules_to_save." in name,
    }[strategy.name]


def test_all_strategies_and_families_are_here() -> None:
    assert STRATEGIES.names() == ("frozen", "full", "lora")
    assert len(FAMILIES) == 13
    assert len(CASES) == 4


def test_reading_options_takes_no_torch() -> None:
    code = (
        "import sys, hftransfer.strategies as s; s.LoRA(rank=4); print({'torch', 'peft'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("strategy", CASES, ids=name_of)
def test_exactly_the_right_tensors_move(
    strategy: Strategy, family: str, tiny_checkpoint: Callable[..., Path]
) -> None:
    folder = tiny_checkpoint(family)
    model, fresh = load_classifier(folder)
    prefix = model.base_model_prefix
    model = strategy.apply(model, fresh)
    expected = {name for name, _ in model.named_parameters() if should_move(strategy, name, prefix)}
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


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("strategy", CASES, ids=name_of)
def test_the_loss_falls(strategy: Strategy, family: str, tiny_checkpoint: Callable[..., Path]) -> None:
    folder = tiny_checkpoint(family)
    torch.manual_seed(0)
    model, fresh = load_classifier(folder)
    model = strategy.apply(model, fresh)
    losses = train(strategy, model, make_batch(family, folder), steps=12, rate=1e-2)
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3]), losses


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("strategy", CASES, ids=name_of)
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


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("strategy", CASES, ids=name_of)
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
