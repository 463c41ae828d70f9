"""Rows that another program pipes in: csv, JSON lines or parquet, told apart by how they begin."""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hftransfer.errors import DataError
from hftransfer.sources.files import FilesSource
from hftransfer.sources.places import Places

if TYPE_CHECKING:
    import datasets

STANDARD_INPUT = "-"
"""What stands for it where a file is named."""
NAME = "standard input"


class StandardInput(FilesSource):
    """All of a stream, as a file would be read. File names inside the rows start at the current folder."""

    def __init__(self, stream: BinaryIO) -> None:
        """Reads the stream to its end. Raises DataError when nothing is on it."""
        raw = stream.read()
        if not raw.strip():
            raise DataError(
                f"there is nothing on {NAME}", hint="pipe rows into it: csv, JSON lines or parquet"
            )
        self._kept = tempfile.TemporaryDirectory(prefix="hftransfer-")  # gone when this is
        file = Path(self._kept.name) / f"stdin{_suffix(raw)}"
        file.write_bytes(raw)
        super().__init__(Places({"train": (file,)}, {}))
        self.folder = Path.cwd()

    def describe(self) -> str:
        return NAME

    def describe_split(self, split: str) -> str:
        return NAME

    def load(self, columns: Collection[str] | None = None) -> dict[str, datasets.Dataset]:
        """See Source.load."""
        try:
            return super().load(columns)
        except DataError as error:
            raise DataError(error.message.replace(str(self.files[0]), NAME), hint=error.hint) from None


def _suffix(raw: bytes) -> str:
    if raw.startswith(b"PAR1"):
        return ".parquet"
    return ".jsonl" if raw.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[") else ".csv"
