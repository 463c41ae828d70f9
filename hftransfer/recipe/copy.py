"""A recipe's text as a file of one's own."""

from __future__ import annotations

from pathlib import Path

import yaml

from hftransfer.errors import Problem, RecipeError
from hftransfer.files import write_text
from hftransfer.recipe.base import KEY, named_from_elsewhere
from hftransfer.recipe.load import Document, read_recipe
from hftransfer.recipe.yaml import Key


def copy_recipe(name_or_path: str, destination: Path) -> Path:
    """Write the recipe's text, comments and all, to `destination` (a new file, or a folder). Returns the file.

    Relative paths to data and checkpoint start at the recipe's folder; they are written absolute, so that the copy
    means the same files. So is that of its `base`, unless it is a shipped recipe, which is named. Raises RecipeError
    when there is a file already, or the recipe cannot be read.
    """
    document = read_recipe(name_or_path)
    target = destination / f"{document.name}.yaml" if destination.is_dir() else destination
    if target.suffix not in (".yaml", ".yml"):
        target = target.with_name(f"{target.name}.yaml")
    if target.exists():
        raise RecipeError(
            [Problem("", "there is a file already; nothing was written", "give another name")],
            source=str(target),
        )
    if not target.absolute().parent.is_dir():
        raise RecipeError(
            [Problem("", f"there is no folder {target.parent}; nothing was written")], source=str(target)
        )
    write_text(target, _with_absolute_paths(document))
    return target


def _with_absolute_paths(document: Document) -> str:
    """The text, with every scalar that stands for a relative path replaced by the path itself."""
    text = document.text
    changed = set()  # an anchored path that is used twice stands in one place
    for key, place in document.places.items():
        path = _path_at(document, key)
        if place.file is None and path not in (None, place.written) and None not in (place.start, place.end):
            changed.add((place.start, place.end, path))
    for start, end, value in sorted(changed, reverse=True):
        text = (
            text[:start]
            + yaml.safe_dump(value, default_style=None).removesuffix("\n...\n").strip()
            + text[end:]
        )
    return text


def _path_at(document: Document, key: Key) -> str | None:
    """The path that the value at `key` means, from wherever it is read; None where it is none."""
    if key == (KEY,):
        return None if document.base is None else named_from_elsewhere(document.base)
    value = _value_at(document.value, key)
    is_path = isinstance(value, str) and key[:1] in (("data",), ("checkpoint",)) and Path(value).is_absolute()
    return str(value) if is_path else None


def _value_at(value: object, key: Key) -> object:
    for part in key:
        try:
            value = value[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return None
    return value
