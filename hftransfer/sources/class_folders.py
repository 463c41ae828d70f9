"""Folders of class folders with images or sounds: `folder/CLASS/*.jpg`, or `folder/train/CLASS/*.jpg` and so on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hftransfer.errors import DataError
from hftransfer.sources.base import OF_CSV, OF_PLAIN_TEXT, OF_THE_HUB, SHOWN_ROWS, Source, some
from hftransfer.sources.folders import classes_of
from hftransfer.sources.media import IMAGES, Medium
from hftransfer.sources.places import Places

if TYPE_CHECKING:
    import datasets


class ClassFoldersSource(Source):
    """Rows `image` or `audio` (a path, decoded when used) and `label` (the folder's name), sorted by class, then by
    file name.
    """

    foreign_settings = {**OF_THE_HUB, **OF_CSV, **OF_PLAIN_TEXT}

    def __init__(self, places: Places) -> None:
        """places: the folder of class folders of every split."""
        super().__init__()
        self.medium = places.medium or IMAGES
        self.kind = self.medium.kind
        self.folders = dict(places.class_folders)
        self.folder = next(iter(self.folders.values())).resolve()
        self._notes = places.findings
        self._files: dict[str, list[Path]] = {}

    def describe(self) -> str:
        """The folders."""
        several = "s" if len(self.folders) > 1 else ""
        return f"the {self.medium.column} folder{several} {', '.join(map(str, self.folders.values()))}"

    def describe_split(self, split: str) -> str:
        """The split's folder."""
        return str(self.folders[split])

    def check(self) -> None:
        """Raises DataError for a folder that is gone or holds no class folder with an image or a sound."""
        for folder in self.folders.values():
            if not folder.is_dir():
                raise DataError(f"{folder} is not there, or is no folder")
            if classes_of(folder) is not self.medium:
                known = ", ".join(self.medium.suffixes)
                raise DataError(f"{folder} holds no class folder with {self.medium.one} ({known})")

    def load(self, columns: Collection[str] | None = None) -> dict[str, datasets.Dataset]:
        """See Source.load. No file is opened."""
        self.check()
        self._findings = list(self._notes)
        return {split: self._split(split, folder) for split, folder in self.folders.items()}

    def fingerprint(self) -> str:
        """sha256 over splits, classes, file names and the bytes of every file."""
        whole = hashlib.sha256()
        for split, folder in sorted(self.folders.items()):
            for label, file in _files(folder, self.medium)[0]:
                with file.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
                whole.update(f"{split}\0{label}\0{file.name}\0{digest}\n".encode())
        return whole.hexdigest()

    def where(self, split: str, rows: Sequence[int]) -> str:
        """The files of rows."""
        more = f" and {len(rows) - SHOWN_ROWS} more" if len(rows) > SHOWN_ROWS else ""
        return ", ".join(str(self._files[split][row]) for row in rows[:SHOWN_ROWS]) + more

    def _split(self, split: str, folder: Path) -> datasets.Dataset:
        import datasets
        import pyarrow as pa
        from datasets.table import InMemoryTable

        found, ignored, empty = _files(folder, self.medium)
        if empty:
            self._findings.append(f"class folders of `{split}` without {self.medium.one}: {some(empty)}")
        if ignored:
            self._findings.append(
                f"not {self.medium.many}, ignored in `{split}`: {len(ignored)} entries: {some(ignored, SHOWN_ROWS)}"
            )
        self._files[split] = [file for _, file in found]
        column = self.medium.column
        undecoded = (datasets.Image if self.medium is IMAGES else datasets.Audio)(decode=False)
        features = datasets.Features({column: undecoded, "label": datasets.Value("string")})
        files = pa.array([{"bytes": None, "path": str(file)} for _, file in found], undecoded.pa_type)
        labels = [label for label, _ in found]
        table = pa.table({column: files, "label": labels}, schema=features.arrow_schema)
        return datasets.Dataset(InMemoryTable(table))


def _files(folder: Path, medium: Medium) -> tuple[list[tuple[str, Path]], list[str], list[str]]:
    """((class, file) of every file of the medium, other entries that were passed over, class folders without one)."""
    found: list[tuple[str, Path]] = []
    ignored: list[str] = []
    empty: list[str] = []
    for label in sorted(os.listdir(folder)):
        inside = folder / label
        if label.startswith(".") or not inside.is_dir():
            ignored.append(label)
            continue
        with os.scandir(inside) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        here = [entry for entry in entries if _is_of(medium, entry)]
        found += [(label, (inside / entry.name).absolute()) for entry in here]
        ignored += [f"{label}/{entry.name}" for entry in entries if not _is_of(medium, entry)]
        empty += [] if here else [label]
    return found, ignored, empty


def _is_of(medium: Medium, entry: os.DirEntry[str]) -> bool:
    return medium.is_of(entry.name) and not entry.name.startswith(".") and entry.is_file()
