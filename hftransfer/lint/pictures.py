"""Images that are nearly the same: another size, format or quality, a little brighter, or cut a little at the edges.

Candidates are pairs whose difference hashes (dHash, Krawetz 2013: which of two neighbours is the brighter one; 64 bits
along the rows and 64 along the columns) differ in few bits. Hashes of so few bits are alike for pictures of one kind, a
hand on a white sheet, so that every candidate is then looked at: how much of the one picture, in `SIDE` x `SIDE` grey
values, follows from the other one when that is moved and scaled a little (one step of Lucas and Kanade 1981, by least
squares). Mirrored and turned ones are others, and so is a second shot of the same thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from hftransfer.lint.similar import Similar, distinct
from hftransfer.sources.images import grey_values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

SIDE = 27
"""Pixels of what is compared: three times those of a hash."""
SMALLEST = 32
"""Pixels of a side that an image must have: of fewer, all sevens are one."""
PLAIN = 4
"""Grey values (of 256, standard deviation) that an image must vary by: an empty page is like another."""
MOST_IMAGES = 30_000
"""That are compared; those beyond are left out, and counted."""
BANDS, BAND = 8, 16
"""Of the 128 bits of a hash. Two that differ in 15 of them or fewer differ in one at most in some band."""
BITS = 20
"""In which two hashes may differ; those that differ in more than 15 are nearly all found."""
NEIGHBOURS = 50
"""With the same band that an image is compared with."""
LOOSE = 0.6
"""The correlation of two pictures as they are from which they are looked at more closely."""
LEAST_FAR = 0.002
"""From a correlation of 1: a copy of low quality is nearer."""
BLOCK = 2_000
"""Pictures that are looked at at a time."""


def similar_images(files: Sequence[Any], threshold: float) -> Similar:
    """Pairs of N images (Arrow's {"bytes", "path"}), one of which explains the other by `threshold`, a correlation.

    More is asked for where pictures are so much of one kind (digits, icons) that as many pairs are just below it: what
    stands out from them are copies. The first ones are compared where there are too many. Small and plain images match
    nothing.
    """
    import numpy as np

    with ThreadPoolExecutor() as pool:  # decoding is done outside of Python's lock
        seen = list(pool.map(_picture, files[:MOST_IMAGES]))
    kept = np.array([place for place, one in enumerate(seen) if one is not None], dtype=np.int64)
    pictures = np.array([one for one in seen if one is not None], np.uint8).reshape(-1, SIDE, SIDE)
    first, second = _candidates(_hashes(pictures))
    found = _explained(pictures, first, second)
    good = found >= _standing_out(found, threshold)
    short = len(seen) - len(kept)
    return Similar(kept[first[good]], kept[second[good]], found[good], short, len(files) - len(seen))


def _picture(file: Any) -> NDArray[np.uint8] | None:
    """(SIDE, SIDE), or None for an image that is too small or too plain to tell it from others."""
    import numpy as np
    from PIL.Image import Resampling

    grey = grey_values(file.as_py(), where="an image", least=4 * SIDE)
    if min(grey.size) < SMALLEST:
        return None
    values = np.asarray(grey.resize((SIDE, SIDE), Resampling.LANCZOS))
    return values if values.std() >= PLAIN else None


def _hashes(pictures: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(N, BANDS) difference hashes of 9 x 9 pixels."""
    import numpy as np

    small = pictures.reshape(-1, 9, SIDE // 9, 9, SIDE // 9).mean(axis=(2, 4))
    rows, columns = small[:, :8, 1:] > small[:, :8, :-1], small[:, 1:, :8] > small[:, :-1, :8]
    bits = np.concatenate([rows.reshape(-1, 64), columns.reshape(-1, 64)], axis=1)
    return np.packbits(bits, axis=1).view(np.uint16)


def _candidates(hashes: NDArray[np.uint16]) -> tuple[Places, Places]:
    """(first, second): first < second, that differ in one bit at most of some band, and in `BITS` of all."""
    import numpy as np

    count, words = len(hashes), hashes.view(np.uint64)
    pairs = np.zeros(0, np.int64)
    for band in range(BANDS):
        found = [pairs]
        for bit in range(BAND):
            keys = hashes[:, band] & np.uint16(~(1 << bit) & 0xFFFF)
            order = np.argsort(keys, kind="stable")
            left = np.arange(count)
            for step in range(1, NEIGHBOURS + 1):
                left = left[left + step < count]
                left = left[keys[order[left]] == keys[order[left + step]]]
                if not len(left):
                    break
                a, b = order[left], order[left + step]
                near = np.bitwise_count(words[a] ^ words[b]).sum(axis=1, dtype=np.int64) <= BITS
                found.append(a[near] * count + b[near])  # stable: a stands before b
        # After each: of images that are all alike, most pairs are found a hundred times.
        pairs = distinct(np.concatenate(found))
    return pairs // max(count, 1), pairs % max(count, 1)


def _explained(pictures: NDArray[np.uint8], first: Places, second: Places) -> NDArray[np.float64]:
    """(P,) the correlation of one picture with what the other, moved and scaled, makes of it; the better way round."""
    import numpy as np

    grey = pictures.reshape(-1, SIDE * SIDE).astype(np.float32)
    grey -= grey.mean(axis=1, keepdims=True)
    grey /= np.linalg.norm(grey, axis=1, keepdims=True)
    found = np.zeros(len(first))
    alike = np.flatnonzero(_products(grey, first, second) >= LOOSE)
    for a, b in ((first[alike], second[alike]), (second[alike], first[alike])):
        order = np.argsort(a, kind="stable")
        for start in range(0, len(order), BLOCK):
            part = order[start : start + BLOCK]
            which, place = np.unique(a[part], return_inverse=True)
            spans = _moved(grey[which])
            shares = np.einsum("pik,pi->pk", spans[place], grey[b[part]])
            into = alike[part]
            found[into] = np.maximum(found[into], np.linalg.norm(shares, axis=1))
    return found


def _standing_out(found: NDArray[np.float64], threshold: float) -> float:
    """The least threshold that no fewer pairs are above than just below, half as far again from 1."""
    far = 1 - threshold
    while (
        (found >= 1 - far).sum() < ((found >= 1 - 1.5 * far) & (found < 1 - far)).sum()
    ) and far > LEAST_FAR:
        far /= 1.25
    return 1 - far


def _products(grey: NDArray[np.float32], first: Places, second: Places) -> NDArray[np.float64]:
    import numpy as np

    found = np.zeros(len(first))
    for start in range(0, len(first), BLOCK):
        part = slice(start, start + BLOCK)
        found[part] = np.einsum("pi,pi->p", grey[first[part]], grey[second[part]])
    return found


def _moved(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, pixels, 5) an orthonormal basis of each picture, and of how it changes when it is moved or scaled."""
    import numpy as np

    square = grey.reshape(-1, SIDE, SIDE)
    down, right = (np.gradient(square, axis=axis) for axis in (1, 2))
    from_middle = np.linspace(-1, 1, SIDE, dtype=np.float32)
    wider, higher = from_middle * right, from_middle[:, None] * down
    changes = np.stack([square, right, down, wider, higher], axis=-1).reshape(-1, SIDE * SIDE, 5)
    basis: NDArray[np.float32] = np.linalg.qr(changes - changes.mean(axis=1, keepdims=True))[0]
    return basis
