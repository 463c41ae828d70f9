"""Folders of images and the masks that belong to them: `folder/images/a.jpg` and `folder/masks/a.png`, or a split each:
`folder/train/images/a.jpg` and so on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hftransfer.errors import DataError
from hftransfer.sources.base import OF_CSV, OF_PLAIN_TEXT, OF_THE_HUB, SHOWN_ROWS, Source, some
from hftransfer.sources.folders import subfolder
from hftransfer.sources.media import IMAGES
from hftransfer.sources.places import IMAGE_FOLDER, MASK_FOLDER, Places

if TYPE_CHECKING:
    import datasets


class MaskFolderSource(Source):
    """Rows `image` and `mask` (paths, decoded when used), matched by their names without ending, sorted by it."""

    kind = "images"
    foreign_settings = {**OF_THE_HUB, **OF_CSV, **OF_PLAIN_TEXT}

    def __init__(self, places: Places) -> None:
        """places: the folder of every split, which holds `images` and `masks`."""
        super().__init__()
        self.folders = dict(places.mask_folders)
        self.folder = next(iter(self.folders.values())).resolve()
        self._notes = places.findings
        self._images: dict[str, list[Path]] = {}

    def describe(self) -> str:
        """The folders."""
        several = "s" if len(self.folders) > 1 else ""
        return f"the folder{several} of images and masks {', '.join(map(str, self.folders.values()))}"

    def describe_split(self, split: str) -> str:
        """The split's folder."""
        return str(self.folders[split])

    def check(self) -> None:
        """Raises DataError for a folder that is gone, and for images without a mask and masks without an image."""
        for folder in self.folders.values():
            _pairs(folder)

    def load(self, columns: Collection[str] | None = None) -> dict[str, datasets.Dataset]:
        """See Source.load. No image is opened."""
        self._findings = list(self._notes)
        return {split: self._split(split, folder) for split, folder in self.folders.items()}

    def fingerprint(self) -> str:
        """sha256 over splits, file names and the bytes of every image and mask."""
        whole = hashlib.sha256()
        for split, folder in sorted(self.folders.items()):
            for pair in _pairs(folder)[0]:
                for file in pair:
                    with file.open("rb") as stream:
                        digest = hashlib.file_digest(stream, "sha256").hexdigest()
                    whole.update(f"{split}\0{file.name}\0{digest}\n".encode())
        return whole.hexdigest()

    def where(self, split: str, rows: Sequence[int]) -> str:
        """The image files of rows."""
        more = f" and {len(rows) - SHOWN_ROWS} more" if len(rows) > SHOWN_ROWS else ""
        return ", ".join(str(self._images[split][row]) for row in rows[:SHOWN_ROWS]) + more

    def _split(self, split: str, folder: Path) -> datasets.Dataset:
        import datasets
        import pyarrow as pa
        from datasets.table import InMemoryTable

        pairs, ignored = _pairs(folder)
        if ignored:
            self._findings.append(
                f"not images, ignored in `{split}`: {len(ignored)} entries: {some(ignored, SHOWN_ROWS)}"
            )
        self._images[split] = [image for image, _ in pairs]
        features = datasets.Features(
            {"image": datasets.Image(decode=False), "mask": datasets.Image(decode=False)}
        )
        columns = {
            name: pa.array(
                [{"bytes": None, "path": str(pair[place])} for pair in pairs], features[name].pa_type
            )
            for place, name in enumerate(features)
        }
        return datasets.Dataset(InMemoryTable(pa.table(columns, schema=features.arrow_schema)))


def _pairs(folder: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
    """((image, mask) by name, entries that were passed over). Raises DataError where one lacks the other."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not there, or is no folder")
    ignored: list[str] = []
    images, masks = (_by_stem(folder, name, ignored) for name in (IMAGE_FOLDER, MASK_FOLDER))
    alone = (
        [f"{_lonely(images, masks)} without a mask in {MASK_FOLDER}/"] if images.keys() - masks.keys() else []
    )
    alone += (
        [f"{_lonely(masks, images)} without an image in {IMAGE_FOLDER}/"]
        if masks.keys() - images.keys()
        else []
    )
    if alone:
        raise DataError(
            f"{folder} holds {' and '.join(alone)}",
            hint="a mask has the name of its image, whatever their endings; add what is missing or remove the other",
        )
    return [(images[stem], masks[stem]) for stem in sorted(images)], ignored


def _lonely(these: Mapping[str, Path], those: Mapping[str, Path]) -> str:
    names = [these[stem].name for stem in sorted(these.keys() - those.keys())]
    what = next(iter(these.values())).parent.name
    return f"{len(names)} of {len(these)} {what} ({some(names, SHOWN_ROWS)})"


def _by_stem(folder: Path, name: str, ignored: list[str]) -> dict[str, Path]:
    inside = subfolder(folder, name)
    if inside is None:
        raise DataError(f"{folder} holds no folder `{name}`")
    found: dict[str, Path] = {}
    for file in sorted(inside.iterdir()):
        if file.suffix.lower() not in IMAGES.suffixes or file.name.startswith(".") or not file.is_file():
            ignored.append(f"{name}/{file.name}")
        elif file.stem in found:
            raise DataError(
                f"{inside} holds two files of one name: {found[file.stem].name} and {file.name}",
                hint="images and masks are matched by their names without ending",
            )
        else:
            found[file.stem] = file.absolute()
    if not found:
        raise DataError(f"{inside} holds no image ({', '.join(IMAGES.suffixes)})")
    return found
