"""Segmentation from end to end: it learns, and the finished run scores and segments new images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from cli_runner import hftransfer
from PIL import Image
from tiny_vision import make_masks

from hftransfer.errors import InputError
from hftransfer.recipe import Recipe
from hftransfer.result import Result
from hftransfer.runner import load_run, run
from hftransfer.tasks.segmentation import Segmentation


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    make_masks(root / "train", 32)
    make_masks(root / "test", 8, seed=1)
    return root


@pytest.fixture(scope="module")
def result(
    folder: Path, tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Result:
    recipe = Recipe(
        checkpoint=str(tiny_checkpoint("segformer")),
        data={"source": str(folder), "labels": ["ground", "red", "green"]},
        task={
            "name": "image-segmentation",
            "values": [0, 100, 255],
            "augmentation": {"flip": "horizontal", "color": 0.1},
        },
        strategy="full",
        training={"epochs": 12, "batch_size": 4, "learning_rate": 5e-3},
        metrics=["mean_iou", "pixel_accuracy", "iou"],
    )
    return run(recipe, output=tmp_path_factory.mktemp("runs") / "run")


def test_it_learns(result: Result) -> None:
    test, baseline = result.metrics["test"], result.baselines["majority"]["test"]
    assert baseline["iou"] == {"ground": pytest.approx(baseline["pixel_accuracy"]), "red": 0.0, "green": 0.0}
    assert test["mean_iou"] > 0.6 > 2 * baseline["mean_iou"]
    assert test["mean_iou"] == pytest.approx(np.mean(list(test["iou"].values())))
    assert set(result.reload_check["ways"]) == {"AutoModelForSemanticSegmentation", "pipeline"}


def test_predictions_of_a_split_are_kept(result: Result, folder: Path) -> None:
    table = pq.read_table(result.run_dir / "predictions" / "test.parquet").to_pylist()
    assert set(table[0]) == {"row", "mask", "prediction", "mask_png", "pixels"}
    assert sum(one["share"] for one in table[0]["prediction"]) == pytest.approx(1)
    assert {one["label"] for one in table[0]["mask"]} == {"ground", "red", "green"}


def test_images_are_segmented_at_their_own_size(result: Result, folder: Path) -> None:
    files = sorted((folder / "test" / "images").iterdir())
    wide = Image.open(files[0]).resize((90, 50))
    answers = result.predict([str(files[0]), wide])
    assert all(isinstance(answer, Segmentation) for answer in answers)
    assert [answer.mask.shape for answer in answers] == [(40, 48), (50, 90)]  # type: ignore[attr-defined]
    truth = np.searchsorted([0, 100, 255], np.asarray(Image.open(folder / "test" / "masks" / files[0].name)))
    assert (answers[0].mask == truth).mean() > 0.8  # type: ignore[attr-defined]


def test_a_folder_is_scored_again(result: Result, folder: Path) -> None:
    again = load_run(result.run_dir).evaluate(folder / "test")
    assert again.metrics == {key: value for key, value in result.metrics["test"].items() if key != "loss"}


def test_strange_masks_are_refused_when_scored(result: Result, folder: Path, tmp_path: Path) -> None:
    other = make_masks(tmp_path / "other", 2)
    path = other / "masks" / "1.png"
    Image.fromarray(np.where(np.array(Image.open(path)) == 100, 1, 0).astype(np.uint8)).save(path)
    with pytest.raises(InputError, match=r"1 of 2 masks .* stand for no label: 1 \(\d+ pixels\)"):
        result.evaluate(other)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_a_file_with_the_predictions_added(result: Result, folder: Path, tmp_path: Path, suffix: str) -> None:
    rows = folder / "rows.csv"
    rows.write_text("image,mask\n" + "".join(f"test/images/{n}.png,test/masks/{n}.png\n" for n in range(3)))
    output = tmp_path / f"out.{suffix}"
    answers = result.predict_file(rows, output=output)[1]
    if suffix == "parquet":
        told = pq.read_table(output).to_pylist()
        assert told[1]["mask_png"] == answers[1].columns()["mask_png"]
        assert told[1]["prediction"] == answers[1].columns()["prediction"]
    assert len(output.read_text(errors="ignore").splitlines()) > 2


def test_the_command_line(result: Result, folder: Path) -> None:
    image = folder / "test" / "images" / "0.png"
    shown = hftransfer("predict", result.run_dir, image)
    assert shown.returncode == 0, shown.stderr
    assert "ground 0." in shown.stdout
    (row,) = json.loads(hftransfer("predict", result.run_dir, image, "--json").stdout)
    assert set(row) == {"input", "shares", "mask_png"}
