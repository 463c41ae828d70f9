"""Rows that are there twice, exactly, in one split or in two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hftransfer.lint.findings import Finding, percent
from hftransfer.lint.pool import Pool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

FEW = 10
"""Fewer leaked rows than this keep no run from starting: their share is no estimate of anything."""
MANY, MANY_ACROSS = 0.1, 0.05
"""The share of copies from which a run says so: within a split, and between two where it is not told at any rate."""
HALF = 0.5
"""The share of validation or test that is in the other one from which they count as the same."""


def leakage(pool: Pool, accept: float) -> list[Finding]:
    """Rows of validation and test whose inputs stand exactly in train.

    More of them than the share `accept`, and not a handful, are an error; not where nothing is to be predicted but the
    text itself, of which lines come again by nature.
    """
    found = []
    for name in pool.names[1:]:
        rows, first = pool.rows_of(name), first_of(pool.exact, pool.rows_of("train"))
        origin = first.places(pool.exact[rows])
        leaked = origin >= 0
        count = int(leaked.sum())
        if not count:
            continue
        refused = pool.target is not None and count >= FEW and count > accept * len(rows)
        message = f"{count} of {len(rows)} {name} rows have the same inputs as a row of train"
        if refused:
            message += f" ({percent(count, len(rows))}; data.accept_leakage is {accept:g})"
        found.append(
            Finding(
                "leakage",
                "error" if refused else "warning",
                (name, "train"),
                count,
                len(rows),
                message,
                f"take them out of train, or out of {name}: they are scored as if they were new",
                pool.examples(rows[leaked], origin[leaked].tolist(), label=shows_target(pool)),
            )
        )
    return found


def between_validation_and_test(pool: Pool) -> list[Finding]:
    """Rows of test that are in validation; most of one in the other: the same rows choose the weights and report."""
    import numpy as np

    if "test" not in pool.names:
        return []
    rows, others = pool.rows_of("test"), pool.rows_of("validation")
    origin = first_of(pool.exact, others).places(pool.exact[rows])
    shared, count = origin >= 0, int((origin >= 0).sum())
    if not count:
        return []
    back = int(np.isin(pool.exact[others], pool.exact[rows]).sum())
    same = max(count / len(rows), back / len(others)) >= HALF
    message = f"{count} of {len(rows)} test rows have the same inputs as a row of validation"
    if same:
        message = (
            f"test is used as validation: {message}, and {back} of {len(others)} validation rows are in test"
        )
    return [
        Finding(
            "test-as-validation",
            "warning" if same or count > MANY_ACROSS * len(rows) else "info",
            ("test", "validation"),
            count,
            len(rows),
            message,
            "the best weights are chosen on validation, so that a test score on the same rows is too good: give test "
            "rows of its own, or leave it out",
            pool.examples(rows[shared], origin[shared].tolist()),
        )
    ]


def duplicates(pool: Pool) -> list[Finding]:
    """Rows whose inputs stood in the same split before."""
    found = []
    for name in pool.names:
        rows = pool.rows_of(name)
        origin = first_of(pool.exact, rows).places(pool.exact[rows])
        again = origin < rows
        count = int(again.sum())
        if count:
            found.append(
                Finding(
                    "duplicates",
                    "warning" if count > MANY * len(rows) else "info",
                    (name,),
                    count,
                    len(rows),
                    f"{count} of {len(rows)} {name} rows ({percent(count, len(rows))}) repeat the inputs of an "
                    f"earlier one",
                    "what is there several times counts several times: keep one of each, where that is not meant",
                    pool.examples(rows[again], origin[again].tolist(), label=shows_target(pool)),
                )
            )
    return found


def shows_target(pool: Pool) -> bool:
    """Whether the target of a row is short enough to stand in an example."""
    return pool.kind in ("class", "classes", "numbers")


@dataclass(frozen=True)
class First:
    """Of distinct `keys`, in order, the first place of each."""

    keys: NDArray[np.uint64]
    place: Places

    def places(self, wanted: NDArray[np.uint64]) -> Places:
        """Where each is first, or -1."""
        import numpy as np

        if not len(self.keys):
            return np.full(len(wanted), -1)
        at = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[at] == wanted, self.place[at], -1)


def first_of(keys: NDArray[np.uint64], rows: Places) -> First:
    import numpy as np

    there, first = np.unique(keys[rows], return_index=True)
    return First(there, rows[first])
