"""hftransfer evaluate: a finished run's metrics on rows whose targets are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hftransfer.cli.arguments import AsJson, Columns, RunArgument, columns_given
from hftransfer.cli.console import command, err, out, print_json
from hftransfer.cli.tables import show_tables
from hftransfer.runner import load_run


@command
def command_line(
    run: RunArgument,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Rows with the recipe's columns and targets; `-` is standard input. By default the run's own."
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Which split; by default test where there is one, else validation.")
    ] = None,
    column: Columns = None,
    as_json: AsJson = False,
) -> None:
    """Score a finished run's model on rows whose targets are known."""
    result = load_run(run)
    scored = result.evaluate(
        data,
        split=split,
        columns=columns_given(column),
        note=lambda text: err.print(f"note  {text}", markup=False),
    )
    if as_json:
        print_json({"run": str(run), **dataclasses.asdict(scored)})
        return
    table = Table(box=None, pad_edge=False)
    table.add_column(escape(f"{scored.data} ({scored.rows:,} rows)"))
    table.add_column("", justify="right")
    table.add_column("at 95 %" if scored.intervals else "")
    for name, value in scored.metrics.items():
        if isinstance(value, float | int):
            low_high = scored.intervals.get(name)
            table.add_row(name, f"{value:.4f}", low_high and "{:.3f} to {:.3f}".format(*low_high))
        elif value is None:
            table.add_row(name, "not defined on these rows")
    out.print(table)
    show_tables(scored.metrics, result.labels, of=scored.data)
