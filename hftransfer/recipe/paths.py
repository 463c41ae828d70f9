"""Paths in a recipe: in a file they start at the file's folder, on the command line at the current one.

So a recipe means the same rows wherever it is run from.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hftransfer.errors import Problem
from hftransfer.locate import PREFIX
from hftransfer.recipe.data import DataSection
from hftransfer.recipe.memory import MEMORY, in_memory
from hftransfer.recipe.problems import dotted
from hftransfer.recipe.schema import CheckpointSection
from hftransfer.recipe.yaml import Key, Place

DATA_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".txt", ".conll")


def make_absolute(value: dict[str, Any], places: Mapping[Key, Place], folder: Path) -> list[Problem]:
    """Make the paths in `data.source` and `checkpoint.name` absolute, in `value` itself.

    value: a recipe as plain data. places: tells what came from the command line, and what from a base. folder: the
    recipe's own.
    Returns the problems of paths that are meant from the current folder but stand in the file.
    """
    problems: list[Problem] = []
    for name, section in (("checkpoint", CheckpointSection), ("data", DataSection)):
        if name not in value:
            continue
        path: Key = (name,)
        holder, step = value, name
        if section.is_section(value[name]):
            holder, step = value[name], section.main_field
            path = (name, section.main_field)
        if step in holder and not in_memory(holder[step]):
            holder[step] = _absolute(holder[step], path, places, folder, problems)
    return problems


def _absolute(
    value: Any, path: Key, places: Mapping[Key, Place], folder: Path, problems: list[Problem]
) -> Any:
    if isinstance(value, list):
        return [_absolute(item, (*path, i), places, folder, problems) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _absolute(item, (*path, key), places, folder, problems) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    place = _place(path, places)
    from_file = place.origin is None
    start = folder if place.file is None else place.file.absolute().parent
    start = start if from_file else Path.cwd()
    if not is_path(value, start, data=path[0] == "data"):
        return value
    found = os.path.abspath(start / Path(value).expanduser())
    if from_file and not os.path.lexists(found) and os.path.lexists(value):
        problems.append(_meant_from_here(value, path, start))
    return found


def is_path(value: str, folder: Path, *, data: bool) -> bool:
    """Whether `value` names a file or folder and not something on the Hub.

    It does when it starts with `.`, `/` or `~`, exists in `folder`, cannot be a Hub id (two slashes or more,
    a backslash, a pattern such as `*.csv`), or, for data, ends as data files do.
    """
    if value.startswith((PREFIX, MEMORY)) or "://" in value or not value:
        return False
    if value.startswith((".", "/", "~")) or value.count("/") > 1 or re.search(r"[\\*?\[\]]", value):
        return True
    plain = value.lower().removesuffix(".gz")
    if data and plain.endswith(DATA_SUFFIXES):
        return True
    try:
        return os.path.lexists(folder / value)
    except ValueError:  # a null character
        return False


def _place(path: Key, places: Mapping[Key, Place]) -> Place:
    """Where the value at `path` stands, or the section it was written in."""
    ends = range(len(path), 0, -1)
    return next((places[path[:end]] for end in ends if path[:end] in places), Place())


def _meant_from_here(value: str, path: Key, folder: Path) -> Problem:
    written = os.path.relpath(value, folder)
    return Problem(
        dotted(path),
        f"there is no `{value}` beside the recipe (in {folder}), but there is one in the current folder",
        f"paths in a recipe start at the recipe: write `{written}`, or give it on the command line: "
        f"{dotted(path)}={value}",
    )
