"""Where rows lie: files and folders by the source's splits, and the names by which they are known as such."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hftransfer.sources.media import Medium

TEXT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
CONLL_SUFFIXES = (".conll", ".conllu", ".bio", ".iob")
PLAIN_SUFFIX = ".txt"
SUFFIXES = (*TEXT_SUFFIXES, ".parquet", *CONLL_SUFFIXES, PLAIN_SUFFIX)
IMAGE_FOLDER, MASK_FOLDER = "images", "masks"
"""The folders that hold images, and under the same names their masks."""
ALIASES: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev", "eval"),
    "test": ("test", "testing"),
}
"""Our split -> the names under which a source may hold it."""
SPLIT_NAMES = tuple(name for names in ALIASES.values() for name in names)
SPLIT_FILE = re.compile(rf"({'|'.join(SPLIT_NAMES)})(-\d+-of-\d+)?", re.IGNORECASE)
"""What the file of a split is called, without the end of its name: `train`, `Test`, `dev-00000-of-00002`."""


@dataclass(frozen=True)
class Places:
    """What a source's paths come to.

    Data files, folders of class folders, or folders of images and their masks, under the source's split names.
    medium: what the class folders hold.
    """

    files: Mapping[str, tuple[Path, ...]]
    class_folders: Mapping[str, Path]
    findings: tuple[str, ...] = ()
    medium: Medium | None = None
    mask_folders: Mapping[str, Path] = field(default_factory=dict)

    @property
    def form(self) -> str:
        """What all of it is, in words."""
        if self.mask_folders:
            return "images and masks"
        return "data files" if self.medium is None else self.medium.many


def suffix_of(path: Path) -> str:
    """`.csv` for `rows.csv`, `rows.CSV` and `rows.csv.gz`."""
    return Path(path.name.lower().removesuffix(".gz")).suffix
