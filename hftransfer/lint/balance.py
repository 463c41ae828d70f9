"""Which labels there are how often, and where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hftransfer.lint.findings import Finding
from hftransfer.lint.pool import Pool
from hftransfer.sources.base import some

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RARE = 5
"""Fewer training rows than this teach nothing of a label."""
BADLY = 10
"""The commonest label has so many times the rows of the rarest."""


def label_counts(pool: Pool) -> dict[str, NDArray[np.int64]]:
    """Split -> (L,) rows that have the label; empty for tasks without labels."""
    import numpy as np

    if pool.kind not in ("class", "classes", "tags"):
        return {}
    size = len(pool.splits.labels)
    counts = {}
    for name in pool.names:
        told = [pool.targets[row] for row in pool.rows_of(name).tolist()]
        if pool.kind != "class":
            told = [one for row in told for one in set(row)]
        counts[name] = np.bincount(np.array(told, dtype=np.int64), minlength=size)
    return counts


def missing_labels(pool: Pool) -> list[Finding]:
    """Labels of validation or test that no training row has, and the other way round."""
    import numpy as np

    counts = label_counts(pool)
    found = []
    for name in pool.names[1:] if counts else ():
        train, there = counts["train"], counts[name]
        unknown, unseen = (train == 0) & (there > 0), (train > 0) & (there == 0)
        if unknown.any():
            rows = [
                row
                for row in pool.rows_of(name).tolist()
                if np.any(unknown[np.atleast_1d(np.array(pool.targets[row], dtype=np.int64))])
            ]
            found.append(
                Finding(
                    "missing-labels",
                    "warning",
                    (name, "train"),
                    len(rows),
                    len(pool.rows_of(name)),
                    f"{len(rows)} {name} rows have a label that no training row has: {_named(pool, unknown)}",
                    "it cannot be learned: give it training rows, or take it out",
                    pool.examples(rows, label=True),
                )
            )
        if unseen.any():
            found.append(
                Finding(
                    "missing-labels",
                    "info" if pool.kind == "tags" else "warning",  # rare tags are many
                    ("train", name),
                    int(train[unseen].sum()),
                    int(train.sum()),
                    f"{int(unseen.sum())} of {len(train)} labels have no {name} row: {_named(pool, unseen)}",
                    f"nothing is said of how well they are told: give {name} rows of them",
                )
            )
    return found


def imbalance(pool: Pool) -> list[Finding]:
    """Labels with few training rows, or with far fewer than the commonest; of tags, the few alone."""
    counts = label_counts(pool)
    if not counts:
        return []
    train = counts["train"]
    there = train[train > 0]
    most, least = int(train.argmax()), int((train + (train == 0) * train.sum()).argmin())
    rare = (train > 0) & (train < RARE)
    uneven = pool.kind != "tags" and train[most] >= BADLY * train[least]
    if not rare.any() and not uneven:
        return []
    labels = pool.splits.labels
    said = (
        f"train: `{labels[most]}` has {train[most] / train[least]:.0f} times the rows of `{labels[least]}` "
        f"({train[most]:,} and {train[least]:,})"
        if uneven
        else "train"
    )
    if rare.any():
        said += (
            f"{';' if uneven else ':'} {int(rare.sum())} of {len(there)} labels have fewer than {RARE} rows: "
        )
        said += _named(pool, rare)
    return [
        Finding(
            "imbalance",
            "info" if pool.kind == "tags" else "warning",
            ("train",),
            int(train[rare].sum() or train[least]),
            int(train.sum()),
            said,
            "judge by macro F1 and by class, not by accuracy; give the rare ones more rows"
            + (", or weight (task.class_weights: balanced)" if pool.kind == "class" else ""),
        )
    ]


def _named(pool: Pool, which: NDArray[np.bool_]) -> str:
    import numpy as np

    return some([pool.splits.labels[one] for one in np.flatnonzero(which).tolist()], 5)
