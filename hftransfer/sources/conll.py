"""CoNLL files: a line a word, columns beside one another, a blank line after every sentence. A row is a sentence.

Any number of columns (Tjong Kim Sang & De Meulder 2003 have four), separated by tabs or by spaces: the first is
`tokens`, the last `tags`, and those between are `column_2`, `column_3`, ... CoNLL-U (universaldependencies.org/format)
names its ten columns: `tokens` is its FORM, the others are lemma, upos, xpos, ...
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hftransfer.errors import DataError
from hftransfer.sources.base import SHOWN_ROWS
from hftransfer.sources.places import suffix_of
from hftransfer.sources.text_files import FileRows, read_text

if TYPE_CHECKING:
    import pyarrow as pa

DOCUMENT = "-DOCSTART-"
UNIVERSAL = ("id", "tokens", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
WORD, RANGE, EMPTY = re.compile(r"\d+"), re.compile(r"\d+-\d+"), re.compile(r"\d+\.\d+")
"""IDs of CoNLL-U: a word; several words written as one; a word that is not in the text."""

Cells = list[str]


@dataclass
class Sentences:
    """Sentences on their way: the line on which each starts, and the cells of each of its words."""

    lines: list[int] = field(default_factory=list)
    words: list[list[Cells]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    _open: bool = False

    def add(self, line: int, cells: Cells) -> None:
        """A word, of the sentence that is open or of a new one."""
        if not self._open:
            self.lines.append(line)
            self.words.append([])
            self._open = True
        self.words[-1].append(cells)

    def end(self) -> None:
        """What follows is of another sentence."""
        self._open = False


def read_conll(path: Path) -> FileRows:
    """The sentences of a CoNLL file (.conllu: CoNLL-U): a row each, its columns lists of texts of one length.

    Comments (lines that start with #), `-DOCSTART-` lines, and of CoNLL-U multiword ranges (1-2) and empty nodes (1.1)
    are skipped and counted. Raises DataError naming lines: another number of columns, no words at all, what
    `read_text` finds.
    """
    import numpy as np

    lines = read_text(path).split("\n")
    rows = [(number, line.rstrip("\r")) for number, line in enumerate(lines, 1)]
    universal = suffix_of(path) == ".conllu"
    found = _universal(rows, path) if universal else _plain(rows, path)
    if not found.words:
        raise DataError(f"{path} holds no words: only blank lines and comments")
    width = len(found.words[0][0])
    names = UNIVERSAL[1:] if universal else _names(width)
    notes = [f"{path.name}: {some} {what}" for what, some in found.skipped.items() if some]
    return FileRows(_table(found.words, names), np.array(found.lines), tuple(notes))


def _names(width: int) -> tuple[str, ...]:
    between = [f"column_{number}" for number in range(2, width)]
    return ("tokens",) if width == 1 else ("tokens", *between, "tags")


def _plain(rows: Sequence[tuple[int, str]], path: Path) -> Sentences:
    cells = list(_cells(rows))
    ordinary = [one for _, one in cells if one and not one[0].startswith("#")]
    width = Counter(map(len, ordinary)).most_common(1)[0][0] if ordinary else 1
    tags = {one[-1] for one in ordinary} if width > 1 else set()
    found = Sentences()
    ragged: list[tuple[int, int]] = []
    for line, one in cells:
        if not one:
            found.end()
        elif one[0] == DOCUMENT:
            found.skipped["lines that begin a document skipped"] += 1
            found.end()
        elif one[0].startswith("#") and (len(one) != width or (width > 1 and one[-1] not in tags)):
            # A word may begin with #, too; but then its line has a tag.
            found.skipped["comment lines skipped"] += 1
        elif len(one) != width:
            ragged.append((line, len(one)))
        else:
            found.add(line, one)
    if ragged:
        raise _ragged(path, ragged, width)
    return found


def _cells(rows: Sequence[tuple[int, str]]) -> Iterator[tuple[int, Cells]]:
    """(line, its cells); a blank line has none. Tabs separate them where every line of words has one."""
    content = [line for _, line in rows if line.strip(" \t") and not line.startswith(("#", DOCUMENT))]
    tabs = bool(content) and sum("\t" in line for line in content) > len(content) / 2
    for number, line in rows:
        if not line.strip(" \t"):
            yield number, []
        else:
            yield number, line.split("\t") if tabs else re.split("[ \t]+", line.strip(" \t"))


def _universal(rows: Sequence[tuple[int, str]], path: Path) -> Sentences:
    found = Sentences()
    ragged: list[tuple[int, int]] = []
    for line, text in rows:
        cells = text.split("\t")
        if not text.strip():
            found.end()
        elif text.startswith("#"):
            continue  # every sentence has some
        elif len(cells) != len(UNIVERSAL):
            ragged.append((line, len(cells)))
        elif RANGE.fullmatch(cells[0]):
            found.skipped["multiword ranges skipped: their words are kept"] += 1
        elif EMPTY.fullmatch(cells[0]):
            found.skipped["empty nodes skipped"] += 1
        elif not WORD.fullmatch(cells[0]):
            raise DataError(
                f"{path}: line {line} has the ID {cells[0]!r}; expected a number, a range or 1.1",
                hint="is it CoNLL-U? a file of other columns is named .conll",
            )
        else:
            found.add(line, cells[1:])
    if ragged:
        raise _ragged(path, ragged, len(UNIVERSAL))
    return found


def _ragged(path: Path, ragged: list[tuple[int, int]], width: int) -> DataError:
    shown = ", ".join(f"line {line} has {cells}" for line, cells in ragged[:SHOWN_ROWS])
    more = f" and {len(ragged) - SHOWN_ROWS} more" if len(ragged) > SHOWN_ROWS else ""
    return DataError(
        f"{path}: {len(ragged)} line{'s do' if len(ragged) > 1 else ' does'} not have {width} columns: {shown}{more}",
        hint="columns are separated by a tab, or by spaces; a blank line ends a sentence",
    )


def _table(sentences: list[list[Cells]], names: Sequence[str]) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    ends = np.cumsum([0, *map(len, sentences)])
    columns = {}
    for place, name in enumerate(names):
        flat = pa.array([word[place] for sentence in sentences for word in sentence], pa.string())
        columns[name] = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), flat)
    return pa.table(columns)
