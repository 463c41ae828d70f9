"""TF-IDF and a linear model say what such a model can say, of every kind of target."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from toy import toy_recipe, write_pairs, write_texts

from hftransfer.evidence.words import words_arm
from hftransfer.recipe import Recipe
from hftransfer.run_directory import RunDirectory
from hftransfer.runner import load_data, open_source


def fitted(recipe: Recipe, folder: Path) -> Any:
    from hftransfer.runner import Plan

    splits = load_data(Plan(recipe, open_source(recipe.data), ""))
    return words_arm(recipe, splits, RunDirectory(folder))


def test_texts_and_pairs(tmp_path: Path) -> None:
    """The label of a pair is in its second text alone."""
    for name, write in (("texts", write_texts), ("pairs", write_pairs)):
        recipe = toy_recipe(tmp_path / "none", write(tmp_path / name))
        arm = fitted(recipe, tmp_path / f"{name}-arm")
        assert arm.metrics["test"]["accuracy"] > 0.9
        assert arm.metrics.keys() == arm.resampled.keys() == {"validation", "test"}
        assert arm.resampled["test"].right.mean() == arm.metrics["test"]["accuracy"]
        assert arm.trained > 50


def write(folder: Path, rows: list[tuple[str, Any]]) -> Path:
    folder.mkdir()
    for split in ("train", "validation"):
        with (folder / f"{split}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("text", "label"), *rows])
    return folder


def test_numbers(tmp_path: Path) -> None:
    texts = [f"{a} {b}" for a in ("good", "bad") for b in ("film", "play", "song", "book")]
    rows = [(text, float(text.startswith("good")) + 0.1 * i) for i, text in enumerate(texts)]
    task = {"name": "text-classification", "problem_type": "regression"}
    arm = fitted(
        toy_recipe(tmp_path / "none", write(tmp_path / "numbers", rows), task=task), tmp_path / "arm"
    )
    assert arm.metrics["validation"]["pearson"] > 0.9
    assert arm.resampled["validation"].right is None


def test_several_labels_and_one_that_is_never_there(tmp_path: Path) -> None:
    rows = [
        {"text": f"{a} {b}", "label": [x for x in (a, b) if x != "none"]}
        for a in ("red", "none")
        for b in ("cat", "none")
    ]
    task = {"name": "text-classification", "problem_type": "multi_label_classification"}
    recipe = Recipe(
        checkpoint=str(tmp_path / "none"),
        data={"source": {"train": rows * 4, "validation": rows}, "labels": ["cat", "dog", "red"]},
        task=task,
        metrics=["f1_micro", "accuracy"],
    )
    arm = fitted(recipe, tmp_path / "arm")
    assert arm.metrics["validation"] == {"f1_micro": 1.0, "accuracy": 1.0}


def test_a_class_without_a_training_row(tmp_path: Path) -> None:
    rows = [{"text": text, "label": text.split()[0]} for text in ("red cat", "blue dog") * 4]
    data = {"source": {"train": rows, "validation": rows}, "labels": ["black", "blue", "red"]}
    recipe = Recipe(checkpoint=str(tmp_path / "none"), data=data, task="text-classification")
    assert fitted(recipe, tmp_path / "arm").metrics["validation"]["accuracy"] == 1


def test_what_is_there_is_not_fitted_again(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "none", write_texts(tmp_path / "texts"))
    first = fitted(recipe, tmp_path / "arm")
    changed = {path: path.stat().st_mtime_ns for path in (tmp_path / "arm").rglob("*")}
    second = fitted(recipe, tmp_path / "arm")
    assert changed == {path: path.stat().st_mtime_ns for path in (tmp_path / "arm").rglob("*")}
    assert first.metrics == second.metrics
    assert (first.resampled["test"].right == second.resampled["test"].right).all()
    with pytest.raises(AssertionError):  # other words give other weights
        assert (
            fitted(toy_recipe(tmp_path / "none", write_pairs(tmp_path / "pairs")), tmp_path / "other").trained
            == first.trained
        )
