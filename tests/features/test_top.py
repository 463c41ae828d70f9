"""The last block at one position, family by family: where one alone is read, and never else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from test_prefix import Case, gap

from hftransfer.features.top import Cut, cut_top, with_cut
from hftransfer.features.upper import Trial, UpperModel, collate_with_states, passes, trials_of, upper_model
from hftransfer.strategies import LoRA, Partial, Strategy, structure
from hftransfer.tasks.base import LABELS, Batch

Tiny = Callable[..., Path]
FIRST = {
    "bert": ("attention.self.query", "attention.output"),
    "roberta": ("attention.self.query", "attention.output"),
    "electra": ("attention.self.query", "attention.output"),
    "deberta-v2": ("attention.output",),
    "distilbert": ("attention.q_lin", "attention.out_lin", "sa_layer_norm"),
    "mpnet": ("attention.attn.q", "attention.attn.o", "attention.LayerNorm"),
    "modernbert": ("attn.Wo", "mlp_norm"),
    "vit": ("attention.q_proj", "attention.o_proj", "layernorm_after"),
}
"""Of families whose heads read one position: what of the last block is given that alone."""
STRATEGIES: dict[str, Strategy] = {"partial": Partial(blocks=1), "lora": LoRA(layers=1, dropout=0.0)}
OF_ALL = ["dinov2", "resnet", "convnext", "mobilenet_v2"]


def loss(module: torch.nn.Module, batch: Batch) -> torch.Tensor:
    output = module(**{name: value for name, value in batch.items() if name != LABELS}).logits
    return torch.nn.functional.cross_entropy(output, torch.arange(len(output)) % 3)


class Tried(Case):
    """A case and its upper model, tried."""

    def __init__(self, family: str, folder: Path, strategy: Strategy) -> None:
        super().__init__(family, folder, strategy)
        self.below = self.prefix()
        self.trials: list[Trial] = trials_of(self.model, self.below, self.rows[:8], self.collate, self.said)
        self.whole_top = upper_model(self.model, self.below, self.trials, self.said, 1e-5)

    def cut(self) -> UpperModel:
        return cut_top(self.model, self.whole_top, self.trials, self.said, loss, 1e-5)

    def passes(self, cut: Cut) -> bool:
        return passes(with_cut(self.whole_top, cut), self.trials, self.said, 1e-5)


def cuts_of(upper: UpperModel) -> list[Cut]:
    return [module._cut for module in upper.modules() if type(module).__name__ == "_OfFirst"]


def gradients(module: torch.nn.Module, batch: Any, case: Tried) -> list[torch.Tensor]:
    trained = [parameter for parameter in case.model.parameters() if parameter.requires_grad]
    return list(torch.autograd.grad(loss(module.eval(), batch), trained))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("family", FIRST)
def test_only_the_first_position_is_computed(family: str, strategy: str, tiny_checkpoint: Tiny) -> None:
    if (family, strategy) == ("deberta-v2", "partial"):
        chosen: Strategy = Partial(parameters=("layer.1.",))
    else:
        chosen = STRATEGIES[strategy]
    case = Tried(family, tiny_checkpoint(family), chosen)
    names = [name for name, _ in case.model.named_modules()]
    upper = case.cut()
    found = sorted(cut.module for cut in cuts_of(upper))
    assert len(found) == len(FIRST[family])
    assert all(any(name.endswith(f".{one}") for name in found) for one in FIRST[family])
    # What was looked for in the real modules is not left in them.
    assert [name for name, _ in case.model.named_modules()] == names
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in case.model.modules())
    assert cuts_of(case.whole_top) == []
    trained = {id(p) for p in case.model.parameters() if p.requires_grad}
    assert {id(p) for p in upper.parameters() if p.requires_grad} == trained

    # Rows that it was not tried on, in other company.
    batch = collate_with_states(case.with_states(case.below, case.rows[4:])[::-3], case.collate)
    plain = case.collate(case.rows[4:][::-3])
    expected = gradients(case.model, plain, case)
    largest = max(float(one.abs().max()) for one in expected)
    with torch.no_grad():
        short, whole = upper(**batch).logits, case.model(**plain).logits
    assert gap(short, whole) < 1e-5
    assert gap(short, whole.flip(0)) > 1e-4
    for one, other in zip(gradients(upper, batch, case), expected, strict=True):
        assert gap(one, other) < 1e-5 * max(1.0, largest)
    assert largest > 1e-2

    # Less is computed: what comes last in the block sees one position, and with the whole block all.
    last = structure.blocks(case.model)[-1]
    assert max(seen_in(upper, last, batch)) == 1 < min(seen_in(case.whole_top, last, batch))


def seen_in(upper: UpperModel, name: str, batch: Batch) -> list[int]:
    """The number of positions that feed-forward layers of a block are given."""
    found: list[int] = []
    block = upper.model.get_submodule(name)
    widest = max((p for p in block.parameters() if p.ndim == 2), key=lambda one: one.numel()).numel()
    wide = [
        part
        for name, part in block.named_modules()
        if isinstance(part, torch.nn.Linear) and part.weight.numel() == widest and "attn" not in name
    ]
    hooks = [one.register_forward_hook(lambda m, given, out: found.append(given[0].shape[1])) for one in wide]
    with torch.no_grad():
        upper(**batch)
    for hook in hooks:
        hook.remove()
    assert found
    return found


@pytest.mark.parametrize("family", OF_ALL)
def test_a_head_that_reads_all_is_left_alone(family: str, tiny_checkpoint: Tiny) -> None:
    case = Tried(family, tiny_checkpoint(family), Partial(blocks=1))
    assert case.cut() is case.whole_top


def test_another_position_is_not_taken_for_the_first(tiny_checkpoint: Tiny) -> None:
    folder = tiny_checkpoint("bert")
    case = Tried("bert", folder, Partial(blocks=1))
    (_, output) = sorted(cuts_of(case.cut()), key=lambda cut: cut.module, reverse=True)
    assert output.module.endswith("attention.output")
    assert case.passes(output)
    # Keys are looked at everywhere; a query that stays alone is not what attention expects.
    query = output.module.replace("output", "self.query")
    assert case.passes(Cut(query, frozenset({0}), repeated=True))
    assert not case.passes(Cut(query, frozenset({0})))
    assert not case.passes(Cut(query.replace("query", "key"), frozenset({0}), repeated=True))
    # Half of what is added up.
    assert case.passes(replace(output, inputs=frozenset({0})))
    # A head that looks at the second token.
    case.model.bert.pooler.register_forward_pre_hook(lambda module, given: (given[0][:, 1:],))
    second = Tried.__new__(Tried)
    second.__dict__.update(case.__dict__)
    second.trials = trials_of(case.model, case.below, case.rows[:8], case.collate, case.said)
    assert not second.passes(output)
    assert second.cut() is second.whole_top


class Gated(torch.nn.Module):
    """A module that adds the mean over all positions, not yet: its gate starts at zero."""

    def __init__(self, module: torch.nn.Module, positions: int | None) -> None:
        super().__init__()
        self.module, self.positions = module, positions
        self.gate = torch.nn.Parameter(torch.zeros(()))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.module(*inputs)
        return output + self.gate * output[:, : self.positions].mean(1, keepdim=True)


@pytest.mark.parametrize("positions", [1, None])
def test_what_will_add_other_positions_is_seen(positions: int | None, tiny_checkpoint: Tiny) -> None:
    """The output is that of the first position alone; what the gate learns is not."""
    case = Tried("bert", tiny_checkpoint("bert"), Partial(blocks=1))
    attention = case.model.bert.encoder.layer[1].attention
    attention.output = Gated(attention.output, positions)
    assert case.passes(Cut("bert.encoder.layer.1.attention.output", frozenset({0, 1})))
    assert (case.cut() is case.whole_top) == (positions is None)


def test_the_checkpoint_is_loaded_whole(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """What was trained with a cut top is saved under the model's own names."""
    case = Tried("bert", tiny_checkpoint("bert"), Partial(blocks=1))
    upper = case.cut().train()
    batch = collate_with_states(case.with_states(case.below, case.rows), case.collate)
    optimizer = torch.optim.SGD([p for p in upper.parameters() if p.requires_grad], lr=0.1)
    before = case.model.bert.encoder.layer[1].attention.self.query.weight.detach().clone()
    loss(upper, batch).backward()
    optimizer.step()
    assert gap(case.model.bert.encoder.layer[1].attention.self.query.weight.detach(), before) > 0
    case.model.save_pretrained(tmp_path / "saved")
    loaded = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").eval()
    plain = case.collate(case.rows)
    with torch.no_grad():
        assert gap(loaded(**plain).logits, case.model.eval()(**plain).logits) == 0
        assert gap(loaded(**plain).logits, upper.eval()(**batch).logits) < 1e-5
