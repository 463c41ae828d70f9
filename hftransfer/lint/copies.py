"""Rows that are there twice: exactly or nearly, in one split or in two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hftransfer.lint.findings import Finding, percent
from hftransfer.lint.pool import Pool
from hftransfer.lint.similar import similar

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
NEAR = 0.8
"""The overlap (Jaccard) of the four-letter pieces of two texts from which they are nearly the same."""


def leakage(pool: Pool, accept: float) -> list[Finding]:
    """Rows of validation and test whose inputs stand exactly in train.

    More of them than the share `accept`, and not a handful, are an error; not where nothing is to be predicted but the
    text itself, of which lines come again by nature.
    """
    found = []
    for name in pool.names[1:]:
        rows, first = pool.rows_of(name), _first_of(pool.exact, pool.rows_of("train"))
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
                pool.examples(rows[leaked], origin[leaked].tolist(), label=_shows(pool)),
            )
        )
    return found


def between_validation_and_test(pool: Pool) -> list[Finding]:
    """Rows of test that are in validation; most of one in the other: the same rows choose the weights and report."""
    import numpy as np

    if "test" not in pool.names:
        return []
    rows, others = pool.rows_of("test"), pool.rows_of("validation")
    origin = _first_of(pool.exact, others).places(pool.exact[rows])
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
        origin = _first_of(pool.exact, rows).places(pool.exact[rows])
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
                    pool.examples(rows[again], origin[again].tolist(), label=_shows(pool)),
                )
            )
    return found


def near(pool: Pool) -> list[Finding]:
    """Rows whose texts are nearly those of a row of train (of validation and test), or of an earlier one of their own
    split: the same but for case, white space and punctuation, or with most of their four-letter pieces in common."""
    if set(pool.texts) != set(pool.inputs):
        return [_not_looked_for(pool)]
    twins = _Twins.of(pool)
    found = [_not_compared(pool, twins)] if twins.left_out else []
    for name in pool.names:
        for other in ("train", name) if name != "train" else (name,):
            finding = _near(pool, twins, name, other)
            found += [finding] if finding else []
    return found


def _near(pool: Pool, twins: _Twins, name: str, other: str) -> Finding | None:
    """The rows of `name` that are near to one of `other`, or, where that is the same split, to an earlier row."""
    import numpy as np

    rows = pool.rows_of(name)
    others = rows if name == other else pool.rows_of(other)
    exact = _first_of(pool.exact, others).places(pool.exact[rows])
    origin = twins.nearest(rows, others)
    across = name != other
    order = np.flatnonzero((origin >= 0) & ((exact < 0) if across else (exact >= rows)))
    count = len(order)
    if not count:
        return None
    same = int((twins.keys[rows[order]] == twins.keys[origin[order]]).sum())
    whose = f"a row of {other}" if across else "an earlier row"
    alike = f"; {same} of them but for case, spaces and punctuation" if same else ""
    return Finding(
        "near-leakage" if across else "near-duplicates",
        "warning" if count > (MANY_ACROSS if across else MANY) * len(rows) else "info",
        (name, other) if across else (name,),
        count,
        len(rows),
        f"{count} of {len(rows)} {name} rows ({percent(count, len(rows))}) are nearly the same as {whose} "
        f"({NEAR:.0%} of their four-letter pieces{alike})",
        "look at some: where they are copies, keep one of each"
        + (f", and none in {name} of what is in {other}" if across else ""),
        pool.examples(rows[order], origin[order].tolist(), label=_shows(pool)),
    )


def _shows(pool: Pool) -> bool:
    """Whether the target of a row is short enough to stand in an example."""
    return pool.kind in ("class", "classes", "numbers")


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


def _not_compared(pool: Pool, twins: _Twins) -> Finding:
    count = int(twins.keys.max()) + 1
    return Finding(
        "near-duplicates",
        "info",
        pool.names,
        0,
        len(pool),
        f"near duplicates were looked for in {count - twins.left_out} of {count} different texts: what is scored "
        "first, then train",
        "exact copies are counted in all of them; for near ones in the rest, look at a part: data.limits.train",
    )


@dataclass(frozen=True)
class _First:
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


def _first_of(keys: NDArray[np.uint64], rows: Places) -> _First:
    import numpy as np

    there, first = np.unique(keys[rows], return_index=True)
    return _First(there, rows[first])


@dataclass(frozen=True)
class _Twins:
    """keys: of N rows, the number of their text (`Pool.normal`). first, second, similarity: pairs of texts, both ways.
    left_out: how many texts were not looked at."""

    keys: Places
    first: Places
    second: Places
    similarity: NDArray[np.float64]
    left_out: int

    @classmethod
    def of(cls, pool: Pool) -> _Twins:
        import numpy as np

        _, chosen, keys = np.unique(pool.normal, return_index=True, return_inverse=True)
        # What is scored stands first: where not all can be compared, it is.
        order = np.lexsort((chosen, pool.split[chosen] == 0))
        texts = [[plain[row] for row in chosen[order].tolist()] for plain in pool.plain.values()]
        seen = similar(texts, NEAR)
        first, second = order[seen.first], order[seen.second]
        return cls(
            keys,
            np.concatenate([first, second]),
            np.concatenate([second, first]),
            np.tile(seen.similarity, 2),
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
