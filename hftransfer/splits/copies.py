"""Rows that are the same to a reader: their texts but for case, white space, punctuation and forms of characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hftransfer.splits.leakage import content_hashes, hash_texts

if TYPE_CHECKING:
    import datasets
    import numpy as np
    from numpy.typing import NDArray

TEXTS = ("text", "document", "words", "choices")
"""Kinds of inputs that are read as texts; the others are files."""
BETWEEN = {"words": " ", "choices": "\n"}
"""What joins the parts of one text."""
CHUNK = 10_000
"""Rows whose texts are in memory at a time."""


def copies(rows: datasets.Dataset, inputs: Mapping[str, str]) -> NDArray[np.uint64]:
    """(N,) of every row a number, the same for rows with the same inputs.

    inputs: role -> kind. Where one of them is a file, an image or a sound, all are compared byte by byte.
    """
    import numpy as np

    if not set(inputs.values()) <= {*TEXTS}:
        return content_hashes([(rows, np.arange(len(rows)))], [*inputs])[0]
    made = [np.zeros(0, np.uint64)]
    for start in range(0, len(rows), CHUNK):
        columns = {role: rows.data.column(role).slice(start, CHUNK).to_pylist() for role in inputs}
        texts = [[as_text(one, inputs[role]) for one in column] for role, column in columns.items()]
        made.append(_joint([_hashes(column) for column in texts]))
    return np.concatenate(made)


def _hashes(texts: Sequence[str]) -> NDArray[np.uint64]:
    """Of the texts as they are compared: each is looked at once, for contexts come again with every question."""
    import numpy as np
    import pandas as pd

    place, once = pd.factorize(np.array(texts, dtype=object))
    return hash_texts(without_punctuation(once.tolist()))[place]


def as_text(value: Any, kind: str) -> str:
    """An input of one of the kinds `TEXTS` as one text."""
    return value if isinstance(value, str) else BETWEEN.get(kind, " ").join(map(str, value or ()))


def fold(text: str) -> str:
    """The text without what is not seen or said: NFKC, case, white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def without_punctuation(texts: Sequence[str]) -> list[str]:
    """Folded, and without punctuation; what is nothing else keeps it. Signs and symbols (+, $, emoji) stay."""
    folded = [fold(text) for text in texts]
    marks = {ord(one): " " for one in set().union(*folded) if unicodedata.category(one)[0] == "P"}
    marks |= {ord(one): "" for one in "'’" if ord(one) in marks}  # noqa: RUF001  # it's, its
    return [" ".join(text.translate(marks).split()) or text for text in folded]


def joint_hashes(columns: Sequence[Sequence[str]]) -> NDArray[np.uint64]:
    """(N,) equal for rows with the same texts in every column."""
    return _joint([hash_texts(texts) for texts in columns])


def _joint(columns: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    import numpy as np

    made = np.zeros(len(columns[0]), np.uint64)
    for hashes in columns:
        made = made * np.uint64(31) + hashes
    return made
