"""hftransfer plan: what a run will cost, from a rehearsal of it on this device."""

from __future__ import annotations

from hftransfer.cli.arguments import AsJson, Overrides, RecipeArgument
from hftransfer.cli.console import command, err, out, print_json
from hftransfer.cli.facts import print_facts
from hftransfer.planning import plan
from hftransfer.planning.told import told
from hftransfer.recipe import load_recipe, located, read_recipe
from hftransfer.training.events import Event, Stage


@command
def command_line(recipe: RecipeArgument, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Say what a run will cost on this machine, by rehearsing it on a few of its rows. Leaves nothing behind."""
    document = read_recipe(recipe, overrides or [])
    loaded = load_recipe(recipe, *(overrides or []))
    with located(document):
        found = plan(loaded, watch=_tell)
    if as_json:
        print_json(found.to_dict())
    else:
        print_facts(out, told(found))


def _tell(event: Event) -> None:
    if isinstance(event, Stage):
        err.print(f"[dim]{event.title} ...[/dim]")
