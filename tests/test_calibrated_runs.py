"""Runs whose scores are calibrated: by the saved weights themselves, once, and to the numbers that the run says."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import transformers
from safetensors.torch import load_file
from tiny import FAMILIES, load_classifier, logits, make_batch
from torch import nn
from toy import toy_recipe, trained, write_texts

import hftransfer.calibration
from hftransfer import stages
from hftransfer.calibration import _scale, logits_layer
from hftransfer.result import Result
from hftransfer.runner import load_run, run
from hftransfer.summary import calibrated

Tiny = Callable[..., Path]
SETTINGS: dict[str, Any] = {"epochs": 12, "learning_rate": 5e-3}
ADAPTED: dict[str, Any] = {"epochs": 12, "learning_rate": 1e-2}


def write_doubtful_texts(folder: Path) -> Path:
    """Training rows that can be learned by heart, and other rows of which a fifth has the wrong label."""
    write_texts(folder, train=64, other=80)
    for split in ("validation", "test"):
        with (folder / f"{split}.csv").open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        for row in random.Random(split).sample(rows, len(rows) // 5):
            row["label"] = {"animal": "colour", "colour": "animal"}[row["label"]]
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, ["text", "label"])
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_doubtful_texts(tmp_path_factory.mktemp("texts"))


@pytest.fixture(scope="module")
def lora(tiny_checkpoint: Tiny, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    recipe = toy_recipe(tiny_checkpoint("bert"), data, strategy={"name": "lora", "rank": 4}, **ADAPTED)
    recipe = recipe.model_copy(update={"metrics": ("accuracy", "f1", "ece")})
    return run(recipe, output=tmp_path_factory.mktemp("runs") / "lora")


def scores(result: Result, split: str) -> Any:
    table = pq.read_table(result.run_dir / "predictions" / f"{split}.parquet")
    return np.array(table["scores"].to_pylist()), table["text"].to_pylist()


def pipeline_scores(model: Path, texts: list[str], labels: tuple[str, ...]) -> Any:
    pipe = transformers.pipeline("text-classification", model=str(model), device="cpu")
    said = [{one["label"]: one["score"] for one in row} for row in pipe(texts, top_k=None)]
    return np.array([[row[label] for label in labels] for row in said])


def test_what_it_says_of_itself(lora: Result) -> None:
    facts = lora.calibration
    assert facts["temperature"] > 1.3  # it was far too sure
    assert facts["folded"] is True
    assert facts["why"] == ""
    for name in ("ece", "nll", "brier"):
        for split in ("validation", "test"):
            assert facts[name][split]["after"] < facts[name][split]["before"]
    assert lora.metrics["test"]["ece"] == facts["ece"]["test"]["after"]
    # The loss is that of the training: of the logits before.
    for split in ("validation", "test"):
        assert lora.metrics[split]["loss"] == pytest.approx(facts["nll"][split]["before"], rel=1e-5)
    assert json.loads((lora.run_dir / "result.json").read_text())["calibration"] == facts
    assert load_run(lora.run_dir).calibration == facts


def test_whoever_loads_the_model_gets_calibrated_scores(lora: Result) -> None:
    """By a pipeline and by the adapter on its base, too: the proof has asked both."""
    assert set(lora.reload_check["ways"]) == {"AutoModelForSequenceClassification", "pipeline", "PeftModel"}
    assert "temperature" not in (lora.model / "config.json").read_text()
    expected, texts = scores(lora, "test")
    piped = pipeline_scores(lora.model, texts[:20], lora.labels)
    assert piped == pytest.approx(expected[:20], abs=1e-4)
    said = lora.predict(texts[:20])
    assert [[one.scores[label] for label in lora.labels] for one in said] == pytest.approx(piped, abs=1e-4)
    # Control: what it had said undivided is nowhere near.
    sharp = piped ** lora.calibration["temperature"]
    sharp /= sharp.sum(axis=1, keepdims=True)
    assert abs(sharp - piped).max() > 0.05


def test_it_is_told(lora: Result) -> None:
    told = calibrated(lora.calibration)
    errors = lora.calibration["ece"]["test"]
    assert f"{errors['before']:.4f} before, {errors['after']:.4f} after on test" in told
    assert "fitted on validation, in the saved weights" in told
    assert f"Scores: {told}." in (lora.model / "README.md").read_text()
    alone = {**lora.calibration, "ece": {"validation": errors}}
    assert "fitted on the same rows" in calibrated(alone)
    kept = {**lora.calibration, "temperature": 1.0, "why": "too few rows"}
    assert calibrated(kept).startswith("temperature 1 (too few rows): ")
    assert calibrated({}) == ""


def test_evaluate_says_what_the_run_said(lora: Result) -> None:
    for split in ("validation", "test"):
        told = {name: value for name, value in lora.metrics[split].items() if name != "loss"}
        assert lora.evaluate(split=split).metrics == pytest.approx(told, abs=1e-5)


def test_one_training_scored_in_every_way(
    tiny_checkpoint: Tiny, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = toy_recipe(tiny_checkpoint("bert"), data, **SETTINGS)
    job, done = trained(recipe, tmp_path)
    weight = job.model.classifier.weight
    before = weight.detach().clone()
    alone = recipe.model_copy(update={"task": recipe.task.model_copy(update={"calibration": "none"})})

    none = stages.score(replace(job, recipe=alone), done)
    assert none.calibration == {}
    assert torch.equal(weight, before)

    with monkeypatch.context() as patched:
        patched.setattr(hftransfer.calibration, "logits_layer", lambda *_: None)
        kept = stages.score(job, done)
    assert kept.calibration["folded"] is False
    assert "is not in the saved weights" in kept.findings[0]
    temperature = kept.calibration["temperature"]
    assert temperature > 1.3
    assert job.pretrained.settings == {"temperature": temperature}
    assert torch.equal(weight, before)

    folded = stages.score(job, done)
    assert folded.calibration == {**kept.calibration, "folded": True}
    assert folded.findings == ()
    assert job.pretrained.settings == {}
    assert torch.allclose(weight * temperature, before, atol=1e-6)

    # Labels, and what is made of them alone, know no temperature; nor does the training's loss.
    assert none.metrics == kept.metrics == folded.metrics
    assert abs(none.predictions["test"].scores - folded.predictions["test"].scores).max() > 0.05

    # A run that was killed as it was scored divides the weights of its best checkpoint, and those are whole.
    again, done = trained(recipe, tmp_path, resume=True)
    assert torch.equal(again.model.classifier.weight, before)
    assert stages.score(again, done).calibration == folded.calibration
    assert torch.equal(again.model.classifier.weight, weight)


@pytest.mark.long
def test_where_no_layer_gives_the_logits_predict_divides(
    tiny_checkpoint: Tiny, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline then gives the bare scores, and the proof knows."""
    monkeypatch.setattr(hftransfer.calibration, "logits_layer", lambda *_: None)
    result = run(toy_recipe(tiny_checkpoint("bert"), data, **SETTINGS), output=tmp_path / "run")
    assert result.calibration["folded"] is False
    assert "is not in the saved weights" in result.findings[-1]
    assert "applied by predict and evaluate alone" in (result.model / "README.md").read_text()
    expected, texts = scores(result, "test")
    said = result.predict(texts[:20])
    own = np.array([[one.scores[label] for label in result.labels] for one in said])
    assert own == pytest.approx(expected[:20], abs=1e-4)
    assert abs(pipeline_scores(result.model, texts[:20], result.labels) - own).max() > 0.05
    assert set(result.reload_check["ways"]) == {"AutoModelForSequenceClassification", "pipeline"}
    # What another run starts from it is calibrated anew.
    job, _ = trained(toy_recipe(result.model, data, epochs=1), tmp_path / "next")
    assert "temperature" not in job.pretrained.settings


@pytest.mark.long
@pytest.mark.parametrize(
    ("strategy", "folded"),
    [
        ({"name": "frozen", "head": {"name": "knn", "neighbors": 3}}, False),
        ({"name": "frozen", "pooling": "mean", "head": {"name": "mlp"}}, True),
        ({"name": "lora", "rank": 4, "layers": 1}, True),  # above frozen blocks that are not run again
    ],
    ids=["learner", "mlp", "upper-blocks"],
)
def test_other_heads_and_parts(
    tiny_checkpoint: Tiny, data: Path, tmp_path: Path, strategy: Any, folded: bool
) -> None:
    recipe = toy_recipe(tiny_checkpoint("bert"), data, strategy=strategy, epochs=40, learning_rate=3e-2)
    result = run(recipe, output=tmp_path / "run")
    assert result.calibration["temperature"] > 1.1
    assert result.calibration["folded"] is folded
    expected, texts = scores(result, "test")
    own = [[one.scores[label] for label in result.labels] for one in result.predict(texts)]
    assert own == [pytest.approx(row, abs=1e-4) for row in expected.tolist()]


# --- the layer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_the_layer_that_gives_the_logits_is_found_in_every_family(tiny_checkpoint: Tiny, family: str) -> None:
    folder = tiny_checkpoint(family)
    model, _ = load_classifier(folder)
    batch = make_batch(family, folder)
    whole = logits(model, batch)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    layer = logits_layer(model, 3, lambda: logits(model, batch))
    assert layer is not None
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    _scale(layer, 1 / 1.7)
    assert torch.allclose(logits(model, batch), whole / 1.7, atol=1e-5 * max(1.0, float(whole.abs().max())))
    assert not torch.allclose(logits(model, batch), whole, atol=1e-3 * float(whole.abs().max()))  # control


def test_no_layer_is_taken_that_does_not_give_them() -> None:
    torch.manual_seed(0)
    rows = torch.randn(8, 5)
    for model in (
        nn.Sequential(nn.Linear(5, 3), nn.LayerNorm(3, elementwise_affine=False)),
        nn.Sequential(nn.Linear(5, 3), nn.Tanh()),
        nn.Sequential(nn.Linear(5, 3).requires_grad_(False)),  # no adapter would hold it
    ):
        before = {name: value.clone() for name, value in model.state_dict().items()}
        assert logits_layer(model, 3, lambda model=model: model(rows)) is None  # type: ignore[misc]
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert logits_layer(nn.Sequential(nn.Linear(5, 3)), 3, lambda: torch.zeros(8, 3)) is not None


def test_saved_weights_differ_from_the_best_checkpoint_by_the_temperature_alone(lora: Result) -> None:
    best = load_file(lora.run_dir / "checkpoints" / "best" / "model.safetensors")
    saved = load_file(lora.model / "model.safetensors")
    name = next(name for name in best if name.endswith("classifier.modules_to_save.default.weight"))
    assert torch.allclose(saved["classifier.weight"] * lora.calibration["temperature"], best[name], atol=1e-6)
    assert not torch.allclose(saved["classifier.weight"], best[name], atol=1e-3)
