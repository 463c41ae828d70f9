"""All checks, one after the other; and what keeps a run from starting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hftransfer.errors import DataError
from hftransfer.lint import balance, copies, labels, near, numbers, telling, texts
from hftransfer.lint.findings import Finding
from hftransfer.lint.pool import Pool
from hftransfer.splits.columns import Column

if TYPE_CHECKING:
    from hftransfer.splits import Splits

LEAKED = 0.1
"""The share of validation or test rows that may stand in train before the run is refused."""


def lint(
    splits: Splits, columns: Mapping[str, Column], *, accept: float = LEAKED, max_tokens: int | None = None
) -> tuple[Finding, ...]:
    """What is noticed in the rows, the most serious first; the same for the same rows.

    columns: role -> what the task needs there. accept: the share (0 to 1) of validation or test rows whose inputs may
    stand in train, too. max_tokens: what the model reads of a text, None where that is not known.
    """
    pool = Pool.of(splits, columns)
    found = [
        *copies.leakage(pool, accept),
        *copies.between_validation_and_test(pool),
        *labels.contradictory(pool),
        *labels.variants(pool),
        *balance.missing_labels(pool),
        *balance.imbalance(pool),
        *copies.duplicates(pool),
        *near.near(pool),
        *numbers.constant(pool),
        *numbers.outliers(pool),
        *texts.empty(pool),
        *texts.long(pool, max_tokens),
        *telling.words(pool),
        *telling.unused_columns(pool),
        *telling.order(pool),
    ]
    rank = {"error": 0, "warning": 1, "info": 2}
    return tuple(sorted(found, key=lambda one: rank[one.severity]))


def refuse_leakage(findings: Sequence[Finding]) -> None:
    """Raise DataError where more of validation or test stands in train than is accepted."""
    leaks = [one for one in findings if one.severity == "error"]
    if not leaks:
        return
    shown = [
        f"{leak.message}, such as\n" + "\n".join(f"    {one}" for one in leak.examples) for leak in leaks
    ]
    enough = math.ceil(100 * max(leak.share for leak in leaks)) / 100
    raise DataError(
        "\n  ".join(shown),
        hint="scores on rows that were learned by heart say nothing of new ones: take them out of train, or out of the "
        f"split that scores; or accept them: data.accept_leakage={enough:g}",
        key="data.accept_leakage",
    )
