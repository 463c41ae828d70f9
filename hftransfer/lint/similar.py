"""Texts that are nearly the same: all pairs whose sets of four-letter pieces overlap by a given share (Jaccard).

The pairs are those of a set similarity join, found without comparing everything with everything: of two sets that
overlap by `t`, one of the rarest `n - ceil(t n) + 1` members of each is in the other (prefix filter, Bayardo et al.
2007, "Scaling up all pairs similarity search"); candidates are thrown out by size and by the number of bits in which
small bitmaps of the sets differ (Sandes et al. 2020), and what is left is counted. Long texts stand in it with the
`SKETCH` smallest hashes of their pieces (Broder 1997), for which the overlap is an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.int64]
    Keys = NDArray[np.int64]
    """Members of sets: the number of the text, shifted by `BITS`, and the piece's hash of so many bits. In order."""

LETTERS = 4
"""Of a piece."""
SKETCH = 128
"""Pieces of a text that are compared; a shorter text is compared as a whole."""
LEAST = 16
"""Pieces that a text must have: of fewer, one word more or less is a large share."""
MOST_PIECES, MOST_TEXTS = 10_000_000, 2**20
"""That are compared in all; texts beyond are left out, and counted."""
MOST_CHARACTERS = 10_000
"""Of a text: two long ones have most pieces in common, since a language has not so many."""
CHARACTERS = 2_000_000
"""Read at a time."""
PAIRS = 100_000
"""Counted at a time."""
NEIGHBOURS = 50
"""Texts of nearly its own size that one is compared with for every rare piece that they have in common."""
BITS = 22
ROUNDING = 1e-9
"""Bounds that are whole numbers stay so."""
WORDS = 4
"""Of 64 bits, in a bitmap."""


@dataclass(frozen=True)
class Similar:
    """first < second: (P,) places of texts, similarity: (P,) theirs. short, left_out: texts that were not compared,
    for they are too short, or too many."""

    first: Places
    second: Places
    similarity: NDArray[np.float64]
    short: int
    left_out: int


def similar(columns: Sequence[Sequence[str]], threshold: float) -> Similar:
    """Pairs of rows that are similar by `threshold` (0 to 1) in every one of the columns of N texts each.

    The first rows are compared where there are too many. Short texts match nothing.
    """
    import numpy as np

    count = _affordable(columns)
    sketches = [_sketches(column[:count], salt) for salt, column in enumerate(columns)]
    enough = np.all([np.bincount(keys >> BITS, minlength=count) >= LEAST for keys in sketches], axis=0)
    sketches = [keys[enough[keys >> BITS]] for keys in sketches]
    whole = _Sets.of(distinct(np.concatenate(sketches)), count)
    first, second = _candidates(whole, threshold)
    # The overlap of all columns together is at least the least of theirs: no pair is lost by looking at it first.
    found = _jaccard(whole, first, second)
    for keys in sketches if len(sketches) > 1 else ():
        good = found >= threshold
        first, second, found = first[good], second[good], found[good]
        found = np.minimum(found, _jaccard(_Sets.of(keys, count), first, second))
    good = found >= threshold
    short = int(count - enough.sum())
    return Similar(first[good], second[good], found[good], short, len(columns[0]) - count)


def _affordable(columns: Sequence[Sequence[str]]) -> int:
    """How many rows there are pieces for."""
    import numpy as np

    sizes = np.sum([[min(len(text), SKETCH) for text in texts] for texts in columns], axis=0)
    return min(int(np.searchsorted(sizes.cumsum(), MOST_PIECES, side="right")), MOST_TEXTS)


def _sketches(texts: Sequence[str], salt: int) -> Keys:
    """The smallest hashes of every text's pieces, each once."""
    import numpy as np

    made: list[Keys] = [np.zeros(0, np.int64)]
    start = 0
    while start < len(texts):
        stop, read = start, 0
        while stop < len(texts) and read < CHARACTERS:
            read, stop = read + min(len(texts[stop]), MOST_CHARACTERS), stop + 1
        part = [text[:MOST_CHARACTERS] for text in texts[start:stop]]
        made.append(_pieces(part, salt) + (start << BITS))
        start = stop
    return np.concatenate(made)


def _pieces(texts: Sequence[str], salt: int) -> Keys:
    import numpy as np

    letters = np.frombuffer("".join(f" {text} " for text in texts).encode("utf-32-le"), np.uint32)
    row = np.repeat(np.arange(len(texts)), [len(text) + 2 for text in texts])
    count = max(len(letters) - LETTERS + 1, 0)
    hashes = np.full(count, (salt + 1) << 40, np.uint64)  # beyond all letters
    for letter in range(LETTERS):
        hashes = (hashes ^ letters[letter : count + letter]) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    inside = row[:count] == row[LETTERS - 1 :]
    short = (hashes[inside] >> np.uint64(64 - BITS)).astype(np.int64)
    keys = distinct(row[:count][inside] << BITS | short)
    return keys[_rank(keys >> BITS, len(texts)) < SKETCH]


def distinct(keys: Keys) -> Keys:
    """Sorted, each once. `numpy.unique` takes a hash table for it, and ten times as long."""
    import numpy as np

    keys = np.sort(keys)
    once: Keys = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
    return once


def _rank(rows: Places, count: int) -> Places:
    """How many of the same row stand before each, of rows in order."""
    import numpy as np

    starts = np.concatenate([[0], np.bincount(rows, minlength=count).cumsum()])
    ranks: Places = np.arange(len(rows)) - starts[rows]
    return ranks


@dataclass(frozen=True)
class _Sets:
    """Of N texts: piece, row: of every member. often: of every piece, in how many texts it is. size: (N,) members.
    matrix: (N, pieces) of ones."""

    piece: Places
    row: Places
    often: Places
    size: Places
    matrix: Any

    @classmethod
    def of(cls, keys: Keys, count: int) -> _Sets:
        import numpy as np
        from scipy.sparse import csr_matrix

        piece, row = keys & (2**BITS - 1), keys >> BITS
        size = np.bincount(row, minlength=count)
        starts = np.concatenate([[0], size.cumsum()])
        matrix = csr_matrix((np.ones(len(keys), np.int32), piece, starts), shape=(count, 2**BITS))
        return cls(piece, row, np.bincount(piece, minlength=2**BITS), size, matrix)

    def bitmaps(self) -> NDArray[np.uint64]:
        """(N, WORDS) which of so many classes of pieces a text has."""
        import numpy as np

        bits = np.zeros((len(self.size), WORDS), np.uint64)
        place = (self.piece % (64 * WORDS)).astype(np.uint64)
        word = (place // np.uint64(64)).astype(np.int64)
        np.bitwise_or.at(bits, (self.row, word), np.uint64(1) << (place % np.uint64(64)))
        return bits


def _jaccard(sets: _Sets, first: Places, second: Places) -> NDArray[np.float64]:
    """(P,) the overlap of pairs."""
    import numpy as np

    found = np.zeros(len(first))
    for start in range(0, len(first), PAIRS):
        part = slice(start, start + PAIRS)
        common = np.asarray(sets.matrix[first[part]].multiply(sets.matrix[second[part]]).sum(axis=1)).ravel()
        found[part] = common / (sets.size[first[part]] + sets.size[second[part]] - common)
    return found


def _candidates(sets: _Sets, threshold: float) -> tuple[Places, Places]:
    """Pairs with a rare piece in common that may overlap enough by their sizes and bitmaps."""
    import numpy as np

    size, bits = sets.size, sets.bitmaps()
    piece, row = _prefixes(sets, threshold)
    found: list[Places] = [np.zeros(0, np.int64)]
    left = np.arange(len(row))
    for step in range(1, NEIGHBOURS + 1):
        left = left[left + step < len(row)]
        left = left[piece[left] == piece[left + step]]
        # In order of size: a larger step leads to larger sets alone.
        left = left[size[row[left]] >= threshold * size[row[left + step]] - ROUNDING]
        if not len(left):
            break
        a, b = row[left], row[left + step]
        differ = np.bitwise_count(bits[a] ^ bits[b]).sum(axis=1, dtype=np.int64)
        near = differ <= (1 - threshold) / (1 + threshold) * (size[a] + size[b]) + ROUNDING
        a, b = a[near], b[near]
        found.append(distinct(np.minimum(a, b) * len(size) + np.maximum(a, b)))
    pairs = distinct(np.concatenate(found))
    return pairs // len(size), pairs % len(size)


def _prefixes(sets: _Sets, threshold: float) -> tuple[Places, Places]:
    """(piece, row) of the rarest members of every set, of which similar ones share one; by piece, then by size."""
    import numpy as np

    # All in one number, which is sorted ten times as fast as places are: 20 bits of text, 20 of `often`, the piece.
    keys = np.sort((sets.row << 42) | (np.minimum(sets.often[sets.piece], 2**20 - 1) << BITS) | sets.piece)
    piece, row = keys & (2**BITS - 1), keys >> 42
    needed = np.ceil(threshold * sets.size - ROUNDING).astype(np.int64)
    rarest = _rank(row, len(sets.size)) < (sets.size - needed + 1)[row]
    rarest &= sets.often[piece] > 1
    piece, row = piece[rarest], row[rarest]
    keys = np.sort((piece << 41) | (np.minimum(sets.size[row], 2**20 - 1) << 20) | row)
    return keys >> 41, keys & (2**20 - 1)
