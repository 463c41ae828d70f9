"""Data files on disk: csv, tsv, json lines, parquet, CoNLL, plain text; one file, several, or so for every split."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from hftransfer.errors import DataError, Problem, RecipeError
from hftransfer.sources.base import OF_CSV, OF_PLAIN_TEXT, OF_THE_HUB, Source, name_some, some
from hftransfer.sources.metadata import as_media
from hftransfer.sources.places import CONLL_SUFFIXES, PLAIN_SUFFIX, SUFFIXES, Places, suffix_of
from hftransfer.sources.plain_text import Documents, read_plain_text
from hftransfer.sources.text_files import FileRows

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

DELIMITED = (".csv", ".tsv")


class FilesSource(Source):
    """Rows from files. Text files are UTF-8; nothing is cached on disk."""

    kind = "table"
    foreign_settings = OF_THE_HUB

    def __init__(
        self, places: Places, *, delimiter: str | None = None, documents: Documents | None = None
    ) -> None:
        """places: the files of every split. delimiter: of csv and tsv files, found where not given.

        documents: what is a row of a plain text file.
        """
        super().__init__()
        self.places = places
        self.delimiter = delimiter
        self.documents = documents
        self.files = [file for files in places.files.values() for file in files]
        self.folder = self.files[0].resolve().parent
        self._read: dict[str, list[tuple[Path, FileRows]]] = {}
        if not any(suffix_of(file) in DELIMITED for file in self.files):
            self.foreign_settings = {**self.foreign_settings, **OF_CSV}
        if not any(suffix_of(file) == PLAIN_SUFFIX for file in self.files):
            self.foreign_settings = {**self.foreign_settings, **OF_PLAIN_TEXT}

    def describe(self) -> str:
        """The file, or how many files there are for which splits."""
        if len(self.files) == 1:
            return f"the file {self.files[0]}"
        return f"{len(self.files)} files ({', '.join(self.places.files)}) such as {self.files[0]}"

    def describe_split(self, split: str) -> str:
        """The split's file, or how many there are."""
        files = self.places.files[split]
        if len(self.files) == 1:
            return str(files[0])
        several = f"{len(files)} files such as " if len(files) > 1 else ""
        return f"`{split}` ({several}{files[0]})"

    def check(self) -> None:
        """Raises DataError for a file that is gone, is empty or is of an unknown kind; RecipeError for a
        delimiter that cannot be one.
        """
        if self.delimiter is not None and self.delimiter in '"\r\n':
            problem = Problem(
                "data.delimiter", f"{self.delimiter!r} cannot separate columns", "such as `,` or `;`"
            )
            raise RecipeError([problem])
        for file in self.files:
            if suffix_of(file) not in SUFFIXES:
                raise DataError(
                    f"{file}: cannot tell what a `{file.suffix}` file holds",
                    hint=f"known: {', '.join(SUFFIXES)} (text files also with .gz)",
                )
            if not file.is_file():
                raise DataError(f"{file} is not there, or is no file")
            if file.stat().st_size == 0:
                raise DataError(f"{file} is empty")

    def load(self, columns: Collection[str] | None = None) -> dict[str, datasets.Dataset]:
        """See Source.load. Raises DataError naming the file and its lines."""
        from hftransfer.sources.records import dataset_of

        self.check()
        self._findings = list(self.places.findings)
        loaded = {}
        for split, files in self.places.files.items():
            self._read[split] = [(file, as_media(file, self._read_file(file, columns))) for file in files]
            for _, rows in self._read[split]:
                self._findings += rows.findings
            table = _together(self._read[split])
            loaded[split] = dataset_of(table, name=self.describe_split(split), wanted=columns)
        return loaded

    def fingerprint(self) -> str:
        """sha256 over split names, file names (without their folders) and the bytes of every file."""
        whole = hashlib.sha256()
        for split, files in sorted(self.places.files.items()):
            for file in files:
                with file.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
                whole.update(f"{split}\0{file.name}\0{digest}\n".encode())
        return whole.hexdigest()

    def where(self, split: str, rows: Sequence[int]) -> str:
        """File and line of rows; where a file has no lines, their numbers in the file, from 1."""
        parts, starts = self._read.get(split, []), self._starts(split)
        named: dict[int, list[int]] = {}
        for row in rows:
            named.setdefault(bisect_right(starts, row) - 1, []).append(row)
        return "; ".join(
            _in_file(*parts[part], [row - starts[part] for row in inside]) for part, inside in named.items()
        )

    def beside(self, split: str, row: int) -> Path:
        """The folder of the row's own file."""
        return self._read[split][bisect_right(self._starts(split), row) - 1][0].resolve().parent

    def _starts(self, split: str) -> list[int]:
        """The number of the first row of every file of a split."""
        return [0, *accumulate(part.table.num_rows for _, part in self._read.get(split, []))][:-1]

    def _read_file(self, file: Path, columns: Collection[str] | None) -> FileRows:
        suffix = suffix_of(file)
        if suffix in DELIMITED:
            from hftransfer.sources.delimited import read_delimited

            return read_delimited(file, self.delimiter)
        if suffix == ".parquet":
            return _read_parquet(file)
        if suffix == PLAIN_SUFFIX:
            return read_plain_text(file, self.documents)
        if suffix in CONLL_SUFFIXES:
            from hftransfer.sources.conll import read_conll

            return read_conll(file)
        from hftransfer.sources.json_lines import read_json_lines
        from hftransfer.sources.squad import read_squad

        squad = read_squad(file, columns) if suffix == ".json" else None
        return squad or read_json_lines(file, columns)


def _in_file(file: Path, part: FileRows, rows: list[int]) -> str:
    if part.names is not None:
        return name_some("question", [part.names[row] for row in rows]) + f" of {file.name}"
    if part.lines is None:
        return name_some("row", [row + 1 for row in rows]) + f" (counted from 1) of {file.name}"
    return name_some("line", [int(part.lines[row]) for row in rows]) + f" of {file.name}"


def _read_parquet(file: Path) -> FileRows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} is not a whole parquet file: {error}") from None
    if not table.num_rows:
        raise DataError(f"{file} holds columns ({', '.join(table.column_names)}) and no rows")
    return FileRows(table)


def _together(parts: list[tuple[Path, FileRows]]) -> pa.Table:
    """The rows of several files as one table. Raises DataError where columns or their types differ."""
    import pyarrow as pa

    first_file, first = parts[0]
    for file, part in parts[1:]:
        lacks = [name for name in first.table.column_names if name not in part.table.column_names]
        more = [name for name in part.table.column_names if name not in first.table.column_names]
        if lacks or more:
            what = " and ".join(
                f"{word} {some(names)}"
                for word, names in (("lacks the columns", lacks), ("has more:", more))
                if names
            )
            raise DataError(
                f"{file} {what}, compared with {first_file}", hint="files of one split have the same columns"
            )
    try:
        return pa.concat_tables([part.table for _, part in parts], promote_options="permissive")
    except (pa.ArrowException, TypeError) as error:
        names = ", ".join(file.name for file, _ in parts)
        raise DataError(f"the columns of {names} are not of the same types: {error}") from None
