"""hftransfer check: everything that can be wrong, found without training."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from hftransfer.cli.arguments import AsJson, Overrides, RecipeArgument
from hftransfer.cli.console import command, out, print_json
from hftransfer.cli.facts import print_facts
from hftransfer.recipe import load_recipe, located, read_recipe

if TYPE_CHECKING:
    from hftransfer.checked import Check


@command
def command_line(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    download: Annotated[
        bool, typer.Option("--download", help="Look at what lies on the Hub, too: fetches it.")
    ] = False,
    data: Annotated[
        bool,
        typer.Option("--data", help="Look at the rows alone, and show all that they show: no checkpoint."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find everything that can be wrong with a recipe, its data and its checkpoint, without training."""
    document = read_recipe(recipe, overrides or [])
    loaded = load_recipe(recipe, *(overrides or []))
    from hftransfer.lint import refuse_leakage
    from hftransfer.runner import check

    with located(document):
        seen = check(loaded, download=download, data=data)
    if as_json:
        print_json({**dataclasses.asdict(seen), "lint": [one.to_dict() for one in seen.lint]})
    else:
        _show(seen, data)
    if data:
        with located(document):
            refuse_leakage(seen.lint)


def _show(seen: Check, data: bool) -> None:
    hint = {"not checked": "; --download looks at it, too"}
    told = [
        (name, text + hint.get(name, "")) for name, text in seen.told() if not (data and name == "recipe")
    ]
    print_facts(out, told)
    if data and seen.examples:
        from hftransfer.cli.lint import show_lint

        show_lint(seen.lint)
