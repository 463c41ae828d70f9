"""hftransfer list: the names that a recipe may use."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hftransfer.cli.arguments import AsJson
from hftransfer.cli.console import command, out, print_json
from hftransfer.recipe import shipped_recipes
from hftransfer.registry import METRICS, STRATEGIES, TASKS


class What(StrEnum):
    """What can be listed."""

    recipes = "recipes"
    tasks = "tasks"
    strategies = "strategies"
    metrics = "metrics"


@command
def command_line(
    what: Annotated[
        What | None, typer.Argument(help="One kind; all of them by default.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the shipped recipes, and the tasks, strategies and metrics that a recipe may name."""
    kinds = [what] if what else list(What)
    found = {kind.value: _names(kind) for kind in kinds}
    if as_json:
        print_json(found)
        return
    for kind, names in found.items():
        table = Table(
            box=None, pad_edge=False, title=kind, title_justify="left", title_style="bold", show_header=False
        )
        table.add_column(no_wrap=True)
        table.add_column()
        for name, summary in names.items():
            table.add_row(escape(name), f"[dim]{escape(summary)}[/dim]")
        out.print(table)
        out.print()


def _names(what: What) -> dict[str, str]:
    match what:
        case What.recipes:
            return {name: _first_comment(file) for name, file in shipped_recipes().items()}
        case What.metrics:
            return {name: METRICS.get(name).summary for name in METRICS.names()}
        case What.tasks:
            return {name: _first_line(TASKS.get(name)) for name in TASKS.names()}
        case What.strategies:
            return {name: _first_line(STRATEGIES.get(name)) for name in STRATEGIES.names()}


def _first_comment(recipe: Path) -> str:
    return recipe.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def _first_line(part: type) -> str:
    return (part.__doc__ or "").strip().splitlines()[0]
