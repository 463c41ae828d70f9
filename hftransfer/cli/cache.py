"""hftransfer cache: what is kept of what frozen backbones said of rows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from hftransfer.cli.arguments import AsJson
from hftransfer.cli.console import command, out, print_json
from hftransfer.errors import InputError, did_you_mean

ACTIONS = ("list", "size", "clear")


@command
def command_line(
    action: Annotated[str, typer.Argument(metavar=f"[{'|'.join(ACTIONS)}]", help="What to do.")] = "list",
    as_json: AsJson = False,
) -> None:
    """List, measure or remove the features of frozen backbones that are kept for later runs.

    They lie in $HFTRANSFER_CACHE (~/.cache/hftransfer); more than $HFTRANSFER_CACHE_GB (20) are removed, those that
    were used least recently first.
    """
    from hftransfer.features import store

    if action not in ACTIONS:
        raise InputError(f"'{action}' is not something that cache does", hint=did_you_mean(action, ACTIONS))
    folder = str(store.cache_folder())
    if action == "clear":
        removed = store.clear()
        print_json({"folder": folder, "removed_bytes": removed}) if as_json else out.print(
            f"removed {_megabytes(removed)} from {folder}", markup=False
        )
        return
    kept = [
        {"name": one.folder.name, **one.about, "rows": one.rows, "bytes": one.size, "used": one.used}
        for one in store.stores()
    ]
    total = sum(one["bytes"] for one in kept)
    if as_json:
        print_json({"folder": folder, "bytes": total, **({"stores": kept} if action == "list" else {})})
        return
    if action == "list":
        table = Table(box=None, pad_edge=False)
        for title in ("backbone", "checkpoint", "reads", "rows", "size", "used"):
            table.add_column(title, justify="right" if title in ("rows", "size") else "left")
        for one in kept:
            used = datetime.fromtimestamp(one["used"]).strftime("%Y-%m-%d %H:%M")
            told = (one.get("backbone", "?"), one.get("checkpoint", "?"), one.get("reads", "?"))
            table.add_row(*map(str, told), f"{one['rows']:,}", _megabytes(one["bytes"]), used)
        if kept:
            out.print(table)
    out.print(f"{_megabytes(total)} in {folder}", markup=False)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
