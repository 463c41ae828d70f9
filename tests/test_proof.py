"""The reload proof must fail when what was saved is not what was trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from toy import toy_recipe, write_texts

from hftransfer.errors import ReloadError
from hftransfer.proof import Artefact, prove
from hftransfer.result import Result
from hftransfer.runner import run

ROWS = [{"text": "i saw the cat and the dog today"}, {"text": "my red is near that blue"}]


@pytest.fixture(scope="module")
def result(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("proof")
    recipe = toy_recipe(tiny_checkpoint("bert"), write_texts(folder / "data"), strategy="lora", epochs=1)
    return run(recipe, output=folder / "run")


def logits(result: Result) -> np.ndarray:
    scores = [one.scores for one in result.predict([row["text"] for row in ROWS])]
    return np.log([[one[label] for label in result.labels] for one in scores]).astype(np.float32)


def artefact(result: Result, **changed: Path) -> Artefact:
    parts = {"model": result.model, "adapter": result.run_dir / "adapter", **changed}
    return Artefact(parts["model"], parts["adapter"], result.checkpoint["name"], None)


def test_another_model_is_found_out(result: Result, tmp_path: Path) -> None:
    # Scores are compared by the pipeline way alone here: log-probabilities are logits up to a constant a row.
    weights = load_file(result.model / "model.safetensors")
    broken = tmp_path / "model"
    broken.mkdir()
    for file in result.model.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights["classifier.weight"] += 0.1 * torch.randn_like(weights["classifier.weight"])
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ReloadError, match=r"pipeline by 0\.\d+"):
        prove(
            artefact(result, model=broken),
            result.recipe.task,
            ROWS,
            logits(result),
            result.labels,
            result.max_length,
        )


def test_a_model_that_does_not_load_is_found_out(result: Result, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ReloadError, match="cannot be loaded in a fresh process"):
        prove(
            artefact(result, model=tmp_path),
            result.recipe.task,
            ROWS,
            logits(result),
            result.labels,
            result.max_length,
        )


def test_nan_is_not_equal(result: Result) -> None:
    nothing = np.full((2, 2), np.nan, dtype=np.float32)
    with pytest.raises(ReloadError, match="nan"):
        prove(artefact(result), result.recipe.task, ROWS, nothing, result.labels, result.max_length)
