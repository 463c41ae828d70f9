"""Masks as targets: which labels they make, and what is said of those that cannot be used."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image
from tiny_vision import make_masks

from hftransfer.errors import InputError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Splits, make_splits, read_split
from hftransfer.tasks.image_segmentation import ImageSegmentation

NAMED = {"labels": ("ground", "red", "green")}
VALUES = {"values": [0, 100, 255]}


def split(source: Any, task: dict[str, Any] | None = None, **settings: Any) -> Splits:
    data = DataSection(source=str(source) if isinstance(source, Path) else source, **settings)
    one = ImageSegmentation.model_validate(task or {})
    return make_splits(open_source(data), data, columns=one.columns, seed=0, check_rows=one.check_rows)


def read(source: Path, labels: tuple[str, ...], task: dict[str, Any] | None = None) -> Any:
    data = DataSection(source=str(source))
    one = ImageSegmentation.model_validate(task or {})
    opened = open_source(data)
    return read_split(opened, data, columns=one.columns, labels=labels, check_rows=one.check_rows).rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_masks(tmp_path / "train", 8)
    make_masks(tmp_path / "validation", 4, seed=1)
    return tmp_path


def repaint(path: Path, value: int, pixels: int) -> None:
    """Give the first pixels of a mask a value."""
    mask = np.array(Image.open(path))
    mask.ravel()[:pixels] = value
    Image.fromarray(mask).save(path)


def test_the_values_found_are_the_labels(folder: Path) -> None:
    splits = split(folder)
    assert splits.labels == ("0", "100", "255")
    assert splits.sizes == {"train": 8, "validation": 4}
    row = splits.train[3]
    assert set(row) == {"image", "mask", "row"}
    assert row["mask"] == {"bytes": None, "path": str(folder / "train" / "masks" / "3.png")}
    assert split(folder, {"ignore": 100}).labels == ("0", "255")


def test_labels_may_be_named(folder: Path) -> None:
    assert split(folder, VALUES, **NAMED).labels == NAMED["labels"]
    with pytest.raises(InputError, match="3 labels, but 2 values") as caught:
        split(folder, {"values": [0, 100]}, **NAMED)
    assert caught.value.key == "task.values"


def test_named_labels_are_0_1_2_where_nothing_else_is_said(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"8 of 8 masks .* stand for no label: (100|255) \(\d+ pixels\)"
    ) as caught:
        split(folder, **NAMED)
    assert "known: 0 ground, 1 red, 2 green" in str(caught.value)
    assert "task.values says" in str(caught.value)
    for file in folder.rglob("masks/*.png"):
        Image.fromarray(np.searchsorted([0, 100, 255], np.array(Image.open(file))).astype(np.uint8)).save(
            file
        )
    assert split(folder, **NAMED).labels == NAMED["labels"]
    assert split(folder).labels == ("0", "1", "2")


def test_values_that_training_has_not_are_located_and_counted(folder: Path) -> None:
    repaint(folder / "validation" / "masks" / "2.png", 7, 5)
    with pytest.raises(InputError, match=r"1 of 4 masks .*stand for no label: 7 \(5 pixels\)") as caught:
        split(folder)
    assert str(folder / "validation" / "images" / "2.png") in str(caught.value)
    assert "task.ignore: 7" in str(caught.value)
    assert caught.value.key == "data.columns.mask"
    splits = split(folder, {"ignore": 7})
    assert splits.labels == ("0", "100", "255")
    assert any("validation: 0.1% of the pixels have the value 7" in one for one in splits.findings)


def test_labels_without_a_pixel_are_told(folder: Path) -> None:
    splits = split(folder, {"values": [0, 100, 255, 9]}, labels=("ground", "red", "green", "blue"))
    assert "labels without a training pixel: `blue`" in splits.findings


def test_masks_of_another_size_are_located_with_both_sizes(folder: Path) -> None:
    for number in (1, 5):
        path = folder / "train" / "masks" / f"{number}.png"
        Image.open(path).resize((20, 10), Image.Resampling.NEAREST).save(path)
    with pytest.raises(InputError, match="2 of 8 masks are not of the size of their image") as caught:
        split(folder)
    assert f"{folder / 'train' / 'images' / '1.png'}: 48 x 40 and 20 x 10" in str(caught.value)


def test_masks_that_cannot_be_read_are_located(folder: Path) -> None:
    Image.new("RGB", (48, 40)).save(folder / "train" / "masks" / "1.png")
    (folder / "train" / "masks" / "2.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"2 of 8 masks .* cannot be used") as caught:
        split(folder)
    assert "masks/1.png: a mask of mode RGB" in str(caught.value)
    assert "masks/2.png: not an image" in str(caught.value)


def test_masks_with_smooth_edges_are_no_classes(folder: Path) -> None:
    for file in (folder / "train" / "masks").iterdir():
        noise = np.random.default_rng(0).integers(0, 3000, (40, 48), dtype=np.uint16)
        Image.fromarray(noise).save(file)
    with pytest.raises(InputError, match=r"different values: no classes"):
        split(folder)


def test_one_value_is_nothing_to_tell_apart(folder: Path) -> None:
    for file in folder.rglob("masks/*.png"):
        Image.new("L", (48, 40), 255).save(file)
    with pytest.raises(InputError, match="hold `255` and no other value"):
        split(folder)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_table_of_paths(folder: Path, kind: str) -> None:
    pairs = [(f"train/images/{number}.png", f"train/masks/{number}.png") for number in range(8)]
    lines = ["photo,classes", *map(",".join, pairs)]
    if kind == "jsonl":
        lines = [f'{{"photo": "{image}", "classes": "{mask}"}}' for image, mask in pairs]
    (folder / f"rows.{kind}").write_text("\n".join(lines) + "\n")
    splits = split(folder / f"rows.{kind}", columns={"image": "photo", "mask": "classes"})
    assert splits.labels == ("0", "100", "255")
    assert splits.sizes == {"train": 7, "validation": 1}
    (folder / f"rows.{kind}").write_text("\n".join([*lines, lines[-1].replace("masks/7", "masks/8")]) + "\n")
    with pytest.raises(InputError, match=r"1 of 9 masks .*\n.*train/masks/8\.png: there is no such file"):
        split(folder / f"rows.{kind}", columns={"image": "photo", "mask": "classes"})


def test_images_of_a_hub_dataset(folder: Path) -> None:
    """As `datasets` holds them: encoded, in columns of images."""
    files = [
        (folder / "train" / role / f"{number}.png") for number in range(8) for role in ("images", "masks")
    ]
    columns = {"image": list(map(str, files[::2])), "annotation": list(map(str, files[1::2]))}
    features = datasets.Features({name: datasets.Image() for name in columns})
    table = datasets.Dataset.from_dict(columns, features=features)
    splits = split({"train": table}, columns={"mask": "annotation"})
    assert splits.labels == ("0", "100", "255")
    held = io.BytesIO()
    Image.open(files[1]).save(held, "PNG")
    rows = [
        {"image": Image.open(image), "mask": Image.open(mask)}
        for image, mask in zip(files[::2], files[1::2], strict=True)
    ]
    assert split(rows).labels == ("0", "100", "255")


def test_rows_for_a_model_that_is_made(folder: Path) -> None:
    assert len(read(folder / "train", ("0", "100", "255"))) == 8
    assert len(read(folder / "train", NAMED["labels"], VALUES)) == 8
    with pytest.raises(InputError, match=r"8 of 8 masks .* stand for no label: 255"):
        read(folder / "train", ("0", "100"))
    with pytest.raises(InputError, match=r"known: 0 ground, 1 red, 2 green"):
        read(folder / "train", NAMED["labels"])
