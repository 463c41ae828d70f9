"""Which rows are drawn: hold-outs and limits. Pure functions of the labels, the numbers and the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STREAMS = ("hold out test", "hold out validation", "limit train", "limit validation", "limit test")


def hold_out(
    ids: NDArray[np.int64], size: int, *, groups: NDArray[np.int64] | None = None, seed: int, stream: str
) -> NDArray[np.int64]:
    """Positions of about `size` rows to set aside, sorted: every class in proportion, and never its last row.

    ids: (N,) the class of every row. groups: (N,) from 0; rows of one group are set aside together or not at all; by
    default each is one by itself, and there are exactly `size` rows, where classes have so many to spare. Shares are
    rounded by largest remainder; classes of one row stay whole.
    (scikit-learn's stratified split refuses such classes, and may take a small class's last row; its splits by group
    are not stratified, or into equal folds alone, and count groups where rows are asked for.)
    """
    import numpy as np

    shuffled = _generator(seed, stream).permutation(len(ids))
    groups = np.arange(len(ids)) if groups is None else groups
    stays = _staying(ids, groups, shuffled)
    room = np.bincount(ids[~stays[groups]], minlength=int(ids.max(initial=-1)) + 1)
    quota = _quotas(np.bincount(ids), room, min(size, int(room.sum())))
    # Groups are drawn by their first row, whose class is theirs.
    drawn = np.sort(np.unique(groups[shuffled], return_index=True)[1])
    rows = shuffled[drawn]
    rows = rows[~stays[groups[rows]]]
    sizes = np.bincount(groups)[groups[rows]]
    taken = _fitting(sizes.tolist(), ids[rows].tolist(), quota.tolist())
    return np.flatnonzero(np.isin(groups, groups[rows[taken]]))


def _staying(
    ids: NDArray[np.int64], groups: NDArray[np.int64], shuffled: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(G,) groups that are not set aside, so that no class is left without a row: that of its last one, as drawn."""
    import numpy as np

    stays = np.zeros(int(groups.max(initial=-1)) + 1, dtype=bool)
    counts = np.bincount(ids)
    by_class = np.split(shuffled[np.argsort(ids[shuffled], kind="stable")], np.cumsum(counts)[:-1])
    for one in np.argsort(
        counts, kind="stable"
    ).tolist():  # a group that stays for a rare class may do for others
        mine = groups[by_class[one]]
        if len(mine) and not stays[mine].any():
            stays[mine[-1]] = True
    return stays


def _quotas(counts: NDArray[np.int64], room: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """(C,) how many rows of every class make `size`, in proportion to `counts`, and at most `room`."""
    import numpy as np

    exact = size * counts / max(counts.sum(), 1)
    quota: NDArray[np.int64] = np.minimum(np.floor(exact).astype(np.int64), room)
    while (short := size - int(quota.sum())) > 0:
        wanting = np.flatnonzero(quota < room)
        first = wanting[np.argsort(-(exact - quota)[wanting], kind="stable")][:short]
        quota[first] += 1
    return quota


def _fitting(sizes: list[int], ids: list[int], quota: list[int]) -> list[int]:
    """Which of the groups to take, in this order: those that fit into their class's quota, then those that fit into
    what that leaves of all quotas; then the smallest, where it brings the sum nearer or nothing is taken yet."""
    left = [*quota]
    taken, others = [], []
    for place, (size, one) in enumerate(zip(sizes, ids, strict=True)):
        if size <= left[one]:
            left[one] -= size
            taken.append(place)
        else:
            others.append(place)
    short = sum(left)
    if taken and not short:
        return taken
    too_large = []
    for place in others:
        if sizes[place] <= short:
            short -= sizes[place]
            taken.append(place)
        else:
            too_large.append(place)
    smallest = min(too_large, key=lambda place: sizes[place], default=None)
    if smallest is not None and (not taken or sizes[smallest] < 2 * short):
        taken.append(smallest)
    return taken


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
