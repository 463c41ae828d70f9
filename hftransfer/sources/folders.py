"""What a folder is, by the names in it: data files, class folders, images and their masks, media with metadata."""

from __future__ import annotations

import os
from pathlib import Path

from hftransfer.errors import DataError, InputError, did_you_mean
from hftransfer.sources.base import some
from hftransfer.sources.media import Medium, medium_of
from hftransfer.sources.metadata import is_metadata
from hftransfer.sources.places import (
    IMAGE_FOLDER,
    MASK_FOLDER,
    PLAIN_SUFFIX,
    SPLIT_FILE,
    SPLIT_NAMES,
    SUFFIXES,
    Places,
    suffix_of,
)


def places_in(folder: Path) -> Places:
    """The places that a folder comes to, of whichever of these kinds it is.

    Raises DataError when it is none of them.
    """
    if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
        raise DataError(
            f"{folder} was written by datasets.save_to_disk, which is not a format to read from",
            hint=f"in Python give data=datasets.load_from_disk({str(folder)!r}), or write it with to_parquet",
        )
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    split_folders = [one for one in entries if one.is_dir() and one.name.lower() in SPLIT_NAMES]
    masked = [one for one in split_folders if holds_masks(one)]
    if masked:
        unread = _unread(folder, entries, masked)
        return Places({}, {}, unread, mask_folders={one.name: one for one in masked})
    if holds_masks(folder):
        read = [one for name in (IMAGE_FOLDER, MASK_FOLDER) if (one := subfolder(folder, name))]
        return Places({}, {}, _unread(folder, entries, read), mask_folders={"train": folder})
    data = [entry for entry in entries if entry.is_file() and suffix_of(entry) in SUFFIXES]
    described = {one.name: (file,) for one in split_folders if (file := metadata_of(one)) is not None}
    if described:
        return Places(described, {}, _unread(folder, entries, [folder / name for name in described]))
    classes = [one for one in split_folders if classes_of(one)]
    if classes:
        unread = _unread(folder, entries, classes)
        return Places({}, {one.name: one for one in classes}, unread, classes_of(classes[0]))
    metadata = metadata_of(folder)
    if metadata is not None:
        _check_metadata(metadata, split_folders)
        return Places({"train": (metadata,)}, {}, _unread(folder, data, [metadata]))
    medium = classes_of(folder)
    if medium is not None:
        files = [entry for entry in entries if not entry.is_dir()]
        return Places({}, {"train": folder}, _unread(folder, files, []), medium)
    # Beside tables, plain text is a licence or a note.
    data = [entry for entry in data if suffix_of(entry) != PLAIN_SUFFIX] or data
    if not data:
        raise _nothing_to_read(folder, entries)
    return _data_files(folder, entries, data)


def _data_files(folder: Path, entries: list[Path], data: list[Path]) -> Places:
    splits: dict[str, list[Path]] = {}
    for file in data:
        match = SPLIT_FILE.fullmatch(file.name[: -len("".join(file.suffixes)) or None])
        if match:
            splits.setdefault(match[1].lower(), []).append(file)
    if not splits:
        together = f"{folder} names no splits: {some([file.name for file in data])} taken together as train"
        return Places({"train": tuple(data)}, {}, (together, *_unread(folder, entries, data)))
    for split, files in splits.items():
        if len({suffix_of(file) for file in files}) > 1:
            raise DataError(
                f"{folder} holds several files for the split `{split}`: {some([one.name for one in files])}",
                hint=f"write which one: data.source: {{{split}: {files[0]}, ...}}",
            )
    read = [file for files in splits.values() for file in files]
    return Places(
        {split: tuple(files) for split, files in splits.items()}, {}, _unread(folder, entries, read)
    )


def medium_in(folder: Path) -> Medium | None:
    """What the files of a folder are, images or sounds, if any of them is."""
    with os.scandir(folder) as entries:
        return medium_of([entry.name for entry in entries])


def classes_of(folder: Path) -> Medium | None:
    """What the class folders inside a folder hold; None where it holds none."""
    with os.scandir(folder) as entries:
        inside = (medium_in(Path(entry.path)) for entry in entries if entry.is_dir())
        return next((medium for medium in inside if medium is not None), None)


def metadata_of(folder: Path) -> Path | None:
    """The file in a folder that describes the images or sounds beside it."""
    if medium_in(folder) is None and classes_of(folder) is None:
        return None
    found = sorted(one for one in folder.iterdir() if is_metadata(one) and suffix_of(one) in SUFFIXES)
    if len(found) > 1:
        raise DataError(
            f"{folder} holds several metadata files: {some([one.name for one in found])}",
            hint="leave one of them",
        )
    return found[0] if found else None


def _check_metadata(metadata: Path, split_folders: list[Path]) -> None:
    """Refuse one metadata file over folders of splits: its rows would all be taken as train."""
    splits = [one.name for one in split_folders if medium_in(one)]
    if splits:
        raise DataError(
            f"{metadata} lies above the folders of splits ({', '.join(splits)})",
            hint=f"give every split a metadata file of its own, such as {metadata.parent / splits[0] / metadata.name}",
        )


def holds_masks(folder: Path) -> bool:
    """Whether a folder holds a folder of images and one of masks."""
    return all(subfolder(folder, name) is not None for name in (IMAGE_FOLDER, MASK_FOLDER))


def subfolder(folder: Path, name: str) -> Path | None:
    """The folder of that name inside a folder, in whatever case; None where there is none."""
    return next((one for one in sorted(folder.iterdir()) if one.is_dir() and one.name.lower() == name), None)


def _unread(folder: Path, entries: list[Path], read: list[Path]) -> tuple[str, ...]:
    names = [entry.name for entry in entries if entry not in read]
    return (f"not read in {folder}: {some(names)}",) if names else ()


def _nothing_to_read(folder: Path, entries: list[Path]) -> InputError:
    medium = medium_in(folder)
    if medium is not None:
        return DataError(
            f"{folder} holds {medium.many}, but not in one folder per class, and no metadata file",
            hint=f"put them into {folder}/CLASS/, or {folder}/train/CLASS/ and {folder}/test/CLASS/; or write "
            f"{folder}/metadata.csv with the columns file_name and label; with masks: {folder}/{IMAGE_FOLDER}/ and "
            f"{folder}/{MASK_FOLDER}/",
        )
    holds = some([entry.name for entry in entries]) if entries else "nothing"
    return DataError(
        f"{folder} holds {holds}: neither data files ({', '.join(SUFFIXES)}) nor class folders with images or sounds",
        hint=did_you_mean("train.csv", [entry.name for entry in entries]) if entries else None,
    )
