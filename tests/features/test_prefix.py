"""The model above its frozen blocks, family by family: what the whole model gives, or refused, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tiny import FAMILIES, TEXT_FAMILIES, load_classifier, make_batch

from hftransfer.features.prefix import (
    STATES,
    CannotSkipError,
    Prefix,
    find_prefix,
    frozen_blocks,
    inputs_of,
    run_until,
)
from hftransfer.features.upper import (
    MASK,
    UpperModel,
    collate_with_states,
    rows_of_states,
    trials_of,
    upper_model,
)
from hftransfer.strategies import LoRA, Partial, Strategy, structure
from hftransfer.tasks.base import LABELS

Tiny = Callable[..., Path]
ONE_BLOCK = [family for family in FAMILIES if family == "albert"]
"""Its layers are one block that runs again and again: none lies below another."""
STRATEGIES = {
    # What norms DeBERTa's relative positions is used by every block, and would move with the blocks above.
    "partial": lambda family: (
        Partial(parameters=("layer.1.",)) if family == "deberta-v2" else Partial(blocks=1)
    ),
    "lora": lambda family: LoRA(layers=1),
}


class Case:
    """A tiny classifier whose top block moves, and rows for it, of several lengths where they are texts."""

    def __init__(self, family: str, folder: Path, strategy: Strategy) -> None:
        torch.manual_seed(0)
        model, fresh = load_classifier(folder)
        self.strategy = strategy
        self.model = strategy.apply(model, fresh)
        self.tokenizer = (
            transformers.AutoTokenizer.from_pretrained(folder) if family in TEXT_FAMILIES else None
        )
        batch = {name: value for name, value in make_batch(family, folder, 12).items() if name != LABELS}
        mask = batch.pop(MASK, None)
        self.rows: list[dict[str, Any]] = [
            {
                name: value[row] if mask is None else value[row][mask[row].bool()][: 7 + row].tolist()
                for name, value in batch.items()
            }
            for row in range(12)
        ]

    def collate(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        if self.tokenizer is not None:
            return dict(self.tokenizer.pad(list(rows), return_tensors="pt"))
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}

    def prefix(self) -> Prefix:
        blocks = frozen_blocks(self.model)
        return find_prefix(self.model, blocks, self.collate(self.rows[:8]), self.strategy.train_mode)

    def upper(self, prefix: Prefix) -> UpperModel:
        trials = trials_of(self.model, prefix, self.rows[:8], self.collate, self.said)
        return upper_model(self.model, prefix, trials, self.said, 1e-5)

    def said(self, module: torch.nn.Module, batch: Any) -> list[np.ndarray]:
        return [module(**batch).logits.numpy()]

    def with_states(self, prefix: Prefix, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        batch = self.collate(rows)
        with torch.no_grad():
            states = run_until(self.model.eval(), prefix.blocks[-1], inputs_of(batch))
        return [{**row, STATES: one} for row, one in zip(rows, rows_of_states(states, batch), strict=True)]


def gap(first: Any, second: Any) -> float:
    return float((first - second).abs().max())


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in ONE_BLOCK])
def test_it_gives_what_the_whole_model_gives(family: str, strategy: str, tiny_checkpoint: Tiny) -> None:
    case = Case(family, tiny_checkpoint(family), STRATEGIES[strategy](family))
    moved = {name: p.requires_grad for name, p in case.model.named_parameters()}
    prefix = case.prefix()
    assert list(prefix.blocks) == structure.blocks(case.model)[:-1]
    assert {name: p.requires_grad for name, p in case.model.named_parameters()} == moved
    upper = case.upper(prefix).eval()
    # The rows were not among those that it was tried on, and are padded in another way than they were computed.
    kept = case.with_states(prefix, case.rows[4:])
    with torch.no_grad():
        short = upper(**collate_with_states(kept[::-3], case.collate)).logits
        whole = case.model(**case.collate(case.rows[4:][::-3])).logits
        assert gap(short, whole) < 1e-5
        assert gap(short, whole.flip(0)) > 1e-3
        # Lower weights are not looked at any more: those are not what it gives for.
        for parameter in case.model.get_submodule(prefix.blocks[0]).parameters():
            parameter.mul_(3 * torch.rand_like(parameter))
        assert gap(upper(**collate_with_states(kept[::-3], case.collate)).logits, whole) < 1e-5
        assert gap(case.model(**case.collate(case.rows[4:][::-3])).logits, whole) > 1e-4


@pytest.mark.parametrize("family", ["bert", "resnet"])
def test_training_it_trains_the_model(family: str, tiny_checkpoint: Tiny) -> None:
    case = Case(family, tiny_checkpoint(family), Partial(blocks=1))
    prefix = case.prefix()
    upper = case.upper(prefix)
    trained = {id(p) for p in case.model.parameters() if p.requires_grad}
    assert {id(p) for p in upper.parameters() if p.requires_grad} == trained
    case.strategy.train_mode(upper)
    held = {id(one) for one in case.strategy.held(case.model)}
    assert all(one.training != (id(one) in held) for one in upper.modules() if id(one) in held)
    assert any(one.training for one in structure.dropouts(upper)) == (family == "bert")
    whole = case.model.train(False)
    batch = case.collate(case.rows)
    expected = torch.autograd.grad(
        whole(**batch).logits.square().sum(), [p for p in whole.parameters() if p.requires_grad]
    )
    kept = collate_with_states(case.with_states(prefix, case.rows), case.collate)
    upper.eval()(**kept).logits.square().sum().backward()
    found = [p.grad for p in whole.parameters() if p.requires_grad]
    assert len(found) == len(expected) > 4
    assert (
        max(gap(a, b) / max(1.0, float(b.abs().max())) for a, b in zip(found, expected, strict=True)) < 1e-5
    )
    assert not any(p.grad is not None for p in whole.parameters() if not p.requires_grad)


def test_weights_that_it_depends_on(tiny_checkpoint: Tiny) -> None:
    for strategy in (Partial(blocks=1), LoRA(layers=1)):
        names = Case("bert", tiny_checkpoint("bert"), strategy).prefix().weights
        plain = {name.removeprefix("base_model.model.") for name in names}
        assert all(name.startswith(("bert.embeddings.", "bert.encoder.layer.0.")) for name in plain)
        assert len(plain) == 21
    # A table that no module is called for.
    deberta = Case("deberta-v2", tiny_checkpoint("deberta-v2"), LoRA(layers=1)).prefix().weights
    assert any(name.endswith("encoder.rel_embeddings.weight") for name in deberta)


def test_nothing_lies_below_what_moves(tiny_checkpoint: Tiny) -> None:
    for family, strategy in (
        ("albert", Partial(blocks=1)),
        ("bert", LoRA()),
        ("bert", Partial(parameters=("word_embeddings",))),
        ("bert", Partial(blocks=2)),
    ):
        assert frozen_blocks(Case(family, tiny_checkpoint(family), strategy).model) == []


def test_what_moves_is_used_below(tiny_checkpoint: Tiny) -> None:
    case = Case("deberta-v2", tiny_checkpoint("deberta-v2"), Partial(blocks=1))
    assert len(frozen_blocks(case.model)) == 1
    with pytest.raises(CannotSkipError, match="what moves is used below them"):
        case.prefix()


def test_a_block_that_is_skipped_at_random(tiny_checkpoint: Tiny) -> None:
    case = Case("bert", tiny_checkpoint("bert"), Partial(blocks=1))
    layer = case.model.bert.encoder.layer[0]

    def drop(module: Any, given: Any) -> None:
        if case.model.bert.encoder.training:
            torch.rand(())

    layer.register_forward_pre_hook(drop)
    before = torch.get_rng_state()
    with pytest.raises(CannotSkipError, match="draws at random"):
        case.prefix()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_block_that_runs_twice(tiny_checkpoint: Tiny) -> None:
    case = Case("bert", tiny_checkpoint("bert"), Partial(blocks=1))
    first, second = case.model.bert.encoder.layer
    case.model.bert.encoder.layer = torch.nn.ModuleList([first, first, second])
    with pytest.raises(CannotSkipError, match="they do not run once each"):
        case.prefix()


def test_what_looks_below_is_refused(tiny_checkpoint: Tiny) -> None:
    """A head that adds what the lowest block gave: no stand-in gives that."""
    case = Case("bert", tiny_checkpoint("bert"), Partial(blocks=1))
    seen: list[torch.Tensor] = []

    def add(module: Any, given: Any, output: torch.Tensor) -> torch.Tensor:
        added = output + (seen[-1].abs().mean() if seen else 0)
        seen.clear()
        return added

    case.model.bert.encoder.layer[0].attention.register_forward_hook(
        lambda module, given, output: seen.append(output[0])
    )
    case.model.classifier.register_forward_hook(add)
    with pytest.raises(CannotSkipError, match="do not give the same without them"):
        case.upper(case.prefix())
