"""What every command shares: results go to stdout, everything else to stderr; errors become exit codes."""

from __future__ import annotations

import functools
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, ParamSpec

import typer
from rich.console import Console

from hftransfer.errors import HFTransferError, InputError
from hftransfer.files import plain

P = ParamSpec("P")

# Text is shown as it is: `:smile:` in a label or a message is no picture.
out = Console(soft_wrap=True, highlight=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
debug = False

INTERRUPTED = 130


def set_debug(value: bool) -> None:
    """Whether errors are shown with their traceback."""
    global debug
    debug = value


def main_process() -> bool:
    """False in all but the first of several training processes: they do the work and say nothing."""
    return os.environ.get("RANK", "0") == "0"


def print_json(value: Any) -> None:
    """One JSON value on stdout and nothing else."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")


def print_line(text: str) -> None:
    """One line on stdout, whatever the text holds."""
    sys.stdout.write(" ".join(text.splitlines()) + "\n")


def command(function: Callable[P, None]) -> Callable[P, None]:
    """A command whose errors are told to the user: exit code 2 for bad input, 1 for a failure, 130 when interrupted."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
            sys.stdout.flush()  # here, where a reader that has gone is understood, and not as Python ends
        except HFTransferError as error:
            if debug:
                traceback.print_exc()
            # All processes meet the same bad input; one of them says so.
            if main_process() or not isinstance(error, InputError):
                err.print("error:", style="bold red", end=" ")
                err.print(str(error), markup=False)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            if debug:
                traceback.print_exc()
            if main_process():
                err.print("interrupted", style="bold yellow")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader (head, less) has gone; nothing is left to say. Python would complain once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            # Not foreseen: a full disk, a library's own error, or a mistake of this program.
            if debug:
                traceback.print_exc()
            last = next(
                (line for line in reversed(str(error).splitlines()) if line.strip()), "no reason given"
            )
            err.print("error:", style="bold red", end=" ")
            err.print(f"{type(error).__name__}: {last}", markup=False)
            err.print("  for all of it: hftransfer --debug ...", markup=False)
            raise typer.Exit(1) from None

    return guarded
