"""Splits of sounds: found broken before training; silent and stereo clips counted; never decoded by datasets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import soundfile
from tiny_audio import tone, write_sounds

from hftransfer.errors import DataError, InputError, RecipeError
from hftransfer.recipe import DataSection, Recipe
from hftransfer.runner import resolve
from hftransfer.sources import open_source
from hftransfer.sources.audio import read_clip
from hftransfer.splits import Column, Splits, make_splits

AUDIO = {"audio": Column("audio"), "label": Column("class")}


def split(source: Any, **settings: Any) -> Splits:
    data = DataSection(source=source, **settings)
    return make_splits(open_source(data), data, columns=AUDIO, seed=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_sounds(tmp_path / "sounds", 4)


def test_a_folder_of_sounds(folder: Path) -> None:
    found = split(str(folder))
    assert found.labels == ("high", "low", "middle")
    assert found.findings == (
        "no validation split: 1 of 12 training rows set aside, stratified by label, seed 0",
    )
    assert found.train.features["audio"] == datasets.Audio(decode=False)
    first = found.train[0]
    assert first["audio"] == {"bytes": None, "path": str(folder / "high" / f"{first['row']}.wav")}


def test_what_cannot_be_used_is_named_and_counted(folder: Path) -> None:
    (folder / "low" / "0.wav").write_bytes(b"RIFF")
    (folder / "low" / "1.wav").write_bytes(b"")
    soundfile.write(folder / "high" / "2.wav", np.ones(1), 16_000)
    whole = (folder / "middle" / "3.wav").read_bytes()
    (folder / "middle" / "3.wav").write_bytes(whole[:3000])
    with pytest.raises(DataError, match=r"4 of 12 clips of .* cannot be used") as caught:
        split({"train": str(folder), "validation": str(write_sounds(folder.parent / "other", 1))})
    for line in (
        "low/0.wav: not audio",
        "low/1.wav: the file is empty",
        "2.wav: 1 sample ",
        "3.wav: the file is cut",
    ):
        assert line in str(caught.value)


def test_silent_and_stereo_clips_are_counted(folder: Path) -> None:
    soundfile.write(folder / "low" / "0.wav", np.zeros(4000), 16_000, subtype="PCM_U8")
    for name in ("low/1", "high/1"):
        soundfile.write(folder / f"{name}.wav", np.stack([tone(400, 0.3)] * 2, axis=1), 16_000)
    findings = split(
        {"train": str(folder), "validation": str(write_sounds(folder.parent / "other", 1, seed=9))}
    ).findings
    assert findings == (
        f"train: 1 of 12 clips are silent: {folder}/low/0.wav",
        "train: 2 of 12 clips have several channels, which were averaged",
    )


def test_paths_in_a_table(folder: Path) -> None:
    rows = [
        f"sounds/{file.parent.name}/{file.name},{file.parent.name}\n"
        for file in sorted(folder.rglob("*.wav"))
    ]
    table = folder.parent / "rows.csv"
    table.write_text("path,label\n" + "".join(rows) + "sounds/low/99.wav,low\n")
    with pytest.raises(
        DataError, match=r"1 of \d+ clips of .*rows.csv cannot be used[\s\S]*99.wav: there is no such"
    ):
        split(str(table), columns={"audio": "path"})
    table.write_text("path,label\n" + "".join(rows))
    assert len(split(str(table), columns={"audio": "path"}).train) == 11


def test_a_hub_dataset_is_never_decoded_by_datasets(folder: Path) -> None:
    assert "torchcodec" not in sys.modules
    files = sorted(folder.rglob("*.wav"))
    rows = datasets.Dataset.from_dict(
        {"audio": [str(file) for file in files], "label": [file.parent.name for file in files]}
    ).cast_column("audio", datasets.Audio(sampling_rate=16_000))
    held = datasets.Dataset.from_dict(
        {
            "audio": [{"bytes": file.read_bytes(), "path": None} for file in files],
            "label": list(rows["label"]),
        }
    ).cast_column("audio", datasets.Audio())
    with pytest.raises(ImportError, match="torchcodec"):
        rows[0]
    for one in (rows, held, rows.select(range(11, -1, -1))):
        found = split(one)
        assert len(found.train) == 11
        clip = read_clip(found.train[0]["audio"], where="")
        assert clip.rate == 16_000


def test_samples_in_memory(folder: Path) -> None:
    sounds = [tone(300 + 100 * i, 0.2, seed=i) for i in range(8)]
    rows = [
        {"audio": {"array": sound, "sampling_rate": 8_000}, "label": "ab"[i % 2]}
        for i, sound in enumerate(sounds)
    ]
    found = split(rows, hold_out={"validation": 0.25})
    for row in found.train:
        clip = read_clip(row["audio"], where="")
        assert clip.rate == 8_000
        assert np.array_equal(clip.samples, sounds[row["row"]])


def test_numbers_are_no_sounds() -> None:
    with pytest.raises(DataError, match=r"the column `audio` of .* holds int64, not audio"):
        split([{"audio": 1, "label": "a"}, {"audio": 2, "label": "b"}])


def test_a_missing_decoder_is_told_before_anything_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    recipe = Recipe(checkpoint="owner/name", data="owner/rows", task="audio-classification")
    with pytest.raises(InputError, match="audio cannot be decoded here") as caught:
        resolve(recipe)
    assert not isinstance(caught.value, RecipeError)
    assert caught.value.hint == 'pip install "hftransfer[audio]"'
    resolve(Recipe(checkpoint="owner/name", data="owner/rows", task="image-classification"))
