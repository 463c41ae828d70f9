"""`base`: the one recipe that a recipe starts from, so that a variant states only its difference.

Everything that the file itself says wins. A section is merged key by key, also with one that its base wrote short;
anything else (a number, a list, a section written short, a section with another `name`) replaces what the base says.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hftransfer.errors import Problem, RecipeError
from hftransfer.recipe.expect import shown
from hftransfer.recipe.file import SUFFIXES, find_recipe, read_text, shipped_recipes
from hftransfer.recipe.sections import expand, is_section
from hftransfer.recipe.yaml import Key, Place, Tree, parse

KEY = "base"
_AT: Key = (KEY,)


def with_base(tree: Tree, path: Path) -> Tree:
    """The recipe in `tree`, read from `path`, over its base, and that over its own, to the end of the chain.

    Places that come from a base name its file, and so do its problems. Raises RecipeError for a base that cannot be
    found or read, and for a chain that leads back to where it was. A tree without a base is given back as it is.
    """
    return _over_its_base(tree, path, [path])


def base_of(tree: Tree, path: Path) -> Path | None:
    """The file that the recipe in `tree`, read from `path`, names as its base. Raises RecipeError, as `with_base`."""
    if KEY not in tree.value:
        return None
    named, place = tree.value[KEY], tree.places[_AT]
    try:
        return _find(named, path)
    except RecipeError as error:
        problems = [_problem(problem.message, problem.hint, place) for problem in error.problems]
        raise RecipeError(problems, source=str(path)) from None


def named_from_elsewhere(base: Path) -> str:
    """What names this base from any folder: the name of a shipped recipe, or the whole path."""
    base = base.resolve()
    names = [name for name, file in shipped_recipes().items() if file.resolve() == base]
    return names[0] if names else str(base)


def _over_its_base(tree: Tree, path: Path, chain: list[Path]) -> Tree:
    base = base_of(tree, path)
    if base is None:
        return tree
    if any(base.samefile(one) for one in chain):
        way = " -> ".join(str(one) for one in [*chain, base])
        message = f"a recipe cannot be its own base: {way}"
        problem = _problem(message, "leave `base` out of one of them", tree.places[_AT])
        raise RecipeError([problem], source=str(path))
    theirs = _over_its_base(_read(base), base, [*chain, base])
    replaced = set(_merge(tree.value, theirs, theirs.value, ()))
    kept = {at: place for at, place in theirs.places.items() if not _within(at, replaced)}
    theirs.places = kept | tree.places
    theirs.problems = [*tree.problems, *theirs.problems]
    del theirs.value[KEY]
    return theirs


def _merge(own: dict[str, Any], merged: Tree, theirs: dict[str, Any], path: Key) -> Iterator[Key]:
    """Write every key of the section `own` over those of `theirs`, which stands at `path` of `merged`; yields where
    something was replaced as a whole."""
    for key, value in own.items():
        at = (*path, key)
        if key in theirs and is_section(value, at):
            expand(merged, theirs, at)
            if is_section(theirs[key], at) and _same(value, theirs[key]):
                yield from _merge(value, merged, theirs[key], at)
                continue
        theirs[key] = value
        yield at


def _within(path: Key, sections: Collection[Key]) -> bool:
    return any(path[:end] in sections for end in range(1, len(path) + 1))


def _same(own: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether both are options of the same thing: another `name` gives them another meaning."""
    return "name" not in own or own["name"] == theirs.get("name")


def _read(base: Path) -> Tree:
    """The recipe in a file that another names as its base; it need not be whole."""
    tree = parse(read_text(base))
    tree.problems = [replace(problem, source=str(base)) for problem in tree.problems]
    if not isinstance(tree.value, dict):
        missing = Problem(
            "", f"a base is a recipe: expected keys with their values, found {shown(tree.value)}"
        )
        raise RecipeError(tree.problems or [missing], source=str(base))
    tree.places = {path: replace(place, file=base) for path, place in tree.places.items()}
    return tree


def _find(named: Any, path: Path) -> Path:
    """A path ends in `.yaml` or `.yml`; all else is the name of a shipped recipe. So no file can come before one."""
    if isinstance(named, list | tuple):
        message = f"a recipe has one base at most, found {shown(named)}"
        raise RecipeError([Problem(KEY, message, "name one; that may have a base of its own")])
    if not isinstance(named, str) or not named:
        message = f"expected a recipe's file or the name of a shipped recipe, found {shown(named)}"
        raise RecipeError([Problem(KEY, message)])
    if not named.endswith(SUFFIXES):
        return _shipped(named, path.parent)
    file = Path(os.path.normpath(path.parent / Path(named).expanduser()))
    try:
        there = file.is_file()
    except ValueError:  # a null character
        there = False
    if there:
        return file
    if named.rpartition(".")[0] in shipped_recipes():
        hint = f"the shipped recipe is called `{named.rpartition('.')[0]}`"
        raise RecipeError([Problem(KEY, f"there is no file `{named}` beside this recipe", hint)])
    return find_recipe(file)  # which finds none, and the nearest


def _shipped(named: str, folder: Path) -> Path:
    shipped = shipped_recipes()
    if named in shipped:
        return shipped[named]
    file = next((f"{named}{suffix}" for suffix in SUFFIXES if (folder / f"{named}{suffix}").is_file()), None)
    if file is not None:
        raise RecipeError(
            [Problem(KEY, f"no shipped recipe is named `{named}`", f"for the file write `{file}`")]
        )
    return find_recipe(named)


def _problem(message: str, hint: str | None, place: Place) -> Problem:
    return Problem(KEY, message, hint, place.line, place.column)
