"""image-segmentation: a class for every pixel of an image (semantic segmentation).

A model is trained at the size that its processor makes of images, and scored at the size of the masks as they are
given: its logits are scaled to it bilinearly, as transformers' `post_process_semantic_segmentation` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from hftransfer.errors import DataError
from hftransfer.sources.images import open_image
from hftransfer.sources.masks import MOST, size_of
from hftransfer.splits import Column, MaskColumn
from hftransfer.tasks.augmentation import Augmentation, between_0_and_1
from hftransfer.tasks.base import LABELS, Batch, Examples, Loss, Task
from hftransfer.tasks.image_classification import stack_pixels
from hftransfer.tasks.losses import CrossEntropy
from hftransfer.tasks.predictions import Answers, Prediction, Predictions
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.segmentation import (
    ImagesWithMasks,
    Segmentation,
    as_rows,
    check_takes_masks,
    class_maps,
    classes_of_values,
    compared,
    from_png,
    moments,
    pixels_of_classes,
    scaled,
    shares_of,
    take_whole_images,
    to_png,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

SIZES = "sizes"
"""The key of a batch that holds the images' own sizes, (B, 2) of height and width."""


@dataclass(frozen=True)
class PixelCrossEntropy(CrossEntropy):
    """Cross-entropy over the pixels of masks, the logits scaled to their size."""

    def sum(self, output: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """output.logits: (B, C, h, w); targets: (B, H, W)."""
        masks = batch[LABELS]
        logits = scaled(output.logits.float(), tuple(masks.shape[-2:]))
        return self.of_logits(logits.movedim(1, -1).flatten(0, 2), masks.flatten())


class ImageSegmentation(Task):
    """A class for every pixel of an image."""

    target: ClassVar[str | None] = "mask"
    model_class: ClassVar[str] = "AutoModelForSemanticSegmentation"
    processor_class: ClassVar[str] = "AutoImageProcessor"
    amounts_of: ClassVar[str] = "pixels"

    name: Literal["image-segmentation"] = "image-segmentation"
    ignore: int | None = Field(
        None, ge=0, le=MOST, description="the value of a mask's pixels that have no class: they do not count"
    )
    values: tuple[int, ...] | None = Field(
        None,
        min_length=2,
        description="the value in masks that stands for each of data.labels, in their order; by default 0, 1, 2, ... "
        "Without data.labels, the values found are the labels",
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: a pixel counts N / (C * pixels of its class), by the training masks"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all labels")
    focal: float = Field(
        0.0, ge=0, description="gamma of the focal loss (Lin et al. 2017): pixels that are right count less"
    )
    augmentation: Augmentation | None = Field(
        None, description="what is done to training images and their masks; others stay as they are"
    )

    @property
    def columns(self) -> Mapping[str, Column]:
        return {"image": Column("image"), "mask": MaskColumn("mask", ignore=self.ignore, values=self.values)}

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("mean_iou", "pixel_accuracy", "iou")

    @property
    def default_metrics(self) -> tuple[str, ...]:
        return ("mean_iou", "pixel_accuracy")

    def check_installed(self) -> None:
        if self.augmentation is not None:
            self.augmentation.check_installed()

    def check_rows(self, rows: Any, where: Any) -> None:
        """Whether every mask has the size of its image; only their headers are read."""
        if "mask" not in rows.column_names:
            return
        bad = []
        for row, (image, mask) in enumerate(zip(rows["image"], rows["mask"], strict=True)):
            sizes = [size_of(one, where=where([row])) for one in (image, mask)]
            if sizes[0] != sizes[1]:
                shown = " and ".join(f"{width} x {height}" for width, height in sizes)
                bad.append((row, shown))
        if bad:
            shown = "\n".join(f"  {where([row])}: {sizes}" for row, sizes in bad[:5])
            more = f"\n  and {len(bad) - 5} more" if len(bad) > 5 else ""
            raise DataError(
                f"{len(bad)} of {len(rows)} masks are not of the size of their image (image and mask, width x "
                f"height):\n{shown}{more}",
                hint="a mask has a pixel for every pixel of its image; is it the mask of another image?",
                key="data.columns.mask",
            )

    @property
    def added(self) -> tuple[str, ...]:
        return ("prediction", "mask_png")

    def head_config(self, labels: Sequence[str]) -> dict[str, Any]:
        return {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: index for index, label in enumerate(labels)},
            # A second head that UperNet's kin train beside the first, inside their own loss, and never use afterwards.
            "use_auxiliary_head": False,
        }

    def encode(self, rows: Any, pretrained: Pretrained, *, name: str) -> ImagesWithMasks:
        if "mask" in rows.column_names:
            check_takes_masks(pretrained.processor)
        findings = take_whole_images(pretrained.processor)
        ids = self._ids(pretrained.labels)
        return ImagesWithMasks(rows, pretrained.processor, name, ids, findings)

    def collate(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        import torch

        batch = stack_pixels(examples) | {SIZES: torch.tensor([example["size"] for example in examples])}
        if LABELS in examples[0]:
            batch[LABELS] = torch.stack([example[LABELS] for example in examples])
        return batch

    def augment(self, batch: Batch, pretrained: Pretrained) -> Batch:
        """What a model is trained on: without the images' own sizes, which only scoring needs."""
        import torch

        batch = {key: value for key, value in batch.items() if key != SIZES}
        asked = self.augmentation
        if asked is None or asked == Augmentation():
            return batch
        images, black, distance = between_0_and_1(batch["pixel_values"], pretrained.processor)
        images, masks = asked.geometry(images, batch[LABELS])
        images = asked.colour(images).clamp(0, 1)
        pixels = (black + images * distance).contiguous(memory_format=torch.channels_last)
        return {**batch, "pixel_values": pixels, LABELS: batch[LABELS] if masks is None else masks}

    def make_loss(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> Loss:
        import numpy as np
        import torch

        if self.class_weights == "none":
            return PixelCrossEntropy(None, self.label_smoothing, self.focal)
        counts = pixels_of_classes(rows, self._ids(labels), len(labels))
        weights = counts.sum() / (len(labels) * np.maximum(counts, 1))
        return PixelCrossEntropy(torch.tensor(weights, dtype=torch.float32), self.label_smoothing, self.focal)

    def run(self, model: nn.Module, batch: Batch, pretrained: Pretrained) -> Any:
        return model(pixel_values=batch["pixel_values"])

    def outputs(self, output: Any, batch: Batch) -> list[NDArray[Any]]:
        """The class of every pixel at the image's own size, as a PNG file, which takes a hundredth of the memory."""
        maps = (
            scaled(logits[None].float(), tuple(size)).argmax(dim=1)[0]
            for logits, size in zip(output.logits, batch[SIZES].tolist(), strict=True)
        )
        return [to_png(one.cpu().numpy()) for one in maps]

    def evidence(self, output: Any, batch: Batch) -> list[NDArray[Any]]:
        """Mean logits of 8 x 8 fields: where two classes are all but equal, the last bit decides of a pixel's class."""
        from torch.nn.functional import adaptive_avg_pool2d

        return list(adaptive_avg_pool2d(output.logits.float(), 8).cpu().numpy())

    def decode(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> Predictions:
        labels = pretrained.labels
        said = Answers(len(outputs), lambda row: from_png(outputs[row]))
        answers = Answers(len(outputs), lambda row: Segmentation(outputs[row].tobytes(), labels))
        if self.target not in rows.column_names:
            return Predictions(said, None, answers)
        masks = self.references(rows, labels)
        pixels = Answers(len(outputs), lambda row: compared(masks[row], said[row], labels))
        return Predictions(said, None, answers, {"pixels": pixels})

    def references(self, rows: Any, labels: Sequence[str]) -> Any:
        return class_maps(rows, self._ids(labels))

    def told(self, rows: Any, labels: Sequence[str]) -> list[Any]:
        # Not by way of an image file, which has no number left for pixels that are ignored.
        return [as_rows(shares_of(mask, labels)) for mask in self.references(rows, labels)]

    def amounts(self, rows: Any, labels: Sequence[str]) -> NDArray[np.int64]:
        return pixels_of_classes(rows, self._ids(labels), len(labels))

    def baseline(self, train: Any, rows: Any, labels: Sequence[str]) -> Predictions | None:
        """Every pixel is of the class that most training pixels are of."""
        import numpy as np

        commonest = pixels_of_classes(train, self._ids(labels), len(labels)).argmax()
        masks = self.references(rows, labels)
        return Predictions(Answers(len(rows), lambda row: np.full_like(masks[row], commonest)), None, [])

    def ask(self, pipe: Any, row: Mapping[str, Any], labels: Sequence[str]) -> Any:
        import numpy as np

        said = pipe(open_image(row["image"], where="probe"), subtask="semantic")
        found = {one["label"]: np.asarray(one["mask"]) > 0 for one in said}
        return {label: moments(found[label]) if label in found else [0.0] * 3 for label in labels}

    def expected(self, prediction: Prediction, labels: Sequence[str]) -> Any:
        assert isinstance(prediction, Segmentation)
        mask = prediction.mask
        return {label: moments(mask == index) for index, label in enumerate(labels)}

    def _ids(self, labels: Sequence[str]) -> NDArray[np.int64]:
        return classes_of_values(labels, self.values, self.ignore)
