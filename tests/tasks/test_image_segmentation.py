"""Segmentation: what a model is trained on, what is said of an image, and that transformers says the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from tiny_vision import make_masks

from hftransfer.errors import CheckpointError
from hftransfer.proof import difference
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.image_segmentation import SIZES, ImageSegmentation
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.segmentation import Segmentation, from_png, take_whole_images, to_png

NAMES = ("ground", "red", "green")
FAMILIES = ("segformer", "upernet", "mobilenet_v2")


def task(**options: Any) -> ImageSegmentation:
    return ImageSegmentation.model_validate({"values": [0, 100, 255], **options})


def rows(folder: Path, *, masks: bool = True) -> Any:
    roles = ("image", "mask") if masks else ("image",)
    columns = {role: [str(one) for one in sorted((folder / f"{role}s").iterdir())] for role in roles}
    features = datasets.Features({role: datasets.Image(decode=False) for role in roles})
    return datasets.Dataset.from_dict(columns, features=features)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_masks(tmp_path / "data", 3)


def loaded(family: str, tiny_checkpoint: Callable[..., Path], **config: Any) -> tuple[Any, Pretrained]:
    path = tiny_checkpoint(family)
    head = task().head_config(NAMES)
    torch.manual_seed(0)
    settings = transformers.AutoConfig.from_pretrained(path)
    for key, value in {**head, **config}.items():
        setattr(settings, key, value)
    model = transformers.AutoModelForSemanticSegmentation.from_pretrained(
        path, config=settings, ignore_mismatched_sizes=True
    ).eval()
    return model, Pretrained(transformers.AutoImageProcessor.from_pretrained(path), model.config, None)


def said(model: Any, pretrained: Pretrained, table: Any, one: ImageSegmentation) -> Any:
    examples = one.encode(table, pretrained, name="test")
    batch = one.collate([examples[i] for i in range(len(examples))], pretrained)
    with torch.inference_mode():
        outputs = one.outputs(one.run(model, batch, pretrained), batch)
    return one.decode(outputs, examples, table, pretrained)


def test_a_batch_holds_the_classes_of_the_pixels(folder: Path, tiny_checkpoint: Callable[..., Path]) -> None:
    _, pretrained = loaded("segformer", tiny_checkpoint)
    table = rows(folder)
    for ignored in (None, 100):
        options = {"values": [0, 255], "ignore": 100} if ignored else {}
        labels = ("ground", "green") if ignored else NAMES
        pretrained.config.id2label = dict(enumerate(labels))
        one = task(**options)
        examples = one.encode(table, pretrained, name="train")
        batch = one.collate([examples[i] for i in range(3)], pretrained)
        assert batch["pixel_values"].shape == (3, 3, 32, 32)
        assert batch[SIZES].tolist() == [[40, 48]] * 3
        assert batch[LABELS].dtype == torch.int64
        for number, row in enumerate(table):
            resized = Image.open(row["mask"]["path"]).resize((32, 32), Image.Resampling.NEAREST)
            expected = {0: 0, 100: -100, 255: 1} if ignored else {0: 0, 100: 1, 255: 2}
            assert batch[LABELS][number].tolist() == np.vectorize(expected.get)(np.asarray(resized)).tolist()
    assert set(one.augment(batch, pretrained)) == {"pixel_values", LABELS}


def test_rows_without_masks(folder: Path, tiny_checkpoint: Callable[..., Path]) -> None:
    _, pretrained = loaded("segformer", tiny_checkpoint)
    examples = task().encode(rows(folder, masks=False), pretrained, name="rows")
    assert set(task().collate([examples[0]], pretrained)) == {"pixel_values", SIZES}
    whole = task().encode(rows(folder), pretrained, name="rows")
    assert torch.equal(whole[0]["pixel_values"], examples[0]["pixel_values"])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_that_of_transformers(
    family: str, folder: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    model, pretrained = loaded(family, tiny_checkpoint)
    one = task(values=[0, 100, 7], ignore=255)
    table = rows(folder)
    examples = one.encode(table, pretrained, name="train")
    batch = one.collate([examples[i] for i in range(3)], pretrained)
    assert (batch[LABELS] == -100).any()
    loss = one.make_loss(table, NAMES, pretrained)
    with torch.inference_mode():
        output = model(pixel_values=batch["pixel_values"])
        theirs = model(
            pixel_values=batch["pixel_values"], labels=batch[LABELS].masked_fill(batch[LABELS] == -100, 255)
        ).loss
    ours = loss.sum(output, batch) / loss.weight(batch)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-4)
    wrong = {**batch, LABELS: batch[LABELS].masked_fill(batch[LABELS] == -100, 1)}
    assert (loss.sum(output, wrong) / loss.weight(wrong)).item() != pytest.approx(theirs.item(), rel=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_said_is_what_a_pipeline_says(
    family: str, tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    make_masks(tmp_path / "data", 2, size=(40, 48))
    make_masks(tmp_path / "more", 2, size=(61, 33), seed=3)
    for file in (tmp_path / "more" / "images").iterdir():
        file.rename(tmp_path / "data" / "images" / f"wide-{file.name}")
    table = rows(tmp_path / "data", masks=False)
    model, pretrained = loaded(family, tiny_checkpoint)
    predictions = said(model, pretrained, table, task())
    pipe = transformers.pipeline(
        "image-segmentation", model=model, image_processor=pretrained.processor, device="cpu"
    )
    sizes = set()
    for row, answer, value in zip(table, predictions.answers, predictions.values, strict=True):
        image = Image.open(row["image"]["path"])
        sizes.add(image.size)
        assert answer.mask.shape == (image.height, image.width)
        assert np.array_equal(answer.mask, value)
        theirs = {one["label"]: np.asarray(one["mask"]) > 0 for one in pipe(image, subtask="semantic")}
        assert {label: mask.tolist() for label, mask in theirs.items()} == {
            label: (answer.mask == index).tolist()
            for index, label in enumerate(NAMES)
            if (answer.mask == index).any()
        }
        asked = task().ask(pipe, row, NAMES)
        assert difference(asked, task().expected(answer, NAMES)) == 0
        if len(answer.shares) > 1:
            flipped = Segmentation(to_png(answer.mask[::-1]).tobytes(), NAMES)
            assert difference(asked, task().expected(flipped, NAMES)) > 1e-3
    assert sizes == {(48, 40), (33, 61)}


def test_answers_as_a_user_is_told_them() -> None:
    mask = np.array([[0, 0, 2], [2, 0, 0]])
    answer = Segmentation(to_png(mask).tobytes(), NAMES)
    assert answer.shares == {"ground": pytest.approx(4 / 6), "green": pytest.approx(2 / 6)}
    assert answer.line() == "ground 0.6667, green 0.3333"
    assert answer.columns()["prediction"][1] == {"label": "green", "share": pytest.approx(2 / 6)}
    assert answer.record()["shares"] == answer.shares
    image = answer.image()
    assert (image.mode, image.size) == ("P", (3, 2))
    assert np.array_equal(np.asarray(image), mask)
    assert image.convert("RGB").getpixel((0, 0)) == (0, 0, 0)
    assert len({image.convert("RGB").getpixel((2, y)) for y in (0, 1)}) == 2


@pytest.mark.parametrize("most", [3, 255, 256, 60000])
def test_masks_are_kept_as_they_are(most: int) -> None:
    mask = np.random.default_rng(0).integers(0, most + 1, (9, 13))
    mask[0, 0] = most
    assert np.array_equal(from_png(to_png(mask)), mask)


def test_references_and_the_baseline(folder: Path) -> None:
    table = rows(folder)
    one = task(ignore=7)
    references = one.references(table, NAMES)
    baseline = one.baseline(table, table, NAMES)
    assert baseline is not None
    for row, reference, guess in zip(table, references, baseline.values, strict=True):
        values = np.asarray(Image.open(row["mask"]["path"]))
        assert np.array_equal(reference, np.searchsorted([0, 100, 255], values))
        assert guess.shape == reference.shape
        assert not guess.any()
    told = one.told(table, NAMES)[0]
    assert [each["label"] for each in told] == ["ground", "red", "green"]
    assert sum(each["share"] for each in told) == pytest.approx(1)


def test_balanced_weights_are_by_pixels(folder: Path) -> None:
    table = rows(folder)
    loss = task(class_weights="balanced").make_loss(table, NAMES, Pretrained(None, None, None))
    boxes = 16 * 14
    counts = np.array([40 * 48 - 2 * boxes, boxes, boxes])
    assert loss.class_weights.tolist() == pytest.approx((counts.sum() / (3 * counts)).tolist())  # type: ignore[attr-defined]


def test_augmentation_moves_images_and_masks_together(
    folder: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    _, pretrained = loaded("segformer", tiny_checkpoint)
    table = rows(folder)
    plain, asked = task(), task(augmentation={"flip": "both", "crop": [0.4, 0.8]})
    examples = plain.encode(table, pretrained, name="train")
    batch = plain.collate([examples[i] for i in range(3)], pretrained)
    torch.manual_seed(0)
    moved = asked.augment(dict(batch), pretrained)
    torch.manual_seed(0)
    again = asked.augment(dict(batch), pretrained)
    assert torch.equal(moved["pixel_values"], again["pixel_values"])
    assert torch.equal(moved[LABELS], again[LABELS])
    assert not torch.equal(moved[LABELS], batch[LABELS])
    for made in (batch, moved):
        # The boxes are the reddest and the greenest pixels.
        for channel, index in ((0, 1), (1, 2)):
            other = made["pixel_values"][:, 1 - channel]
            bright = (made["pixel_values"][:, channel] - other) > 1.5
            assert (made[LABELS][bright] == index).float().mean() > 0.8
    assert torch.equal(plain.augment(dict(batch), pretrained)["pixel_values"], batch["pixel_values"])


def test_a_processor_that_crops_is_told_to_take_whole_images(tiny_checkpoint: Callable[..., Path]) -> None:
    processor = transformers.AutoImageProcessor.from_pretrained(tiny_checkpoint("mobilenet_v2"))
    assert take_whole_images(processor) == (
        "images are scaled whole to 32 x 32; the checkpoint's processor would crop them",
    )
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 90, 3), dtype=np.uint8))
    assert processor(images=image, return_tensors="pt")["pixel_values"].shape == (1, 3, 32, 32)
    assert take_whole_images(processor) == ()
    segformer = transformers.AutoImageProcessor.from_pretrained(tiny_checkpoint("segformer"))
    assert segformer.do_reduce_labels
    assert take_whole_images(segformer) == ()
    assert not segformer.do_reduce_labels


def test_a_processor_without_masks_is_named(folder: Path, tiny_checkpoint: Callable[..., Path]) -> None:
    _, pretrained = loaded("segformer", tiny_checkpoint)
    vit = transformers.AutoImageProcessor.from_pretrained(tiny_checkpoint("vit"))
    with pytest.raises(CheckpointError, match="does not prepare masks"):
        task().encode(rows(folder), Pretrained(vit, pretrained.config, None), name="train")


def test_pixels_without_a_class_have_no_share(folder: Path) -> None:
    table = rows(folder)
    all_told = task().told(table, NAMES)
    told = task(values=[0, 255], ignore=100).told(table, ("ground", "green"))
    for row, reference in enumerate(task().references(table, NAMES)):
        counts = np.bincount(reference.ravel(), minlength=3)
        assert {one["label"]: one["share"] for one in all_told[row]} == pytest.approx(
            dict(zip(NAMES, counts / counts.sum(), strict=True))
        )
        of_both = counts[[0, 2]] / counts[[0, 2]].sum()
        assert [one["share"] for one in told[row]] == pytest.approx(of_both.tolist())
        assert [one["label"] for one in told[row]] == ["ground", "green"]
