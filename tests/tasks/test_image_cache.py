"""Images are decoded once and kept resized, where that gives the very same numbers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from tiny import IMAGE_FAMILIES

from hftransfer.errors import DataError
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.image_classification import ImageClassification
from hftransfer.tasks.images import Kept, prepared, splits_exactly
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.training.loaders import load

SIZES = [(48, 48), (37, 61), (200, 33), (16, 16), (32, 32), (31, 90)]


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    draw = np.random.default_rng(0)
    found = []
    for number, (width, height) in enumerate(SIZES):
        found.append(tmp_path / f"{number}.png")
        Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(found[-1])
    return found


def rows(paths: list[Path]) -> Any:
    columns = {"image": list(map(str, paths)), "label": [0, 1] * (len(paths) // 2)}
    features = datasets.Features({"image": datasets.Image(decode=False), "label": datasets.Value("int64")})
    return datasets.Dataset.from_dict(columns, features=features)


def encoded(paths: list[Path], processor: Any, *, name: str = "train", **options: Any) -> Any:
    task = ImageClassification.model_validate(options)
    return task.encode(rows(paths), Pretrained(processor, None, None), name=name)


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_kept_images_are_what_the_processor_makes_of_them(
    family: str, paths: list[Path], tiny_checkpoint: Callable[..., Path]
) -> None:
    processor = transformers.AutoImageProcessor.from_pretrained(tiny_checkpoint(family))
    examples = encoded(paths, processor)
    assert examples.kept.count == len(paths)
    first = [examples[i]["pixel_values"] for i in range(len(paths))]
    for path in paths:
        path.unlink()
    again = [examples[i]["pixel_values"] for i in range(len(paths))]  # nothing is decoded
    whole = encoded(made_again(paths), processor, cache_mb=0)
    assert whole.kept is None
    for i in range(len(paths)):
        assert first[i].dtype == torch.float32
        assert torch.equal(first[i], whole[i]["pixel_values"])
        assert torch.equal(again[i], whole[i]["pixel_values"])
        assert not torch.equal(again[i], whole[i - 1]["pixel_values"])
        assert examples[i][LABELS] == i % 2


def made_again(paths: list[Path]) -> list[Path]:
    draw = np.random.default_rng(0)
    for path, (width, height) in zip(paths, SIZES, strict=True):
        Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.fixture
def processor(tiny_checkpoint: Callable[..., Path]) -> Any:
    return transformers.AutoImageProcessor.from_pretrained(tiny_checkpoint("vit"))


def test_without_room_every_image_is_decoded_again(paths: list[Path], processor: Any) -> None:
    examples = encoded(paths, processor, cache_mb=0)
    examples[1]
    paths[1].unlink()
    with pytest.raises(DataError, match="no such file"):
        examples[1]


def test_of_rows_that_are_read_once_nothing_is_kept(paths: list[Path], processor: Any) -> None:
    assert encoded(paths, processor, name="test").kept is None
    assert encoded(paths, processor, name="validation").kept is not None


def test_where_there_is_room_for_some_the_others_are_decoded_again(paths: list[Path], processor: Any) -> None:
    kept = Kept(6, (3, 32, 32), room=3 * 3 * 32 * 32)
    assert kept.count == 2
    kept.put(1, np.full((3, 32, 32), 7, np.uint8))
    kept.put(5, np.full((3, 32, 32), 7, np.uint8))
    assert (kept.get(0), kept.get(5)) == (None, None)
    assert kept.get(1).sum() == 7 * 3 * 32 * 32  # type: ignore[union-attr]


def test_worker_processes_fill_what_later_epochs_read(paths: list[Path], processor: Any) -> None:
    examples = encoded(paths, processor)
    before = [one["pixel_values"] for one in epoch(examples)]
    for path in paths:
        path.unlink()
    after = [one["pixel_values"] for one in epoch(examples)]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def epoch(examples: Any) -> list[Any]:
    return list(load(examples, lambda batch: batch[0], [np.array([i]) for i in range(len(examples))], 2))


def test_a_process_that_was_not_forked_keeps_nothing(paths: list[Path], processor: Any) -> None:
    examples = encoded(paths, processor)
    examples[0]
    kept = pickle.loads(pickle.dumps(examples.kept))
    assert (kept.count, kept.get(0)) == (0, None)


def test_a_processor_that_pads_is_asked_every_time(paths: list[Path]) -> None:
    """Padding comes after normalising, so it is no value of a channel."""
    options = {
        "do_resize": False,
        "do_pad": True,
        "pad_size": {"height": 64, "width": 64},
        "do_center_crop": False,
    }
    processor = transformers.ViTImageProcessor(**options)
    image = Image.open(paths[0])
    assert prepared(processor, image).shape == (3, 64, 64)
    assert not splits_exactly(processor, image)
