"""What tells the label without being meant to: a word in a fixed place, an id, the order of the rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from hftransfer.lint.findings import Finding
from hftransfer.lint.labels import folded
from hftransfer.lint.pool import Pool, codes, column, positions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]

SURE = 0.98
"""The share of training rows whose label follows from the value."""
COMMON = 0.9
"""Where one label has this share of the rows, it follows from anything."""
FEW = 20
"""Of so few rows, nothing is said."""
DIGITS = re.compile(r"\d+")


def words(pool: Pool) -> list[Finding]:
    """Texts whose first or last word gives the label away."""
    labels = _labels(pool)
    if labels is None:
        return []
    found = []
    for role, texts in pool.texts.items():
        rows = pool.rows_of("train").tolist()
        for which, place in (("first", 0), ("last", -1)):
            values = [(texts[row].split() or [""])[place] for row in rows]
            bare = [DIGITS.sub("#", one) for one in values]
            share, digits = _told(values, labels), ""
            if share < SURE:
                share, digits = _told(bare, labels), ", its digits left out,"
            if share >= SURE:
                found.append(
                    Finding(
                        "label-in-text",
                        "warning",
                        ("train",),
                        round(share * len(rows)),
                        len(rows),
                        f"the {which} word of `{role}`{digits} tells the label in {share:.1%} of the training rows",
                        "a model will learn that word and nothing else: take it out, unless new texts have it, too",
                        pool.examples(rows, label=True),
                    )
                )
    return found


def unused_columns(pool: Pool) -> list[Finding]:
    """Columns that no role is filled by, and the names of files, from which the label follows."""
    labels = _labels(pool)
    if labels is None:
        return []
    found = []
    for name, values in _unused(pool):
        ways = (
            ("its value", values),
            ("its value without digits", [DIGITS.sub("#", str(one)) for one in values]),
        )
        how = next((way for way, cells in ways if _told(cells, labels) >= SURE), None)
        if how is None and _in_runs(values, labels):
            how = "its order"
        if how:
            rows = len(pool.rows_of("train"))
            found.append(
                Finding(
                    "label-in-column",
                    "info",
                    ("train",),
                    rows,
                    rows,
                    f"{name} tells the label by {how}; it is not used",
                    "no harm as long as no input is made of it",
                )
            )
    return found


def order(pool: Pool) -> list[Finding]:
    """Training rows that stand in the order of their labels."""
    labels = _labels(pool)
    if labels is None or not _in_runs(range(len(labels)), labels):
        return []
    return [
        Finding(
            "sorted-by-label",
            "info",
            ("train",),
            len(labels),
            len(labels),
            "the training rows stand in the order of their labels",
            "no harm here, where rows are shuffled and drawn at random; elsewhere take no first so many of them",
        )
    ]


def _labels(pool: Pool) -> Codes | None:
    """(N,) classes of the training rows, variants of a label as one, or numbers for their sets of labels, where there
    is enough to tell."""
    import numpy as np

    if pool.kind not in ("class", "classes"):
        return None
    told = [pool.targets[row] for row in pool.rows_of("train").tolist()]
    names = [folded(one) for one in pool.splits.labels]
    _, labels = np.unique(
        [names[one] for one in told] if pool.kind == "class" else codes(told), return_inverse=True
    )
    return labels if len(labels) >= FEW and np.bincount(labels).max() < COMMON * len(labels) else None


def _unused(pool: Pool) -> Iterator[tuple[str, list[Any]]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    train = pool.splits.train
    unused = train.select_columns([]) if pool.splits.unused is None else pool.splits.unused
    for name in unused.column_names:
        kind = unused.data.schema.field(name).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_primitive(kind):
            yield f"the column `{name}`", column(unused, name).to_pylist()
    for role in pool.inputs:
        if role not in pool.texts:
            # The names alone: beside them may stand all bytes of all images.
            names = pc.struct_field(train.data.column(role), "path").take(positions(train)).to_pylist()
            if all(names):
                yield f"the name of the file in `{role}`", [PurePath(one).name for one in names]


def _told(values: Sequence[Any], labels: Codes) -> float:
    """The share of rows whose label is the commonest among at least two rows with the same value."""
    import numpy as np

    _, codes = np.unique(np.array([str(one) for one in values], dtype=object), return_inverse=True)
    pairs, counts = np.unique(np.stack([codes, labels]), axis=1, return_counts=True)
    best = np.zeros(int(codes.max()) + 1, np.int64)
    np.maximum.at(best, pairs[0], counts)
    return float(best[best > 1].sum() / len(labels))


def _in_runs(values: Sequence[Any], labels: Codes) -> bool:
    """Whether rows that follow one another in the order of `values` (numbers by value) have the same label."""
    import numpy as np

    if len(set(values)) < len(values) / 2:
        return False  # many are equal: what they tell, they tell by their value
    order = np.array(sorted(range(len(values)), key=lambda row: _natural(values[row])))
    same = float((labels[order[1:]] == labels[order[:-1]]).mean())
    by_chance = float(((np.bincount(labels) / len(labels)) ** 2).sum())
    return 1 - same <= (1 - SURE) * (1 - by_chance)


def _natural(value: Any) -> tuple[Any, ...]:
    """Numbers by value, also in a text: `a10` after `a9`."""
    if isinstance(value, int | float):
        return (0, value)
    parts = re.split(r"(\d+)", str(value))
    return (1, *(int(one) if place % 2 else one for place, one in enumerate(parts)))
