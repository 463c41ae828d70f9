"""Tags: what became of every entity, or, of words with a tag each (parts of speech), which is taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hftransfer.metrics.schemes import scheme_of
from hftransfer.report import rows
from hftransfer.report.parts import Part, Picture, Table
from hftransfer.report.reliability import Reliability
from hftransfer.report.views.base import Row, View
from hftransfer.report.views.classes import class_scores, confusions

Entity = tuple[int, int, str]
"""First word, last word + 1, type."""
KINDS = ("right", "boundary", "type", "boundary and type", "missing", "spurious")
KEPT = 200


class Sums:
    """What is added up. by_type: type -> kind -> entities. worst: (score, place, word) of the surest wrong words."""

    def __init__(self, size: int) -> None:
        self.by_type: dict[str, Counter[str]] = {}
        self.confused = np.zeros(size * size, np.int64)
        self.reliability = Reliability()
        self.worst = np.zeros((0, 3))
        self.words: list[Any] = []
        self.wrong: list[Any] = []


class Tags(View):
    """See the module."""

    worst_are: ClassVar[str] = "the wrong word with the highest score of a row"

    @cached_property
    def sums(self) -> Sums:
        """The whole split, read once."""
        labels, start = self.result.labels, 0
        sums, scheme = Sums(len(labels)), scheme_of(self.result.labels)
        for batch in rows.batches(self.file, [self.target, "prediction", "scores", *self.texts]):
            self._add(sums, batch, start)
            if scheme is not None:
                true, said = (
                    _entities(batch.column(name).to_pylist(), scheme) for name in (self.target, "prediction")
                )
                for one, other in zip(true, said, strict=True):
                    for kind, of in compared(one, other):
                        sums.by_type.setdefault(of, Counter())[kind] += 1
            start += len(batch)
        return sums

    def _add(self, sums: Sums, batch: Any, start: int) -> None:
        import pyarrow.compute as pc

        size = len(self.result.labels)
        given, said = (
            rows.codes(batch.column(name).flatten(), self.result.labels)
            for name in (self.target, "prediction")
        )
        counts = pc.list_value_length(batch.column(self.target)).to_numpy(zero_copy_only=False)
        sums.confused += np.bincount(given * size + said, minlength=size * size)
        row = np.repeat(np.arange(len(counts)), counts)
        word = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        scores = np.asarray(batch.column("scores").flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
        sums.reliability.add(scores, given == said)
        bad = np.flatnonzero(given != said)
        sums.wrong.append(np.bincount(row[bad], minlength=len(counts)) > 0)
        sums.words.append(counts)
        found = np.concatenate([sums.worst, np.stack([scores[bad], row[bad] + start, word[bad]], axis=1)])
        found = found[np.argsort(-found[:, 0], kind="stable")]
        # One word a row: the surest.
        sums.worst = found[np.sort(np.unique(found[:, 1], return_index=True)[1])][:KEPT]

    def fails(self) -> Iterator[Part]:
        from hftransfer.report import plots

        if not self.sums.by_type:
            yield from self._words()
            return
        total = Counter[str]()
        for one in self.sums.by_type.values():
            total.update(one)
        by_type = {"all": total, **dict(sorted(self.sums.by_type.items(), key=lambda one: -one[1].total()))}
        ordered = {name: {kind: of[kind] for kind in KINDS} for name, of in by_type.items()}
        drawn = {name: of for name, of in ordered.items() if name != "all"}
        yield Picture(
            "entity-errors",
            "What became of the entities",
            "Entities: " + ", ".join(f"{kind} {total[kind]:,}" for kind in KINDS if total[kind]) + ".",
            lambda: plots.kinds(drawn, "entities"),
        )
        yield Table(
            f"Entities on {self.split}, by type: right; found with another boundary, another type, or both; missing; "
            "said where there is none",
            ["entity", *KINDS],
            [[name, *of.values()] for name, of in ordered.items()],
        )
        yield from self.tables()

    def _words(self) -> Iterator[Part]:
        from hftransfer.report import plots

        labels = self.result.labels
        counts = self.sums.confused.reshape(len(labels), -1)
        yield Picture(
            "confusion",
            "Confusion matrix",
            f"Confusion matrix of {len(labels)} tags over {counts.sum():,} words of {self.split}.",
            lambda: plots.confusion(counts, labels),
        )
        yield confusions(counts, labels, "words")
        yield class_scores(counts, labels, self.split)
        yield from self.tables()

    def data(self) -> Iterator[Part]:
        if self.sums.words:
            yield from self.lengths(np.concatenate(self.sums.words), np.concatenate(self.sums.wrong))

    def calibration(self) -> Iterator[Part]:
        yield from self.sums.reliability.parts(
            "words", "A word's score is the probability of the tag it is given."
        )

    def errors(self, count: int) -> list[Row]:
        """Rows with the word that is wrong with the highest score."""
        worst = self.sums.worst[:count]
        found = self.rows(worst[:, 1].astype(int).tolist(), self.target, "prediction")
        for row, (score, _, word) in zip(found, worst.tolist(), strict=True):
            given, said, place = row.pop(self.target), row.pop("prediction"), int(word)
            words = row.get("tokens") or []
            row["word"] = words[place] if place < len(words) else ""
            row |= {self.target: given[place], "prediction": said[place], "score": score}
        return found


def _entities(sentences: Sequence[list[str]], scheme: str) -> list[list[Entity]]:
    """The entities of every sentence, strict: tags that break the scheme make none."""
    from seqeval import scheme as schemes

    found: list[list[Entity]] = [[] for _ in sentences]
    some = [index for index, tags in enumerate(sentences) if any(tag != "O" for tag in tags)]
    read = schemes.Entities([sentences[index] for index in some], getattr(schemes, scheme)).entities
    for index, entities in zip(some, read, strict=True):
        found[index] = [(one.start, one.end, one.tag) for one in entities]
    return found


def compared(true: Sequence[Entity], said: Sequence[Entity]) -> Iterator[tuple[str, str]]:
    """(kind of `KINDS`, type) of every entity that is there or is said, each counted once.

    What is right is taken out first, then what has the same words, then what overlaps; the kinds are those of MUC-5
    (Chinchor and Sundheim 1993) with "partial" told apart by whether the type is right. Errors count for the type that
    is there; what is spurious, for the type that was said.
    """
    left, over = list(true), list(said)
    ways: tuple[tuple[str, Callable[[Entity, Entity], bool]], ...] = (
        ("right", lambda a, b: a == b),
        ("type", lambda a, b: a[:2] == b[:2]),
        ("boundary", lambda a, b: a[2] == b[2] and a[0] < b[1] and b[0] < a[1]),
        ("boundary and type", lambda a, b: a[0] < b[1] and b[0] < a[1]),
    )
    for kind, same in ways:
        for one in list(left):
            other = next((two for two in over if same(one, two)), None)
            if other is not None:
                left.remove(one)
                over.remove(other)
                yield kind, one[2]
    yield from (("missing", one[2]) for one in left)
    yield from (("spurious", one[2]) for one in over)
