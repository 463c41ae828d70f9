"""Sections that may be written short, and how they are written out."""

from __future__ import annotations

from typing import Any

from hftransfer.recipe.data import SPLITS, DataSection
from hftransfer.recipe.schema import CheckpointSection
from hftransfer.recipe.yaml import Key, Tree

# Sections that may be written as one field alone, and the name of that field.
MAIN_FIELDS: dict[Key, str] = {
    ("checkpoint",): CheckpointSection.main_field,
    ("data",): DataSection.main_field,
    ("task",): "name",
    ("strategy",): "name",
    ("training", "optimizer"): "name",
}
# Sections whose other keys are the options of what `name` says: with another name they mean nothing.
PARTS: tuple[Key, ...] = (("task",), ("strategy",), ("training", "optimizer"))


def is_section(value: Any, at: Key) -> bool:
    """Whether what stands at `at` is written as a section, and not as its main field alone."""
    return DataSection.is_section(value) if at == ("data",) else isinstance(value, dict)


def expand(tree: Tree, holder: dict[str, Any], at: Key, following: str | int | None = None) -> None:
    """Write out the section at `at` where it stands as its main field alone, to take the key `following`."""
    value = holder[str(at[-1])]
    main = MAIN_FIELDS.get(at)
    if main is None or is_section(value, at) or (isinstance(value, dict) and following in SPLITS):
        return
    holder[str(at[-1])] = {} if value is None else {main: value}
    moved = {path: place for path, place in tree.places.items() if path[: len(at)] == at}
    for path, place in moved.items():
        tree.places[(*at, main, *path[len(at) :])] = place


def forget(tree: Tree, path: Key) -> None:
    """Drop the places of what stands at `path`, and below it."""
    for known in [known for known in tree.places if known[: len(path)] == path]:
        del tree.places[known]
