"""The reload proof must fail when what was saved is not what was trained."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import datasets
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from toy import toy_recipe, write_texts

from hftransfer.errors import ReloadError
from hftransfer.fresh import FreshProcess
from hftransfer.proof import Artefact, difference, prove
from hftransfer.registry import TASKS
from hftransfer.result import Result
from hftransfer.runner import run
from hftransfer.tasks.base import Task
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.text_classification import TextClassification

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


def proof(result: Result, trained: Any, task: Task | None = None, **changed: Path) -> dict[str, Any]:
    parts = {"model": result.model, "adapter": result.run_dir / "adapter", **changed}
    artefact = Artefact(parts["model"], parts["adapter"], result.checkpoint["name"], None)
    tokenizer = transformers.AutoTokenizer.from_pretrained(result.model)
    pretrained = Pretrained(tokenizer, trained.config, result.max_length)
    with FreshProcess() as fresh:
        return prove(artefact, task or result.recipe.task, ROWS, trained, pretrained, fresh)


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


class Registered(TextClassification):
    """A task that this process alone knows."""

    name: Literal["registered-here"] = "registered-here"


def test_what_this_process_alone_knows_is_not_there(
    result: Result, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TASKS, "_parts", dict(TASKS._parts))
    TASKS.add("registered-here", Registered)
    with pytest.raises(ReloadError, match="known: audio-classification, "):
        proof(result, model, task=Registered())
    # Control: the same, by a name that is known there, too.
    proof(result, model)


def test_what_was_changed_in_this_process_is_not_seen(
    result: Result, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError("not here")

    monkeypatch.setattr(transformers.AutoModelForSequenceClassification, "from_pretrained", fails)
    with pytest.raises(OSError, match="not here"):
        transformers.AutoModelForSequenceClassification.from_pretrained(result.model)
    assert proof(result, model)["max_difference"] < 1e-5


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc: threads cannot be counted")
def test_the_process_that_is_kept_has_computed_nothing(result: Result, model: Any) -> None:
    """A forked child would not have its threads. The allocator of pyarrow has one, and takes care of it."""
    proof(result, model)
    with FreshProcess() as fresh:
        stem = fresh.start()
        names = [(one / "comm").read_text() for one in Path(f"/proc/{stem}/task").iterdir()]
    assert [name for name in names if "jemalloc" not in name] == ["python\n"]


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
