"""The toy checkpoints and rows are what the other tests take them for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import (
    FAMILIES,
    IMAGE_FAMILIES,
    IMAGE_SIZE,
    LABELS,
    MAX_LENGTH,
    PAIR_LABELS,
    PAIRS,
    TEXT_FAMILIES,
    TEXTS,
    make_checkpoint,
    make_images,
)


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_there_are_twelve_families_and_one() -> None:
    assert len(FAMILIES) == 13
    assert len(set(FAMILIES)) == 13


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_is_small_whole_and_the_same_for_the_same_seed(family: str, tmp_path: Path) -> None:
    once = _digests(make_checkpoint(family, tmp_path / "once"))
    again = _digests(make_checkpoint(family, tmp_path / "again"))
    other = _digests(make_checkpoint(family, tmp_path / "other", seed=1))
    assert once == again
    assert once["model.safetensors"] != other["model.safetensors"]
    assert {"config.json", "model.safetensors"} < set(once)
    assert sum(path.stat().st_size for path in (tmp_path / "once").iterdir()) < 1_000_000


@pytest.mark.parametrize("family", TEXT_FAMILIES)
def test_tokenizers_know_pairs_and_unseen_words(family: str, tiny_checkpoint: Callable[..., Path]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint(family))
    first, second = PAIRS[0]
    pair = tokenizer(first, second)["input_ids"]
    assert pair.count(tokenizer.sep_token_id) >= 2
    assert tokenizer.unk_token_id not in tokenizer("zzqx 7, grey")["input_ids"]
    assert len(tokenizer(" ".join(TEXTS), truncation=True)["input_ids"]) == MAX_LENGTH


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_processors_make_squares(family: str, tmp_path: Path, tiny_checkpoint: Callable[..., Path]) -> None:
    from PIL import Image
    from transformers import AutoImageProcessor

    paths = sorted(make_images(tmp_path, 1, 40).glob("*/*.png"))
    assert [path.parent.name for path in paths] == ["blue", "green", "red"]
    processor = AutoImageProcessor.from_pretrained(tiny_checkpoint(family))
    pixels = processor([Image.open(path) for path in paths], return_tensors="pt")["pixel_values"]
    assert pixels.shape == (3, 3, IMAGE_SIZE, IMAGE_SIZE)


def test_labels_take_turns() -> None:
    assert len(TEXTS) == len(LABELS) == len(PAIRS) == len(PAIR_LABELS)
    assert LABELS.count("animal") == LABELS.count("colour")
    assert len(set(TEXTS)) > 28
