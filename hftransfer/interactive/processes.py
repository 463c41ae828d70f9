"""A run on several processes, started from Python: torchrun and what it starts, all of them new processes.

    this process            torchrun            N workers (`hftransfer.interactive.worker`)
    writes the order  --->  starts them  --->   read it, run it
    reads events      <-----------------------  the first of them writes what happens to their common standard output
    holds a pipe      ----------------------->  which ends when this process does, however that ends: they end with it

So nothing is left behind when a notebook's kernel is killed, and an interrupt only has to close that pipe.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, get_args

from hftransfer import errors
from hftransfer.errors import HFTransferError, InputError, Problem, RecipeError
from hftransfer.interactive.order import write_order
from hftransfer.locate import importing_alike
from hftransfer.recipe import Recipe, dump_recipe
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory
from hftransfer.runner import resolve
from hftransfer.training.events import Event, Stage

EVENTS = {kind.__name__.lower(): kind for kind in get_args(Event)}
PATIENCE = 20.0
"""Seconds that processes have to end by themselves once they are told to."""
TOLD = 12
"""Last lines of what processes have said that are shown of an end without a reason."""


class RemoteError(Exception):
    """The traceback of an error in another process, as text: the cause of the error that is raised here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def run_in_processes(
    recipe: Recipe, folder: Path, *, resume: bool, processes: int, watch: Callable[[Event], None]
) -> Result:
    """Run the recipe on `processes` new processes and wait for them; `watch` is told every event of the first.

    Raises as `runner.run` does; InputError, too, for parts that were added in this process alone.
    """
    plan = resolve(recipe)
    RunDirectory.open(folder, dump_recipe(recipe), resume=resume)
    watch(Stage("start", f"starting {processes} processes"))
    with tempfile.TemporaryDirectory(prefix="hftransfer-") as name, (Path(name) / "log").open("w+") as log:
        order = write_order(Path(name), plan, folder, resume=resume)
        with _started(order, processes, log) as launcher:
            error = _follow(launcher, watch)
            code = launcher.wait()
        if error is not None:
            raise error from error.__cause__
        if code:
            log.seek(0)
            last = [line for line in log.read().splitlines() if line.strip()][-TOLD:]
            raise HFTransferError(
                "the training processes ended without a word", hint="\n  ".join(last) or None
            )
    return Result.read(folder)


@contextmanager
def _started(order: Path, processes: int, log: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """torchrun with its workers; they are gone at the end, however that comes."""
    environment = importing_alike(os.environ)
    # As torchrun does: without a bound every process would start a thread for every core.
    environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    launcher = subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--monitor-interval", "0.1"),
            *("--nproc-per-node", str(processes), "-m", "hftransfer.interactive.worker", str(order)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        encoding="utf-8",
        env=environment,
        start_new_session=True,  # a notebook's interrupt is sent to all of its kernel's session: it is passed on here
    )
    try:
        yield launcher
    finally:
        _end(launcher)


def _end(launcher: subprocess.Popen[str]) -> None:
    """Let go of the pipe that the workers watch, and wait; what does not end by itself is killed."""
    if launcher.stdin is not None:
        launcher.stdin.close()
    try:
        launcher.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()
    if launcher.stdout is not None:
        launcher.stdout.close()


def _follow(launcher: subprocess.Popen[str], watch: Callable[[Event], None]) -> HFTransferError | None:
    """Tell every event until the last process has closed its end; the error that one of them has told, if any."""
    error = None
    assert launcher.stdout is not None
    for line in launcher.stdout:
        said = json.loads(line)
        kind = said.pop("event")
        if kind in EVENTS:
            watch(EVENTS[kind](**said))
        else:
            error = error or _error(said)
    return error


def _error(said: Mapping[str, Any]) -> HFTransferError:
    """An error of another process as one of this."""
    kind: Any = getattr(errors, said["type"], HFTransferError)
    error: HFTransferError
    if issubclass(kind, RecipeError):
        error = RecipeError([Problem(**one) for one in said["problems"]], source=said["source"])
    elif issubclass(kind, InputError):
        error = kind(said["message"], hint=said["hint"], key=said["key"])
    else:
        error = kind(said["message"], hint=said["hint"])
    error.__cause__ = RemoteError(said["traceback"])
    return error
