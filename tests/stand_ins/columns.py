"""Kinds of columns: texts, labels, tags, answers, translations, images, sounds."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from typing import Any

import datasets
from tiny import FILLER, SHAPES, WORDS

from stand_ins.parquet import Column

SIDE = 24
"""Pixels of an image's side."""
RATE = 16_000

Value = datasets.Value


def sentence(draw: random.Random) -> str:
    return draw.choice(SHAPES).format(*draw.sample(WORDS, 2))


def text(sentences: int = 1) -> Column:
    """So many sentences in a row."""
    return Column(Value("string"), lambda row, draw: ". ".join(sentence(draw) for _ in range(sentences)))


def number(dtype: str = "int32") -> Column:
    """0, 1, 2, ..."""
    return Column(Value(dtype), lambda row, draw: row)


def name() -> Column:
    """A row's own name."""
    return Column(Value("string"), lambda row, draw: f"row-{row}")


def score(most: float) -> Column:
    """A number from 0 to `most`."""
    return Column(Value("float32"), lambda row, draw: draw.uniform(0, most), blind=-1.0)


def classes(*names: str) -> Column:
    """One of the labels; they take turns."""
    return Column(datasets.ClassLabel(names=list(names)), lambda row, draw: row % len(names), blind=-1)


def words_of(*names: str) -> Column:
    """One of the labels, written out."""
    return Column(Value("string"), lambda row, draw: names[row % len(names)])


def numbers_of(count: int) -> Column:
    """One of `count` labels, as a bare number."""
    return Column(Value("int64"), lambda row, draw: row % count)


def several(*names: str) -> Column:
    """One or two of the labels."""
    return Column(
        datasets.List(datasets.ClassLabel(names=list(names))),
        lambda row, draw: sorted({row % len(names), draw.randrange(len(names))}),
    )


def _length(row: int) -> int:
    """Words of a row, in every column of it."""
    return 3 + row % 5


def tokens() -> Column:
    return Column(
        datasets.List(Value("string")), lambda row, draw: [draw.choice(WORDS) for _ in range(_length(row))]
    )


def tags(names: Sequence[str]) -> Column:
    """A label for every one of `tokens`."""
    return Column(
        datasets.List(datasets.ClassLabel(names=list(names))),
        lambda row, draw: [(row + place) % len(names) for place in range(_length(row))],
    )


def entities(*kinds: str) -> Column:
    """`O`, and B- and I- of every kind."""
    names = ["O", *(f"{start}-{kind}" for kind in kinds for start in "BI")]
    # An entity of two words, then what is none, so that no I- comes without its B-.
    return Column(
        datasets.List(datasets.ClassLabel(names=names)),
        lambda row, draw: [
            (1 + 2 * (row % len(kinds)), 2 + 2 * (row % len(kinds)), 0)[place % 3]
            for place in range(_length(row))
        ],
    )


def _context(row: int) -> str:
    draw = random.Random(row)
    return ". ".join(sentence(draw) for _ in range(6))


def context() -> Column:
    """Six sentences, the same for a row's answers."""
    return Column(Value("string"), lambda row, draw: _context(row))


def answers(*, all_answered: bool = True) -> Column:
    """A word of the row's context and where it starts; of every third row none, unless all are answered."""

    def value(row: int, draw: random.Random) -> dict[str, list[Any]]:
        if not all_answered and row % 3 == 2:
            return {"text": [], "answer_start": []}
        word = next(one for one in _context(row).replace(".", "").split() if one not in FILLER)
        return {"text": [word], "answer_start": [_context(row).index(word)]}

    return Column(
        {"text": datasets.List(Value("string")), "answer_start": datasets.List(Value("int32"))}, value
    )


def translation(*languages: str) -> Column:
    return Column(
        datasets.Translation(languages=list(languages)),
        lambda row, draw: {language: sentence(draw) for language in languages},
    )


def image() -> Column:
    """Coloured noise, as PNG."""
    return Column(datasets.Image(), lambda row, draw: _png("RGB", draw.randbytes(3 * SIDE * SIDE), row))


def mask(values: int) -> Column:
    """Stripes of the numbers 0 ... values - 1, as PNG."""
    return Column(
        datasets.Image(),
        lambda row, draw: _png("L", bytes((row + at % SIDE // 4) % values for at in range(SIDE * SIDE)), row),
    )


def _png(mode: str, pixels: bytes, row: int) -> dict[str, Any]:
    from PIL import Image

    written = io.BytesIO()
    Image.frombytes(mode, (SIDE, SIDE), pixels).save(written, "png")
    return {"bytes": written.getvalue(), "path": f"{row}.png"}


def sound() -> Column:
    """A quarter of a second, a higher tone in every row, as wav."""
    return Column(datasets.Audio(sampling_rate=RATE), lambda row, draw: _wav(row))


def _wav(row: int) -> dict[str, Any]:
    import soundfile
    from tiny_audio import tone

    written = io.BytesIO()
    soundfile.write(written, tone(200.0 + 50 * row, 0.25, rate=RATE, seed=row), RATE, format="wav")
    return {"bytes": written.getvalue(), "path": f"{row}.wav"}
