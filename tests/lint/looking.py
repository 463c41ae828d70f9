"""Rows in memory, and what lint finds in them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from hftransfer.lint import Finding, lint
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Column, Splits, make_splits

TEXT = {"text": Column("text"), "text_pair": Column("text", required=False), "label": Column("class")}

LETTERS = "aeioubdfgklmnprst"


def made(source: Any, columns: Mapping[str, Column] = TEXT, **settings: Any) -> Splits:
    data = DataSection(source=source, **settings)
    return make_splits(open_source(data), data, columns=columns, seed=0)


def look(source: Any, columns: Mapping[str, Column] = TEXT, **settings: Any) -> tuple[Finding, ...]:
    accept = {"accept": settings.pop("accept")} if "accept" in settings else {}
    return lint(made(source, columns, **settings), columns, **accept)


def found(findings: Sequence[Finding], check: str, *splits: str) -> Finding:
    """The one finding of a check, in these splits where they are given."""
    (one,) = (f for f in findings if f.check == check and (not splits or f.splits == splits))
    return one


def names(findings: Sequence[Finding]) -> list[str]:
    return [one.check for one in findings]


def texts(count: int, *, seed: int = 0, words: int = 9) -> list[str]:
    """Texts that have nothing to do with one another."""
    draw = random.Random(seed)
    return [" ".join("".join(draw.choices(LETTERS, k=6)) for _ in range(words)) for _ in range(count)]


def rows(count: int, *, seed: int = 0, labels: str = "ab") -> list[dict[str, Any]]:
    """Rows without anything to find: the labels come in no order."""
    draw = random.Random(seed)
    told = [labels[i % len(labels)] for i in range(count)]
    draw.shuffle(told)
    return [{"text": text, "label": label} for text, label in zip(texts(count, seed=seed), told, strict=True)]
