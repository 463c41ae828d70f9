"""One image: every mode comes out as the RGB picture a person sees; what is unsafe or broken is refused."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hftransfer.errors import DataError
from hftransfer.sources import images
from hftransfer.sources.images import check_header, open_image


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixel(image: object) -> tuple[int, ...]:
    opened = open_image(image, where="here")
    assert opened.mode == "RGB"
    return tuple(opened.getpixel((0, 0)))  # type: ignore[arg-type]


def png_of_size(width: int, height: int) -> bytes:
    """A valid PNG of one colour, a few kilobytes however large it decodes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(b"\0" * (width // 8 + 2)) for _ in range(height)) + rows.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_every_way_to_give_an_image(tmp_path: Path) -> None:
    picture = Image.new("RGB", (3, 2), (10, 20, 30))
    path = tmp_path / "a.png"
    picture.save(path)
    content = path.read_bytes()
    for image in (
        picture,
        path,
        str(path),
        content,
        {"bytes": content, "path": None},
        {"bytes": None, "path": str(path)},
    ):
        assert pixel(image) == (10, 20, 30)


def test_the_image_given_is_not_changed() -> None:
    picture = Image.new("L", (2, 2), 7)
    open_image(picture, where="here").putpixel((0, 0), (0, 0, 0))
    assert picture.getpixel((0, 0)) == 7
    coloured = Image.new("RGB", (2, 2), (7, 7, 7))
    open_image(coloured, where="here").putpixel((0, 0), (0, 0, 0))
    assert coloured.getpixel((0, 0)) == (7, 7, 7)


def palette(transparent: bool) -> bytes:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    return encoded(image, transparency=1) if transparent else encoded(image)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(Image.new("L", (2, 2), 77)), (77, 77, 77)),
        (encoded(Image.new("1", (2, 2), 1)), (255, 255, 255)),
        (encoded(Image.new("RGBA", (2, 2), (255, 0, 0, 255))), (255, 0, 0)),
        (encoded(Image.new("RGBA", (2, 2), (255, 0, 0, 0))), (255, 255, 255)),
        (encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 51))), (204, 204, 204)),
        (encoded(Image.new("LA", (2, 2), (0, 0))), (255, 255, 255)),
        (encoded(Image.new("LA", (2, 2), (9, 255))), (9, 9, 9)),
        (palette(transparent=False), (200, 100, 50)),
        (palette(transparent=True), (255, 255, 255)),
        (encoded(Image.new("RGB", (2, 2), (1, 2, 3)), transparency=(1, 2, 3)), (255, 255, 255)),
        (encoded(Image.new("L", (2, 2), 9), transparency=9), (255, 255, 255)),
        (encoded(Image.new("RGB", (1, 1), (1, 2, 3))), (1, 2, 3)),
    ],
)  # fmt: skip
def test_modes(content: bytes, expected: tuple[int, int, int]) -> None:
    assert pixel(content) == expected


def test_cmyk() -> None:
    red = pixel(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    assert red[0] > 240
    assert max(red[1:]) < 15


@pytest.mark.parametrize("value", [0, 257, 257 * 128, 65535])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled(value: int, kind: str) -> None:
    image = Image.fromarray(np.full((2, 2), value, dtype=np.uint16))
    assert pixel(encoded(image, kind)) == (value // 257,) * 3
    # What Pillow does by itself, and what this is for: everything above 255 becomes white.
    if value > 257:
        assert image.convert("RGB").getpixel((0, 0)) != (value // 257,) * 3 or value == 65535


def test_32_bit_whole_numbers_within_16_bits() -> None:
    assert pixel(encoded(Image.fromarray(np.full((2, 2), 65535, dtype=np.int32)), "TIFF")) == (255,) * 3


@pytest.mark.parametrize(
    "values", [np.full((2, 2), 70_000, dtype=np.int32), np.full((2, 2), -1, dtype=np.int32)]
)
def test_32_bit_whole_numbers_beyond(values: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"here: an image of whole numbers from .* has no known range"):
        open_image(encoded(Image.fromarray(values), "TIFF"), where="here")


def test_floating_point_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="here: an image of floating-point numbers"):
        open_image(encoded(Image.fromarray(np.ones((2, 2), dtype=np.float32)), "TIFF"), where="here")


def test_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    content = encoded(Image.new("RGB", (4, 2)), "JPEG", exif=exif)
    assert Image.open(io.BytesIO(content)).size == (4, 2)
    assert open_image(content, where="here").size == (2, 4)


def test_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixel(content) == (255, 0, 0)


class TestBroken:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
    def test_cut_short(self, tmp_path: Path, kind: str) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        content = encoded(Image.fromarray(noise), kind)
        path = tmp_path / f"cut.{kind.lower()}"
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(DataError) as error:
            open_image(path, where="row 7")
        assert str(path) in error.value.message

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"no image",
            b"\x89PNG\r\n\x1a\n",
            b"<svg/>",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        ],
    )
    def test_no_image(self, content: bytes) -> None:
        for read in (open_image, check_header):
            with pytest.raises(DataError, match="row 7"):
                read(content or b"x", where="row 7")

    def test_a_missing_file(self) -> None:
        with pytest.raises(DataError, match=r"/nowhere/a.png: there is no such file"):
            check_header({"bytes": None, "path": "/nowhere/a.png"}, where="row 7")

    def test_something_else(self) -> None:
        with pytest.raises(DataError, match=r"row 7: expected an image .* found int"):
            open_image(7, where="row 7")

    @pytest.mark.parametrize("side", [8_000, 12_000, 16_000])
    def test_a_bomb_is_not_decoded(self, tmp_path: Path, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
        def decode(self: object) -> None:
            raise AssertionError("decoded")

        content = png_of_size(side, side)
        assert len(content) < 200_000
        path = tmp_path / "bomb.png"
        path.write_bytes(content)
        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
        for read in (open_image, check_header):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with pytest.raises(
                    DataError, match=rf"bomb.png: .*{side * side // 10**6} megapixels"
                ) as error:
                    read(path, where="row 7")
            assert "most is 50 megapixels" in error.value.message

    def test_the_bound_is_a_bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        content = png_of_size(100, 100)
        assert open_image(content, where="here").size == (100, 100)
        monkeypatch.setattr(images, "MOST_PIXELS", 9_999)
        with pytest.raises(DataError, match="here: 100 x 100 pixels"):
            open_image(content, where="here")

    def test_a_header_is_enough_for_what_is_cut_short_later(self) -> None:
        content = encoded(Image.new("RGB", (64, 64)), "JPEG")
        check_header(content[: len(content) - 20], where="here")
        with pytest.raises(DataError, match="a damaged image"):
            open_image(content[: len(content) - 20], where="here")
