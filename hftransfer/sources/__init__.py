"""Sources: where rows come from. `open_source` picks the right one by looking at `data.source`.

Nothing is read, and nothing heavy is imported, until a source's `load` is called.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.errors import Problem, RecipeError
from hftransfer.locate import PREFIX
from hftransfer.sources.base import Source
from hftransfer.sources.paths import resolve
from hftransfer.sources.places import SUFFIXES

if TYPE_CHECKING:
    from hftransfer.recipe import DataSection

__all__ = ["Source", "open_source"]

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def open_source(data: DataSection) -> Source:
    """The source that `data.source` asks for: a table in memory, files or a folder, or a Hub dataset.

    Looks at file names only. Raises RecipeError when `data.source` is of a kind that cannot be read, names a
    missing package, or is given settings that belong to another kind of source (`config` for a file).
    What is missing on disk is reported by `Source.check`.
    """
    source = _open(data.source, data)
    unfit = [
        Problem(
            f"data.{name}",
            f"found {getattr(data, name)!r}, which means nothing for {source.describe()}",
            hint,
        )
        for name, hint in source.foreign_settings.items()
        if getattr(data, name) is not None
    ]
    if unfit:
        raise RecipeError(unfit)
    return source


def _open(value: Any, data: DataSection) -> Source:
    parts = _parts(value)
    if not parts:
        raise _not_a_source(value, "it is empty")
    in_memory = [not isinstance(part, (str, Path)) for part in parts]
    if all(in_memory):
        from hftransfer.sources.memory import MemorySource

        return MemorySource(value)
    if any(in_memory):
        raise _not_a_source(value, "it mixes file names with something else")
    if isinstance(value, str) and not _is_path(value):
        from hftransfer.sources.hub import HubSource

        return HubSource(value, config=data.config, revision=data.revision)
    places = resolve(value)
    if places.mask_folders:
        from hftransfer.sources.mask_folder import MaskFolderSource

        return MaskFolderSource(places)
    if places.class_folders:
        from hftransfer.sources.class_folders import ClassFoldersSource

        return ClassFoldersSource(places)
    from hftransfer.sources.files import FilesSource

    return FilesSource(places, delimiter=data.delimiter, documents=data.documents)


def _parts(value: Any) -> list[Any]:
    """What a source is made of: file names, or anything else, which is then taken as data in memory."""
    if isinstance(value, Mapping) and type(value).__module__.partition(".")[0] != "datasets":
        return [part for inner in value.values() for part in (_parts(inner) or [()])]
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str | Path):
        return [value] if str(value) else []
    return [] if value is None else [object()]


def _is_path(value: str) -> bool:
    looks = (
        value.startswith((".", "/", "~", PREFIX))
        or "\\" in value
        or any(sign in value for sign in "*?[")
        or value.lower().removesuffix(".gz").endswith(SUFFIXES)
        or HUB_ID.fullmatch(value) is None
    )
    return looks or os.path.exists(value)


def _not_a_source(value: Any, why: str) -> RecipeError:
    shown = repr(value)
    message = f"not a source of rows: {why}; found {shown if len(shown) < 80 else shown[:77] + '...'}"
    expected = (
        "expected a file (csv, tsv, jsonl, parquet, txt), a list of files, a folder, a Hub dataset id, a mapping "
        "of split to one of these, or in Python a DataFrame, a datasets.Dataset or a list of dicts"
    )
    return RecipeError([Problem("data.source", message, expected)])
