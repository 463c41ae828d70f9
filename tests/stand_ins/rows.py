"""Rows for any features that `datasets` knows, as a repository on the Hub holds them: parquet files, and a card."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from datasets import Audio, ClassLabel, Image, List, Value
from tiny import FILLER, SHAPES, WORDS

from stand_ins.data_sets import DataSet

ROWS = {"train": 40}
OTHERS = 8
"""Rows of train, and of every other split."""
CLASSES = 6
"""So many of the classes take turns at most, that each has several rows."""
SIDE = 24
"""Pixels of an image's side."""
RATE = 16_000
PARTS_OF_SPEECH = ("NOUN", "VERB", "ADJ", "ADV", "DET", "PUNCT")


def repository_files(configs: Mapping[str, DataSet], *, card: bool) -> dict[str, bytes]:
    """Path -> content of a repository with these configurations.

    card: with a README.md that names the files of every configuration; without, CONFIG/SPLIT/ says which they are.
    """
    files: dict[str, bytes] = {}
    listed = []
    for config, data_set in configs.items():
        paths = {split: f"{config}/{split}/0000.parquet" for split in data_set.splits}
        for split, path in paths.items():
            written = io.BytesIO()
            pq.write_table(table(data_set, split), written)
            files[path] = written.getvalue()
        named = [{"split": split, "path": path} for split, path in paths.items()]
        listed.append({"config_name": config, "data_files": named})
    if card:
        files["README.md"] = f"---\n{yaml.safe_dump({'configs': listed}, sort_keys=False)}---\n".encode()
    return files


def table(data_set: DataSet, split: str) -> pa.Table:
    """The rows of a split, the same ones every time; their schema carries the features, as `datasets` writes it."""
    draw = random.Random(split)
    blind = split in data_set.unlabelled
    rows = [_row(data_set, number, draw, blind=blind) for number in range(ROWS.get(split, OTHERS))]
    return pa.Table.from_pylist(rows, schema=data_set.features.arrow_schema)


def _row(data_set: DataSet, row: int, draw: random.Random, *, blind: bool) -> dict[str, Any]:
    made = {name: _value(name, kind, row, draw) for name, kind in data_set.features.items()}
    if blind:
        made["label"] = -1
    if "answers" in made:
        none = data_set.unanswered and row % 3 == 2
        made["answers"] = {"text": [], "answer_start": []} if none else _answer(made["context"])
    return made


def _value(name: str, kind: Any, row: int, draw: random.Random) -> Any:
    """One of the kind. Columns that belong together go by the row's number: classes take turns in all of them."""
    if isinstance(kind, dict):
        return {key: _value(key, inner, row, draw) for key, inner in kind.items()}
    if isinstance(kind, List):
        return _values(name, kind.feature, row, draw)
    if isinstance(kind, ClassLabel):
        return row % min(len(kind.names), CLASSES)
    if isinstance(kind, Image):
        return _mask(row) if name == "label" else _png("RGB", draw.randbytes(3 * SIDE * SIDE))
    if isinstance(kind, Audio):
        return _tone(row)
    assert isinstance(kind, Value), f"rows of {kind} cannot be made yet: extend tests/stand_ins/rows.py"
    if kind.dtype == "string":  # some data sets write classes out
        return f"class {row % CLASSES}" if "label" in name else _text(draw)
    return draw.uniform(0, 5) if kind.dtype.startswith("float") else row % CLASSES


def _values(name: str, kind: Any, row: int, draw: random.Random) -> list[Any]:
    """Tokens and their tags are as many in every column of a row; other lists hold one or two of several classes."""
    length = 3 + row % 5
    if isinstance(kind, Value):
        return draw.choices(PARTS_OF_SPEECH if name == "upos" else WORDS, k=length)
    assert isinstance(kind, ClassLabel), f"lists of {kind} cannot be made yet: extend tests/stand_ins/rows.py"
    classes = min(len(kind.names), CLASSES)
    if "tags" not in name:
        return sorted({row % classes, draw.randrange(classes)})
    if kind.names[0] != "O":
        return [(row + place) % classes for place in range(length)]
    # B-, I-, O, B-, ...: of one kind, as entities are written.
    first = 1 + 2 * (row % (len(kind.names) // 2))
    return [(first, first + 1, 0)[place % 3] for place in range(length)]


def _text(draw: random.Random) -> str:
    sentences = (draw.choice(SHAPES).format(*draw.sample(WORDS, 2)) for _ in range(draw.randint(1, 6)))
    return ". ".join(sentences)


def _answer(context: str) -> dict[str, list[Any]]:
    """A word of the text, and where it starts."""
    word = next((one for one in context.replace(".", "").split() if one not in FILLER), context.split()[0])
    return {"text": [word], "answer_start": [context.index(word)]}


def _mask(row: int) -> dict[str, Any]:
    """Stripes of the numbers of ten classes, 0 among them."""
    return _png("L", bytes((row + at % SIDE // 4) % 10 for at in range(SIDE * SIDE)))


def _png(mode: str, pixels: bytes) -> dict[str, Any]:
    from PIL.Image import frombytes

    written = io.BytesIO()
    frombytes(mode, (SIDE, SIDE), pixels).save(written, "png")
    return {"bytes": written.getvalue(), "path": "image.png"}


def _tone(row: int) -> dict[str, Any]:
    """A quarter of a second, a higher tone in every row."""
    import soundfile
    from tiny_audio import tone

    written = io.BytesIO()
    soundfile.write(written, tone(200.0 + 50 * row, 0.25, rate=RATE, seed=row), RATE, format="wav")
    return {"bytes": written.getvalue(), "path": "sound.wav"}
