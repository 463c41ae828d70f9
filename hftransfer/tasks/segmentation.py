"""Masks as classes, in and out: of files to tensors, and of predictions to what a user is told."""

from __future__ import annotations

import base64
import inspect
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hftransfer.errors import CheckpointError, DataError
from hftransfer.sources.base import some
from hftransfer.sources.images import open_image
from hftransfer.sources.masks import MOST, read_mask
from hftransfer.splits import mask_values
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.losses import IGNORED
from hftransfer.tasks.predictions import Answers, Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

UNKNOWN = -1
"""The class of a value that stands for none."""


@dataclass(frozen=True)
class Segmentation(Prediction):
    """A class for every pixel. png: an image of their numbers. labels: the names of the classes, by number."""

    png: bytes
    labels: tuple[str, ...]

    @property
    def mask(self) -> NDArray[Any]:
        """(H, W) whole numbers: the class of every pixel, `labels[mask[y, x]]`."""
        import numpy as np

        return from_png(np.frombuffer(self.png, np.uint8))

    def image(self) -> Image:
        """The mask as an image in colours, one a class (up to 256 of them): mode P, its values the classes' numbers."""
        import numpy as np
        import PIL.Image

        image = PIL.Image.fromarray(self.mask.astype(np.uint8))
        # Evenly around the circle of hues, in steps of the golden angle: neighbours in number differ most.
        hues = [int(index * 0.618034 % 1 * 255) for index in range(256)]
        colours = PIL.Image.new("HSV", (256, 1))
        colours.putdata([(hue, 200 if index else 0, 230 if index else 0) for index, hue in enumerate(hues)])
        image.putpalette(colours.convert("RGB").tobytes())
        return image

    @cached_property
    def shares(self) -> dict[str, float]:
        """See `shares_of`."""
        return shares_of(self.mask, self.labels)

    @property
    def told(self) -> list[dict[str, Any]]:
        """`shares` as rows, which a table can hold whatever labels are there."""
        return as_rows(self.shares)

    @property
    def encoded(self) -> str:
        """The PNG file as text (base64)."""
        return base64.b64encode(self.png).decode("ascii")

    def columns(self) -> dict[str, Any]:
        return {"prediction": self.told, "mask_png": self.encoded}

    def record(self, top: int = 1) -> dict[str, Any]:
        return {"shares": self.shares, "mask_png": self.encoded}

    def line(self, top: int = 1) -> str:
        return ", ".join(f"{label} {share:.4f}" for label, share in self.shares.items())


def shares_of(mask: NDArray[Any], labels: Sequence[str]) -> dict[str, float]:
    """Label -> its share of the pixels that have a class (from 0), of those that are there, the largest first."""
    import numpy as np

    counts = np.bincount(mask[mask >= 0], minlength=len(labels))
    return {
        labels[index]: float(counts[index] / max(counts.sum(), 1))
        for index in np.argsort(-counts, kind="stable")
        if counts[index]
    }


def as_rows(shares: Mapping[str, float]) -> list[dict[str, Any]]:
    """[{"label", "share"}, ...]."""
    return [{"label": label, "share": share} for label, share in shares.items()]


def compared(mask: NDArray[Any], said: NDArray[Any], labels: Sequence[str]) -> list[dict[str, Any]]:
    """[{"label", "said", "pixels"}, ...]: how many pixels of a mask's class were said to be of which, where there are
    any; those without a class do not count."""
    from hftransfer.metrics.segmentation import confusion

    table = confusion([mask], [said], len(labels))
    return [
        {"label": labels[one], "said": labels[other], "pixels": int(table[one, other])}
        for one, other in zip(*table.nonzero(), strict=True)
    ]


def to_png(mask: NDArray[Any]) -> NDArray[np.uint8]:
    """A mask (H, W) as the bytes of a PNG file, of 8 bits a pixel where they do, else 16."""
    import numpy as np
    import PIL.Image

    small = mask.max(initial=0) < 256
    # What has no class is told as the largest number.
    whole = np.where(mask < 0, 255 if small else MOST, mask).astype(np.uint8 if small else np.uint16)
    file = io.BytesIO()
    PIL.Image.fromarray(whole).save(file, format="PNG", compress_level=1)
    return np.frombuffer(file.getvalue(), np.uint8)


def from_png(file: NDArray[np.uint8]) -> NDArray[Any]:
    """The mask (H, W) in a PNG file."""
    return read_mask(file.tobytes(), where="a predicted mask")


def classes_of_values(
    labels: Sequence[str], values: Sequence[int] | None, ignore: int | None
) -> NDArray[np.int64]:
    """(65536,): the class of every value of a mask; `IGNORED` where it is to be ignored, else `UNKNOWN`."""
    import numpy as np

    classes = np.full(MOST + 1, UNKNOWN, dtype=np.int64)
    classes[list(mask_values(labels, values))] = np.arange(len(labels))
    if ignore is not None:
        classes[ignore] = IGNORED
    return classes


def class_maps(rows: Any, classes: NDArray[np.int64]) -> Answers:
    """(H, W) of classes for every row's mask, decoded when asked for."""
    masks = rows.select_columns(["mask"])
    return Answers(len(rows), lambda row: class_map(masks[row]["mask"], classes, where=f"row {row + 1}"))


def class_map(mask: Any, classes: NDArray[np.int64], *, where: str) -> NDArray[np.int64]:
    """(H, W): the class of every pixel of a mask, or `IGNORED`. Raises DataError for a value that stands for none."""
    import numpy as np

    values = read_mask(mask, where=where)
    found = classes[values]
    if (found == UNKNOWN).any():
        strange = [str(one) for one in np.unique(values[found == UNKNOWN])]
        raise DataError(f"{where}: a mask with values that stand for no label: {some(strange)}")
    return found


def pixels_of_classes(rows: Any, classes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(C,): pixels of every class in the masks of rows."""
    import numpy as np

    total = np.zeros(count, dtype=np.int64)
    for mask in class_maps(rows, classes):
        total += np.bincount(mask[mask >= 0], minlength=count)
    return total


@dataclass(frozen=True)
class ImagesWithMasks:
    """Images and, where rows have them, their masks, opened and prepared when a batch asks for them.

    classes: see `classes_of_values`. Raises DataError naming the file that is unreadable.
    """

    table: Any
    processor: Any
    name: str
    classes: NDArray[np.int64]
    findings: tuple[str, ...] = ()
    lengths: None = None
    rows: None = None

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.table[index]
        where = f"{self.name} row {row.get('row', index) + 1}"
        image = open_image(row["image"], where=where)
        example: dict[str, Any] = {"size": [image.height, image.width]}
        if "mask" not in row:
            return example | {
                "pixel_values": self.processor(images=image, return_tensors="pt")["pixel_values"][0]
            }
        mask = class_map(row["mask"], self.classes, where=where)
        pixels, labels = prepare_both(self.processor, image, mask)
        return example | {"pixel_values": pixels, LABELS: labels}


def check_takes_masks(processor: Any) -> None:
    """Raises CheckpointError for a processor that prepares images alone."""
    if "segmentation_maps" not in inspect.signature(processor.preprocess).parameters:
        raise CheckpointError(
            f"{type(processor).__name__} does not prepare masks",
            hint="choose a checkpoint made for segmentation, such as nvidia/mit-b0",
        )


def prepare_both(processor: Any, image: Image, mask: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """(pixels (3, h, w), classes (h, w)): what a processor makes of an image and its mask (H, W)."""
    import numpy as np

    # From 1 up: where it pads, a processor fills with 0, which is no class of ours.
    shifted = np.where(mask == IGNORED, 0, mask + 1).astype(np.int32)
    # The labels are ours, whatever those were that the checkpoint was trained on: none of them is to be left out.
    done = processor(images=image, segmentation_maps=shifted, do_reduce_labels=False, return_tensors="pt")
    labels = done["labels"][0].long()
    labels = labels.sub(1).masked_fill(labels == 0, IGNORED)
    return done["pixel_values"][0], labels


def take_whole_images(processor: Any) -> tuple[str, ...]:
    """Have a processor scale the whole image to one size, and leave labels as they are; changes it, and says how.

    A centre crop would leave the borders of an image without a class, and several sizes do not make a batch.
    """
    if getattr(processor, "do_reduce_labels", None):
        processor.do_reduce_labels = (
            False  # the class 0 was left out where it was trained; here it is a label
        )
    size = getattr(processor, "size", None)
    if not getattr(processor, "do_resize", False) or size is None:
        return ()
    if size["height"] and size["width"] and not getattr(processor, "do_center_crop", None):
        return ()
    cropped = getattr(processor, "crop_size", None)
    if getattr(processor, "do_center_crop", None) and cropped:
        height, width = cropped["height"], cropped["width"]
    else:
        height, width = (size["height"] or size["shortest_edge"], size["width"] or size["shortest_edge"])
    processor.do_center_crop = False
    processor.size = (
        type(size)(height=height, width=width)
        if not isinstance(size, dict)
        else {"height": height, "width": width}
    )
    return (f"images are scaled whole to {width} x {height}; the checkpoint's processor would crop them",)


def scaled(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """Logits (B, C, h, w) at another height and width, bilinearly."""
    from torch.nn.functional import interpolate

    return interpolate(logits, size=size, mode="bilinear", align_corners=False)


def moments(pixels: NDArray[np.bool_]) -> list[float]:
    """[share of the pixels, the same weighted by how far down they are, and by how far to the right], from 0 to 1.

    They tell masks apart, and move little where a few pixels change.
    """
    import numpy as np

    height, width = pixels.shape
    down, right = (np.arange(size) / size for size in (height, width))
    found = [pixels.mean(), (pixels.mean(axis=1) * down).mean(), (pixels.mean(axis=0) * right).mean()]
    return [float(one) for one in found]
