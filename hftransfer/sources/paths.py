"""Which files a path, a list, a glob pattern, a folder or a mapping of splits stands for.

Looks at names only.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hftransfer.errors import DataError, nearest
from hftransfer.locate import PREFIX, in_package
from hftransfer.sources.base import some
from hftransfer.sources.folders import places_in
from hftransfer.sources.places import SUFFIXES, Places, suffix_of


def resolve(value: Any) -> Places:
    """The places that `data.source` names.

    Raises DataError (nearest names included) when something is not there.
    """
    if isinstance(value, Mapping):
        return _several_splits(value)
    if isinstance(value, list | tuple):
        return Places({"train": _distinct(file for one in value for file in _files_of(one))}, {})
    path = _existing(value)
    if path is None or not path.is_dir():
        return Places({"train": _files_of(value)}, {})
    try:
        return places_in(path)
    except PermissionError as error:
        raise DataError(f"{error.filename} may not be read: {error.strerror}") from None


def _several_splits(value: Mapping[str, Any]) -> Places:
    files: dict[str, tuple[Path, ...]] = {}
    folders: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    forms: dict[str, Places] = {}
    findings: list[str] = []
    for split, inner in value.items():
        one = resolve(inner)
        here = {**one.files, **one.class_folders, **one.mask_folders}
        if len(here) != 1:
            raise DataError(
                f"data.source.{split}: {inner} holds splits of its own ({', '.join(here)})",
                hint="name the file or the folder of this one split, or give the folder alone as data.source",
            )
        findings += one.findings
        forms[str(split)] = one
        files |= {str(split): places for places in one.files.values()}
        folders |= {str(split): folder for folder in one.class_folders.values()}
        masks |= {str(split): folder for folder in one.mask_folders.values()}
    if len({one.form for one in forms.values()}) > 1:
        told = [f"{split}: {one.form}" for split, one in forms.items()]
        raise DataError(
            f"data.source mixes data files, images or sounds ({', '.join(told)})",
            hint="give every split in one form",
        )
    _distinct(
        place for places in ([*files.values(), (*folders.values(), *masks.values())]) for place in places
    )
    medium = next((one.medium for one in forms.values()), None)
    return Places(files, folders, tuple(findings), medium, masks)


def _distinct(places: Iterable[Path]) -> tuple[Path, ...]:
    """The places as they come.

    Raises DataError when one is named twice: its rows would count double, or leak.
    """
    seen: dict[Path, Path] = {}
    for place in places:
        if place.resolve() in seen:
            raise DataError(f"data.source names {place} twice", hint="name every file once, in one split")
        seen[place.resolve()] = place
    return tuple(seen.values())


def _files_of(value: Any) -> tuple[Path, ...]:
    """The file, or the files of a glob pattern, in sorted order."""
    path = _existing(value)
    if path is None:
        pattern = str(Path(value).expanduser())
        found = tuple(
            sorted(Path(name) for name in glob.glob(pattern, recursive=True) if os.path.isfile(name))
        )
        if not found:
            raise DataError(f"no file matches the pattern {value}", hint=_around(Path(pattern).parent, ""))
        return found
    if path.is_dir():
        raise DataError(f"{path} is a folder, and a list of data files was expected", hint="name its files")
    return (path,)


def _existing(value: Any) -> Path | None:
    """The path that is there, or None for a glob pattern. Raises DataError when there is no such path."""
    if not isinstance(value, str | Path):
        raise DataError(f"expected the name of a file or a folder, found {value!r}")
    if str(value).startswith(PREFIX):
        return in_package(str(value))
    path = Path(value).expanduser()
    try:
        if path.exists():
            return path
    except (OSError, ValueError) as error:  # a name too long for the file system, a null character
        raise DataError(f"not a file name: {str(value)[:80]!r} ({error})") from None
    if any(sign in str(value) for sign in "*?["):
        return None
    kind = "file" if suffix_of(path) in SUFFIXES else "file or folder"
    raise DataError(f"no such {kind}: {Path.cwd() / path}", hint=_around(path.parent, path.name))


def _around(folder: Path, name: str) -> str:
    """What there is instead: the nearest names in the folder, or the part of its path that exists."""
    while not folder.is_dir():
        if folder.parent == folder:
            return f"there is no folder {folder}"
        missing, folder = folder, folder.parent
        if folder.is_dir():
            return f"the folder {missing} does not exist; {folder} holds {_listing(folder, missing.name)}"
    return f"{folder} holds {_listing(folder, name)}"


def _listing(folder: Path, name: str) -> str:
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    close = nearest(name, names)
    return some(names) + (f"; did you mean `{close}`?" if close else "")
