"""hftransfer copy: a shipped recipe as a file of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hftransfer.cli.arguments import RecipeArgument
from hftransfer.cli.console import command, out
from hftransfer.recipe import copy_recipe


@command
def command_line(
    recipe: RecipeArgument,
    destination: Annotated[
        Path, typer.Argument(metavar="DEST", help="A new file, or a folder to put it in.")
    ],
) -> None:
    """Copy a recipe, comments and all, to change it. Relative paths in it are rewritten so that they still hold."""
    out.print(f"wrote {copy_recipe(recipe, destination)}", markup=False)
