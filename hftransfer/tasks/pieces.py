"""Sentences as the pieces that a tokenizer makes of them, each with its word: what `words` encodes and tasks read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hftransfer.tasks.base import LABELS
from hftransfer.tasks.makeup import Whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

NO_WORD = -1
"""The word of a special token."""


@dataclass(frozen=True)
class Pieces:
    """The tokens of E examples one after the other, T in all.

    ends: (E + 1,) where examples begin and end. rows: (E,) the row of each, rising. word: (T,) the word in its row that
    a piece is of, or NO_WORD. offsets: (T, 2) its characters in the row's text. counts: (T,) whether this is
    the example that the piece counts in. first: (T,) whether it counts, and is its word's first.
    """

    ends: Integers
    rows: Integers
    word: NDArray[np.int32]
    offsets: NDArray[np.int64]
    counts: Flags
    first: Flags

    def examples(self, row: int) -> range:
        """The examples of a row, in order."""
        import numpy as np

        return range(*np.searchsorted(self.rows, [row, row + 1]).tolist())

    def of(self, example: int) -> slice:
        """Where the tokens of an example are."""
        return slice(int(self.ends[example]), int(self.ends[example + 1]))


@dataclass(frozen=True)
class EncodedWords:
    """Encoded sentences. features: the tokenizer's outputs, flat, by name. targets: (T,), or None without labels.

    sizes: (N,) the words of every row. rows: see `Examples`. whole: of every row.
    """

    features: Mapping[str, NDArray[np.int32]]
    pieces: Pieces
    sizes: Integers
    targets: Integers | None
    findings: tuple[str, ...]
    whole: Whole

    @property
    def lengths(self) -> Integers:
        import numpy as np

        return np.diff(self.pieces.ends)

    @property
    def rows(self) -> Integers | None:
        return self.pieces.rows if len(self) != len(self.sizes) else None

    def __len__(self) -> int:
        return len(self.pieces.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        here = self.pieces.of(index)
        example: dict[str, Any] = {key: values[here] for key, values in self.features.items()}
        if self.targets is not None:
            example[LABELS] = self.targets[here]
        return example


def first_words(sizes: Integers) -> Integers:
    """The number of the first word of every row, where words are counted through."""
    import numpy as np

    return np.concatenate([[0], np.cumsum(sizes)])
