"""hftransfer push: publish a finished run on the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.table import Table

from hftransfer.cli.arguments import AsJson
from hftransfer.cli.console import command, err, out, print_json
from hftransfer.errors import InputError, did_you_mean
from hftransfer.hub.push import Pushing, prepared, push
from hftransfer.recipe import Weights

WEIGHTS = get_args(Weights)


@command
def command_line(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="OWNER/NAME; made if it is not there.")],
    public: Annotated[bool, typer.Option("--public", help="Let everyone see it.")] = False,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="merged|adapter|both",
            help="The whole model, the adapter alone, or both; by default both where there is an adapter.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be pushed; the Hub is not asked.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish a finished run's model: one commit, private unless --public.

    Who pushes is asked where Hugging Face's tools keep it: HF_TOKEN, or `hf auth login`.
    """
    if weights is not None and weights not in WEIGHTS:
        raise InputError(
            f"--weights {weights} is none of {', '.join(WEIGHTS)}", hint=did_you_mean(weights, WEIGHTS)
        )
    chosen: Any = weights
    if dry_run:
        _show(prepared(run, repo, weights=chosen), as_json)
        return
    pushed = push(
        run, repo, public=public, weights=chosen, tell=lambda text: err.print(text, markup=False, style="dim")
    )
    if as_json:
        print_json(vars(pushed))
        return
    state = (
        "is there already, unchanged"
        if pushed.unchanged
        else f"{pushed.files} files, {pushed.bytes / 1e6:,.1f} MB"
    )
    out.print(f"{'private' if pushed.private else 'public'}  {pushed.url}", markup=False)
    out.print(f"commit   {pushed.commit}  {state}", markup=False)
    for path in pushed.removed:
        out.print(f"removed  {path}, of an older model", markup=False)
    out.print(f'try it   hftransfer predict {repo} "..."', markup=False)


def _show(pushing: Pushing, as_json: bool) -> None:
    for one in pushing.left:
        err.print(f"not pushed: {one}", markup=False)
    if as_json:
        files = [{"path": file.path, "bytes": file.size} for file in pushing.files]
        print_json({"repo": pushing.repo, "bytes": pushing.bytes, "files": files, "left": pushing.left})
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for file in pushing.files:
        table.add_row(file.path, f"{file.size:,}")
    table.add_row(f"{len(pushing.files)} files for {pushing.repo}", f"{pushing.bytes:,} bytes")
    out.print(table)
