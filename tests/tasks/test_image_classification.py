"""Images as pixels: opened when a batch asks, prepared by the checkpoint's processor, named when damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
import transformers
from PIL import Image
from tiny import IMAGE_FAMILIES, make_images

from hftransfer.errors import DataError
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.image_classification import ImageClassification
from hftransfer.tasks.pretrained import Pretrained

TASK = ImageClassification()


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return sorted(make_images(tmp_path / "images", 2, 48).rglob("*.png"))


def rows(images: list[Any], labels: list[int] | None = None) -> Any:
    columns: dict[str, Any] = {"image": images, "row": list(range(len(images)))}
    features = {"image": datasets.Image(decode=False), "row": datasets.Value("int64")}
    if labels is not None:
        columns["label"], features["label"] = labels, datasets.Value("int64")
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def given(processor: Any) -> Pretrained:
    return Pretrained(processor, transformers.PreTrainedConfig(num_labels=2), None)


@pytest.fixture
def processor(tiny_checkpoint: Callable[..., Path]) -> Any:
    return transformers.AutoImageProcessor.from_pretrained(tiny_checkpoint("vit"))


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_a_batch_is_what_the_processor_makes_of_the_images(
    family: str, paths: list[Path], tiny_checkpoint: Callable[..., Path]
) -> None:
    processor = transformers.AutoImageProcessor.from_pretrained(tiny_checkpoint(family))
    examples = TASK.encode(rows([str(path) for path in paths], [0, 1] * 3), given(processor), name="train")
    assert (len(examples), examples.lengths, examples.findings) == (6, None, ())
    batch = TASK.collate([examples[i] for i in range(6)], given(processor))
    expected = processor(images=[Image.open(path) for path in paths], return_tensors="pt")["pixel_values"]
    assert set(batch) == {"pixel_values", LABELS}
    assert torch.equal(batch["pixel_values"], expected)
    assert batch["pixel_values"].is_contiguous(memory_format=torch.channels_last)
    assert batch[LABELS].tolist() == [0, 1] * 3


def test_rows_without_labels(paths: list[Path], processor: Any) -> None:
    examples = TASK.encode(rows([str(paths[0])]), given(processor), name="train")
    assert set(TASK.collate([examples[0]], given(processor))) == {"pixel_values"}


def damage(path: Path) -> None:
    """The header stays whole, so that only decoding can find it."""
    path.write_bytes(path.read_bytes()[:300])
    Image.open(path)


def test_a_damaged_file_is_named_when_a_batch_asks_for_it(paths: list[Path], processor: Any) -> None:
    damage(paths[3])
    examples = TASK.encode(rows([str(path) for path in paths]), given(processor), name="train")
    assert examples[2]["pixel_values"].shape == (3, 32, 32)
    with pytest.raises(DataError, match=str(paths[3])):
        examples[3]


def test_damaged_bytes_are_named_by_their_row(paths: list[Path], processor: Any) -> None:
    damage(paths[3])
    held = [{"bytes": path.read_bytes(), "path": None} for path in paths]
    examples = TASK.encode(rows(held), given(processor), name="validation")
    assert examples[2]["pixel_values"].shape == (3, 32, 32)
    with pytest.raises(DataError, match="validation row 4"):
        examples[3]


def test_a_file_that_has_gone_is_named(paths: list[Path], processor: Any) -> None:
    examples = TASK.encode(rows([str(path) for path in paths]), given(processor), name="train")
    paths[1].unlink()
    with pytest.raises(DataError, match=f"{paths[1]}: there is no such file"):
        examples[1]


def test_a_grey_image_has_three_channels(tmp_path: Path, processor: Any) -> None:
    Image.new("L", (40, 40), 128).save(tmp_path / "grey.png")
    examples = TASK.encode(rows([str(tmp_path / "grey.png")]), given(processor), name="train")
    pixels = examples[0]["pixel_values"]
    assert pixels.shape == (3, 32, 32)
    assert torch.equal(pixels[0], pixels[2])


def test_what_a_pipeline_is_asked(paths: list[Path]) -> None:
    """The opened image, and every label's score."""
    asked: list[Any] = []

    def pipe(value: Any, **options: Any) -> list[dict[str, Any]]:
        asked.append((value.mode, value.size, options))
        return [{"label": "b", "score": 0.75}, {"label": "a", "score": 0.25}]

    said = TASK.ask(pipe, {"image": str(paths[0]), "label": 1}, ("a", "b"))
    assert asked == [("RGB", (48, 48), {"top_k": 2})]
    assert said == {"b": 0.75, "a": 0.25}
    ImageClassification(problem_type="regression").ask(pipe, {"image": str(paths[0])}, ("a", "b"))
    assert asked[1][2] == {"top_k": 2, "function_to_apply": "none"}
