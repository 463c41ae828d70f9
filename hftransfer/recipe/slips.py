"""What is given in the place of a recipe, or beside one, by somebody in a hurry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from hftransfer.errors import InputError, did_you_mean, nearest
from hftransfer.recipe.schema import Recipe
from hftransfer.recipe.unknown import key_like


def check_recipe(given: object) -> None:
    """Raises InputError for what is no recipe."""
    if isinstance(given, Recipe):
        return
    hint = "write ht.Recipe(checkpoint=..., data=..., task=...)"
    if isinstance(given, str | os.PathLike):
        hint = f"write ht.load_recipe({os.fspath(given)!r}) in its place"
    elif isinstance(given, Mapping):
        hint = "write ht.Recipe(**...) of it"
    raise InputError(f"expected a recipe, found a {type(given).__name__}", hint=hint)


def check_options(function: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raises InputError for options that a function does not have: many of them belong in the recipe.

    given: what is left over of the keyword arguments. known: the function's own.
    """
    if not given:
        return
    name, value = next(iter(given.items()))
    key = None if nearest(name, known) else key_like(name, Recipe)
    if key is None:
        raise InputError(f"{function}() has no option `{name}`", hint=did_you_mean(name, known))
    section, _, last = key.rpartition(".")
    written = f"{section}={{{last!r}: {value!r}}}" if section else f"{last}={value!r}"
    raise InputError(
        f"{function}() has no option `{name}`: that is the recipe's `{key}`",
        hint=f"write ht.Recipe(..., {written}), or ht.load_recipe(NAME, '{key}={value}')",
    )
