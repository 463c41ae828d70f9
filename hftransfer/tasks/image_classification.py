"""image-classification: one label for an image, several, or numbers; prepared as the checkpoint's processor says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from hftransfer.sources.images import open_image
from hftransfer.splits import Column
from hftransfer.tasks.augmentation import ImageAugmentation, between_0_and_1
from hftransfer.tasks.base import LABELS, Batch
from hftransfer.tasks.classification import Classification
from hftransfer.tasks.images import LazyImages, lazy_images
from hftransfer.tasks.pretrained import Pretrained


class ImageClassification(Classification):
    """What an image shows: one label, several labels, or numbers."""

    input_columns: ClassVar[Mapping[str, Column]] = {"image": Column("image")}
    model_class: ClassVar[str] = "AutoModelForImageClassification"
    processor_class: ClassVar[str] = "AutoImageProcessor"

    name: Literal["image-classification"] = "image-classification"
    augmentation: ImageAugmentation | None = Field(
        None, description="what is done to training images, anew every epoch; others stay as they are"
    )
    cache_mb: int = Field(
        1024,
        ge=0,
        description="memory, in MB, for resized images of a split, which later epochs then need not decode; 0 for none",
    )

    def check_installed(self) -> None:
        if self.augmentation is not None:
            self.augmentation.check_installed()

    def encode(self, rows: Any, pretrained: Pretrained, *, name: str) -> LazyImages:
        return lazy_images(rows, pretrained.processor, name=name, room=self.cache_mb * 2**20)

    def collate(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        return stack_pixels(examples) | self.targets(examples, pretrained)

    @property
    def augments(self) -> bool:
        return self.augmentation is not None and self.augmentation != ImageAugmentation()

    def augment(self, batch: Batch, pretrained: Pretrained) -> Batch:
        asked = self.augmentation
        if asked is None or not self.augments:
            return batch
        import torch

        images, black, distance = between_0_and_1(batch["pixel_values"], pretrained.processor)
        images = asked.colour(asked.geometry(images)[0])
        if asked.rand_augment is not None:
            images = asked.rand_augment(images)
        targets = batch[LABELS]
        if asked.mixup or asked.cutmix:
            if self.problem_type == "single_label_classification":
                targets = torch.nn.functional.one_hot(targets, len(pretrained.labels))
            images, targets = asked.mix(images, targets.float())
        pixels = (black + images.clamp(0, 1) * distance).contiguous(memory_format=torch.channels_last)
        return {**batch, "pixel_values": pixels, LABELS: targets}

    def ask(self, pipe: Any, row: Mapping[str, Any], labels: Sequence[str]) -> Any:
        said = pipe(open_image(row["image"], where="probe"), top_k=len(labels), **self.activation)
        return {one["label"]: one["score"] for one in said}


def stack_pixels(examples: Sequence[Mapping[str, Any]]) -> Batch:
    """`pixel_values` of examples as one tensor, (B, 3, H, W)."""
    import torch

    pixels = torch.stack([example["pixel_values"] for example in examples])
    # Convolutions are two to four times as fast on a CPU when channels lie innermost; as the model's weights are.
    return {"pixel_values": pixels.contiguous(memory_format=torch.channels_last)}
