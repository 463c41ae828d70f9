"""Clips of sound as a checkpoint's feature extractor makes them, whole, cut or in windows, and as padded batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hftransfer.errors import CheckpointError
from hftransfer.sources.audio import read_clip, resample
from hftransfer.tasks.base import LABELS, Batch
from hftransfer.tasks.pretrained import Pretrained

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

MASK = "attention_mask"
CACHE_BYTES = 1 << 30
"""Features of so many bytes are kept in memory, for every split; what is beyond is decoded again whenever it is asked
for. (A second of wav2vec2's samples has 64 KB, ten seconds of AST's spectrogram 512 KB.)"""
CHUNK = 256
LEAST_SECONDS = 0.05
"""Shorter clips are filled up with silence: less makes no two windows of a spectrogram."""
LONG_SECONDS = 30.0
"""Where a checkpoint sets no bound, longer clips are told of: attention needs memory by the square of their length."""


@dataclass(frozen=True)
class Heard:
    """A clip at the rate that a checkpoint takes. rate: what it had before. cut: only its beginning is here. filled: it
    was too short, and ends in silence."""

    samples: Array
    rate: int
    cut: bool
    filled: bool


@dataclass(frozen=True)
class Hearing:
    """How a checkpoint takes sound.

    rate: samples a second. least, most: samples of an example; most is None where there is no bound. fixed: whether
    every example has one size. overlap: samples that a window shares with the one before it, or None where longer clips
    are cut to their beginning.
    """

    rate: int
    least: int
    most: int | None
    fixed: bool
    overlap: int | None

    def hear(self, audio: Any, where: str) -> Heard:
        """A clip as the extractor takes it. audio, where: see `read_clip`, whose errors it raises."""
        import numpy as np

        cropped = self.most is not None and self.overlap is None
        clip = read_clip(audio, where=where, seconds=(self.most or 0) / self.rate if cropped else None)
        samples = resample(clip.samples, clip.rate, self.rate)
        if cropped:
            samples = samples[: self.most]
        lacking = self.least - len(samples)
        if lacking > 0:
            samples = np.pad(samples, (0, lacking))
        return Heard(samples, clip.rate, not clip.whole, lacking > 0)

    def starts(self, length: int) -> list[int]:
        """Where the windows of a clip of so many samples start; the last one ends where the clip does."""
        if self.most is None or self.overlap is None or length <= self.most:
            return [0]
        return [*range(0, length - self.most, self.most - self.overlap), length - self.most]


def hearing(
    extractor: Any, config: Any, *, max_seconds: float | None, windows: bool, overlap: float
) -> Hearing:
    """What the recipe asks for and the checkpoint takes, together. Raises CheckpointError where they do not fit."""
    rate = int(extractor.sampling_rate)
    window = fixed_window(extractor)
    most = None if max_seconds is None else round(max_seconds * rate)
    if most is not None and window is not None and most > window:
        raise CheckpointError(
            f"task.max_seconds is {max_seconds:g}, but the checkpoint looks at no more than {window / rate:g} s",
            hint=f"write max_seconds: {window / rate:g} or less, or leave it out",
            key="task.max_seconds",
        )
    most = most or window
    if windows and most is None:
        raise CheckpointError(
            "task.long_clips is windows, but the checkpoint takes clips of any length",
            hint="write how long a window is to be, such as max_seconds: 10",
            key="task.long_clips",
        )
    least = max(round(LEAST_SECONDS * rate), frames(config, getattr(config, "squeeze_factor", 1)))
    if most is not None and most < least:
        raise CheckpointError(
            f"task.max_seconds is {max_seconds:g}, but the checkpoint needs {least / rate:g} s",
            hint=f"write max_seconds: {least / rate:g} or more",
            key="task.max_seconds",
        )
    return Hearing(rate, least, most, window is not None, int(overlap * (most or 0)) if windows else None)


def fixed_window(extractor: Any) -> int | None:
    """Samples that go into a spectrogram of fixed size; None for an extractor that takes clips whole.

    Whisper's extractor says so itself; AST's makes `max_length` frames of 400 samples, one every 160, and drops the
    rest (transformers, feature_extraction_audio_spectrogram_transformer.py).
    """
    if hasattr(extractor, "n_samples"):
        return int(extractor.n_samples)
    if hasattr(extractor, "max_length") and hasattr(extractor, "num_mel_bins"):
        return 400 + 160 * (int(extractor.max_length) - 1)
    return None


def frames(config: Any, count: int) -> int:
    """The fewest samples of which a model's convolutions make so many frames; the count itself where it has none."""
    if not hasattr(config, "conv_kernel") or not hasattr(config, "conv_stride"):
        return count
    field, stride = 1, 1
    for kernel, step in zip(config.conv_kernel, config.conv_stride, strict=False):
        field, stride = field + (kernel - 1) * stride, stride * step
    return int(field + (count - 1) * stride)


@dataclass(frozen=True)
class EncodedClips:
    """Features of every example: kept in memory as far as `CACHE_BYTES` goes, else made when they are asked for.

    places: (row, first sample) of every example. labels: one a row. rows: see `Examples`. Raises DataError naming the
    file that has become unreadable.
    """

    table: Any
    extractor: Any
    hearing: Hearing
    name: str
    places: Sequence[tuple[int, int]]
    kept: Mapping[int, Array]
    labels: Sequence[Any] | None
    lengths: NDArray[np.int64] | None
    rows: NDArray[np.int64] | None
    findings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row, start = self.places[index]
        features = self.kept.get(index)
        if features is None:
            heard = _hear(self.table, row, self.hearing, self.name)
            features = _features(heard.samples, start, self.extractor, self.hearing)
        example: dict[str, Any] = {input_name(self.extractor): features}
        if self.labels is not None:
            example[LABELS] = self.labels[row]
        return example


@dataclass(frozen=True)
class _Row:
    """What encoding keeps of a row; features are empty where there is no room for them."""

    rate: int
    samples: int
    cut: bool
    filled: bool
    starts: list[int]
    features: list[Array]


def encode_clips(table: Any, pretrained: Pretrained, hear: Hearing, *, name: str) -> EncodedClips:
    """Clips (the column `audio`, undecoded) as features; targets from `label`. name: what findings call the rows."""
    import numpy as np

    extractor = pretrained.processor
    places: list[tuple[int, int]] = []
    kept: dict[int, Array] = {}
    sizes: list[int] = []
    heard: list[_Row] = []
    for row, one in enumerate(_all_rows(table, extractor, hear, name)):
        kept |= dict(enumerate(one.features, start=len(places)))
        places += [(row, start) for start in one.starts]
        sizes += [min(one.samples, hear.most or one.samples)] * len(one.starts)
        heard.append(one)
    several = len(places) > len(table)
    return EncodedClips(
        table,
        extractor,
        hear,
        name,
        places,
        kept,
        list(table["label"]) if "label" in table.column_names else None,
        None if hear.fixed else np.array(sizes, dtype=np.int64),
        np.array([row for row, _ in places]) if several else None,
        tuple(_findings(heard, hear, name, len(places))),
    )


def _all_rows(table: Any, extractor: Any, hear: Hearing, name: str) -> Iterator[_Row]:
    """Every row, decoded; in order, with its features as long as there is room for them."""
    room = CACHE_BYTES

    def one(row: int) -> _Row:
        heard = _hear(table, row, hear, name)
        starts = hear.starts(len(heard.samples))
        made = [_features(heard.samples, start, extractor, hear) for start in starts] if room > 0 else []
        return _Row(heard.rate, len(heard.samples), heard.cut, heard.filled, starts, made)

    with ThreadPoolExecutor() as pool:
        for first, last in pairwise([*range(0, len(table), CHUNK), len(table)]):
            chunk = list(pool.map(one, range(first, last)))
            room -= sum(features.nbytes for row in chunk for features in row.features)
            yield from chunk


def _features(samples: Array, start: int, extractor: Any, hear: Hearing) -> Array:
    import numpy as np

    window = samples[start : None if hear.most is None else start + hear.most]
    made = extractor(window, sampling_rate=hear.rate, return_tensors="np")[input_name(extractor)][0]
    return np.asarray(made, dtype=np.float32)


def _findings(heard: Sequence[_Row], hear: Hearing, name: str, examples: int) -> Iterator[str]:
    other = Counter(one.rate for one in heard if one.rate != hear.rate)
    if other:
        rates = ", ".join(f"{count} of {rate:,} Hz" for rate, count in other.most_common(5))
        yield (
            f"{name}: {other.total()} of {len(heard)} clips were resampled to the checkpoint's {hear.rate:,} Hz "
            f"({rates})"
        )
    longest = max(one.samples for one in heard)
    longer = sum(one.cut or len(one.starts) > 1 for one in heard)
    if longer and hear.most is not None:
        done = "cut to their beginning" if hear.overlap is None else f"read in windows, {examples} in all"
        yield f"{name}: {longer} of {len(heard)} clips are longer than {hear.most / hear.rate:g} s and were {done}"
    elif hear.most is None and longest > LONG_SECONDS * hear.rate:
        yield (
            f"{name}: the longest clip has {longest / hear.rate:.0f} s, and clips are used whole: "
            "task.max_seconds bounds them"
        )
    filled = sum(one.filled for one in heard)
    if filled:
        yield (
            f"{name}: {filled} of {len(heard)} clips are shorter than {hear.least / hear.rate:g} s and were filled up "
            "with silence"
        )


def _hear(table: Any, row: int, hear: Hearing, name: str) -> Heard:
    values = table[row]
    return hear.hear(values["audio"], f"{name} row {values.get('row', row) + 1}")


def input_name(extractor: Any) -> str:
    """What the model calls the features."""
    return str(extractor.model_input_names[0])


def pad(examples: Sequence[Mapping[str, Any]], extractor: Any, *, fixed: bool) -> Batch:
    """Features as one batch, without the targets; where sizes differ, MASK is 1 where there is sound: (B, T)."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    name = input_name(extractor)
    values = [torch.from_numpy(example[name]) for example in examples]
    if fixed:
        return {name: torch.stack(values)}
    lengths = torch.tensor([len(one) for one in values])
    padded = pad_sequence(values, batch_first=True, padding_value=float(extractor.padding_value))
    return {name: padded, MASK: (torch.arange(padded.shape[1]) < lengths[:, None]).long()}
