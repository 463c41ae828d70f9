"""hftransfer schema: the JSON schema of recipes, for editors."""

from __future__ import annotations

from hftransfer.cli.console import command, print_json
from hftransfer.recipe import recipe_schema


@command
def command_line() -> None:
    """Print the JSON schema of recipes: an editor that is given it completes and checks them."""
    print_json(recipe_schema())
