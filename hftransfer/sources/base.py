"""What a source is: named tables of rows, the places of those rows in words, and a fingerprint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    import datasets

SHOWN_ROWS = 5
"""How many rows an error names before it counts the rest."""

NO_SETTINGS: Mapping[str, str] = {}
OF_THE_HUB = {
    "config": "only a Hub dataset has configurations",
    "revision": "only a Hub dataset has revisions",
}
OF_CSV = {"delimiter": "only csv and tsv files have one"}
OF_PLAIN_TEXT = {"documents": "it says what is a row of plain text files (.txt)"}
"""Settings of `data` that one kind of source alone has -> what to say where another is given them."""


class Source(ABC):
    """Where rows come from. `load` gives the source's own splits, under the source's own names."""

    kind: Literal["table", "images", "audio"] | None = None
    """What the rows are, where that can be known without reading: None when it cannot."""

    remote: ClassVar[bool] = False
    """Whether reading the rows may fetch them from elsewhere."""

    folder: Path | None = None
    """What relative file names inside the rows are relative to; None when rows may not name files. See `beside`."""

    foreign_settings: Mapping[str, str] = NO_SETTINGS
    """Settings of `data` that mean nothing for this kind of source -> a hint."""

    def __init__(self) -> None:
        self._findings: list[str] = []

    @abstractmethod
    def describe(self) -> str:
        """The source in a few words, for messages."""

    def describe_split(self, split: str) -> str:
        """One of the source's splits in a few words, for messages about its rows."""
        return f"`{split}` of {self.describe()}"

    @abstractmethod
    def check(self) -> None:
        """Look, without reading rows, whether the source can be there. Raises DataError when it cannot."""

    @abstractmethod
    def load(self, columns: Collection[str] | None = None) -> dict[str, datasets.Dataset]:
        """Every split as the source names it -> its rows, with the source's own column names and types.

        columns: the columns that will be used. Given, a column outside of them that cannot be read (values of
        several types) is left out; not given, it is an error. Raises DataError.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """sha256 (hex) over the content: equal for equal bytes, wherever they lie."""

    def beside(self, split: str, row: int) -> Path | None:
        """What relative file names in one row (from 0) of a split are relative to."""
        return self.folder

    @property
    def findings(self) -> tuple[str, ...]:
        """What was noticed while loading, as sentences for people. Complete after `load`."""
        return tuple(self._findings)

    def where(self, split: str, rows: Sequence[int]) -> str:
        """The rows (numbers from 0 in a source split) as a user finds them; only the first few are named."""
        return name_some("row", [row + 1 for row in rows]) + f" of `{split}` (counted from 1)"


def name_some(word: str, numbers: Sequence[int | str]) -> str:
    """`rows 3, 9, 12 and 4 more`: a word and its numbers, the first few spelled out."""
    shown = ", ".join(map(str, numbers[:SHOWN_ROWS]))
    more = f" and {len(numbers) - SHOWN_ROWS} more" if len(numbers) > SHOWN_ROWS else ""
    return f"{word}{'s' if len(numbers) > 1 else ''} {shown}{more}"


def some(names: Sequence[str], limit: int = 10) -> str:
    """Names in back quotes, the first few spelled out."""
    shown = ", ".join(f"`{name}`" for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "") if names else "none"
