"""Sounds that are seen and heard, and what the splits are made of: in words, in tokens, in labels."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tiny_audio import tone
from written import labelled, write_heard, write_run

from hftransfer import Result
from hftransfer.report import images, view
from hftransfer.report.images import contact_sheet
from hftransfer.report.parts import Picture, Say, Sounds, Table
from hftransfer.report.plots.sounds import DEPTH, spectrogram
from hftransfer.report.views.texts import overlap

soundfile = pytest.importorskip("soundfile")


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return write_heard(tmp_path_factory.mktemp("heard"))


@pytest.mark.parametrize("hertz", [440.0, 3000.0])
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_a_tone_is_seen_where_it_sounds(hertz: float, rate: int) -> None:
    seen = spectrogram(tone(hertz, 0.5, rate=rate), rate)
    loudest = seen.decibels.mean(axis=1).argmax()
    band = seen.hertz / len(seen.decibels)
    assert abs((loudest + 0.5) * band - hertz) <= band
    assert seen.decibels.min() >= -DEPTH
    assert seen.seconds == pytest.approx(0.5)
    # One without a sound, or shorter than a window, is drawn as well.
    assert np.isfinite(spectrogram(np.zeros(20, np.float32), rate).decibels).all()


def test_the_worst_clips_are_seen_and_heard(heard: Result, tmp_path: Path) -> None:
    sheet, sounds = contact_sheet(view(heard))
    assert isinstance(sheet, Picture)
    assert isinstance(sounds, Sounds)
    worst = heard.errors(images.SHOWN)
    drawn = [axes for axes in sheet.draw().axes if axes.images]
    assert [axes.get_title(loc="left") for axes in drawn] == worst["label"].tolist()
    assert [told.split(",")[0] for told, _ in sounds.clips] == worst["label"].tolist()[: images.HEARD]
    rows = heard.own_rows("test")[0].rows
    theirs, rate = soundfile.read(io.BytesIO(sounds.clips[0][1]))
    ours, _ = soundfile.read(rows[int(worst["row"][0])]["audio"]["path"])
    assert rate == 16_000
    np.testing.assert_allclose(theirs, ours, atol=1e-4)
    text = heard.report(tmp_path / "page").read_text()
    played = re.findall(r'<audio controls preload="none" src="data:audio/wav;base64,([^"]+)"', text)
    assert [base64.b64decode(one) for one in played] == [file for _, file in sounds.clips]


def test_what_can_be_heard_is_bounded_and_what_is_gone_is_said(
    heard: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = next(one for one in contact_sheet(view(heard)) if isinstance(one, Sounds))
    room = sum(len(file) for _, file in whole.clips) // 2
    monkeypatch.setattr(images, "HEARD_BYTES", room)
    less = next(one for one in contact_sheet(view(heard)) if isinstance(one, Sounds))
    assert 0 < len(less.clips) < len(whole.clips)
    assert sum(len(file) for _, file in less.clips) <= room
    moved = Result.read(Path(shutil.copytree(heard.run_dir, tmp_path / "run")))
    recipe = moved.run_dir / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace(str(heard.run_dir.parent / "data"), str(tmp_path / "gone")))
    (seen,) = contact_sheet(view(moved))
    assert isinstance(seen, Say)
    assert seen.warning


SPLITS = {
    "tokens": {
        "longer": "cut",
        "edges": [0, 4, 8, 12],
        "splits": {
            "train": {
                "texts": 10,
                "limit": 8,
                "over": 2,
                "median": 5,
                "p99": 11,
                "longest": 11,
                "counts": [4, 4, 2],
            },
            "test": {
                "texts": 400,
                "limit": 8,
                "over": 0,
                "median": 3,
                "p99": 5,
                "longest": 6,
                "counts": [390, 10, 0],
            },
        },
    },
    "balance": {"unit": "rows", "splits": {"train": [7, 3, 0], "test": [100, 100, 200]}},
}


def test_tokens_and_labels_of_every_split_are_on_the_page(tmp_path: Path) -> None:
    labels = ["no", "<b>yes</b>", "maybe"]
    result = write_run(tmp_path / "run", labelled(labels, 400), labels, facts=SPLITS)
    drawn = result.plot("tokens").axes[0]
    limit = next(line for line in drawn.lines if str(line.get_label()).startswith("limit"))
    assert limit.get_xdata()[0] == 8
    lines = {line.get_label(): line for line in result.plot("balance").axes[0].lines}
    assert lines["test (400)"].get_xdata().tolist() == [0.25, 0.25, 0.5]
    text = result.report().read_text()
    for said in (
        "2 of 410 texts (0.5%) are longer than the limit of 8 and are cut",
        "Labels without any rows in train",
    ):
        assert said in text
    assert "`maybe`" in text
    assert "<b>yes</b>" not in text
    tables = dict.fromkeys(re.findall(r"<caption[^>]*><span>([^<]+)", text))
    assert {"Tokens of texts", "Rows of every label, the commonest in train first"} <= set(tables)
    # Of several labels a row: shares of the 400 rows, not of the 600 labels.
    counts = {"balance": {"unit": "rows", "splits": {"train": [9, 9, 9], "test": [100, 300, 200]}}}
    several = write_run(tmp_path / "several", labelled(labels, 400), labels, facts=counts)
    lines = {line.get_label(): line for line in several.plot("balance").axes[0].lines}
    assert lines["test (400)"].get_xdata().tolist() == [0.25, 0.75, 0.5]
    old = write_run(tmp_path / "old", labelled(labels, 400), labels)
    shown = old.plot("balance").axes[0]  # of the split that was scored, from its predictions
    assert sum(bar.get_width() for bar in shown.patches) == 400
    assert "tokens.png" not in {one.name for one in old.report().parent.iterdir()}


def test_many_labels_in_several_splits_have_room(tmp_path: Path) -> None:
    labels = [f"label {n}" for n in range(150)]
    counts = {"train": [*range(150)], "test": [1] * 150}
    facts = {"balance": {"unit": "words", "splits": counts}}
    result = write_run(tmp_path / "run", labelled(labels, 400), labels, facts=facts)
    axes = result.plot("balance").axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == sorted(heights, reverse=True)
    assert len(heights) == 150
    assert "label 149 to label 0" in axes.get_xlabel()


def test_shared_words_are_those_of_rouge_1(tmp_path: Path) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    random = np.random.default_rng(0)
    words = ["cat", "dog", "sees", "a", "the", "bird"]
    texts = [" ".join(random.choice(words, size=random.integers(1, 9))) for _ in range(80)]
    scorer = RougeScorer(["rouge1"])
    for one, other in zip(texts[:40], texts[40:], strict=True):
        assert overlap(one, other) == pytest.approx(scorer.score(other, one)["rouge1"].fmeasure)
    assert (
        overlap("猫が鳥", "猫が鳥を見る") > 0.5 > overlap("犬", "猫が鳥を見る") == 0
    )  # no spaces: by characters
    table = {"row": [0, 1, 2], "text": ["a b"] * 3, "summary": [["the cat", "a dog"], ["cat"], ["the cow"]]}
    table["prediction"] = ["dog a", "bird", "the cat"]
    result = write_run(tmp_path / "run", pa.table(table), [], task="summarization")
    assert result.errors()["row"].tolist() == [1, 2]  # of several references the nearest counts
    assert [one.name for one in view(result).fails() if isinstance(one, Picture)] == ["overlap", "written"]
    assert isinstance(next(one for one in view(result).fails() if isinstance(one, Table)), Table)
