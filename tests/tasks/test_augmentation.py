"""Augmentation: what it does to a batch in training, that it follows the seed, and that nothing else is touched."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
import transformers
from pydantic import ValidationError
from tiny import IMAGE_FAMILIES, make_images
from torch.nn.functional import cross_entropy

from hftransfer.errors import CheckpointError, InputError
from hftransfer.recipe import load_recipe
from hftransfer.runner import resolve
from hftransfer.tasks.augmentation import Augmentation, ImageAugmentation, between_0_and_1, outside_boxes
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.image_classification import ImageClassification
from hftransfer.tasks.losses import BinaryCrossEntropy, CrossEntropy
from hftransfer.tasks.pretrained import Pretrained

ALL = {
    "crop": [0.5, 1],
    "flip": "both",
    "color": 0.4,
    "rand_augment": {"n": 2, "m": 9},
    "mixup": 0.4,
    "cutmix": 1.0,
}
ALONE = [{name: value} for name, value in ALL.items()] + [
    {"crop": 0.3},
    {"flip": "horizontal"},
    {"flip": "vertical"},
]


def task(options: Any, **more: Any) -> ImageClassification:
    return ImageClassification.model_validate({"augmentation": options, **more})


@pytest.fixture
def pretrained(tiny_checkpoint: Callable[..., Path]) -> Pretrained:
    return of_family("vit", tiny_checkpoint)


def of_family(family: str, tiny_checkpoint: Callable[..., Path]) -> Pretrained:
    folder = tiny_checkpoint(family)
    config = transformers.AutoConfig.from_pretrained(folder)
    config.id2label = {0: "red", 1: "green", 2: "blue"}
    return Pretrained(transformers.AutoImageProcessor.from_pretrained(folder), config, None)


def batch(tmp_path: Path, pretrained: Pretrained, labels: Any = (0, 1, 2, 0, 1, 2), **more: Any) -> Any:
    paths = sorted(map(str, make_images(tmp_path / "images", 2, 48).rglob("*.png")))
    features = {"image": datasets.Image(decode=False)}
    table = datasets.Dataset.from_dict({"image": paths}, features=datasets.Features(features))
    table = table.add_column("label", list(labels))
    one = task(None, **more)
    examples = one.encode(table, pretrained, name="train")
    return one.collate([examples[i] for i in range(len(examples))], pretrained)


def augmented(options: Any, batch: Any, pretrained: Pretrained, seed: int = 0, **more: Any) -> Any:
    torch.manual_seed(seed)
    return task(options, **more).augment(dict(batch), pretrained)


@pytest.mark.parametrize("options", [None, {}])
def test_where_nothing_is_asked_for_the_batch_is_the_same_and_nothing_is_drawn(
    options: Any, tmp_path: Path, pretrained: Pretrained
) -> None:
    made = batch(tmp_path, pretrained)
    torch.manual_seed(5)
    given = task(options).augment(made, pretrained)
    assert given is made
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))


@pytest.mark.parametrize("options", [*ALONE, ALL], ids=str)
def test_each_option_changes_pixels_and_follows_the_seed(
    options: Any, tmp_path: Path, pretrained: Pretrained
) -> None:
    made = batch(tmp_path, pretrained)
    before = made["pixel_values"].clone()
    one, same, other = (augmented(options, made, pretrained, seed)["pixel_values"] for seed in (1, 1, 2))
    assert torch.equal(made["pixel_values"], before)
    assert one.shape == before.shape
    assert one.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one, before)
    # What a processor makes of black and white is as far as pixels go.
    assert before.min() - 1e-5 >= -1.001
    assert one.min() >= -1.001
    assert one.max() <= 1.001


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_pixels_go_back_to_0_to_1_and_come_again(
    family: str, tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    pretrained = of_family(family, tiny_checkpoint)
    pixels = batch(tmp_path, pretrained)["pixel_values"]
    images, black, distance = between_0_and_1(pixels, pretrained.processor)
    assert 0 <= images.min() < 0.05
    assert images.max() <= 1
    assert torch.allclose(black + images * distance, pixels, atol=1e-5)
    mean, std = (
        torch.tensor(getattr(pretrained.processor, name))[:, None, None]
        for name in ("image_mean", "image_std")
    )
    assert torch.allclose(images, pixels * std + mean, atol=1e-5)


def test_a_flip_mirrors(tmp_path: Path, pretrained: Pretrained) -> None:
    made = batch(tmp_path, pretrained)
    flipped = augmented({"flip": "horizontal"}, made, pretrained)["pixel_values"]
    pairs = list(zip(made["pixel_values"], flipped, strict=True))
    same = [torch.allclose(one, other, atol=1e-5) for one, other in pairs]
    mirrored = [torch.allclose(one.flip(-1), other, atol=1e-5) for one, other in pairs]
    assert [one != other for one, other in zip(same, mirrored, strict=True)] == [True] * 6
    assert any(same)
    assert any(mirrored)


def test_images_of_a_batch_are_changed_each_in_its_own_way(tmp_path: Path, pretrained: Pretrained) -> None:
    made = batch(tmp_path, pretrained)
    made["pixel_values"] = made["pixel_values"][:1].repeat(6, 1, 1, 1)
    for options in ({"crop": 0.3}, {"color": 0.4}, {"rand_augment": {"n": 2, "m": 9}}):
        changed = augmented(options, made, pretrained)["pixel_values"]
        assert len({one.sum().item() for one in changed}) > 3, options


def test_a_mask_is_moved_with_its_image() -> None:
    torch.manual_seed(0)
    masks = torch.randint(0, 4, (8, 1, 1)).repeat(1, 32, 32)
    masks[:, 8:20, 3:17] = 7
    masks[:, :2] = -100
    images = masks[:, None].float().repeat(1, 3, 1, 1) / 7
    for options in ({"flip": "both"}, {"crop": 0.4}, {"flip": "horizontal", "crop": [0.3, 0.6]}):
        asked = Augmentation.model_validate(options)
        moved_images, moved = asked.geometry(images, masks)
        assert moved is not None
        assert moved.dtype == torch.int64
        assert set(moved.unique().tolist()) <= set(masks.unique().tolist())
        assert not torch.equal(moved, masks)
        # Where the image is between two values, a pixel lies at an edge.
        right = (moved_images[:, 0] * 7 - moved).abs() < 1e-3
        assert right.float().mean() > 0.85
    assert Augmentation().geometry(images, masks)[1] is masks


def test_mixed_targets_are_the_shares_of_what_is_seen() -> None:
    torch.manual_seed(0)
    targets = torch.eye(6)
    images = torch.arange(6.0)[:, None, None, None].repeat(1, 3, 40, 40)
    for options in ({"mixup": 0.4}, {"cutmix": 1.0}):
        mixed, shares = ImageAugmentation.model_validate(options).mix(images, targets)
        assert torch.allclose(shares.sum(1), torch.ones(6))
        assert (shares > 0).sum(1).max() == 2
        seen = (shares * torch.arange(6.0)).sum(1)
        assert torch.allclose(mixed.mean(dim=(1, 2, 3)), seen, atol=1e-4)
        values = {len(one.unique()) for one in mixed}
        assert values <= ({1} if "mixup" in options else {1, 2})


def test_boxes_have_about_the_area_that_is_asked_for() -> None:
    torch.manual_seed(0)
    outside = outside_boxes(torch.tensor([0.0, 0.25, 1.0]).repeat_interleave(500), 64, 32)
    inside = 1 - outside.mean(dim=(1, 2)).reshape(3, 500)
    assert inside[0].max() == 0
    assert 0.25 - 0.03 < inside[1].max() < 0.25 + 0.03  # less where the border cuts it
    assert inside[2].max() > 0.9


def test_targets_by_kind_of_problem(tmp_path: Path, pretrained: Pretrained) -> None:
    single = augmented({"mixup": 0.4}, batch(tmp_path, pretrained), pretrained)[LABELS]
    assert single.shape == (6, 3)
    assert single.is_floating_point()
    plain = augmented({"crop": 0.5}, batch(tmp_path, pretrained), pretrained)[LABELS]
    assert plain.tolist() == [0, 1, 2, 0, 1, 2]
    several = {"problem_type": "multi_label_classification"}
    made = batch(tmp_path, pretrained, [[0], [1, 2], [], [0, 1, 2], [2], [1]], **several)
    mixed = augmented({"mixup": 0.4}, made, pretrained, **several)[LABELS]
    assert mixed.shape == (6, 3)
    assert mixed[mixed < 1].max() > 0
    assert torch.isfinite(BinaryCrossEntropy(focal=1.0).sum(Logits(torch.randn(6, 3)), {LABELS: mixed}))


class Logits:
    """As much of a model's output as a loss reads."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits


WEIGHTS = torch.tensor([0.5, 1.0, 3.0])


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropy(),
        CrossEntropy(WEIGHTS),
        CrossEntropy(label_smoothing=0.1),
        CrossEntropy(WEIGHTS, label_smoothing=0.1),
        CrossEntropy(WEIGHTS, focal=2.0),
        CrossEntropy(log_prior=WEIGHTS.log()),
    ],
    ids=["plain", "weights", "smoothing", "weights-smoothing", "weights-focal", "prior"],
)
def test_a_share_of_1_is_as_good_as_the_class(loss: CrossEntropy) -> None:
    torch.manual_seed(0)
    logits, classes = torch.randn(7, 3), torch.tensor([0, 1, 2, 0, 1, 2, 2])
    hard, soft = {LABELS: classes}, {LABELS: torch.eye(3)[classes]}
    turned = {LABELS: torch.eye(3)[(classes + 1) % 3]}
    expected, *given = (loss.sum(Logits(logits), batch).item() for batch in (hard, soft, turned))
    assert given[0] == pytest.approx(expected, rel=1e-5)
    assert given[1] != pytest.approx(expected, rel=1e-2)
    assert loss.weight(soft).item() == pytest.approx(loss.weight(hard).item())


def test_shares_give_torchs_cross_entropy() -> None:
    logits, shares = torch.randn(7, 3), torch.rand(7, 3).softmax(1)
    batch = {LABELS: shares}
    loss = CrossEntropy()
    mean = loss.sum(Logits(logits), batch) / loss.weight(batch)
    assert mean.item() == pytest.approx(cross_entropy(logits, shares).item(), rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"crop": [0.9, 0.2]},
        {"crop": 0},
        {"color": 1},
        {"flip": "sideways"},
        {"rand_augment": {"n": 0}},
        {"blur": 1},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(options: Any) -> None:
    with pytest.raises(ValidationError):
        task(options)


def test_a_missing_package_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kornia", None)  # as where it is not installed
    recipe = tmp_path / "recipe.yaml"
    text = "checkpoint: nowhere/nothing\ndata: nowhere/nothing\n"
    text += "task: {name: image-classification, augmentation: {flip: both}}\n"
    recipe.write_text(text)
    with pytest.raises(InputError, match=r"hftransfer\[augmentation\]") as caught:
        resolve(load_recipe(recipe))
    assert caught.value.key == "task.augmentation"
    recipe.write_text(text.replace("augmentation: {flip: both}", "augmentation: null"))
    resolve(load_recipe(recipe))


def test_a_processor_of_unknown_pixels_is_refused() -> None:
    def odd(images: Any, **options: Any) -> Any:
        raise TypeError("no such option")

    with pytest.raises(CheckpointError, match=r"leave task\.augmentation out"):
        between_0_and_1(torch.rand(2, 3, 8, 8), odd)
