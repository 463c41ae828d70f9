"""The runs that are meant: folders of runs, folders full of them, repositories of a hub, results."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from hftransfer.errors import InputError, RunDirectoryError
from hftransfer.files import is_beside
from hftransfer.hub import is_repo
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory
from hftransfer.runner import load_run

Asked = str | Path | Result
DEPTH = 2
"""Folders within folders that are looked into for runs."""


def collect(runs: Iterable[Asked]) -> tuple[dict[str, Result], dict[str, str]]:
    """(finished runs by what they are called here, why others were left out), in order, each once.

    runs: folders of runs, folders of such folders, OWNER/NAME[@REVISION] of a hub, results. Raises RunDirectoryError
    for what is no run and holds none, and where no run is finished; InputError, HubError where one cannot be fetched.
    """
    found: dict[str, Result] = {}
    left_out: dict[str, str] = {}
    for asked in runs:
        if isinstance(asked, Result):
            found.setdefault(_called(asked.run_dir), asked)
            continue
        if is_repo(str(asked)):
            found.setdefault(str(asked), load_run(asked))
            continue
        inside = [*_runs_in(Path(asked), DEPTH)]
        if not inside:
            load_run(asked)  # says what is wrong with it
        for folder in inside:
            _take(folder, found, left_out)
    if not found:
        told = "; ".join(f"{run}: {why}" for run, why in left_out.items())
        raise RunDirectoryError(
            f"there is no finished run to compare ({told})" if told else "there are no runs to compare",
            hint="hftransfer compare runs/one runs/two, or a folder of runs: hftransfer compare runs",
        )
    return found, left_out


def _take(folder: Path, found: dict[str, Result], left_out: dict[str, str]) -> None:
    name = _called(folder)
    if not RunDirectory(folder).result.is_file():
        left_out[name] = "it is not finished"
        return
    try:
        found.setdefault(name, load_run(folder))
    except InputError as error:
        left_out[name] = error.message


def _runs_in(folder: Path, depth: int) -> Iterator[Path]:
    """The folder, if it is a run's, finished or not; else those in it. Not what is inside of a run."""
    at = RunDirectory(folder)
    if at.result.is_file() or (at.recipe.is_file() and at.environment.is_file()):
        yield folder
    elif depth and folder.is_dir():
        for inside in sorted(folder.iterdir()):
            if inside.is_dir() and not is_beside(inside):
                yield from _runs_in(inside, depth - 1)


def _called(folder: Path) -> str:
    """From the current folder, where it is in there."""
    absolute, here = os.path.abspath(folder), os.getcwd()
    return os.path.relpath(absolute) if absolute.startswith(here + os.sep) else absolute
