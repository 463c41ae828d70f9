"""One of the processes of a run that was started from Python: `python -m hftransfer.interactive.worker ORDER`."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from hftransfer.errors import HFTransferError, InputError, RecipeError
from hftransfer.files import plain
from hftransfer.interactive.order import read_order
from hftransfer.recipe import Recipe
from hftransfer.training.events import Event

INTERRUPTED = 130


class Teller:
    """Writes lines of JSON to what all workers write to, each line in one piece.

    to: a file descriptor. lock: a file that all of them have: what is longer than a pipe takes at once would mix.
    """

    def __init__(self, to: int, lock: Path) -> None:
        self._to = to
        self._lock = lock.open("rb")

    def __call__(self, what: dict[str, Any]) -> None:
        line = (json.dumps(plain(what)) + "\n").encode()
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            while line:
                line = line[os.write(self._to, line) :]
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


def main() -> None:
    """Run the order, and tell the process that wrote it what happens."""
    threading.Thread(target=_end_with_the_notebook, daemon=True).start()
    # Nothing else may be said there: what a library prints goes where warnings do.
    tell = Teller(os.dup(1), Path(sys.argv[1]))
    os.dup2(2, 1)
    first = os.environ.get("RANK", "0") == "0"
    try:
        recipe, arguments = ordered(Path(sys.argv[1]))
        from hftransfer.cli.launch import check_devices
        from hftransfer.runner import run

        check_devices(int(os.environ.get("WORLD_SIZE", "1")))
        run(recipe, watch=lambda event: tell(_named(event)), **arguments)
    except Exception as error:
        # All processes meet the same bad input; one of them says so.
        if first or not isinstance(error, InputError):
            tell(_facts(error))
        sys.exit(error.exit_code if isinstance(error, HFTransferError) else 1)


def ordered(file: Path) -> tuple[Recipe, dict[str, Any]]:
    """`read_order`. What was a recipe in the process that wrote it can be none here for one reason alone."""
    try:
        return read_order(file)
    except RecipeError as error:
        raise InputError(
            f"new processes do not know what was added to this one: {error}",
            hint="install it as a package with an entry point (group hftransfer.tasks, hftransfer.metrics, ...), "
            "or run on one process",
        ) from error


def _end_with_the_notebook() -> None:
    """The other end of standard input is held by the process that wants the run, and by nobody else."""
    while os.read(0, 1):
        pass
    os._exit(INTERRUPTED)


def _named(event: Event) -> dict[str, Any]:
    return {"event": type(event).__name__.lower(), **vars(event)}


def _facts(error: Exception) -> dict[str, Any]:
    """An error as the other process can raise it again."""
    message = error.message if isinstance(error, HFTransferError) else f"{type(error).__name__}: {error}"
    facts: dict[str, Any] = {
        "event": "error",
        "type": type(error).__name__,
        "message": message,
        "hint": getattr(error, "hint", None),
        "key": getattr(error, "key", None),
        "traceback": "".join(traceback.format_exception(error)),
    }
    if isinstance(error, RecipeError):
        facts |= {"problems": [dataclasses.asdict(one) for one in error.problems], "source": error.source}
    return facts


if __name__ == "__main__":
    main()
