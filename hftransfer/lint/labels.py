"""Labels that contradict one another, and labels that are one and were written in two ways."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from itertools import combinations
from operator import ne
from typing import TYPE_CHECKING, Any

from hftransfer.lint.balance import label_counts
from hftransfer.lint.findings import SHOWN, Finding, percent
from hftransfer.lint.pool import Pool, codes
from hftransfer.splits.copies import fold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SOME = 0.01
"""The share of contradicting rows from which a run says so."""
APART = 0.1
"""Numbers for the same inputs contradict one another from this share of the range that they have in train."""
NOTHING_BETWEEN = re.compile(r"(?<=\w)[\s_-]+(?=\w)")


def contradictory(pool: Pool) -> list[Finding]:
    """Rows with the same inputs (texts but for case and white space) and another target, wherever they stand."""
    import numpy as np

    if pool.kind is None or pool.kind not in TOLD_APART:
        return []
    _, groups = np.unique(pool.folded, return_inverse=True)
    apart = TOLD_APART[pool.kind](pool, groups)
    rows = np.flatnonzero(apart[groups])
    if not len(rows):
        return []
    order = rows[np.argsort(groups[rows], kind="stable")]
    first = order[np.unique(groups[order], return_index=True)[1]]
    first = np.sort(first)
    pairs = [_pair(pool, order[groups[order] == groups[row]]) for row in first[:SHOWN].tolist()]
    return [
        Finding(
            "contradictory-labels",
            "warning" if len(rows) >= SOME * len(pool) else "info",
            pool.names,
            len(rows),
            len(pool),
            f"{len(rows)} of {len(pool)} rows ({percent(len(rows), len(pool))}) have the inputs of another row, "
            "and another label",
            "no model can be right on both: decide on one label for each of them, or take them out",
            pool.examples([row for row, _ in pairs], [other for _, other in pairs], label=True),
        )
    ]


def _differ(pool: Pool, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(G,) whether a group has several targets."""
    import numpy as np

    targets = codes(pool.targets) if pool.kind != "mask" else pool.target_files
    pairs = np.unique(np.stack([groups.astype(np.uint64), targets]), axis=1)
    several: NDArray[np.bool_] = np.bincount(pairs[0].astype(np.int64), minlength=int(groups.max()) + 1) > 1
    return several


def _numbers_apart(pool: Pool, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    import numpy as np

    values = np.array(pool.targets, dtype=np.float64)
    train = values[pool.rows_of("train")]
    spread = APART * (train.max(axis=0) - train.min(axis=0))
    low = np.full((int(groups.max()) + 1, values.shape[1]), np.inf)
    high = -low
    np.minimum.at(low, groups, values)
    np.maximum.at(high, groups, values)
    apart: NDArray[np.bool_] = (high - low > spread).any(axis=1)
    return apart


def _answers_apart(pool: Pool, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(G,) whether two rows of a group have no answer in common; two who answer seldom choose the very same words."""
    import numpy as np

    apart = np.zeros(int(groups.max()) + 1, dtype=bool)
    several = np.flatnonzero(np.bincount(groups)[groups] > 1)
    order = several[np.argsort(groups[several], kind="stable")]
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        told = [_answers(pool.targets[row]) for row in rows.tolist()]
        if told:
            apart[groups[rows[0]]] = any(not one & other for one in told for other in told)
    return apart


def _answers(told: Mapping[str, Any]) -> set[str]:
    return {fold(one) for one in told["text"]} or {""}


TOLD_APART: Mapping[str, Callable[[Pool, NDArray[np.int64]], NDArray[np.bool_]]] = {
    "class": _differ,
    "choice": _differ,
    "classes": _differ,
    "tags": _differ,
    "mask": _differ,
    "numbers": _numbers_apart,
    "answers": _answers_apart,
}
"""Kind of a target -> which groups of rows (G,) have targets that contradict one another."""


def _pair(pool: Pool, group: NDArray[np.int64]) -> tuple[int, int]:
    """Two rows of a group that contradict one another: the first of it, where that is one of them, and the first that
    says something else; of numbers the one that is farthest from the first."""
    import numpy as np

    if pool.kind == "numbers":
        values = np.array([pool.targets[one] for one in group.tolist()], dtype=np.float64)
        return int(group[0]), int(group[np.abs(values - values[0]).max(axis=1).argmax()])
    told: list[Any] = (
        pool.target_files[group].tolist()
        if pool.kind == "mask"
        else [pool.targets[one] for one in group.tolist()]
    )
    apart: Callable[[Any, Any], bool] = ne
    if pool.kind == "answers":
        told, apart = [_answers(one) for one in told], set.isdisjoint
    pairs = combinations(range(len(group)), 2)
    first, second = next((one, other) for one, other in pairs if apart(told[one], told[other]))
    return int(group[first]), int(group[second])


def variants(pool: Pool) -> list[Finding]:
    """Labels that differ only in case, spaces, hyphens, underscores or forms of characters."""
    import numpy as np

    counts = label_counts(pool)
    if not counts:
        return []
    alike: dict[str, list[int]] = {}
    for number, label in enumerate(pool.splits.labels):
        alike.setdefault(folded(label), []).append(number)
    several = [group for group in alike.values() if len(group) > 1]
    if not several:
        return []
    total = np.sum([*counts.values()], axis=0)
    # Of each, all but the commonest: so many rows there are to be mended.
    rows = sum(int(total[group].sum() - total[group].max()) for group in several)
    shown = "; ".join(
        ", ".join(f"`{pool.splits.labels[one]}` ({total[one]} rows)" for one in group)
        for group in several[:3]
    )
    more = f" and {len(several) - 3} more" if len(several) > 3 else ""
    return [
        Finding(
            "label-variants",
            "warning",
            pool.names,
            rows,
            len(pool),
            f"labels that differ only in case, spaces or hyphens: {shown}{more}",
            "they are told apart as they stand: write them in one way, where they mean the same",
        )
    ]


def folded(label: str) -> str:
    """A label without what sets variants of it apart."""
    text = unicodedata.normalize("NFKC", label).casefold().strip()
    return NOTHING_BETWEEN.sub(" ", text)
