"""Arguments that several commands take, with their help."""

from __future__ import annotations

from typing import Annotated

import typer

from hftransfer.errors import InputError

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Dotted overrides, e.g. training.epochs=1", show_default=False),
]
RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="The folder of a finished run, or OWNER/NAME\\[@REVISION] where it was pushed to."
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="ROLE=NAME",
        help="A column that has another name than in the recipe, e.g. text=body",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON value on stdout and nothing else there.")
]


def columns_given(columns: list[str] | None) -> dict[str, str]:
    """ROLE=NAME arguments as a mapping. Raises InputError for one without `=`."""
    wrong = [one for one in columns or [] if "=" not in one]
    if wrong:
        raise InputError(f"--column {wrong[0]}: expected ROLE=NAME", hint="for example: --column text=body")
    return {role: name for role, _, name in (one.partition("=") for one in columns or [])}
