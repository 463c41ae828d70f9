"""From a recipe to the repositories that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hftransfer.recipe import Recipe
from stand_ins.checkpoints import CHECKPOINTS
from stand_ins.data_sets import DATA_SETS
from stand_ins.rows import repository_files

if TYPE_CHECKING:
    from hub import LoopbackHub

Files = Mapping[str, bytes] | Path
EXPORT = "refs/convert/parquet"
"""The Hub's own copy of a data set, which has no card."""


def missing(recipe: Recipe) -> list[str]:
    """What a recipe names and no table holds, each in a sentence that says where to add it."""
    found = []
    name, config = str(recipe.data.source), recipe.data.config
    if not Path(name).exists() and (name, config) not in DATA_SETS:
        which = f"{name}, config {config}" if config else name
        found.append(
            f"no stand-in for the data set {which}: extend DATA_SETS in tests/stand_ins/data_sets.py"
        )
    name = recipe.checkpoint.name
    if not name.startswith("package:") and name not in CHECKPOINTS:
        found.append(
            f"no stand-in for the checkpoint {name}: extend CHECKPOINTS in tests/stand_ins/checkpoints.py"
        )
    return found


def serve(recipe: Recipe, hub: LoopbackHub, folder: Path) -> None:
    """Put onto the hub what the recipe needs and the hub lacks. folder: where checkpoints are made.

    Only the revision that is asked for holds files: one that is forgotten on the way is not made up for by main.
    """
    name, revision = str(recipe.data.source), recipe.data.revision or "main"
    configs = {config or "default": one for (source, config), one in DATA_SETS.items() if source == name}
    if configs and not _has(hub, "dataset", name, revision):
        _add(hub, "dataset", name, revision, repository_files(configs, card=revision != EXPORT))
    name, revision = recipe.checkpoint.name, recipe.checkpoint.revision or "main"
    if name in CHECKPOINTS and not _has(hub, "model", name, revision):
        _add(hub, "model", name, revision, CHECKPOINTS[name].make(folder / name / revision))


def _has(hub: LoopbackHub, type: str, name: str, revision: str) -> bool:
    there = hub.state.repositories.get((type, name.lower()))
    return there is not None and there.ref(revision) is not None and len(there.at(revision).files) > 1


def _add(hub: LoopbackHub, type: str, name: str, revision: str, files: Files) -> None:
    there = hub.state.repositories.get((type, name.lower())) or hub.create_repo(name, type=type)
    if there.ref(revision) is None:
        full = revision if revision.startswith("refs/") else f"refs/heads/{revision}"
        there.refs[full] = there.commits[-1].oid  # the hub's own first commit
    hub.add_files(there, files, revision=revision)
