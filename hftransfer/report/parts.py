"""What a report is made of: sentences, tables, pictures and sounds."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hftransfer.report.plots import Plot


@dataclass(frozen=True)
class Say:
    """A paragraph. warning: whether it is one."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Table:
    """columns: their headers; those of numbers stand right. texts: the columns that hold long texts.

    folded: whether it is shown when asked for alone.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    texts: Sequence[str] = ()
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A plot that is drawn when asked for. name: as of its file and of `Result.plot`. told: what it shows, in words
    for those who do not see it. wide: whether it needs more room than a phone has, to be scrolled. below: what is
    written below it, where that is less than is told."""

    name: str
    title: str
    told: str
    draw: Callable[[], Plot]
    wide: bool = False
    below: str = ""


@dataclass(frozen=True)
class Sounds:
    """Clips to listen to. clips: what each is, and the bytes of its wav file."""

    caption: str
    clips: Sequence[tuple[str, bytes]]

    @property
    def sources(self) -> list[tuple[str, str]]:
        """(what it is, the file as the address of an element that plays it)."""
        return [
            (told, f"data:audio/wav;base64,{base64.b64encode(file).decode()}") for told, file in self.clips
        ]


Part = Say | Table | Picture | Sounds


def listed(caption: str, rows: Sequence[Mapping[str, Any]], *, texts: Sequence[str] = ()) -> Table:
    """Rows that all have the same keys, as a table."""
    columns = list(rows[0]) if rows else []
    # A row's number is a name, and is not written as an amount.
    named = [{**row, "row": str(row["row"])} if "row" in row else row for row in rows]
    return Table(caption, columns, [list(row.values()) for row in named], texts)
