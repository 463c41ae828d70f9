"""Hidden tokens: which were guessed, which were taken for which, and how surprising the right ones were."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hftransfer.errors import DataError
from hftransfer.report import rows
from hftransfer.report.parts import Part, Picture, Say, Table
from hftransfer.report.views.base import Row, View

HIDDEN, SEEN = "hidden", "seen"
"""The columns of what was hidden, and of texts as the model saw them: see `FillMask.decode`."""
SHOWN = 20
KEPT = 200
HELD = 300_000
"""Kinds of guesses that are held before equal ones are put together."""
FINE, FAR = 50, 10.0
"""Bars of the histogram of surprise, and where it ends: at a chance of 1 in 22,000."""
BEFORE = "the predictions of this run do not say what was hidden: they are from before that was kept"


class Sums:
    """What is added up. guesses: kinds of guesses (token, said, count). surprise: (2, FINE) of right and wrong ones.

    worst: (surprise, place, which of the row's) of the most surprising token of a row.
    """

    def __init__(self) -> None:
        self.guesses = _kinds([], [])
        self.surprise = np.zeros((2, FINE), np.int64)
        self.total = 0.0
        self.worst = np.zeros((0, 3))
        self.words: list[Any] = []
        self.missed: list[Any] = []

    def add(self, start: int, column: Any) -> None:
        """column: the lists of mappings of rows from `start` on."""
        if pa.types.is_null(column.type.value_type):  # every one of them is empty
            self.missed.append(np.zeros(len(column)))
            return
        token, said = (column.flatten().field(name) for name in ("token", "said"))
        surprise = column.flatten().field("surprise").to_numpy(zero_copy_only=False).astype(np.float64)
        right = pc.equal(token, said).to_numpy(zero_copy_only=False)
        row = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
        many = np.bincount(row, minlength=len(column))
        bars = np.clip(surprise / FAR * FINE, 0, FINE - 1).astype(np.int64)
        for index, these in enumerate((right, ~right)):
            self.surprise[index] += np.bincount(bars[these], minlength=FINE)
        self.total += float(surprise.sum())
        self.missed.append(np.bincount(row, weights=~right, minlength=len(column)) / np.maximum(many, 1))
        which = np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
        found = np.concatenate([self.worst, np.stack([surprise, row + start, which], axis=1)[~right]])
        found = found[np.argsort(-found[:, 0], kind="stable")]
        # One token a row: the most surprising.
        self.worst = found[np.sort(np.unique(found[:, 1], return_index=True)[1])][:KEPT]
        self.guesses = pa.concat_tables([self.guesses, _kinds(token, said)])
        if len(self.guesses) > HELD:
            self.guesses = together(self.guesses)


class Hidden(View):
    """See the module."""

    worst_are: ClassVar[str] = (
        "texts as the model saw them, what it was to guess numbered, with the missed token whose right one surprised "
        "it most (minus the natural logarithm of its probability)"
    )

    @cached_property
    def sums(self) -> Sums:
        """The whole split, read once. Raises DataError for a run from before this was kept."""
        if HIDDEN not in rows.names(self.file):
            raise DataError(BEFORE, hint="run it again")
        sums, start = Sums(), 0
        for batch in rows.batches(self.file, [HIDDEN, *self.texts], 1024):
            sums.add(start, batch.column(HIDDEN))
            sums.words.append(rows.word_counts(batch, self.texts))
            start += len(batch)
        sums.guesses = together(sums.guesses)
        return sums

    def fails(self) -> Iterator[Part]:
        from hftransfer.report import plots

        if HIDDEN not in rows.names(self.file):
            yield Say(BEFORE.capitalize() + ".", warning=True)
            return
        sums = self.sums
        many = int(sums.surprise.sum())
        if not many:
            yield Say(f"No {self.split} row has a token that was hidden.")
            return
        right = int(sums.surprise[0].sum())
        yield Say(
            f"{right:,} of {many:,} hidden tokens were guessed ({right / many:.1%}). The right token's surprise, minus "
            f"the natural logarithm of its probability, is {sums.total / many:.3f} on average."
        )
        bars = {"guessed": sums.surprise[0], "missed": sums.surprise[1]}
        yield Picture(
            "surprise",
            "Surprise of hidden tokens",
            "Histogram of the surprise of the right token, of tokens that were guessed and of those that were missed: "
            "0 is certainty; what was missed far to the right, the model held to be all but impossible.",
            lambda: plots.histogram(bars, "surprise of the right token (nats)", FAR),
        )
        often, count, share = by_frequency(sums.guesses)
        yield Picture(
            "frequency",
            "Guessed, by how often a token is hidden",
            "Share of hidden tokens that is guessed, by how often the token is among those that were hidden in "
            f"{self.split}: "
            + ", ".join(f"{name} times {one:.0%}" for name, one in zip(often, share, strict=True))
            + ".",
            lambda: plots.shares(often, count, share, "times that a token was hidden", "share guessed"),
        )
        yield self._confused()

    def _confused(self) -> Table:
        """Right tokens and what was said in their place, the commonest first."""
        guesses = self.sums.guesses
        hidden = dict(_summed(guesses, "token"))
        wrong = guesses.filter(pc.not_equal(guesses["token"], guesses["said"]))
        top = wrong.take(pc.sort_indices(wrong, [("count", "descending")])[:SHOWN]).to_pylist()
        cells = [
            [
                _told(one["token"]),
                _told(one["said"]),
                one["count"],
                f"{one['count'] / hidden[one['token']]:.1%}",
            ]
            for one in top
        ]
        caption = f"Tokens that were taken for others most often, of {len(wrong):,} kinds of mistakes"
        return Table(caption, ["hidden", "said instead", "times", "of the times it was hidden"], cells)

    def data(self) -> Iterator[Part]:
        if HIDDEN in rows.names(self.file) and self.sums.words and self.sums.words[0] is not None:
            told = "share of its hidden tokens that is missed"
            yield from self.lengths(np.concatenate(self.sums.words), np.concatenate(self.sums.missed), told)

    @property
    def long(self) -> list[str]:
        return [SEEN]

    def errors(self, count: int) -> list[Row]:
        """The texts with the most surprising tokens that were missed, as the model saw them."""
        worst = self.sums.worst[:count]
        found = rows.pick(self.file, worst[:, 1].astype(int).tolist(), ["row", SEEN, HIDDEN], 1024)
        for row, (surprise, _, which) in zip(found, worst.tolist(), strict=True):
            one = row.pop(HIDDEN)[int(which)]
            row[SEEN] = " […] ".join(row[SEEN])
            row |= {"number": f"[{int(which) + 1}]", HIDDEN: _told(one["token"]), "said": _told(one["said"])}
            row["surprise"] = surprise
        return found


def together(kinds: pa.Table) -> pa.Table:
    """Equal kinds of guesses as one, with the sum of their counts."""
    return _named(kinds.group_by(["token", "said"], use_threads=False).aggregate([("count", "sum")]))


def _named(kinds: pa.Table) -> pa.Table:
    return kinds.rename_columns([name.removesuffix("_sum") for name in kinds.column_names]).select(
        ["token", "said", "count"]
    )


def _kinds(token: Any, said: Any) -> pa.Table:
    names = pa.array(token, pa.string()), pa.array(said, pa.string())
    kinds = pa.table({"token": names[0], "said": names[1], "count": pa.array(np.ones(len(token), np.int64))})
    return together(kinds) if len(kinds) else kinds


def _summed(kinds: pa.Table, by: str) -> Iterator[tuple[str, int]]:
    summed = kinds.group_by([by], use_threads=False).aggregate([("count", "sum")])
    return zip(summed[by].to_pylist(), summed["count_sum"].to_pylist(), strict=True)


def by_frequency(kinds: pa.Table) -> tuple[list[str], list[int], list[float]]:
    """(how often tokens are hidden, in powers of 4, as "1", "2-4", ...; hidden tokens of each kind; share guessed)."""
    often = dict(_summed(kinds, "token"))
    right = dict(_summed(kinds.filter(pc.equal(kinds["token"], kinds["said"])), "token"))
    counts = np.array([*often.values()])
    guessed = np.array([right.get(token, 0) for token in often])
    level = np.ceil(np.log(counts) / np.log(4) - 1e-9).astype(np.int64)
    names, many, share = [], [], []
    for one in np.unique(level).tolist():
        these = level == one
        names.append("1" if one == 0 else f"{4 ** (one - 1) + 1:,}-{4**one:,}")
        many.append(int(counts[these].sum()))
        share.append(float(guessed[these].sum() / counts[these].sum()))
    return names, many, share


def _told(token: str) -> str:
    """A token that is no more than white space would not be seen."""
    return token if token.strip() else repr(token)
