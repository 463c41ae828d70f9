"""Splits of images: found broken before training, compared by content."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hftransfer.errors import DataError, RecipeError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.sources.images import open_image
from hftransfer.splits import Column, Splits, make_splits

IMAGES = {"image": Column("image"), "label": Column("class")}
TEXT = {"text": Column("text"), "label": Column("class")}


def split(source: Any, columns: dict[str, Column] = IMAGES, **settings: Any) -> Splits:
    data = DataSection(source=source, **settings)
    return make_splits(open_source(data), data, columns=columns, seed=0)


def picture(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(20):
        path = tmp_path / "train" / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path)
    return tmp_path


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_damage_behind_the_header_is_found_before_training(folder: Path, suffix: str) -> None:
    whole = folder / "train" / "a" / f"damaged.{suffix}"
    Image.effect_noise((64, 64), 50).save(whole)
    assert split(str(folder)).sizes["train"] == 19
    whole.write_bytes(whole.read_bytes()[:-1000])
    with pytest.raises(DataError, match=rf"1 of 19 images.*\n.*damaged\.{suffix}: a damaged image"):
        split(str(folder))


def test_a_folder(folder: Path) -> None:
    splits = split(str(folder))
    assert splits.labels == ("a", "b")
    assert splits.sizes == {"train": 18, "validation": 2}
    row = splits.train[0]
    assert set(row) == {"image", "label", "row"}
    number = int(Path(row["image"]["path"]).stem)
    assert splits.labels[row["label"]] == "ab"[number % 2]
    assert (np.asarray(open_image(row["image"], where="here")) == np.asarray(picture(number))).all()


def test_the_same_images_from_every_source(folder: Path) -> None:
    expected = split(str(folder))
    rows = [{"image": one, "label": one.parent.name} for one in sorted(folder.glob("train/*/*.png"))]
    with_bytes = [{**row, "image": row["image"].read_bytes()} for row in rows]
    pd.DataFrame([{**row, "image": str(row["image"].relative_to(folder))} for row in rows]).to_csv(
        folder / "rows.csv", index=False
    )
    pd.DataFrame(with_bytes).to_parquet(folder / "rows.parquet")
    hub_like = datasets.Dataset.from_list([{**row, "image": str(row["image"])} for row in rows])
    for source in (
        rows,
        [{**row, "image": Image.open(row["image"])} for row in rows],
        with_bytes,
        str(folder / "rows.csv"),
        str(folder / "rows.parquet"),
        hub_like.cast_column("image", datasets.Image()),
        [{**row, "image": {"path": None, "bytes": row["image"].read_bytes()}} for row in rows],
    ):
        splits = split(source)
        assert splits.train["row"][:] == expected.train["row"][:]
        for mine, theirs in zip(splits.train, expected.train, strict=True):
            pixels = [np.asarray(open_image(row["image"], where="here")) for row in (mine, theirs)]
            assert (pixels[0] == pixels[1]).all()


def test_broken_images_are_named_and_counted_before_training(folder: Path) -> None:
    (folder / "train" / "a" / "00.png").write_bytes(b"no image")
    (folder / "train" / "b" / "01.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 18 images of .* cannot be used") as error:
        split({"train": str(folder / "train"), "validation": str(validation(folder))})
    assert str(folder / "train" / "a" / "00.png") in error.value.message
    assert str(folder / "train" / "b" / "01.png") in error.value.message


def validation(folder: Path) -> Path:
    for label, name in (("a", "02.png"), ("b", "03.png")):
        (folder / "val" / label).mkdir(parents=True)
        (folder / "train" / label / name).rename(folder / "val" / label / name)
    return folder / "val"


def test_only_the_rows_in_use_are_looked_at(folder: Path) -> None:
    splits = split(str(folder), limits={"train": 4})
    used = {row["image"]["path"] for rows in splits.by_name.values() for row in rows}
    unused = next(one for one in folder.glob("train/*/*.png") if str(one) not in used)
    unused.write_bytes(b"no image")
    assert split(str(folder), limits={"train": 4}).sizes == splits.sizes
    with pytest.raises(DataError, match="cannot be used"):
        split(str(folder))


def test_a_row_without_an_image() -> None:
    rows = [{"image": encoded(number), "label": "ab"[number % 2]} for number in range(20)]
    rows[4]["image"] = None
    with pytest.raises(DataError, match=r"row 5 \(counted from 1\): no image in `image`"):
        split(rows, limits={"train": 18}, hold_out={"validation": 0.1})


def encoded(number: int) -> bytes:
    buffer = io.BytesIO()
    picture(number).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_missing_file_in_a_table(folder: Path) -> None:
    rows = [{"image": f"train/a/{n:02}.png", "label": "ab"[n % 2]} for n in range(20)]
    pd.DataFrame(rows).to_csv(folder / "rows.csv", index=False)
    with pytest.raises(DataError, match=r"train/a/01\.png: there is no such file"):
        split(str(folder / "rows.csv"))


def test_a_text_task_on_images(folder: Path) -> None:
    with pytest.raises(RecipeError, match="holds images, and the task needs text"):
        split(str(folder), TEXT)


def test_an_image_task_on_texts(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,x\n")
    with pytest.raises(DataError, match="has no column `image`") as error:
        split(str(tmp_path / "rows.csv"))
    assert "folder of class folders" in str(error.value.hint)


def test_a_column_that_holds_no_images() -> None:
    with pytest.raises(DataError, match=r"the column `image` of .* holds int64, not images"):
        split([{"image": n, "label": "ab"[n % 2]} for n in range(20)])
