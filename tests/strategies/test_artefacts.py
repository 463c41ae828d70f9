"""What a strategy saves, loaded in another process with another seed, is the model that was trained."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import FAMILIES, TEXT_FAMILIES, load_classifier, make_batch

from hftransfer.registry import STRATEGIES
from hftransfer.strategies import IA3, Frozen, Full, LoRA, Strategy

Case = tuple[str, str, str]

VARIANTS: dict[str, dict[str, Any]] = {
    "": {},
    "without-pooler": {"pooler": False},
    # From 20 targets on, PEFT shortens the list to ends of names: they must not catch the pooler's `dense`.
    "deep-without-pooler": {"pooler": False, "num_hidden_layers": 4},
}
ADAPTERS = ("lora", "dora", "ia3")
MADE: dict[str, Strategy] = {
    "full": Full(),
    "frozen": Frozen(),
    "lora": LoRA(),
    "dora": LoRA(dora=True),
    "ia3": IA3(),
}
"""Those that save something in a way of their own. The others save as full does: transformers' own way."""
CASES: list[Case] = [
    (name, family, variant)
    for name in MADE
    for family in FAMILIES
    for variant in VARIANTS
    if not variant or family in ("bert", "albert")
]
NO_ADAPTER = ("mobilenet_v2",)
"""It reads attributes off its convolutions that PEFT's wrapper lacks: plain PEFT cannot run it."""

# Knows nothing of this package: it loads as any user of transformers and peft would.
LOAD_ALL = """
import json, sys
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification
from peft import PeftModel

torch.manual_seed(4711)
for case in sorted(Path(sys.argv[1]).iterdir()):
    batch = load_file(case / "batch.safetensors")
    auto = AutoModelForImageClassification if "pixel_values" in batch else AutoModelForSequenceClassification
    for kind in ("plain", "adapter", "broken"):
        folder = case / kind
        if kind == "plain":
            model = auto.from_pretrained(folder)
        elif folder.exists():
            base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
            model = PeftModel.from_pretrained(auto.from_pretrained(base, num_labels=3), folder)
        else:
            continue
        with torch.no_grad():
            save_file({"logits": model.eval()(**batch).logits}, case / f"{kind}.safetensors")
"""


def case_name(case: Case) -> str:
    return "-".join(part for part in case if part)


def save_case(case: Case, base: Path, folder: Path) -> None:
    """Train three steps, save in every form, and keep the batch and what the trained model makes of it."""
    name, family, _ = case
    strategy = MADE[name]
    torch.manual_seed(0)
    model, fresh = load_classifier(base)
    batch = make_batch(family, base)
    model = strategy.apply(model, fresh)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(3):
        strategy.train_mode(model)
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        logits = model(**batch).logits
    folder.mkdir()
    save_file(batch, folder / "batch.safetensors")
    save_file({"logits": logits}, folder / "expected.safetensors")
    strategy.plain(model).save_pretrained(folder / "plain")
    if strategy.save_adapter(model, folder / "adapter", base=str(base)):
        break_adapter(folder / "adapter", folder / "broken")


def break_adapter(adapter: Path, broken: Path) -> None:
    """The adapter as it would be without modules_to_save: the updates alone."""
    shutil.copytree(adapter, broken)
    config = json.loads((broken / "adapter_config.json").read_text())
    (broken / "adapter_config.json").write_text(json.dumps(config | {"modules_to_save": None}))
    tensors = load_file(broken / "adapter_model.safetensors")
    save_file(
        {name: t for name, t in tensors.items() if ".lora_" in name or ".ia3_l" in name},
        broken / "adapter_model.safetensors",
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Callable[..., Path]) -> Iterator[Path]:
    """Every case saved here, and loaded, all of them in one other process."""
    root = tmp_path_factory.mktemp("artefacts")
    for case in CASES:
        _, family, variant = case
        save_case(case, tiny_checkpoint(family, **VARIANTS[variant]), root / case_name(case))
    subprocess.run([sys.executable, "-c", LOAD_ALL, str(root)], check=True, capture_output=True, text=True)
    yield root
    shutil.rmtree(root)


def difference(case: Path, kind: str) -> float:
    expected = load_file(case / "expected.safetensors")["logits"]
    return (load_file(case / f"{kind}.safetensors")["logits"] - expected).abs().max().item()


def test_all_cases_are_here() -> None:
    assert len(CASES) == len(MADE) * (13 + 2 * 2)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_plain_model_gives_the_trained_outputs(case: Case, saved: Path) -> None:
    limit = 1e-4 if case[0] in ADAPTERS else 1e-5  # merging rounds
    assert difference(saved / case_name(case), "plain") <= limit
    files = {path.name for path in (saved / case_name(case) / "plain").iterdir()}
    assert files == {"config.json", "model.safetensors"}


@pytest.mark.parametrize("case", [case for case in CASES if case[0] in ADAPTERS], ids=case_name)
def test_adapter_gives_the_trained_outputs(case: Case, saved: Path) -> None:
    folder = saved / case_name(case)
    if case[1] in NO_ADAPTER:
        assert not (folder / "adapter").exists()
        return
    assert difference(folder, "adapter") <= 1e-5
    assert {path.name for path in (folder / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }


@pytest.mark.parametrize("case", [case for case in CASES if case[0] in ADAPTERS], ids=case_name)
def test_adapter_without_its_whole_modules_does_not(case: Case, saved: Path) -> None:
    """The negative control: what PEFT's guess by names saves where it misses a module."""
    if case[1] not in NO_ADAPTER:
        assert difference(saved / case_name(case), "broken") > 1e-2


@pytest.mark.parametrize("name", sorted({*STRATEGIES.names()} - {*ADAPTERS, "partial"}))
def test_other_strategies_have_no_adapter(
    name: str, tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    strategy = STRATEGIES.get(name)()
    model, fresh = load_classifier(tiny_checkpoint("bert"))
    model = strategy.apply(model, fresh)
    assert not strategy.save_adapter(model, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()
    assert strategy.plain(model) is model


def test_adapter_records_its_base_and_saves_the_same_bytes(
    tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    base = tiny_checkpoint("bert")
    model, fresh = load_classifier(base)
    model = LoRA().apply(model, fresh)
    for name, given in (("once", "org/name"), ("again", "org/name"), ("own", None)):
        assert LoRA().save_adapter(model, tmp_path / name, base=given)
    texts = {name: (tmp_path / name / "adapter_config.json").read_text() for name in ("once", "again", "own")}
    assert texts["once"] == texts["again"]
    config = json.loads(texts["once"])
    assert config["base_model_name_or_path"] == "org/name"
    assert config["task_type"] is None
    assert config["modules_to_save"] == ["classifier"]
    assert config["target_modules"] == sorted(config["target_modules"])
    assert json.loads(texts["own"])["base_model_name_or_path"] == str(base)


def test_merged_model_runs_in_a_pipeline(saved: Path, tiny_checkpoint: Callable[..., Path]) -> None:
    from transformers import AutoTokenizer, pipeline

    assert "bert" in TEXT_FAMILIES
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint("bert"))
    classify = pipeline("text-classification", model=str(saved / "lora-bert" / "plain"), tokenizer=tokenizer)
    (answer,) = classify(["i saw the cat and the dog today"])
    assert set(answer) == {"label", "score"}
