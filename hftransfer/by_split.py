"""What there is of every split, by the split's name; who asks for something of one without saying which is told how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


class BySplit(dict[str, Any]):
    """split -> what there is of it. name: what a result calls it.

    A mapping as any other; but `result.metrics["accuracy"]` and `result.metrics.accuracy` are answered with what to
    write, a KeyError and an AttributeError.
    """

    name = "metrics"

    def _hint(self, asked: str) -> str:
        splits = [split for split, one in self.items() if asked in one]
        if not splits:
            there = list(dict.fromkeys(key for one in self.values() for key in one))
            return f"there is no `{asked}`; splits: {', '.join(self)}; in each: {', '.join(there)}"
        return f'{self.name} are by split: write result.{self.name}["{splits[-1]}"]["{asked}"]'

    def __missing__(self, key: str) -> Any:
        raise KeyError(_Said(self._hint(key)))

    if not TYPE_CHECKING:  # for a type checker, an attribute that is not there stays none

        def __getattr__(self, asked: str) -> Any:
            if asked.startswith("_"):
                raise AttributeError(asked)
            raise AttributeError(self._hint(asked))


class _Said(str):
    """A KeyError shows the repr of its key: of a sentence, that is the sentence."""

    def __repr__(self) -> str:
        return str(self)


class IntervalsBySplit(BySplit):
    """The intervals of metrics."""

    name = "intervals"
