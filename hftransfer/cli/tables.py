"""Metrics that are more than one number, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from hftransfer.cli.console import out

MOST = 20
"""A table of more labels is wider than a screen: then, and where it is, the commonest mistakes are told instead."""


def show_tables(metrics: Mapping[str, Any], labels: Sequence[str], *, of: str) -> None:
    """Print every metric that is a matrix over labels, or a mapping, under its name. of: the rows that are scored."""
    for name, value in metrics.items():
        if name == "confusion_matrix" and value is not None:
            table = _confusion(value, labels, of)
        elif isinstance(value, Mapping) and value:
            table = _report(value, f"{name.replace('_', ' ')}, {of}")
        else:
            continue
        out.print()
        print_table(table)


def print_table(table: Table) -> None:
    """A table; on a terminal no wider than that is."""
    out.print(table, soft_wrap=not out.is_terminal)


def _too_wide(table: Table) -> bool:
    return (
        out.is_terminal
        and Measurement.get(out, out.options.update(max_width=10_000), table).maximum > out.width
    )


def _table(title: str) -> Table:
    return Table(box=None, pad_edge=False, title=escape(title), title_justify="left")


def _confusion(matrix: Sequence[Sequence[int]], labels: Sequence[str], of: str) -> Table:
    if len(labels) > MOST:
        return _mistakes(matrix, labels, of)
    table = _table(f"confusion, {of}")
    table.add_column("label \\ predicted")
    for label in labels:
        table.add_column(escape(label), justify="right")
    for label, counts in zip(labels, matrix, strict=True):
        table.add_row(escape(label), *map(str, counts))
    return _mistakes(matrix, labels, of) if _too_wide(table) else table


def _mistakes(matrix: Sequence[Sequence[int]], labels: Sequence[str], of: str) -> Table:
    wrong = [
        (count, labels[row], labels[column])
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if count and row != column
    ]
    table = _table(f"confusion, {of}: the commonest of {len(wrong)} kinds of mistakes")
    for header in ("label", "predicted"):
        table.add_column(header)
    table.add_column("rows", justify="right")
    for count, label, predicted in sorted(wrong, key=lambda one: -one[0])[:MOST]:
        table.add_row(escape(label), escape(predicted), str(count))
    return table


def _report(report: Mapping[str, Any], title: str) -> Table:
    """A row for every key; a column for every number below it, or one for the number itself."""
    rows = {str(key): value if isinstance(value, Mapping) else {"": value} for key, value in report.items()}
    columns = list(dict.fromkeys(column for value in rows.values() for column in value))
    table = _table(title)
    table.add_column("")
    for column in columns:
        table.add_column(escape(str(column)), justify="right")
    for key, value in rows.items():
        table.add_row(escape(key), *(cell(value.get(column)) for column in columns))
    return table


def cell(value: Any) -> str:
    """A number as a table shows it: counts whole, anything else with four places."""
    if isinstance(value, bool | str) or value is None:
        return escape(str(value)) if value is not None else ""
    if isinstance(value, int):
        return str(value)
    return f"{value:.4f}" if isinstance(value, float) else escape(str(value))
