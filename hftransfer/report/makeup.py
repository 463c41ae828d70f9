"""What the splits of a run are made of, from what it wrote down before it trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hftransfer.report.parts import Part, Picture, Say, Table
from hftransfer.report.views.classes import MOST, SHOWN
from hftransfer.result import Result
from hftransfer.sources.base import some

OUTSIDE = "O"
"""The tag of words that belong to nothing."""


def balance(result: Result, facts: Mapping[str, Any]) -> Iterator[Part]:
    """How much of every label each split has; nothing where the run has not written it down, or there are none."""
    told = facts.get("balance") or {}
    labels: Sequence[str] = result.labels
    splits: Mapping[str, Sequence[int]] = told.get("splits") or {}
    if not splits or not labels:
        return
    from hftransfer.report import plots

    unit, outside = told["unit"], ""
    if unit == "words" and OUTSIDE in labels:
        labels, splits, share = _inside(labels, splits)
        unit = "tagged words"
        outside = f" The {share:.0%} of words that are of none, {OUTSIDE}, are left out."
    # Of several labels a row the shares are of the rows, and sum to more than 1.
    rows: Mapping[str, int] = result.examples if unit == "rows" else {}
    totals = {name: rows.get(name, sum(values)) for name, values in splits.items()}
    first, amounts = next(iter(splits.items()))
    most, least = (labels[pick(range(len(labels)), key=amounts.__getitem__)] for pick in (max, min))
    spread = (
        f"every label has {max(amounts):,} {unit} in {first}"
        if max(amounts) == min(amounts)
        else f"in {first} from {min(amounts):,} ({least}) to {max(amounts):,} ({most})"
    )
    yield Picture(
        "balance",
        "Class balance",
        f"Share of every label in each split, by {unit}: {spread}.{outside}",
        lambda: plots.balance(splits, labels, unit, totals),
    )
    for name, values in splits.items():
        missing = [label for label, amount in zip(labels, values, strict=True) if not amount]
        if missing:
            yield Say(f"Labels without any {unit} in {name}: {some(missing)}.", warning=True)
    order = sorted(range(len(labels)), key=lambda index: -amounts[index])[:MOST]
    more = f"; the {len(labels) - MOST} rarest are left out" if len(labels) > MOST else ""
    yield Table(
        f"{unit.capitalize()} of every label, the commonest in {first} first{more}",
        ["label", *splits],
        [[labels[index], *(values[index] for values in splits.values())] for index in order],
        folded=len(order) > SHOWN,
    )


def _inside(
    labels: Sequence[str], splits: Mapping[str, Sequence[int]]
) -> tuple[list[str], dict[str, list[int]], float]:
    """The same without `OUTSIDE`, beside which nothing else is seen; and its share of all words."""
    kept = [index for index, label in enumerate(labels) if label != OUTSIDE]
    inside = {name: [values[index] for index in kept] for name, values in splits.items()}
    total = sum(map(sum, splits.values()))
    share = 1 - sum(map(sum, inside.values())) / max(total, 1)
    return [labels[index] for index in kept], inside, share


def tokens(facts: Mapping[str, Any]) -> Iterator[Part]:
    """How long texts are in tokens before anything is cut, and what the limit does."""
    told = facts.get("tokens") or {}
    splits = told.get("splits") or {}
    if not splits:
        return
    from hftransfer.report import plots

    limits = {one["limit"] for one in splits.values()} - {None}
    limit = max(limits, default=None)
    over, texts = (sum(one[key] for one in splits.values()) for key in ("over", "texts"))
    does = (
        "the model takes texts of any length"
        if limit is None
        else f"{over:,} of {texts:,} texts ({over / texts:.1%}) are longer than the limit of {limit:,} and are "
        f"{told['longer']}"
    )
    yield Picture(
        "tokens",
        "Length of texts in tokens",
        f"Histograms of the tokens of texts before anything is cut, special ones included, by split; {does}.",
        lambda: plots.tokens(told["edges"], {name: one["counts"] for name, one in splits.items()}, limit),
    )
    cells = [
        [
            name,
            one["texts"],
            one["median"],
            one["p99"],
            one["longest"],
            one["limit"],
            one["over"],
            f"{one['over'] / one['texts']:.1%}",
        ]
        for name, one in splits.items()
    ]
    columns = ["split", "texts", "half have at most", "99 % have at most", "longest", "limit"]
    yield Table("Tokens of texts", [*columns, told["longer"], "share of them"], cells)
