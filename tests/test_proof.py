"""The reload proof must fail when what was saved is not what was trained."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from toy import toy_recipe, write_texts

from hftransfer.errors import ReloadError
from hftransfer.proof import Artefact, FreshProcess, difference, prove
from hftransfer.result import Result
from hftransfer.runner import run
from hftransfer.tasks.pretrained import Pretrained

ROWS = datasets.Dataset.from_list(
    [{"text": "i saw the cat and the dog today"}, {"text": "my red is near that blue"}]
)


@pytest.fixture(scope="module")
def result(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("proof")
    recipe = toy_recipe(tiny_checkpoint("bert"), write_texts(folder / "data"), strategy="lora", epochs=1)
    return run(recipe, output=folder / "run")


@pytest.fixture
def model(result: Result) -> Any:
    """What was trained, before it is harmed."""
    return transformers.AutoModelForSequenceClassification.from_pretrained(result.model).eval()


def proof(result: Result, trained: Any, **changed: Path) -> dict[str, Any]:
    parts = {"model": result.model, "adapter": result.run_dir / "adapter", **changed}
    artefact = Artefact(parts["model"], parts["adapter"], result.checkpoint["name"], None)
    tokenizer = transformers.AutoTokenizer.from_pretrained(result.model)
    pretrained = Pretrained(tokenizer, trained.config, result.max_length)
    with FreshProcess() as fresh:
        return prove(artefact, result.recipe.task, ROWS, trained, pretrained, fresh)


def broken(folder: Path, copy: Path, name: str) -> Path:
    """A copy of a folder with weights that have changed in the file `name`."""
    shutil.copytree(folder, copy)
    weights = load_file(copy / name)
    for key in weights:
        if "classifier" in key:
            weights[key] += 0.1 * torch.randn_like(weights[key])
    save_file(weights, copy / name, metadata={"format": "pt"})
    return copy


def test_what_was_trained_is_proven_in_every_way(result: Result, model: Any) -> None:
    """Control: nothing is broken, nothing is found."""
    found = proof(result, model)
    assert set(found["ways"]) == {"AutoModelForSequenceClassification", "pipeline", "PeftModel"}
    assert found["max_difference"] == max(found["ways"].values()) < 1e-5
    assert found["rows"] == 2


def test_another_model_is_found_out(result: Result, model: Any, tmp_path: Path) -> None:
    other = broken(result.model, tmp_path / "model", "model.safetensors")
    with pytest.raises(
        ReloadError, match=r"AutoModelForSequenceClassification by 0\.\d+, pipeline by 0\.\d+ \("
    ):
        proof(result, model, model=other)


def test_another_adapter_is_found_out(result: Result, model: Any, tmp_path: Path) -> None:
    other = broken(result.run_dir / "adapter", tmp_path / "adapter", "adapter_model.safetensors")
    with pytest.raises(ReloadError, match=r"outputs: PeftModel by \d"):
        proof(result, model, adapter=other)


def test_labels_in_another_order_are_found_out(result: Result, model: Any, tmp_path: Path) -> None:
    """The logits are the same: only what the pipeline says shows it."""
    other = tmp_path / "model"
    shutil.copytree(result.model, other)
    config = (other / "config.json").read_text()
    (other / "config.json").write_text(
        config.replace('"0": "animal"', '"0": "x"').replace("colour", "animal")
    )
    with pytest.raises(ReloadError, match="outputs: pipeline by inf"):
        proof(result, model, model=other)


def test_a_model_that_does_not_load_is_found_out(result: Result, model: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ReloadError, match="cannot be loaded in a fresh process"):
        proof(result, model, model=tmp_path)


def test_nan_is_not_equal(result: Result, model: Any) -> None:
    with torch.no_grad():
        model.classifier.weight.fill_(math.nan)
    with pytest.raises(ReloadError, match="AutoModelForSequenceClassification by "):
        proof(result, model)


def test_the_fresh_process_ends_with_whoever_started_it() -> None:
    """Killed, it can tell nobody: what it has started sees that nobody is left to ask it anything."""
    code = (
        "from hftransfer.proof import FreshProcess\n"
        "fresh = FreshProcess(); fresh.start(); print(fresh._process.pid, flush=True); input()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_alive(child)
    parent.kill()
    parent.communicate()
    end = time.monotonic() + 60
    while is_alive(child) and time.monotonic() < end:
        time.sleep(0.1)
    assert not is_alive(child)


def test_a_fresh_process_that_nobody_asks_is_gone_after_its_run() -> None:
    with FreshProcess() as fresh:
        fresh.start()
        process = fresh._process
        assert process is not None
        assert process.poll() is None
    assert process.poll() is not None


def is_alive(process: int) -> bool:
    """Whether there is such a process, and not only what is left of one until somebody asks how it ended."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([[1.0, 2.0], [3.0]], [[1.0, 2.5], [3.0]], 0.5),
        ({"a": 1.0, "b": 2}, {"b": 2.25, "a": 1.0}, 0.25),
        ([], [], 0.0),
        ([1.0], [1.0, 2.0], math.inf),
        ({"a": 1.0}, {"b": 1.0}, math.inf),
        ("a", "a", 0.0),
        ("a", "b", math.inf),
        (True, 1.0, 0.0),
        (True, False, math.inf),
        (1.0, math.nan, math.inf),
        (math.nan, math.nan, math.inf),
        (math.inf, math.inf, 0.0),
        ([1.0], {"a": 1.0}, math.inf),
        ([1.0], 1.0, math.inf),
        (None, [5.0], 0.0),  # nothing was said of this row
    ],
)
def test_difference(one: Any, other: Any, expected: float) -> None:
    assert difference(one, other) == difference(other, one) == expected
