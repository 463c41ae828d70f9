"""Folders of class folders: which images, which labels, in which order; and what was passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hftransfer.errors import DataError, RecipeError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.sources.base import Source


def draw(path: Path, colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2), colour).save(path)
    return path


def opened(source: Any, **settings: Any) -> Source:
    found = open_source(DataSection(source=source, **settings))
    found.check()
    return found


def rows(source: Source) -> dict[str, list[tuple[str, str]]]:
    return {
        split: [(Path(row["image"]["path"]).name, row["label"]) for row in split_rows]
        for split, split_rows in source.load().items()
    }


def test_class_folders(tmp_path: Path) -> None:
    for name in ("dog/2.png", "dog/10.jpg", "cat/1.PNG"):
        draw(tmp_path / name)
    source = opened(str(tmp_path))
    assert source.kind == "images"
    assert rows(source) == {"train": [("1.PNG", "cat"), ("10.jpg", "dog"), ("2.png", "dog")]}
    assert source.findings == ()
    assert source.where("train", [0, 2]) == f"{tmp_path}/cat/1.PNG, {tmp_path}/dog/2.png"


@pytest.mark.parametrize("validation", ["validation", "val", "valid", "dev"])
def test_folders_of_splits(tmp_path: Path, validation: str) -> None:
    for split in ("train", validation, "test"):
        draw(tmp_path / split / "cat" / f"{split}.png")
    draw(tmp_path / "notes" / "cat.png")
    source = opened(str(tmp_path))
    assert rows(source) == {split: [(f"{split}.png", "cat")] for split in ("train", validation, "test")}
    assert source.findings == (f"not read in {tmp_path}: `notes`",)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for name in ("train/1.png", "tram/1.png"):
        draw(tmp_path / name)
    assert rows(opened(str(tmp_path))) == {"train": [("1.png", "train"), ("1.png", "tram")]}


def test_a_folder_per_split(tmp_path: Path) -> None:
    for name in ("a/cat/1.png", "b/dog/2.png"):
        draw(tmp_path / name)
    source = opened({"train": str(tmp_path / "a"), "test": str(tmp_path / "b")})
    assert rows(source) == {"train": [("1.png", "cat")], "test": [("2.png", "dog")]}


def test_what_is_no_image_is_counted_and_named(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "1.png")
    draw(tmp_path / "cat" / ".hidden.png")
    draw(tmp_path / "cat" / "deeper" / "2.png")
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    source = opened(str(tmp_path))
    assert rows(source) == {"train": [("1.png", "cat")]}
    assert source.findings == (
        "class folders of `train` without an image: `empty`",
        "not images, ignored in `train`: 3 entries: `cat/.hidden.png`, `cat/deeper`, `cat/notes.txt`",
    )


def test_data_files_beside_class_folders_are_said(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "1.png")
    (tmp_path / "labels.csv").write_text("a,b\n")
    source = opened(str(tmp_path))
    assert rows(source) == {"train": [("1.png", "cat")]}
    assert any("labels.csv" in finding for finding in source.findings)


def test_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    for folder, colour in (("one", "red"), ("two", "red"), ("three", "blue")):
        draw(tmp_path / folder / "cat" / "1.png", colour)
    first, second, third = (opened(str(tmp_path / name)).fingerprint() for name in ("one", "two", "three"))
    assert first == second != third


def test_images_without_class_folders(tmp_path: Path) -> None:
    draw(tmp_path / "1.png")
    with pytest.raises(DataError, match="holds images, but not in one folder per class"):
        opened(str(tmp_path))


def test_a_mixture_of_images_and_data_files(tmp_path: Path) -> None:
    draw(tmp_path / "a" / "cat" / "1.png")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="mixes data files"):
        opened({"train": str(tmp_path / "a"), "test": str(tmp_path / "rows.csv")})


@pytest.mark.parametrize(("setting", "value"), [("config", "a"), ("revision", "b"), ("delimiter", ";")])
def test_settings_of_other_sources(tmp_path: Path, setting: str, value: str) -> None:
    draw(tmp_path / "cat" / "1.png")
    with pytest.raises(RecipeError, match=f"data.{setting}"):
        opened(str(tmp_path), **{setting: value})
