"""What lint finds in the rows: a table, then every finding with examples and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from hftransfer.cli.console import out
from hftransfer.lint.findings import percent

if TYPE_CHECKING:
    from hftransfer.lint import Finding

STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}


def show_lint(findings: Sequence[Finding]) -> None:
    """Print them, the most serious first."""
    if not findings:
        out.print("lint        nothing found")
        return
    table = Table(box=None, pad_edge=False)
    for header in ("lint", "check", "splits"):
        table.add_column(header)
    for header in ("rows", "share"):
        table.add_column(header, justify="right")
    for one in findings:
        counts = (f"{one.rows:,}", percent(one.rows, one.of)) if one.rows else ("", "")
        cells = (one.severity, one.check, ", ".join(one.splits), *counts)
        table.add_row(*cells, style=STYLES[one.severity])
    out.print()
    out.print(table)
    for one in findings:
        out.print()
        out.print(one.check, style=STYLES[one.severity], end=": ")
        out.print(one.message, markup=False)
        for example in one.examples:
            out.print(f"  {example}", markup=False)
        out.print(f"  what to do: {one.advice}", markup=False)
