"""Numbers to predict: all the same, or far from all others."""

from __future__ import annotations

from hftransfer.lint.findings import Finding, percent
from hftransfer.lint.pool import Pool

FAR = 10
"""Interquartile ranges beyond the quartiles. Tukey calls 3 far out; heavy tails are no mistakes yet."""


def constant(pool: Pool) -> list[Finding]:
    """A target that is one number in all training rows."""
    import numpy as np

    if pool.kind != "numbers":
        return []
    rows = pool.rows_of("train")
    values = np.array([pool.targets[row] for row in rows.tolist()], dtype=np.float64)
    same = np.flatnonzero(values.max(axis=0) == values.min(axis=0)).tolist()
    return [
        Finding(
            "constant-target",
            "warning",
            ("train",),
            len(rows),
            len(rows),
            f"every training row has the same `{pool.splits.labels[one]}`, {values[0, one]:g}",
            "there is nothing to learn from it: is it the right column?",
        )
        for one in same
    ]


def outliers(pool: Pool) -> list[Finding]:
    """Training rows whose number lies far outside of the middle half of all."""
    import numpy as np

    if pool.kind != "numbers":
        return []
    rows = pool.rows_of("train")
    values = np.array([pool.targets[row] for row in rows.tolist()], dtype=np.float64)
    found = []
    for number, name in enumerate(pool.splits.labels):
        one = values[:, number]
        low, high = np.percentile(one, [25, 75])
        far = (one < low - FAR * (high - low)) | (one > high + FAR * (high - low))
        count = int(far.sum())
        if not count or high == low:
            continue
        found.append(
            Finding(
                "outliers",
                "warning",
                ("train",),
                count,
                len(rows),
                f"{count} of {len(rows)} training rows ({percent(count, len(rows))}) have a `{name}` far from the "
                f"others: half of all lie between {low:g} and {high:g}",
                "squared errors are all but theirs alone: mend what is mistyped, or take a logarithm",
                pool.examples(rows[far], label=True),
            )
        )
    return found
