"""From a recipe's file to a Recipe and back."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Never

import yaml

from hftransfer.errors import InputError, Problem, RecipeError
from hftransfer.recipe import unknown
from hftransfer.recipe.base import base_of, with_base
from hftransfer.recipe.expect import shown
from hftransfer.recipe.file import find_recipe, read_text
from hftransfer.recipe.memory import described, in_memory
from hftransfer.recipe.overrides import COMMAND_LINE, apply_overrides
from hftransfer.recipe.paths import make_absolute
from hftransfer.recipe.schema import Recipe
from hftransfer.recipe.slips import check_options
from hftransfer.recipe.yaml import Key, Place, Tree, add_core_schema, parse


@dataclass(frozen=True)
class Document:
    """A recipe's file as it was read, before it is checked against the schema.

    name: the file's name without its suffix. path: the file. text: all of it, without a byte order mark.
    value: its plain data over that of its base, overrides applied and paths made absolute. places: where every value
    stands, in which file. base: the file that it names as its base.
    """

    name: str
    path: Path
    text: str
    value: dict[str, Any]
    places: Mapping[Key, Place]
    base: Path | None = None


def read_recipe(name_or_path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Document:
    """Read a recipe's file and apply overrides (`training.epochs=1`), without checking it against the schema.

    name_or_path: a file, with or without `.yaml`, or the name of a shipped recipe. Relative paths in the file
    start at the file's folder, those in overrides at the current one. Raises RecipeError.
    """
    document, problems = _read(name_or_path, overrides)
    if problems:
        raise RecipeError(problems, source=str(document.path))
    return document


def load_recipe(name_or_path: str | os.PathLike[str], *overrides: str, **others: Never) -> Recipe:
    """The recipe of that file or shipped name, with overrides applied, checked and filled with defaults.

    Raises RecipeError with every mistake at once, each with its key and its line, in the file that it stands in. Loads
    nothing that the recipe names, but its base. others: there are none; what is meant by epochs=3 is told.
    """
    check_options("load_recipe", others, ())
    document, problems = _read(name_or_path, overrides)
    recipe = None
    try:
        recipe = Recipe(**_labels_as_written(document))
    except RecipeError as error:
        wrong = [problem.key for problem in problems if problem.key]
        located = [_locate(problem, document.places) for problem in error.problems]
        problems += [
            p for p in located if not any(p.key == key or key.startswith(f"{p.key}.") for key in wrong)
        ]
    if recipe is None or problems:
        raise RecipeError(sorted(problems, key=_order), source=str(document.path))
    return recipe


@contextmanager
def located(document: Document) -> Iterator[None]:
    """Give mistakes that are found after loading (in the data, in how it fits) their place in the recipe's file."""
    try:
        yield
    except RecipeError as error:
        problems = [_locate(problem, document.places) for problem in error.problems]
        raise RecipeError(problems, source=str(document.path)) from error
    except InputError as error:
        if error.key is not None:
            problem = _locate(Problem(error.key, error.message, error.hint), document.places)
            raise RecipeError([problem], source=str(document.path)) from error
        raise


def dump_recipe(recipe: Recipe) -> str:
    """The whole recipe, every default included, as YAML that `load_recipe` reads back to an equal recipe.

    Rows in memory cannot be written: they become a description (`memory: 120 rows`), which `load_recipe`
    refuses.
    """
    text: str = yaml.dump(
        plain_recipe(recipe),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=110,
        default_flow_style=None,
    )
    return text


def plain_recipe(recipe: Recipe) -> dict[str, Any]:
    """What `dump_recipe` writes, as plain values."""
    # The source is left out of pydantic's dump, which would walk through the rows of a table.
    value = recipe.model_dump(mode="json", exclude={"data": {"source"}})
    source = recipe.data.source
    value["data"] = {"source": described(source) if in_memory(source) else source, **value["data"]}
    return value


def key_like(name: str) -> str | None:
    """The dotted key of a recipe that `epochs`, `training.epochs` or another library's `num_train_epochs` means."""
    return unknown.key_like(name, Recipe)


def in_yaml(value: Any) -> str:
    """A plain value on one line, as it can stand behind a key of a recipe, or inside of a list."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{in_yaml(key)}: {in_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(in_yaml(item) for item in value) + "]"
    if isinstance(value, str) and not value.isprintable():
        return json.dumps(value)  # line breaks and the like, escaped
    text: str = yaml.dump(
        [value], Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=math.inf
    )
    return text.strip()[1:-1]


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 would not read as text, and nothing else; writes no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


add_core_schema(_Dumper)


def _read(name_or_path: str | os.PathLike[str], overrides: Sequence[str]) -> tuple[Document, list[Problem]]:
    """The document, and what is wrong in it that does not keep the rest from being looked at."""
    path = find_recipe(name_or_path)
    text = read_text(path)
    tree = parse(text)
    if not isinstance(tree.value, dict):
        raise RecipeError(tree.problems or [_not_a_section(tree, text)], source=str(path))
    base = base_of(tree, path)
    tree = with_base(tree, path)
    apply_overrides(tree, overrides)
    misplaced = make_absolute(tree.value, tree.places, path.absolute().parent)
    tree.problems += [_locate(problem, tree.places) for problem in misplaced]
    return Document(path.stem, path, text, tree.value, tree.places, base), tree.problems


def _not_a_section(tree: Tree, text: str) -> Problem:
    hint = "a recipe has the keys checkpoint, data and task; see: hftransfer list recipes"
    if tree.empty and not text.strip():
        return Problem("", "the file is empty", hint)
    if tree.empty:
        return Problem("", "the file holds comments only, no recipe", hint)
    found = shown(tree.value)
    if isinstance(tree.value, str) and ":" in tree.value:
        hint = f"write a space after the colon: `{tree.value.splitlines()[0].replace(':', ': ', 1)[:60]}`"
    return Problem(
        "", f"expected keys with their values (`checkpoint: ...`), found {found}", hint, line=1, column=1
    )


def _labels_as_written(document: Document) -> dict[str, Any]:
    """Label names are text: `007` and `1.0` stay as written, though YAML reads them as numbers."""
    value = dict(document.value)
    data = value.get("data")
    labels = data.get("labels") if isinstance(data, dict) else None
    if isinstance(data, dict) and isinstance(labels, list):
        written = [
            _written(document.places.get(("data", "labels", i)), label) for i, label in enumerate(labels)
        ]
        value["data"] = {**data, "labels": written}
    return value


def _written(place: Place | None, label: Any) -> Any:
    return label if place is None or not place.written else place.written


def _locate(problem: Problem, places: Mapping[Key, Place]) -> Problem:
    """The problem with the place of its key, or of the nearest section around it that is there."""
    by_key = {".".join(map(str, path)): place for path, place in places.items()}
    key = problem.key
    while key and key not in by_key:
        key = key.rpartition(".")[0]
    place = by_key.get(key)
    if place is None:
        return problem
    if place.origin is not None:
        return replace(problem, source=COMMAND_LINE)
    source = None if place.file is None else str(place.file)
    return replace(problem, line=place.line, column=place.column, source=source)


def _order(problem: Problem) -> tuple[bool, str, int, int]:
    """By place: first what stands in the recipe's own file, then in its base, and last what stands nowhere."""
    return problem.line is None, problem.source or "", problem.line or 0, problem.column or 0
