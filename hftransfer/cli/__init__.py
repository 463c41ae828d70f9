"""The command line: parses and prints, decides nothing. One file a command."""

from __future__ import annotations

from typing import Annotated

import typer

import hftransfer
from hftransfer.cli import (
    cache,
    check,
    compare,
    copy,
    env,
    evaluate,
    init,
    plan,
    predict,
    push,
    report,
    run,
    schema,
    show,
)
from hftransfer.cli import list as list_command
from hftransfer.cli.console import set_debug
from hftransfer.cli.suggest import SuggestingCommand, SuggestingGroup

app = typer.Typer(
    name="hftransfer",
    cls=SuggestingGroup,
    help="Fine-tune pretrained text and image models from a recipe, and know what you got.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        print(f"hftransfer {hftransfer.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Fine-tune pretrained text and image models from a recipe, and know what you got."""
    set_debug(debug)


for _module in (
    init,
    run,
    check,
    plan,
    show,
    list_command,
    copy,
    evaluate,
    predict,
    compare,
    report,
    push,
    cache,
    schema,
    env,
):
    app.command(_module.__name__.rpartition(".")[2], cls=SuggestingCommand)(_module.command_line)


def main() -> None:
    """The `hftransfer` program."""
    app()
