"""hftransfer compare: finished runs beside one another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from hftransfer.cli.arguments import AsJson
from hftransfer.cli.console import command, err, out, print_json
from hftransfer.comparison.facts import Group, costs, score, seeds, spread, told
from hftransfer.comparison.ranking import compare
from hftransfer.errors import InputError
from hftransfer.files import write_text

WIDE = 10_000
"""Columns of characters: as many as any table may want."""


@command
def command_line(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Folders of finished runs, folders full of them, or OWNER/NAME\\[@REVISION] on a hub.",
        ),
    ],
    metric: Annotated[
        str | None, typer.Option(help="What to rank by; by default what chose the weights that were kept.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="On which rows; by default test where there is one, else validation.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table as csv, too.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that needs no network, too.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw the scores with their intervals (png, svg, pdf), too."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put finished runs beside one another: scores, costs, settings that differ, and what of it may be chance."""
    _check_places(csv, html, plot)
    comparison = compare(runs, metric=metric, split=split)
    for run, why in comparison.left_out.items():
        err.print(f"left out {run}: {why}", markup=False)
    if csv is not None:
        write_text(csv, comparison.to_csv())
    if html is not None:
        write_text(html, comparison.to_html())
    if plot is not None:
        comparison.plot(plot)
    if as_json:
        print_json(comparison.to_dict())
        return
    for group in comparison.groups:
        _show(group)
    for file in (csv, html, plot):
        if file is not None:
            out.print(f"wrote {file}", markup=False)


def _check_places(csv: Path | None, html: Path | None, plot: Path | None) -> None:
    for file in (csv, html):
        if file is not None and not file.absolute().parent.is_dir():
            raise InputError(f"cannot write {file}: there is no folder {file.parent}")
    if plot is not None:
        from hftransfer.comparison.plot import check

        check(plot)


def _show(group: Group) -> None:
    out.print(group.title, style="bold", markup=False)
    if group.apart:
        out.print(f"not ranked against those above: {group.apart}", markup=False)
    whole = _table(group, group.settings)
    fits = Measurement.get(out, out.options.update(max_width=WIDE), whole).maximum <= out.width
    out.print(whole if fits else _table(group, ()))
    for row in () if fits else group.rows:
        values = zip(group.settings, told(row, group.settings), strict=True)
        settings = ", ".join(f"{key}: {value}" for key, value in values if value)
        out.print(f"{row.run}  {settings}", style="dim", markup=False)
    for row in group.rows:
        if row.seeds:
            out.print(f"{row.run}  seeds {seeds(row)}", style="dim", markup=False)
    out.print(group.verdict, markup=False)
    out.print()


def _table(group: Group, settings: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "run", group.metric, spread(group), "time", "trained", "memory", *settings):
        right = name in (group.metric, "time", "trained", "memory")
        table.add_column(escape(name), justify="right" if right else "left", overflow="fold")
    for row in group.rows:
        rank = "" if row.rank is None else str(row.rank)
        table.add_row(*map(escape, [rank, row.title, *score(row), *costs(row), *told(row, settings)]))
    return table
