"""Full fine-tuning: what its one option does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from tiny import load_classifier

from hftransfer.strategies import Full


def test_batch_norm_weights_train_while_its_statistics_are_held(tiny_checkpoint: Callable[..., Path]) -> None:
    model, fresh = load_classifier(tiny_checkpoint("resnet"))
    Full().apply(model, fresh)
    Full().train_mode(model)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert all(norm.weight.requires_grad for norm in norms)


def test_a_batch_norm_in_the_head_is_not_held(tiny_checkpoint: Callable[..., Path]) -> None:
    model, fresh = load_classifier(tiny_checkpoint("resnet"))
    model.classifier = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.BatchNorm1d(32), torch.nn.Linear(32, 3)
    )
    Full().apply(model, fresh)
    Full().train_mode(model)
    assert model.classifier[1].training
    assert "classifier.1.running_mean" in Full().state(model)


def test_options_are_closed() -> None:
    with pytest.raises(ValidationError, match="batch_norm"):
        Full(batch_norm="freeze")
    with pytest.raises(ValidationError, match="rank"):
        Full(rank=8)
