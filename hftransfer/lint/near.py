"""Rows that are nearly there twice, in one split or in two: texts and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hftransfer.lint.copies import MANY, MANY_ACROSS, first_of, shows_target
from hftransfer.lint.findings import Finding, percent
from hftransfer.lint.pictures import SMALLEST, similar_images
from hftransfer.lint.pool import Pool
from hftransfer.lint.similar import Similar, similar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

NEAR = 0.8
"""The overlap (Jaccard) of the four-letter pieces of two texts from which they are nearly the same."""
PICTURE = 0.96
"""The correlation of an image with what another, moved and scaled a little, makes of it. On 2,059 photographs of hands
in ten positions on one table no two reach it, and the same ones made smaller, darker, brighter or of low quality do."""


def near(pool: Pool) -> list[Finding]:
    """Rows that are nearly those of a row of train (of validation and test), or of an earlier one of their own split.

    Texts: the same but for case, white space and punctuation, or with most of their four-letter pieces in common.
    Images: the same in another size, quality or brightness, or cut a little.
    """
    if set(pool.texts) != set(pool.inputs) and not _pictures(pool):
        return [_not_looked_for(pool)]
    twins = _Twins.of(pool)
    found = _not_compared(pool, twins)
    for name in pool.names:
        for other in ("train", name) if name != "train" else (name,):
            finding = _near(pool, twins, name, other)
            found += [finding] if finding else []
    return found


def _pictures(pool: Pool) -> bool:
    return [*pool.inputs.values()] == ["image"]


def _near(pool: Pool, twins: _Twins, name: str, other: str) -> Finding | None:
    """The rows of `name` that are near to one of `other`, or, where that is the same split, to an earlier row."""
    import numpy as np

    rows = pool.rows_of(name)
    others = rows if name == other else pool.rows_of(other)
    exact = first_of(pool.exact, others).places(pool.exact[rows])
    origin = twins.nearest(rows, others)
    across = name != other
    order = np.flatnonzero((origin >= 0) & ((exact < 0) if across else (exact >= rows)))
    count = len(order)
    if not count:
        return None
    whose = f"a row of {other}" if across else "an earlier row"
    return Finding(
        "near-leakage" if across else "near-duplicates",
        "warning" if count > (MANY_ACROSS if across else MANY) * len(rows) else "info",
        (name, other) if across else (name,),
        count,
        len(rows),
        f"{count} of {len(rows)} {name} rows ({percent(count, len(rows))}) are nearly the same as {whose} "
        f"({_how(pool, twins, rows[order], origin[order])})",
        "look at some: where they are copies, keep one of each"
        + (f", and none in {name} of what is in {other}" if across else ""),
        pool.examples(rows[order], origin[order].tolist(), label=shows_target(pool)),
    )


def _how(pool: Pool, twins: _Twins, rows: Places, origin: Places) -> str:
    """What is meant by nearly."""
    if _pictures(pool):
        return "in another size, quality or brightness, or cut a little"
    same = int((twins.keys[rows] == twins.keys[origin]).sum())
    alike = f"; {same} of them but for case, spaces and punctuation" if same else ""
    return f"{NEAR:.0%} of their four-letter pieces{alike}"


def _not_looked_for(pool: Pool) -> Finding:
    kinds = " and ".join(sorted({kind for role, kind in pool.inputs.items() if role not in pool.texts}))
    return Finding(
        "near-duplicates",
        "info",
        pool.names,
        0,
        len(pool),
        f"near duplicates are not looked for: inputs of the kind {kinds} are compared byte by byte alone",
        "the same picture or sound in another file is not found: keep what was taken together in one split",
    )


def _not_compared(pool: Pool, twins: _Twins) -> list[Finding]:
    """What was left out of the search, where that is anything: too many of them, or images that say too little."""
    count, small = int(twins.keys.max()) + 1, twins.short if _pictures(pool) else 0
    if not twins.left_out and not small:
        return []
    looked = count - twins.left_out - small
    message = f"near duplicates were looked for in {looked} of {count} different "
    message += "images" if _pictures(pool) else "texts"
    if twins.left_out:
        message += ": what is scored first, then train"
    if small:
        message += f"; {small} are smaller than {SMALLEST} pixels or of one grey"
    advice = "exact copies are counted in all of them"
    if twins.left_out:
        advice += "; for near ones in the rest, look at a part: data.limits.train"
    return [Finding("near-duplicates", "info", pool.names, 0, len(pool), message, advice)]


def _similar(pool: Pool, rows: Sequence[int]) -> Similar:
    """Pairs of these rows of the pool."""
    if _pictures(pool):
        return similar_images(pool.files(next(iter(pool.inputs)), rows), PICTURE)
    return similar([[plain[row] for row in rows] for plain in pool.plain.values()], NEAR)


@dataclass(frozen=True)
class _Twins:
    """keys: of N rows, the number of their text or image (`Pool.normal`). first, second, similarity: pairs of these,
    both ways. short, left_out: how many were not looked at, see `Similar`."""

    keys: Places
    first: Places
    second: Places
    similarity: NDArray[np.float64]
    short: int
    left_out: int

    @classmethod
    def of(cls, pool: Pool) -> _Twins:
        import numpy as np

        _, chosen, keys = np.unique(pool.normal, return_index=True, return_inverse=True)
        # What is scored stands first: where not all can be compared, it is.
        order = np.lexsort((chosen, pool.split[chosen] == 0))
        seen = _similar(pool, chosen[order].tolist())
        first, second = order[seen.first], order[seen.second]
        return cls(
            keys,
            np.concatenate([first, second]),
            np.concatenate([second, first]),
            np.tile(seen.similarity, 2),
            seen.short,
            seen.left_out,
        )

    def nearest(self, rows: Places, others: Places) -> Places:
        """For each of `rows`, the place of the nearest of `others`, the first of several, or -1.

        Of rows among themselves, only earlier ones count.
        """
        import numpy as np

        count = int(self.keys.max()) + 1
        there, where = np.unique(self.keys[others], return_index=True)
        first = np.full(count, -1)
        first[there] = others[where]
        known = first[self.second] >= 0
        if rows is others:
            known &= first[self.second] < first[self.first]
        a, b, similarity = self.first[known], first[self.second[known]], self.similarity[known]
        order = np.lexsort((-b, similarity))  # the last one that is written stays
        place = np.full(count, -1)
        place[a[order]] = b[order]
        keys = self.keys[rows]
        same = (first[keys] >= 0) & (first[keys] != rows)
        return np.where(same, first[keys], place[keys])
