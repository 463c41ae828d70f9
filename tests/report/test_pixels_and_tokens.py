"""Segmented images and hidden tokens: what the page says of them is what the predictions hold."""

from __future__ import annotations

import base64
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, jaccard_score
from tiny_vision import make_masks
from written import of_its_rows, write_run

from hftransfer import DataError, Result
from hftransfer.report import view
from hftransfer.report.images import contact_sheet
from hftransfer.report.parts import Picture, Say, Table
from hftransfer.report.views import hidden
from hftransfer.tasks.segmentation import compared, to_png

LABELS = ["ground", "<b>red</b>", "green"]
VALUES = [0, 100, 255]


def parts(result: Result) -> list[Any]:
    seen = view(result)
    return [*seen.fails(), *seen.data(), *contact_sheet(seen)]


def segmented(folder: Path) -> tuple[list[Any], list[Any]]:
    """(masks of six images, those said: of every image some more of them wrong), as classes; writes the images."""
    random = np.random.default_rng(0)
    make_masks(folder / "train", 4)
    make_masks(folder / "test", 6, seed=1)
    files = sorted((folder / "test" / "masks").iterdir())
    true = [np.searchsorted(VALUES, np.asarray(Image.open(file))) for file in files]
    wrong = [
        random.uniform(size=one.shape) < share
        for share, one in zip((0, 0.1, 0.6, 0.2, 0.5, 0.3), true, strict=True)
    ]
    return true, [np.where(bad, (one + 1) % 3, one) for bad, one in zip(wrong, true, strict=True)]


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, list[Any], list[Any]]:
    folder = tmp_path_factory.mktemp("pixels")
    true, said = segmented(folder / "data")
    table = {
        "row": [*range(6)],
        "mask_png": [base64.b64encode(to_png(one).tobytes()).decode() for one in said],
        "pixels": [compared(one, other, LABELS) for one, other in zip(true, said, strict=True)],
    }
    task = {"name": "image-segmentation", "values": VALUES}
    options: dict[str, Any] = {"task": task, "inputs": ("image",), "metrics": {"loss": 0.3, "mean_iou": 0.5}}
    data = {"source": str(folder / "data"), "labels": LABELS}
    result = write_run(folder / "run", pa.table(table), LABELS, data=data, **options)
    return of_its_rows(result), true, said


def test_iou_and_confusion_of_pixels_are_those_of_scikit_learn(pixels: Any) -> None:
    result, true, said = pixels
    flat = [np.concatenate([one.ravel() for one in each]) for each in (true, said)]
    counts, mean, right = view(result).told  # type: ignore[attr-defined]
    assert (counts == confusion_matrix(*flat)).all()
    by_class = dict(zip(LABELS, jaccard_score(*flat, average=None), strict=True))
    table = next(
        one for one in parts(result) if isinstance(one, Table) and one.caption.startswith("Every class")
    )
    assert {row[0]: row[1] for row in table.rows} == pytest.approx(by_class)
    assert [row[1] for row in table.rows] == sorted(by_class.values())
    for place, (one, other) in enumerate(zip(true, said, strict=True)):
        assert right[place] == (one == other).mean()
        assert mean[place] == pytest.approx(jaccard_score(one.ravel(), other.ravel(), average="macro"))
    swapped = jaccard_score(flat[0], (flat[1] + 1) % 3, average=None)
    assert list(by_class.values()) != pytest.approx(swapped)  # the control


def test_the_worst_images_come_first_and_are_shown_under_both_masks(pixels: Any) -> None:
    result, _, _ = pixels
    assert result.errors()["row"].tolist() == [2, 4, 5, 3, 1]  # the image that is all right is none of them
    assert "taken for" in result.errors()["most of it"][0]
    shown = [axes for axes in result.plot("sheet").axes if axes.images]
    assert len(shown) == 3 * 5
    image, given, said = (axes.images[0].get_array() for axes in shown[:3])
    assert (image != given).any()  # boxes have a colour
    assert (given != said).any()


def test_a_page_of_masks_is_whole_and_without_its_images_says_so(pixels: Any, tmp_path: Path) -> None:
    result, _, _ = pixels
    text = result.report(tmp_path / "page").read_text()
    assert "<b>red</b>" not in text
    assert "&lt;b&gt;red&lt;/b&gt;" in text
    assert {"iou.png", "sheet.png", "images.png"} <= {one.name for one in (tmp_path / "page").iterdir()}
    copy = Result.read(Path(shutil.copytree(result.run_dir, tmp_path / "run")))
    facts = json.loads((copy.run_dir / "data.json").read_text())
    (copy.run_dir / "data.json").write_text(json.dumps({**facts, "fingerprint": "another"}))
    (seen,) = contact_sheet(view(copy))
    assert isinstance(seen, Say)
    assert "have changed" in seen.text


def test_runs_from_before_say_what_they_lack(tmp_path: Path) -> None:
    table = pa.table({"row": [0, 1], "mask_png": ["", ""]})
    metrics = {"loss": 0.3, "iou": {"ground": 0.5}}
    result = write_run(
        tmp_path / "run", table, LABELS, task="image-segmentation", inputs=("image",), metrics=metrics
    )
    said, iou = view(result).fails()
    assert isinstance(said, Say)
    assert said.warning
    assert isinstance(iou, Table)
    with pytest.raises(DataError, match="from before"):
        result.errors()
    old = write_run(tmp_path / "old", pa.table({"row": [0], "text": ["a"]}), [], task="fill-mask")
    assert "from before" in next(iter(view(old).fails())).text  # type: ignore[union-attr]


def test_where_nothing_was_compared_or_hidden_it_says_so(tmp_path: Path) -> None:
    """A column of empty lists has no type: the page is made all the same."""
    empty: list[Any] = [[], []]
    of_pixels = pa.table({"row": [0, 1], "mask_png": ["", ""], "pixels": empty})
    metrics: dict[str, Any] = {"loss": 0.3}
    options: dict[str, Any] = {"task": "image-segmentation", "inputs": ("image",), "metrics": metrics}
    seen = view(write_run(tmp_path / "pixels", of_pixels, LABELS, **options))
    assert [*seen.fails()] == []
    assert seen.errors(3) == []
    of_tokens = pa.table({"row": [0, 1], "text": ["a", "b c"], "hidden": empty, "seen": [["a"], ["b"]]})
    tokens = write_run(tmp_path / "tokens", of_tokens, [], task="fill-mask", metrics=metrics)
    (said,) = view(tokens).fails()
    assert "No test row has a token that was hidden" in said.text  # type: ignore[union-attr]
    assert view(tokens).errors(3) == []
    (lengths,) = view(tokens).data()
    assert "2 test texts" in lengths.told  # type: ignore[union-attr]
    assert tokens.report().is_file()


def guesses(rows: int = 300) -> tuple[list[Any], list[Any]]:
    """(hidden tokens of rows, the same one after the other): common tokens are guessed more often."""
    random = np.random.default_rng(0)
    told = []
    for _ in range(rows):
        ranks = random.zipf(1.6, size=random.integers(0, 6)).clip(max=200)
        right = random.uniform(size=len(ranks)) < 1 / np.sqrt(ranks)
        told.append(
            [
                {
                    "token": f"t{rank}",
                    "said": f"t{rank}" if good else "<the>",
                    "surprise": float(rank) / (1 + good),
                }
                for rank, good in zip(ranks.tolist(), right.tolist(), strict=True)
            ]
        )
    return told, [one for row in told for one in row]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, list[Any]]:
    told, flat = guesses()
    table = {"row": [*range(len(told))], "text": [f"words of {n}" for n in range(len(told))]}
    table |= {"seen": [[f"words [MASK] {n}", "more"] for n in range(len(told))], "hidden": told}
    folder = tmp_path_factory.mktemp("tokens")
    metrics = {"loss": 0.3, "perplexity": 3.0, "masked_accuracy": 0.5}
    return write_run(folder / "run", pa.table(table), [], task="fill-mask", metrics=metrics), flat


def test_confused_tokens_are_counted(tokens: Any) -> None:
    result, flat = tokens
    wrong = Counter((one["token"], one["said"]) for one in flat if one["token"] != one["said"])
    often = Counter(one["token"] for one in flat)
    table = next(one for one in parts(result) if isinstance(one, Table))
    found = {(row[0], row[1]): row[2] for row in table.rows}
    assert found == {pair: wrong[pair] for pair in found}
    assert [row[2] for row in table.rows] == [count for _, count in wrong.most_common(hidden.SHOWN)]
    assert table.rows[0][3] == f"{table.rows[0][2] / often[table.rows[0][0]]:.1%}"


def test_guessed_by_how_often_a_token_is_hidden(tokens: Any) -> None:
    result, flat = tokens
    often = Counter(one["token"] for one in flat)
    names, many, share = hidden.by_frequency(view(result).sums.guesses)  # type: ignore[attr-defined]
    assert names[:3] == ["1", "2-4", "5-16"]
    for name, count, right in zip(names, many, share, strict=True):
        low, _, high = name.replace(",", "").partition("-")
        these = [one for one in flat if int(low) <= often[one["token"]] <= int(high or low)]
        assert count == len(these)
        assert right == pytest.approx(np.mean([one["token"] == one["said"] for one in these]))
    assert share[-1] > share[0]
    assert sum(many) == len(flat)


def test_little_is_held_and_the_sums_are_the_same(tokens: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = tokens
    expected = sorted(view(result).sums.guesses.to_pylist(), key=str)  # type: ignore[attr-defined]
    monkeypatch.setattr(hidden, "HELD", 5)
    monkeypatch.setattr("hftransfer.report.rows.BATCH", 32)
    assert sorted(view(result).sums.guesses.to_pylist(), key=str) == expected  # type: ignore[attr-defined]


def test_the_most_surprising_misses_are_shown_in_their_texts(tokens: Any, tmp_path: Path) -> None:
    result, flat = tokens
    found = result.errors(8)
    missed = [one["surprise"] for one in flat if one["token"] != one["said"]]
    assert found["surprise"][0] == max(missed)
    assert found["surprise"].is_monotonic_decreasing
    assert found["row"].is_unique
    assert found["seen"][0] == f"words [MASK] {found['row'][0]} […] more"
    bars = view(result).sums.surprise  # type: ignore[attr-defined]
    assert bars.sum(axis=1).tolist() == [len(flat) - len(missed), len(missed)]
    text = result.report(tmp_path / "page").read_text()
    assert "&lt;the&gt;" in text
    assert "<the>" not in text
    pictures = {one.name for one in parts(result) if isinstance(one, Picture)}
    assert pictures == {"surprise", "frequency", "lengths"}
