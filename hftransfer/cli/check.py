"""hftransfer check: everything that can be wrong, found without training."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hftransfer.cli.arguments import AsJson, Overrides, RecipeArgument
from hftransfer.cli.console import command, out, print_json
from hftransfer.recipe import load_recipe, located, read_recipe

if TYPE_CHECKING:
    from hftransfer.runner import Check


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
        _show(loaded, seen, data)
    if data:
        with located(document):
            refuse_leakage(seen.lint)


def _show(loaded: Any, seen: Check, data: bool) -> None:
    if not data:
        whole = not seen.unchecked
        out.print("recipe      is right" if whole else "recipe      is right as far as it was looked at")
    if seen.examples:
        rows = ", ".join(f"{count:,} {split}" for split, count in seen.examples.items())
        out.print(f"data        {rows}{_labels(loaded, seen.labels)}", markup=False)
    if seen.parameters:
        out.print(
            f"checkpoint  loads; {seen.parameters['trained']:,} of {seen.parameters['total']:,} parameters are trained"
        )
    if seen.steps is not None:
        steps = (
            f"{seen.steps:,} steps of {loaded.training.batch_size} examples" if seen.steps else "fitted once"
        )
        out.print(f"training    {steps}")
    for finding in seen.findings:
        out.print("note        ", end="", style="yellow")
        out.print(finding, markup=False)
    for part in seen.unchecked:
        out.print(f"not checked {part}: it lies on the Hub; --download looks at it, too", markup=False)
    if data and seen.examples:
        from hftransfer.cli.lint import show_lint

        show_lint(seen.lint)


def _labels(recipe: Any, labels: Sequence[str]) -> str:
    """`; 2 labels: negative, positive`; nothing for a task that has none."""
    if not labels:
        return ""
    what = "target" if getattr(recipe.task, "problem_type", None) == "regression" else "label"
    shown = ", ".join(labels[:10]) + (" ..." if len(labels) > 10 else "")
    return f"; {len(labels)} {what}{'s' if len(labels) > 1 else ''}: {shown}"
