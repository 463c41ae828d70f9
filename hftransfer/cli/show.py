"""hftransfer show: the recipe with every default filled in."""

from __future__ import annotations

import yaml

from hftransfer.cli.arguments import AsJson, Overrides, RecipeArgument
from hftransfer.cli.console import command, out, print_json
from hftransfer.recipe import dump_recipe, load_recipe


@command
def command_line(recipe: RecipeArgument, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Print the recipe as it will be run: overrides applied, every default filled in."""
    text = dump_recipe(load_recipe(recipe, *(overrides or [])))
    if as_json:
        print_json(yaml.safe_load(text))
    else:
        out.print(text, end="", markup=False)
