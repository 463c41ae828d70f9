"""Clips as features: resampled, cut or in windows, padded with a mask or told apart without one; and what they say."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import soundfile
import torch
import transformers
from tiny_audio import AUDIO_FAMILIES, TONES, extractor, tone, write_sounds
from toy import toy_recipe, train_only

from hftransfer.checkpoint import load_checkpoint
from hftransfer.errors import CheckpointError, DataError
from hftransfer.recipe import CheckpointSection
from hftransfer.runner import run
from hftransfer.sources.audio import encode_wav, resample
from hftransfer.splits.kinds import KINDS
from hftransfer.tasks import clips
from hftransfer.tasks.audio_classification import AudioClassification
from hftransfer.tasks.base import LABELS, forward
from hftransfer.tasks.clips import MASK
from hftransfer.tasks.pretrained import Pretrained

RATE = 16_000


def rows(sounds: list[Any], *, rate: int = RATE, labels: list[int] | None = None) -> Any:
    held = [{"bytes": encode_wav(sound, rate, where=""), "path": None} for sound in sounds]
    columns: dict[str, Any] = {"audio": held, "row": list(range(len(sounds)))}
    features = {"audio": KINDS["audio"].feature(), "row": datasets.Value("int64")}
    if labels is not None:
        columns["label"], features["label"] = labels, datasets.Value("int64")
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


@pytest.fixture
def loaded(tiny_checkpoint: Callable[..., Path]) -> Callable[..., tuple[Any, Pretrained]]:
    """(model, what a task may know of it) of a family, with a head for the tones."""

    def get(family: str, **overrides: Any) -> tuple[Any, Pretrained]:
        torch.manual_seed(0)
        section = CheckpointSection(name=str(tiny_checkpoint(family, **overrides)))
        found = load_checkpoint(section, AudioClassification(), tuple(sorted(TONES)))
        return found.model.eval(), Pretrained(found.processor, found.model.config, found.max_length)

    return get


def encoded(pretrained: Pretrained, table: Any, **options: Any) -> Any:
    return AudioClassification(**options).encode(table, pretrained, name="train")


@pytest.mark.parametrize("family", AUDIO_FAMILIES)
def test_an_example_is_what_the_extractor_makes_of_the_clip(family: str, loaded: Any) -> None:
    sounds = [tone(440, 0.2), tone(880, 0.3)]
    _, pretrained = loaded(family)
    examples = encoded(pretrained, rows(sounds, labels=[1, 0]))
    for index, sound in enumerate(sounds):
        expected = extractor(family)(sound, sampling_rate=RATE, return_tensors="np")["input_values"][0]
        assert np.allclose(examples[index]["input_values"], expected, atol=1e-6)
        assert examples[index][LABELS] == [1, 0][index]
    assert (len(examples), examples.rows, examples.findings) == (2, None, ())
    fixed = family == "audio-spectrogram-transformer"
    assert (examples.lengths is None) == fixed
    batch = AudioClassification().collate([examples[0], examples[1]], pretrained)
    assert set(batch) == {"input_values", LABELS} | ({MASK} if not fixed else set())
    if not fixed:
        assert examples.lengths.tolist() == batch[MASK].sum(dim=1).tolist() == [3200, 4800]
        assert not batch["input_values"][0, 3200:].any()


def test_other_rates_are_resampled_and_said(loaded: Any) -> None:
    _, pretrained = loaded("wav2vec2")
    sound = tone(440, 0.5, rate=8_000)
    examples = encoded(pretrained, rows([sound, sound], rate=8_000))
    expected = extractor("wav2vec2")(resample(sound, 8_000, RATE), sampling_rate=RATE, return_tensors="np")
    assert np.allclose(examples[0]["input_values"], expected["input_values"][0], atol=1e-5)
    assert examples.lengths.tolist() == [8000, 8000]
    assert examples.findings == (
        "train: 2 of 2 clips were resampled to the checkpoint's 16,000 Hz (2 of 8,000 Hz)",
    )


@pytest.mark.parametrize("family", AUDIO_FAMILIES)
def test_what_is_not_kept_in_memory_is_made_again(
    family: str, loaded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pretrained = loaded(family)
    table = rows([tone(440, 0.5, seed=i) for i in range(4)])
    kept = encoded(pretrained, table)
    assert len(kept.kept) == 4
    monkeypatch.setattr(clips, "CACHE_BYTES", 1)
    monkeypatch.setattr(clips, "CHUNK", 2)
    fresh = encoded(pretrained, table)
    assert len(fresh.kept) == 2
    for index in range(4):
        assert np.array_equal(kept[index]["input_values"], fresh[index]["input_values"])
    assert not np.array_equal(kept[0]["input_values"], kept[1]["input_values"])


def test_long_clips_are_cut_and_counted(loaded: Any) -> None:
    _, pretrained = loaded("wav2vec2")
    sounds = [tone(440, 0.5), tone(440, 0.2)]
    examples = encoded(pretrained, rows(sounds), max_seconds=0.25)
    assert examples.lengths.tolist() == [4000, 3200]
    whole = encoded(pretrained, rows([sounds[0][:4000]]))
    assert np.array_equal(examples[0]["input_values"], whole[0]["input_values"])
    assert examples.findings == (
        "train: 1 of 2 clips are longer than 0.25 s and were cut to their beginning",
    )


def test_a_spectrogram_of_fixed_size_is_a_bound_too(loaded: Any) -> None:
    _, pretrained = loaded("audio-spectrogram-transformer")
    window = (400 + 160 * 47) / RATE
    examples = encoded(pretrained, rows([tone(440, 0.6), tone(440, window)]))
    assert examples.findings == (
        f"train: 1 of 2 clips are longer than {window:g} s and were cut to their beginning",
    )
    # No sample that the extractor would have looked at is lost.
    alone = pretrained.processor(tone(440, 0.6), sampling_rate=RATE, return_tensors="np")["input_values"][0]
    assert np.allclose(examples[0]["input_values"], alone, atol=1e-5)
    with pytest.raises(
        CheckpointError, match=f"max_seconds is 0.6, but the checkpoint looks at no more than {window:g}"
    ):
        encoded(pretrained, rows([tone(440, 0.6)]), max_seconds=0.6)


@pytest.mark.parametrize("family", AUDIO_FAMILIES)
def test_windows_cover_a_clip_and_their_logits_are_averaged(family: str, loaded: Any) -> None:
    model, pretrained = loaded(family)
    sounds = [tone(440, 0.2, seed=1), tone(900, 1.0, seed=2), tone(600, 0.3, seed=3)]
    task = AudioClassification(max_seconds=0.4, long_clips="windows", overlap=0.25)
    examples = task.encode(rows(sounds), pretrained, name="train")
    # Every 0.3 s, and one that ends where the clip does.
    assert examples.places == [(0, 0), (1, 0), (1, 4800), (1, 9600), (2, 0)]
    assert examples.rows.tolist() == [0, 1, 1, 1, 2]
    assert examples.findings == (
        "train: 1 of 3 clips are longer than 0.4 s and were read in windows, 5 in all",
    )
    parts = encoded(pretrained, rows([sounds[1][start : start + 6400] for start in (0, 4800, 9600)]))
    outputs = said(task, model, pretrained, [examples[i] for i in range(5)])
    alone = said(task, model, pretrained, [parts[i] for i in range(3)])
    predictions = task.decode(list(outputs), examples, rows(sounds), pretrained)
    mean = torch.tensor(np.mean(alone, axis=0))
    assert np.allclose(predictions.scores[1], mean.softmax(0), atol=1e-5)
    assert not np.allclose(predictions.scores[1], torch.tensor(alone[0]).softmax(0), atol=1e-4)


def said(task: Any, model: Any, pretrained: Pretrained, examples: list[Any]) -> Any:
    batch = task.collate(examples, pretrained)
    with torch.inference_mode():
        return np.stack(task.outputs(task.run(model, batch, pretrained), batch))


def test_windows_of_what_length(loaded: Any) -> None:
    _, pretrained = loaded("wav2vec2")
    with pytest.raises(CheckpointError, match="takes clips of any length") as caught:
        encoded(pretrained, rows([tone(440, 0.2)]), long_clips="windows")
    assert caught.value.key == "task.long_clips"
    with pytest.raises(CheckpointError, match=r"the checkpoint needs 0.05 s"):
        encoded(pretrained, rows([tone(440, 0.2)]), max_seconds=0.01)


@pytest.mark.parametrize("family", AUDIO_FAMILIES)
def test_the_shortest_clips_are_filled_up(family: str, loaded: Any) -> None:
    model, pretrained = loaded(family)
    examples = encoded(pretrained, rows([tone(440, 0.01), tone(440, 0.05)]))
    assert examples.findings == (
        "train: 1 of 2 clips are shorter than 0.05 s and were filled up with silence",
    )
    assert np.isfinite(said(AudioClassification(), model, pretrained, [examples[0]])).all()
    # The reason: as it is, no model takes it.
    with pytest.raises((RuntimeError, ValueError)):
        heard_as_it_is(model, pretrained, tone(440, 0.01))


def heard_as_it_is(model: Any, pretrained: Pretrained, sound: Any) -> Any:
    return model(pretrained.processor(sound, sampling_rate=RATE, return_tensors="pt")["input_values"])


def test_a_long_clip_without_a_bound_is_told_of(loaded: Any) -> None:
    _, pretrained = loaded("wav2vec2")
    found = encoded(pretrained, rows([tone(440, 31)])).findings
    assert found == (
        "train: the longest clip has 31 s, and clips are used whole: task.max_seconds bounds them",
    )


@pytest.mark.parametrize("family", AUDIO_FAMILIES)
def test_what_is_said_of_a_clip_does_not_depend_on_its_batch(family: str, loaded: Any) -> None:
    model, pretrained = loaded(family)
    task = AudioClassification()
    examples = encoded(pretrained, rows([tone(440, s, seed=i) for i, s in enumerate((0.2, 0.45, 0.3, 0.2))]))
    every = [examples[i] for i in range(4)]
    together = said(task, model, pretrained, every)
    alone = np.concatenate([said(task, model, pretrained, [one]) for one in every])
    assert np.allclose(together, alone, atol=1e-4)
    if family == "wav2vec2":  # padded, and without a mask, it does
        batch = task.collate(every, pretrained)
        with torch.inference_mode():
            padded = forward(model, {"input_values": batch["input_values"]}).logits.numpy()
        assert np.abs(padded - alone).max() > 1e-3


def test_a_model_that_was_not_trained_on_a_mask_gets_none(loaded: Any, tmp_path: Path) -> None:
    table = rows([tone(440, 0.2), tone(440, 0.3)], labels=[0, 1])
    for family, masked in (("wav2vec2", False), ("wav2vec2-layer", True)):
        _, pretrained = loaded(family)
        assert extractor(family).return_attention_mask  # what the checkpoint's own file says
        assert pretrained.processor.return_attention_mask == masked
        pretrained.processor.save_pretrained(tmp_path / family)
        again = transformers.AutoFeatureExtractor.from_pretrained(tmp_path / family)
        assert again.return_attention_mask == masked
        task, examples = AudioClassification(), encoded(pretrained, table)
        batch = task.augment(task.collate([examples[0], examples[1]], pretrained), pretrained)
        assert set(batch) == {"input_values", LABELS} | ({MASK} if masked else set())


@pytest.mark.parametrize("family", ["wav2vec2", "wav2vec2-layer"])
def test_a_batch_of_clips_shorter_than_a_masked_span_trains(family: str, loaded: Any) -> None:
    model, pretrained = loaded(family, mask_time_length=10)
    task = AudioClassification()
    examples = encoded(pretrained, rows([tone(440, 0.1), tone(440, 0.08)], labels=[0, 1]))
    batch = task.collate([examples[0], examples[1]], pretrained)
    model.train()
    with pytest.raises(ValueError, match="mask_length"):
        forward(model, batch)
    longer = task.augment(batch, pretrained)
    assert forward(model, longer).logits.shape == (2, 3)
    assert torch.equal(longer["input_values"][:, :1600], batch["input_values"])
    assert torch.equal(longer[LABELS], batch[LABELS])


def test_spans_are_masked_from_the_seed(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    """transformers draws them from numpy's global generator."""
    sounds = write_sounds(tmp_path / "sounds", 6)
    recipe = toy_recipe(
        tiny_checkpoint("wav2vec2", mask_time_prob=0.5),
        sounds,
        task="audio-classification",
        epochs=1,
        batch_size=8,
    )
    weights = []
    for number, seed in enumerate((0, 0, 1)):
        np.random.seed(number)  # what ran before is not to count
        changed = recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": seed})})
        weights.append(train_only(changed, tmp_path / str(number)))
    first, second, third = weights
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


def test_a_file_that_has_gone_is_named(tmp_path: Path, loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, pretrained = loaded("wav2vec2")
    soundfile.write(tmp_path / "a.wav", tone(440, 0.2), RATE)
    table = datasets.Dataset.from_dict({"audio": [{"bytes": None, "path": str(tmp_path / "a.wav")}]})
    examples = replace(encoded(pretrained, table), kept={})
    assert examples[0]["input_values"].shape == (3200,)
    (tmp_path / "a.wav").unlink()
    with pytest.raises(DataError, match=r"a\.wav: there is no such file"):
        examples[0]


@pytest.mark.parametrize("family", AUDIO_FAMILIES)
def test_predict_equals_the_pipeline(
    family: str, tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    sounds = write_sounds(tmp_path / "sounds", 6)
    recipe = toy_recipe(tiny_checkpoint(family), sounds, task="audio-classification", epochs=1)
    result = run(recipe, output=tmp_path / "run")
    files = [sounds / name / "0.wav" for name in TONES]
    pipe = transformers.pipeline("audio-classification", model=str(result.model), device="cpu")
    arrays = [soundfile.read(file, dtype="float32")[0] for file in files]
    expected = [pipe({"raw": array, "sampling_rate": RATE}, top_k=3) for array in arrays]
    for inputs in (
        files,
        [str(file) for file in files],
        [file.read_bytes() for file in files],
        [{"bytes": file.read_bytes(), "path": None} for file in files],
        [{"array": array, "sampling_rate": RATE} for array in arrays],
        [{"audio": str(file)} for file in files],
        [(torch.from_numpy(array), RATE) for array in arrays],
    ):
        said = result.predict(inputs)
        for prediction, scores in zip(said, expected, strict=True):
            assert prediction.scores == pytest.approx(
                {one["label"]: one["score"] for one in scores}, abs=1e-4
            )
    assert len({round(one[0]["score"], 4) for one in expected}) > 1
    with pytest.raises(DataError, match="input 1 is an array without its sampling rate"):
        result.predict([arrays[0]])
    with pytest.raises(DataError, match="input 2: not audio"):
        result.predict([files[0], b"nothing"])
    table = sounds / "rows.csv"  # paths are relative to the file
    table.write_text("audio,label\n" + "".join(f"{name}/0.wav,{name}\n" for name in TONES))
    shown, from_file = result.predict_file(table, output=tmp_path / "out.csv")
    assert shown == [(str(file),) for file in files]
    assert [one.scores for one in from_file] == [pytest.approx(one.scores, abs=1e-4) for one in said]
    assert (tmp_path / "out.csv").read_text().startswith("audio,label,prediction,score\nlow/0.wav,low,")
    assert result.evaluate(table).rows == 3
    notes: list[str] = []
    half = soundfile.read(io.BytesIO(files[0].read_bytes()), dtype="float32")[0][::2]
    result.predict([(half, 8_000)], note=notes.append)
    assert notes == ["inputs: 1 of 1 clips were resampled to the checkpoint's 16,000 Hz (1 of 8,000 Hz)"]


@pytest.mark.parametrize("problem", ["multi_label_classification", "regression"])
def test_several_labels_and_numbers(
    problem: str, tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    sounds = [tone(300 if i % 2 else 2700, 0.2, seed=i) for i in range(24)]
    several = [["low"] if i % 2 else ["high", "loud"] for i in range(24)]
    table = [
        {
            "audio": {"array": sound, "sampling_rate": RATE},
            "label": several[i] if "multi" in problem else 40.0 + i % 2,
        }
        for i, sound in enumerate(sounds)
    ]
    recipe = toy_recipe(
        tiny_checkpoint("audio-spectrogram-transformer"),
        {"train": table, "validation": table[:8]},
        task={"name": "audio-classification", "problem_type": problem},
        epochs=20,
        batch_size=8,
    )
    result = run(recipe, output=tmp_path / "run")
    assert "pipeline" in result.reload_check["ways"]
    low, high = result.predict([(sounds[1], RATE), (sounds[0], RATE)])
    if problem == "regression":
        assert low.values["label"] == pytest.approx(41, abs=0.4)
        assert high.values["label"] == pytest.approx(40, abs=0.4)
    else:
        assert (low.labels, set(high.labels)) == (("low",), {"high", "loud"})
