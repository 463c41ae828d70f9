"""Features of rows: equal to a plain forward pass, asked for once, and again only where something changed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from tiny import ANIMALS, COLOURS, MAX_LENGTH, load_classifier

from hftransfer.features import rows as module
from hftransfer.features.head import ask, read_by_head
from hftransfer.features.rows import extract
from hftransfer.features.store import stores
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.text_classification import TextClassification

Tiny = Callable[..., Path]
TEXTS = [
    f"the {a} {'saw a ' * n}{c} cat" for n, (a, c) in enumerate(zip(ANIMALS * 3, COLOURS * 3, strict=False))
][:20]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFTRANSFER_CACHE", str(tmp_path / "cache"))
    yield
    AcceleratorState._reset_state()  # a test may have set a precision


class Case:
    """A tiny classifier, and how often its backbone is asked."""

    def __init__(self, folder: Path, seed: int = 0, **task: Any) -> None:
        torch.manual_seed(seed)
        self.model, _ = load_classifier(folder)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.task = TextClassification(**task)
        self.pretrained = Pretrained(self.tokenizer, self.model.config, MAX_LENGTH)
        self.rows_asked = 0
        self.model.base_model.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, module: Any, given: Any, options: Any) -> None:
        self.rows_asked += len(options.get("input_ids", given[0] if given else ()))

    def collate(self, examples: Any) -> Any:
        return self.task.collate(examples, self.pretrained)

    def extract(self, texts: list[str] = TEXTS, **options: Any) -> tuple[np.ndarray, int]:
        """(features, how many rows the backbone was asked about)."""
        examples = self.task.encode(
            datasets.Dataset.from_dict({"text": texts}), self.pretrained, name="train"
        )
        found = read_by_head(self.model, self.collate([examples[0], examples[1]]))
        assert found is not None
        self.rows_asked = 0
        compute = options.pop("compute", None) or Accelerator(cpu=True)
        (features,), kept, _ = extract(found, examples, self.collate, compute, about="tiny", **options)
        assert (kept == len(texts)) == (self.rows_asked == 0)
        return features, self.rows_asked


@pytest.mark.parametrize("family", ["bert", "roberta", "modernbert", "deberta-v2"])
def test_they_equal_a_plain_padded_forward_pass(family: str, tiny_checkpoint: Tiny) -> None:
    case = Case(tiny_checkpoint(family))
    features, asked = case.extract()
    assert asked == len(TEXTS)
    batch = case.tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        output, _ = ask(case.model.eval(), batch)
    plain = output.pooler_output if family == "bert" else output.last_hidden_state[:, 0]
    assert np.abs(features - plain.numpy()).max() < 1e-5
    assert np.abs(features - plain.flip(0).numpy()).max() > 1e-2


class TestKeys:
    def test_nothing_changed(self, tiny_checkpoint: Tiny) -> None:
        first, _ = Case(tiny_checkpoint("bert")).extract()
        again, asked = Case(tiny_checkpoint("bert"), seed=7).extract()  # another head
        assert asked == 0
        assert np.array_equal(first, again)

    def test_only_rows_that_are_new_are_asked_about(self, tiny_checkpoint: Tiny) -> None:
        Case(tiny_checkpoint("bert")).extract(TEXTS[5:15])
        features, asked = Case(tiny_checkpoint("bert")).extract(TEXTS[::-1])
        assert asked == 10
        assert len(features) == 20

    def test_a_row_that_stands_there_twice(self, tiny_checkpoint: Tiny) -> None:
        features, asked = Case(tiny_checkpoint("bert")).extract(TEXTS[:3] * 2)
        assert asked == 3
        assert np.array_equal(features[:3], features[3:])

    @pytest.mark.parametrize(
        "change", ["weight", "buffer", "config", "length", "versions", "precision", "reading"]
    )
    def test_one_thing_changed(
        self, change: str, tiny_checkpoint: Tiny, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Case(tiny_checkpoint("bert")).extract()
        case = Case(tiny_checkpoint("bert"), **({"max_length": 8} if change == "length" else {}))
        expected = len(TEXTS)
        options: dict[str, Any] = {}
        match change:
            case "weight":
                with torch.no_grad():
                    case.model.bert.encoder.layer[1].output.dense.bias[3] += 1e-6
            case "buffer":
                case.model.bert.embeddings.register_buffer("another", torch.zeros(1))
            case "config":
                case.model.config.layer_norm_eps *= 2
            case "length":
                whole = [case.tokenizer(text)["input_ids"] for text in TEXTS]
                cut = case.tokenizer(TEXTS, truncation=True, max_length=8)["input_ids"]
                expected = len(
                    {tuple(one) for one, all_of_it in zip(cut, whole, strict=True) if one != all_of_it}
                )
                assert 0 < expected < len(TEXTS)
            case "versions":
                monkeypatch.setattr(module, "version", lambda name: "0")
            case "precision":
                AcceleratorState._reset_state()
                options["compute"] = Accelerator(cpu=True, mixed_precision="bf16")
            case "reading":
                monkeypatch.setattr(module, "CODE", "0")
        assert case.extract(**options)[1] == expected

    @pytest.mark.parametrize("key", ["id2label", "problem_type", "hftransfer"])
    def test_what_the_backbone_does_not_see(self, key: str, tiny_checkpoint: Tiny) -> None:
        Case(tiny_checkpoint("bert")).extract()
        case = Case(tiny_checkpoint("bert"))
        setattr(case.model.config, key, {"id2label": {0: "x", 1: "y", 2: "z"}}.get(key, "regression"))
        assert case.extract()[1] == 0


def test_damaged_features_are_computed_again(tiny_checkpoint: Tiny) -> None:
    first, _ = Case(tiny_checkpoint("bert")).extract()
    (store,) = stores()
    (file,) = store.folder.glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-3] ^= 255
    file.write_bytes(content)
    again, asked = Case(tiny_checkpoint("bert")).extract()
    assert asked == len(TEXTS)
    assert np.array_equal(first, again)


KILLED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from features.test_rows import Case, TEXTS
from hftransfer.features import rows

rows.KEEP_EVERY = rows.IMAGES = 4
rows.TOKENS = 40

def progress(done, total):
    if done >= 12:
        os.kill(os.getpid(), 9)

Case(Path(sys.argv[2])).extract(progress=progress)
"""


def test_a_kill_costs_what_was_not_written_yet(
    tiny_checkpoint: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-c", KILLED, str(tests), str(tiny_checkpoint("bert"))]
    ended = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, check=False)
    assert ended.returncode == -9, ended.stderr
    monkeypatch.setattr(module, "TOKENS", 40)
    features, asked = Case(tiny_checkpoint("bert")).extract()
    assert 0 < asked <= len(TEXTS) - 8
    (store,) = stores()
    assert store.rows == len(TEXTS)
    for left in store.folder.iterdir():
        left.unlink()
    undisturbed, asked = Case(tiny_checkpoint("bert")).extract()
    assert asked == len(TEXTS)
    assert np.abs(features - undisturbed).max() < 1e-6
