"""A picture is found in another size, quality and brightness; what is like it and no copy is not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from lint.looking import found, look, names
from PIL import Image, ImageEnhance, ImageOps

from hftransfer.lint import pictures
from hftransfer.lint.near import PICTURE
from hftransfer.lint.pictures import similar_images
from hftransfer.splits import Column

IMAGES = {"image": Column("image"), "label": Column("class")}
SIZE = 80


def photos(count: int, *, seed: int = 0) -> list[Image.Image]:
    """Pictures with the spectrum of photographs, and nothing in common."""
    draw = np.random.default_rng(seed)
    way = np.fft.fftfreq(SIZE)
    weight = 1 / np.maximum(np.hypot(way, way[:, None]), 1 / SIZE)
    made = np.fft.ifft2(np.fft.fft2(draw.normal(size=(count, SIZE, SIZE))) * weight).real
    made /= made.std(axis=(1, 2), keepdims=True)
    return [Image.fromarray((128 + 45 * one).clip(0, 255).astype(np.uint8)).convert("RGB") for one in made]


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def scalars(files: list[bytes]) -> list[Any]:
    form = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return [pa.scalar({"bytes": one, "path": None}, form) for one in files]


def pairs(files: list[bytes]) -> set[tuple[int, int]]:
    seen = similar_images(scalars(files), PICTURE)
    return set(zip(seen.first.tolist(), seen.second.tolist(), strict=True))


def cut(image: Image.Image, pixels: int) -> Image.Image:
    return image.crop((pixels, 0, image.width, image.height - pixels)).resize(image.size)


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        (lambda one: encoded(one.resize((40, 40))), True),
        (lambda one: encoded(one.resize((200, 200))), True),
        (lambda one: encoded(one, "JPEG", quality=30), True),
        (lambda one: encoded(ImageEnhance.Brightness(one).enhance(0.7)), True),
        (lambda one: encoded(one.convert("L")), True),
        (lambda one: encoded(cut(one, 1)), True),
        (lambda one: encoded(ImageOps.mirror(one)), False),
        (lambda one: encoded(one.rotate(90)), False),
        (lambda one: encoded(one.crop((0, 0, 40, 80))), False),
        (lambda one: encoded(one.resize((30, 30))), False),  # too small to tell
    ],
)
def test_the_same_picture_in_another_file(changed: Callable[[Image.Image], bytes], same: bool) -> None:
    made = photos(30)
    files = [*map(encoded, made), *(changed(one) for one in made[:10])]
    assert pairs(files) == ({(place, 30 + place) for place in range(10)} if same else set())


def test_candidates_are_those_of_a_comparison_of_all_with_all() -> None:
    draw = np.random.default_rng(0)
    hashes = draw.integers(0, 2**16, (60, pictures.BANDS), dtype=np.uint16)
    near = hashes.copy()
    for place, one in enumerate(near):
        for bit in draw.choice(128, size=place % 30, replace=False):
            one[bit // 16] ^= np.uint16(1 << (bit % 16))
    every = np.concatenate([hashes, near])
    differ = np.bitwise_count(every[:, None] ^ every[None]).sum(axis=2)
    seen = set(zip(*(one.tolist() for one in pictures._candidates(every)), strict=True))
    within = {bits: {(a, b) for a, b in np.argwhere(differ <= bits).tolist() if a < b} for bits in (15, 20)}
    assert len(within[15]) == 32
    assert within[15] <= seen <= within[20]
    assert len(seen) > len(within[15])


def test_pictures_that_are_all_of_a_kind_are_no_copies() -> None:
    """Ones and zeros of few pixels: many are alike, and none is a copy; a copy stands out."""
    draw = np.random.default_rng(0)

    def glyph() -> Image.Image:
        drawn = np.zeros((6, 6))
        drawn[1:5, 2:4] = 200
        return Image.fromarray((drawn + draw.normal(20, 40, (6, 6))).clip(0, 255).astype(np.uint8)).resize(
            (48, 48)
        )

    files = [encoded(glyph()) for _ in range(200)]
    assert pairs(files) == set()
    copies = [encoded(Image.open(io.BytesIO(one)), "JPEG", quality=80) for one in files[:5]]
    assert pairs([*files, *copies]) == {(place, 200 + place) for place in range(5)}


def test_empty_pages_are_like_one_another_and_no_copies() -> None:
    pages = [encoded(Image.new("L", (SIZE, SIZE), 200 + shade)) for shade in range(9)]
    seen = similar_images(scalars(pages), PICTURE)
    assert (len(seen.first), seen.short) == (0, 9)


def test_what_is_beyond_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [*map(encoded, photos(8)), encoded(photos(8)[0], "JPEG")]
    assert pairs(made) == {(0, 8)}
    monkeypatch.setattr(pictures, "MOST_IMAGES", 8)
    assert similar_images(scalars(made), PICTURE).left_out == 1
    assert pairs(made) == set()


def test_within_and_across_splits(tmp_path: Path) -> None:
    made = photos(40)
    for number, one in enumerate(made):
        file = tmp_path / ("train" if number < 30 else "validation") / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        one.save(file)
    assert not {"near-leakage", "near-duplicates"} & {*names(look(str(tmp_path), IMAGES))}
    made[3].save(tmp_path / "validation" / "b" / "again.jpg", quality=60)
    made[5].resize((60, 60)).save(tmp_path / "train" / "b" / "small.png")
    findings = look(str(tmp_path), IMAGES)
    across, within = found(findings, "near-leakage"), found(findings, "near-duplicates")
    assert (across.splits, across.rows, across.of) == (("validation", "train"), 1, 11)
    assert "in another size, quality or brightness, or cut a little" in across.message
    assert str(across.examples[0]).count("again.jpg") == 1
    assert across.examples[0].of is not None
    assert across.examples[0].of.where.endswith("3.png")
    assert (within.splits, within.rows) == (("train",), 1)
