"""image-classification: one label for an image, prepared as the checkpoint's own processor says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from hftransfer.sources.images import open_image
from hftransfer.splits import Column
from hftransfer.tasks.base import LABELS, Batch
from hftransfer.tasks.classification import Classification


@dataclass(frozen=True)
class LazyImages:
    """Images, opened and prepared when a batch asks for them. Raises DataError naming the file that is unreadable."""

    rows: Any
    processor: Any
    name: str
    lengths: None = None
    findings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[index]
        image = open_image(row["image"], where=f"{self.name} row {row.get('row', index) + 1}")
        example = {"pixel_values": self.processor(images=image, return_tensors="pt")["pixel_values"][0]}
        if "label" in row:
            example[LABELS] = row["label"]
        return example


class ImageClassification(Classification):
    """One label for an image."""

    columns: ClassVar[Mapping[str, Column]] = {"image": Column(kind="image"), "label": Column(kind="class")}
    model_class: ClassVar[str] = "AutoModelForImageClassification"
    processor_class: ClassVar[str] = "AutoImageProcessor"

    name: Literal["image-classification"] = "image-classification"

    def encode(self, rows: Any, processor: Any, *, limit: int | None, name: str) -> LazyImages:
        return LazyImages(rows, processor, name)

    def collate(self, examples: Sequence[Mapping[str, Any]], processor: Any) -> Batch:
        import torch

        pixels = torch.stack([example["pixel_values"] for example in examples])
        # Convolutions are two to four times as fast on a CPU when channels lie innermost; as the model's weights are.
        batch: Batch = {"pixel_values": pixels.contiguous(memory_format=torch.channels_last)}
        if LABELS in examples[0]:
            batch[LABELS] = torch.tensor([example[LABELS] for example in examples])
        return batch

    def pipeline_input(self, row: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        return open_image(row["image"], where="probe"), {}
