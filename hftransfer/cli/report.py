"""hftransfer report: a finished run as a page that can be forwarded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hftransfer.cli.arguments import AsJson, RunArgument
from hftransfer.cli.console import command, err, out, print_json
from hftransfer.errors import InputError
from hftransfer.hub import fetch, is_repo
from hftransfer.runner import load_run


@command
def command_line(
    run: RunArgument,
    output: Annotated[
        Path | None, typer.Option(help="A folder of its own; by default `report` in the run's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a finished run: one HTML page that needs nothing else, and its plots as PNG files."""
    if output is None and is_repo(run):
        fetch(run)  # what is nowhere is told before what is missing
        raise InputError(f"{run} lies on a hub, and not here", hint="say where the report goes: --output DIR")
    result = load_run(run)
    from hftransfer.report import check_place, write_report

    if output is not None:
        check_place(output)
    err.print("drawing ...", markup=False)
    report = write_report(result, output)
    if as_json:
        print_json({"run": run, "report": report.page, "plots": report.plots})
        return
    out.print(f"report   {report.page}", markup=False)
    out.print(f"plots    {', '.join(report.plots)}", markup=False)
