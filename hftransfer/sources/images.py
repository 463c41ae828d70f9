"""One image, from a path, bytes or PIL, as the RGB picture a person sees. Files come from strangers: nothing
is decoded before its size is known.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""What is opened, by content. Pillow knows more, some of which start other programs (EPS)."""


def open_image(image: Any, *, where: str) -> Image:
    """The image in mode RGB, upright.

    image: a path, encoded bytes, a PIL image, or a mapping {"bytes", "path"} as `datasets` holds undecoded
    images. where: its place in words, for the error where it has no path.

    EXIF orientation is applied. Transparency is laid on white. 16 bits a channel are scaled to 8 (65535
    becomes 255). Of several frames the first is taken. Raises DataError: not an image, damaged, more than 50
    megapixels (by its header, before decoding), or numbers without a known range (32-bit floats, integers
    beyond 16 bits).
    """
    name = name_of(image, where)
    with as_data_error(name), undecoded(image, name) as opened:
        from PIL import ImageOps

        opened.load()
        return _rgb(ImageOps.exif_transpose(opened), name)


def check_header(image: Any, *, where: str) -> None:
    """Open without decoding: there, an image of a known format, and not too large. Raises DataError."""
    name = name_of(image, where)
    with as_data_error(name), undecoded(image, name):
        pass


def check_pixels(image: Any, *, where: str) -> None:
    """Decode coarsely: finds damage anywhere in the file, at a fraction of the cost of `open_image`.

    Raises DataError.
    """
    name = name_of(image, where)
    with as_data_error(name), undecoded(image, name) as opened:
        # A JPEG reads all its bytes for a picture of an eighth of the size; other formats ignore this.
        opened.draft("RGB", (max(1, opened.width // 8), max(1, opened.height // 8)))
        opened.load()


def grey_values(image: Any, *, where: str, least: int) -> Image:
    """As `open_image` gives it, in mode L; a JPEG perhaps smaller than it is, of `least` pixels a side or more, which
    costs a fraction. Raises DataError.
    """
    name = name_of(image, where)
    with as_data_error(name), undecoded(image, name) as opened:
        from PIL import ImageOps

        opened.draft("RGB", (least, least))
        opened.load()
        return _rgb(ImageOps.exif_transpose(opened), name).convert("L")


def name_of(image: Any, where: str) -> str:
    """The path of an image, or where it is."""
    path = image.get("path") if isinstance(image, Mapping) and not image.get("bytes") else image
    return str(path) if isinstance(path, str | Path) else where


@contextmanager
def undecoded(image: Any, name: str) -> Iterator[Image]:
    import PIL.Image

    if isinstance(image, PIL.Image.Image):
        _check_size(image.size, name)
        yield image.copy()
        return
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", PIL.Image.DecompressionBombWarning
        )  # the bound below is stricter, and an error
        opened = PIL.Image.open(_file(image, name), formats=FORMATS)
    with opened:
        _check_size(opened.size, name)
        yield opened


def _file(image: Any, name: str) -> Any:
    if isinstance(image, Mapping):
        image = image.get("bytes") or image.get("path")
    if isinstance(image, bytes | bytearray):
        return io.BytesIO(image)
    if isinstance(image, str | Path):
        if not os.path.isfile(image):
            raise DataError(f"{name}: there is no such file")
        return image
    raise DataError(f"{name}: expected an image (a path, bytes, or PIL), found {type(image).__name__}")


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise _too_large(name, f"{width} x {height} pixels ({width * height / 1e6:.0f} megapixels)")


def _too_large(name: str, size: str) -> DataError:
    return DataError(
        f"{name}: {size} is too large an image to be decoded safely; "
        f"the most is {MOST_PIXELS / 1e6:.0f} megapixels",
        hint="scale it down, or leave it out",
    )


@contextmanager
def as_data_error(name: str) -> Iterator[None]:
    """Whatever Pillow raises on a file, as a DataError that names it."""
    import PIL.Image
    from PIL import UnidentifiedImageError

    try:
        yield
    except DataError:
        raise
    except PIL.Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        raise _too_large(name, f"{int(pixels[0]) / 1e6:.0f} megapixels" if pixels else "its size") from None
    except UnidentifiedImageError:
        raise DataError(f"{name}: not an image, or damaged; known formats: {', '.join(FORMATS)}") from None
    except Exception as error:  # Pillow's readers raise OSError, ValueError, SyntaxError, IndexError, ...
        raise DataError(f"{name}: a damaged image: {error}") from None


def _rgb(image: Image, name: str) -> Image:
    if image.mode == "RGB" and not image.has_transparency_data:
        return image.copy() if image.readonly else image
    if image.mode == "F":
        raise DataError(
            f"{name}: an image of floating-point numbers has no known range",
            hint="save it with 8 bits a channel",
        )
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_16_bits(image, name)
    if image.has_transparency_data:
        return _on_white(image)
    return image.convert("RGB")


def _from_16_bits(image: Image, name: str) -> Image:
    import numpy as np
    import PIL.Image

    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise DataError(
            f"{name}: an image of whole numbers from {values.min()} to {values.max()} has no known range",
            hint="save it with 8 or 16 bits a channel",
        )
    return PIL.Image.fromarray(np.rint(values / 257).astype(np.uint8)).convert("RGB")


def _on_white(image: Image) -> Image:
    import PIL.Image

    layer = image.convert("RGBA")
    white = PIL.Image.new("RGBA", layer.size, (255, 255, 255, 255))
    return PIL.Image.alpha_composite(white, layer).convert("RGB")
