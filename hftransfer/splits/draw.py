"""Which rows are drawn: hold-outs and limits. Pure functions of the labels, the numbers and the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STREAMS = ("hold out test", "hold out validation", "limit train", "limit validation", "limit test")


def hold_out(ids: NDArray[np.int64], size: int, *, seed: int, stream: str) -> NDArray[np.int64]:
    """Positions of about `size` rows to set aside, sorted: every class in proportion, and never its last row.

    ids: (N,) the class of every row. Shares are rounded by largest remainder; classes of one row stay whole.
    (scikit-learn's stratified split refuses such classes, and may take a small class's last row.)
    """
    import numpy as np

    counts = np.bincount(ids)
    room = np.maximum(counts - 1, 0)
    size = min(size, int(room.sum()))
    exact = size * counts / max(counts.sum(), 1)
    quota = np.minimum(np.floor(exact).astype(np.int64), room)
    while (short := size - int(quota.sum())) > 0:
        wanting = np.flatnonzero(quota < room)
        first = wanting[np.argsort(-(exact - quota)[wanting], kind="stable")][:short]
        quota[first] += 1
    shuffled = _generator(seed, stream).permutation(len(ids))
    by_class = shuffled[np.argsort(ids[shuffled], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.arange(len(ids)) - np.repeat(starts, counts)
    return np.sort(by_class[rank < np.repeat(quota, counts)])


def hold_out_whole(groups: NDArray[np.int64], size: int, *, seed: int, stream: str) -> NDArray[np.int64]:
    """Positions of at most about `size` rows to set aside, sorted: every group wholly or not at all.

    groups: (N,) the group of every row, from 0. Groups are taken in a drawn order while they bring the sum nearer to
    `size`; at least one is taken and one is left. None where there is but one group.
    """
    import numpy as np

    counts = np.bincount(groups)
    order = _generator(seed, stream).permutation(len(counts))[: len(counts) - 1]
    sums = np.cumsum(counts[order])
    taken = order[: max(1, int((2 * sums - counts[order] < 2 * size).sum()))]
    return np.flatnonzero(np.isin(groups, taken))


def limit(size: int, most: int, *, seed: int, stream: str) -> NDArray[np.int64]:
    """At most `most` of `size` positions, sorted, drawn without regard to class.

    A smaller limit takes a subset.
    """
    import numpy as np

    return np.sort(_generator(seed, stream).permutation(size)[:most])


def _generator(seed: int, stream: str) -> np.random.Generator:
    import numpy as np

    return np.random.default_rng([seed, STREAMS.index(stream)])
