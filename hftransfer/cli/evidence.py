"""What a run was compared with, on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from hftransfer.cli.console import out
from hftransfer.result import Result


def show_evidence(result: Result) -> None:
    """A row for the run and every arm, one for every seed, and the verdict; nothing where nothing was compared."""
    evidence = result.evidence
    if not evidence:
        return
    metric = evidence["metric"]
    # A space between columns, so that a mean of seeds and runs of hours fit into 80.
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for title in ("compared", metric, "95 % interval", "run - arm", "", "s", "trained"):
        table.add_column(title, justify="left" if title in ("compared", "") else "right", no_wrap=True)
    against = {one["arm"]: one for one in evidence["comparisons"]}
    for arm in evidence["arms"]:
        one: Mapping[str, Any] = against.get(arm["name"], {})
        bounds = arm["interval"]
        table.add_row(
            arm["title"],
            _number(arm["value"]),
            "" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}",
            _number(one.get("difference"), "+.4f"),
            one.get("verdict", ""),
            f"{arm['seconds']:,.0f}",
            _count(arm["trained"]),
        )
    for seed in evidence["seeds"] if len(evidence["seeds"]) > 1 else ():
        collapsed = "collapsed" if seed["collapsed"] else ""
        table.add_row(f"seed {seed['seed']}", _number(seed["value"]), "", "", collapsed, "", "")
    out.print()
    out.print(table)
    out.print()
    out.print(evidence["verdict"], markup=False)


def _number(value: float | None, form: str = ".4f") -> str:
    return "" if value is None else format(value, form)


def _count(value: int | None) -> str:
    if value is None:
        return ""
    return f"{value / 1e6:.1f} M" if value >= 1e6 else f"{value:,}"
