"""A recipe as a flat list of settings: what trackers keep, and what tells one run from another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hftransfer.recipe.load import plain_recipe
from hftransfer.recipe.schema import Recipe


def settings(recipe: Recipe) -> dict[str, Any]:
    """Dotted key (`training.epochs`) -> value, every default included; a list is one value. It holds no secret: no
    recipe does."""
    return dict(flat(plain_recipe(recipe)))


def flat(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of everything in nested mappings; an empty mapping holds nothing."""
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from flat(item, f"{above}{key}.")
        else:
            yield f"{above}{key}", item
