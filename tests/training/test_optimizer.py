"""Parameter groups and the schedule."""

from __future__ import annotations

import pytest
import torch
import transformers
from torch import nn

from hftransfer.recipe import SGD, Adam, AdamW, RMSprop, TrainingSection
from hftransfer.training.optimizer import make_optimizer, parameter_groups, rate_at, set_rate


def test_biases_and_norms_are_not_decayed() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    model[0].bias.requires_grad_(False)
    groups = parameter_groups(model, {"^0": 0.5, "": 1.0}, weight_decay=0.1)
    shapes = {(g["multiplier"], g["weight_decay"]): [tuple(p.shape) for p in g["params"]] for g in groups}
    assert shapes == {(0.5, 0.1): [(4, 4)], (1.0, 0.0): [(4,), (4,), (2,)], (1.0, 0.1): [(2, 4)]}


def test_set_rate_keeps_the_multipliers() -> None:
    optimizer = make_optimizer(
        nn.Linear(2, 2), {"weight": 0.1, "bias": 1.0}, TrainingSection(learning_rate=1.0)
    )
    set_rate(optimizer, 2.0)
    assert sorted(group["lr"] for group in optimizer.param_groups) == [0.2, 2.0]


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_schedule_equals_transformers(schedule: str) -> None:
    name = {"constant": "constant_with_warmup"}.get(schedule, schedule)
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.3)
    theirs = transformers.get_scheduler(name, optimizer, num_warmup_steps=7, num_training_steps=50)
    training = TrainingSection(learning_rate=0.3, schedule=schedule, warmup=7)
    for step in range(50):
        assert rate_at(step, total=50, training=training) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()
    other = TrainingSection(learning_rate=0.3, schedule=schedule, warmup=8)
    assert rate_at(3, total=50, training=other) != pytest.approx(rate_at(3, total=50, training=training))


@pytest.mark.parametrize(
    ("choice", "reference"),
    [
        (AdamW(weight_decay=0.1), lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1)),
        (Adam(), lambda p: torch.optim.Adam(p, lr=0.01)),
        (
            SGD(momentum=0.9, nesterov=True),
            lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
        ),
        (RMSprop(), lambda p: torch.optim.RMSprop(p, lr=0.01)),
    ],
)
def test_optimizers_step_as_torch_does(choice: object, reference: object) -> None:
    def weights(make: object) -> torch.Tensor:
        torch.manual_seed(0)
        layer = nn.Linear(3, 3, bias=False)
        optimizer = make(layer)  # type: ignore[operator]
        for _ in range(3):
            optimizer.zero_grad()
            layer(torch.ones(2, 3)).pow(2).sum().backward()
            optimizer.step()
        return layer.weight.detach()

    ours = weights(
        lambda layer: make_optimizer(layer, {"": 1.0}, TrainingSection(learning_rate=0.01, optimizer=choice))
    )
    theirs = weights(lambda layer: reference(layer.parameters()))  # type: ignore[operator]
    torch.testing.assert_close(ours, theirs)
    start = weights(lambda layer: torch.optim.SGD(layer.parameters(), lr=0.0))
    assert not torch.allclose(ours, start)
