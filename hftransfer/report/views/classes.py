"""Tables of what a confusion matrix says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hftransfer.report.parts import Table

MOST = 200
SHOWN = 15


def class_scores(counts: NDArray[np.int64], labels: Sequence[str], split: str) -> Table:
    """counts: (C, C) by given and predicted label. The weakest classes first; 0 where a share has no rows, as
    scikit-learn's zero_division=0."""
    right, there, said = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return score_table(right, there, said, labels, split)


def score_table(
    right: NDArray[np.int64],
    there: NDArray[np.int64],
    said: NDArray[np.int64],
    labels: Sequence[str],
    split: str,
) -> Table:
    """right, there, said: (C,) rows of every label that have it and are said to, that have it, and are said to."""
    precision, recall = right / np.maximum(said, 1), right / np.maximum(there, 1)
    f1 = 2 * right / np.maximum(there + said, 1)
    order = np.lexsort((np.arange(len(labels)), there == 0, f1))
    table = [
        [
            labels[one],
            float(precision[one]),
            float(recall[one]),
            float(f1[one]),
            int(there[one]),
            int(said[one]),
        ]
        for one in order[:MOST].tolist()
    ]
    more = f"; {len(labels) - MOST} more are left out" if len(labels) > MOST else ""
    caption = f"Every label on {split}, the weakest first{more}"
    return Table(
        caption,
        ["label", "precision", "recall", "F1", "rows", "predicted"],
        table,
        folded=len(labels) > SHOWN,
    )


def confusions(counts: NDArray[np.int64], labels: Sequence[str], unit: str = "rows") -> Table:
    """The commonest kinds of mistakes. unit: what is counted."""
    off = counts.copy()
    np.fill_diagonal(off, 0)
    kinds, there = int((off > 0).sum()), counts.sum(axis=1)
    order = np.argsort(-off, axis=None, kind="stable")[: min(SHOWN, kinds)]
    found = [
        [labels[row], labels[column], int(off[row, column]), f"{off[row, column] / there[row]:.1%}"]
        for row, column in zip(*np.unravel_index(order, off.shape), strict=True)
    ]
    caption = f"The commonest mistakes, of {kinds:,} kinds" if kinds > SHOWN else "The mistakes"
    return Table(caption, ["label", "taken for", unit, f"of the label's {unit}"], found)
