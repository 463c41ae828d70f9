"""Where things lie: inside installed packages, among the recipes that travel with this one, and what Python imports."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from hftransfer.errors import InputError

PREFIX = "package:"

# Of a run directory, what those who start from one must know; all the rest is spelled in `run_directory`.
RUN_RECIPE, RUN_MODEL, RUN_RESULT = "recipe.yaml", "model", "result.json"
MODEL_CARD, ADAPTER = "README.md", "adapter"
"""Of a model's folder; of a run directory and of a hub's repository: the same names in both."""
HEAD = "head.json"
"""Of a model's folder: there is a head on the backbone that its architecture does not have, see `heads.folder`."""


def in_package(name: str) -> Path:
    """The folder or file that `package:NAME/path` names, found without importing the package.

    Raises InputError when the package is not installed or holds no such path.
    """
    package, _, rest = name.removeprefix(PREFIX).partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"{name}: no package named `{package}` is installed here",
            hint=f"install it (pip install {package.replace('_', '-')}), or write a folder or a Hub id",
        )
    found = Path(next(iter(spec.submodule_search_locations))) / rest
    if not found.exists():
        inside = sorted(path.name for path in found.parent.iterdir()) if found.parent.is_dir() else []
        raise InputError(
            f"{name}: the package `{package}` is installed but holds no `{rest}`",
            hint=f"it holds: {', '.join(n for n in inside if not n.startswith(('_', '.')))}"
            if inside
            else None,
        )
    return found


def recipes_folder() -> Path:
    """The shipped recipes: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    inside = here / "recipes"
    return inside if inside.is_dir() else here.parent / "recipes"


def importing_alike(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of another Python that is to import what this one does.

    Started with `-m`, it would look first into the folder that it is started in: a user's `evaluate.py` there would be
    taken for the library of that name.
    """
    places = filter(None, map(_absolute, sys.path))
    return {**environment, "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(places)}


def _absolute(place: str) -> str:
    try:
        return os.path.abspath(place)
    except FileNotFoundError:  # the folder that this process works in is gone
        return ""
