"""Many heads as one: each gives, and learns, what it would alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny import load_classifier, make_batch
from torch.func import functional_call

from hftransfer.features.head import HeadModel, read_by_head
from hftransfer.features.heads import Heads, SumOverHeads
from hftransfer.recipe import SGD, Adam, AdamW, RMSprop, TrainingSection
from hftransfer.strategies import Frozen, structure
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.losses import CrossEntropy
from hftransfer.training.optimizer import optimizer_of

Tiny = Callable[..., Path]
COPIES = 5
SETTINGS = [(1e-2, 0.0), (1e-2, 0.1), (5e-2, 0.1), (5e-2, 0.1), (1e-2, 0.0)]
BOUND = 0.05
RATE = 3e-3


def head_and_features(family: str, tiny_checkpoint: Tiny, **options: Any) -> tuple[HeadModel, torch.Tensor]:
    """A head and (B, D) of what its backbone says."""
    folder = tiny_checkpoint(family, **options)
    model, fresh = load_classifier(folder)
    batch = {name: value for name, value in make_batch(family, folder).items() if name != LABELS}
    Frozen().apply(model, fresh)
    found = read_by_head(model, batch)
    assert found is not None
    assert isinstance(found, HeadModel)
    with torch.no_grad():
        return found, found.pooled(batch)[0]


def drawn(head: HeadModel) -> list[dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    names = [name for name, parameter in head.named_parameters() if parameter.requires_grad]
    return [{name: 0.3 * torch.randn_like(head.get_parameter(name)) for name in names} for _ in range(COPIES)]


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize("readings", [None, [0, 0, 1, 1, 0]])
def test_each_gives_what_it_gives_alone(
    family: str, readings: list[int] | None, tiny_checkpoint: Tiny
) -> None:
    """bert's head is one linear layer, roberta's are two: products of different kinds."""
    head, features = head_and_features(family, tiny_checkpoint)
    states = drawn(head)
    heads = Heads(head, states, [3.0, 0.1, 1.0, 0.7, 1e-3], readings)
    assert heads._is_linear() == (family == "bert")
    read = torch.stack([features, features.flip(0)], dim=1)
    with torch.no_grad():
        logits = heads(features if readings is None else read).logits
        for number, state in enumerate(states):
            own = features if readings is None else read[:, readings[number]]
            alone = functional_call(head, state, (own,)).logits
            assert torch.allclose(logits[number], alone, atol=1e-6)
            assert not torch.allclose(logits[number], logits[number - 1], atol=1e-3)
            assert all(torch.allclose(heads.state(number)[name], value) for name, value in state.items())


@pytest.mark.parametrize("family", ["bert", "roberta"])
# By default RMSprop's first steps are the signs of gradients, be they nothing but rounding.
@pytest.mark.parametrize(
    "optimizer", [AdamW(), Adam(), SGD(), RMSprop(epsilon=1e-3)], ids=lambda one: one.name
)
def test_each_learns_what_it_learns_alone(family: str, optimizer: Any, tiny_checkpoint: Tiny) -> None:
    """Its own rate, decay and bound, by every optimizer; two batches make a step."""
    head, features = head_and_features(family, tiny_checkpoint)
    training, states = TrainingSection(optimizer=optimizer), drawn(head)
    rates, decays = zip(*SETTINGS, strict=True)
    heads = Heads(head, states, [rate / RATE for rate in rates])
    raw = optimizer_of([{"params": [*heads.stacked], "lr": RATE, "weight_decay": 0.0}], training)
    heads.moved_by(raw, decays, BOUND)
    labels = {LABELS: torch.arange(len(features)) % head.config.num_labels}
    halves = [(features, labels), (features.flip(0), labels)]
    for _ in range(3):
        for inputs, batch in halves:
            SumOverHeads(CrossEntropy()).sum(heads(inputs), batch).backward()
        raw.step()
        raw.zero_grad()
    for number, (rate, decay) in enumerate(SETTINGS):
        own = {name: torch.nn.Parameter(value.clone()) for name, value in states[number].items()}
        groups = [
            {"params": [value], "lr": rate, "weight_decay": decay if value.ndim > 1 else 0.0}
            for value in own.values()
        ]
        alone = optimizer_of(groups, training)
        for _ in range(3):
            for inputs, batch in halves:
                output = SimpleNamespace(logits=functional_call(head, own, (inputs,)).logits)
                CrossEntropy().sum(output, batch).backward()
            torch.nn.utils.clip_grad_norm_(own.values(), BOUND)
            alone.step()
            alone.zero_grad()
        learnt = heads.state(number)
        assert all((learnt[name] - v).abs().max() < 1e-5 * max(1, v.abs().max()) for name, v in own.items())
        assert max((learnt[name] - states[number][name]).abs().max() for name in own) > 1e-4


def test_a_head_with_dropout_is_no_linear_layer_while_it_trains(tiny_checkpoint: Tiny) -> None:
    head, features = head_and_features("bert", tiny_checkpoint, hidden_dropout_prob=0.1)
    heads = Heads(head, drawn(head))
    head.eval()
    assert torch.equal(heads(features).logits, heads(features).logits)
    Frozen(dropout=True).train_mode(head)
    assert any(module.training for module in structure.dropouts(head))
    assert not torch.equal(heads(features).logits, heads(features).logits)


def test_a_head_that_bends_its_features_is_no_linear_layer(tiny_checkpoint: Tiny) -> None:
    head, _ = head_and_features("bert", tiny_checkpoint)
    bent = copy.deepcopy(head)
    classifier = bent.model.classifier
    classifier.register_forward_pre_hook(lambda module, given: (given[0].tanh(),))
    assert Heads(head, drawn(head))._is_linear()
    assert not Heads(bent, drawn(bent))._is_linear()
