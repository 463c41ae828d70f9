"""(IA)^3: what is scaled, and how; that it starts as the pretrained model and is merged into plain weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft.tuners.ia3 import IA3Layer
from tiny import FAMILIES, load_classifier, logits, make_batch

from hftransfer.errors import InputError
from hftransfer.strategies import IA3

Tiny = Callable[..., Path]


def scaled(model: torch.nn.Module) -> dict[str, bool]:
    """Name -> whether it is the layer's inputs that are scaled."""
    layers = ((name.removeprefix("base_model.model."), one) for name, one in model.named_modules())
    return {name: one.is_feedforward for name, one in layers if isinstance(one, IA3Layer)}


def test_layers_that_narrow_are_scaled_on_their_inputs(tiny_checkpoint: Tiny) -> None:
    model, fresh = load_classifier(tiny_checkpoint("bert"))
    found = scaled(IA3().apply(model, fresh))
    parts = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
    parts += ("intermediate.dense", "output.dense")
    assert found == {
        f"bert.encoder.layer.{n}.{part}": part == "output.dense" for n in range(2) for part in parts
    }


def test_the_papers_own_choice(tiny_checkpoint: Tiny) -> None:
    model, fresh = load_classifier(tiny_checkpoint("bert"))
    strategy = IA3(targets=["key", "value", "intermediate.dense"], layers=1)
    found = scaled(strategy.apply(model, fresh))
    block = "bert.encoder.layer.1"
    assert found == dict.fromkeys(
        (f"{block}.attention.self.key", f"{block}.attention.self.value", f"{block}.intermediate.dense"), False
    )
    model, fresh = load_classifier(tiny_checkpoint("bert"))
    with pytest.raises(
        InputError, match="ia3: no linear layer or convolution of this backbone is named `keys`"
    ):
        IA3(targets=["keys"]).apply(model, fresh)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_starts_as_the_pretrained_model(family: str, tiny_checkpoint: Tiny) -> None:
    folder = tiny_checkpoint(family)
    torch.manual_seed(0)
    model, fresh = load_classifier(folder)
    batch = make_batch(family, folder)
    before = logits(model, batch)
    model = IA3().apply(model, fresh)
    assert torch.allclose(logits(model, batch), before, atol=1e-6)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".ia3_l." in name:
                parameter.mul_(1.5)
    changed = logits(model, batch)
    assert not torch.allclose(changed, before, atol=1e-3)
    assert torch.allclose(logits(IA3().plain(model), batch), changed, rtol=1e-3, atol=1e-4)
