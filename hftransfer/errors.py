"""What can go wrong, in the words a user reads.

Two kinds matter to a caller: `InputError` (what was asked for cannot be done: the user can mend it) and
everything else (the run itself failed). The command line turns the first into exit code 2, the second into 1.
"""

from __future__ import annotations

import difflib
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class ShownShort(BaseException):
    """An exception that a notebook shows as its message alone: what is wrong is said there, and not in the frames."""

    _cell: int | None = None

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows: all of the traceback when asked for in a later cell (`%tb`)."""
        shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        cell = getattr(shell, "execution_count", 0)
        if self._cell is None:
            self._cell = cell  # IPython asks more than once for one cell
        if cell != self._cell:
            return "".join(traceback.format_exception(self)).splitlines()
        return [*f"{type(self).__name__}: {self}".splitlines(), "  (%tb shows the whole traceback)"]


class Interrupted(ShownShort, KeyboardInterrupt):
    """Somebody has stopped a run; the message says how to go on with it."""


class HFTransferError(ShownShort, Exception):
    """Base of every error this package raises on purpose. `hint` says what to try next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  {self.hint}"


class InputError(HFTransferError):
    """Something the user gave is wrong; nothing has been written.

    key: the recipe's dotted key that asked for what is wrong (`data.columns.text`), where a recipe did.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None, key: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.key = key


@contextmanager
def asked_by(key: str) -> Iterator[None]:
    """Name the recipe's key behind an error that names none yet: the innermost, which knows best, wins."""
    try:
        yield
    except InputError as error:
        error.key = error.key or key
        raise


@dataclass(frozen=True)
class Problem:
    """One mistake in a recipe.

    key: dotted key (`training.epochs`), empty for the file as a whole.
    message: what was found and what was expected.
    hint: the nearest right name, or what to write instead.
    line, column: place in the file, from 1; None when the value came from Python or the command line.
    source: where the value came from, when that is not where the rest of the recipe did ("command line").
    """

    key: str
    message: str
    hint: str | None = None
    line: int | None = None
    column: int | None = None
    source: str | None = None


class RecipeError(InputError):
    """Everything that is wrong with a recipe, at once. `source` is the file, or where else it came from."""

    def __init__(self, problems: Iterable[Problem], *, source: str = "recipe") -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__("\n".join(self._line(problem) for problem in self.problems))

    def _line(self, problem: Problem) -> str:
        source = problem.source or self.source
        place = source if problem.line is None else f"{source}:{problem.line}"
        key = f" {problem.key}:" if problem.key else ""
        hint = f"\n    {problem.hint}" if problem.hint else ""
        return f"{place}:{key} {problem.message}{hint}"


class DataError(InputError):
    """A file, column, row or label is missing or not what the task needs."""


class CheckpointError(InputError):
    """A pretrained checkpoint cannot be found, or cannot be used safely, or does not fit the task."""


class RunDirectoryError(InputError):
    """The place for a run's files is taken, or holds no finished run."""


class TrainingError(HFTransferError):
    """Training could not go on (for example: the loss is not a finite number)."""


class ReloadError(HFTransferError):
    """The saved model, loaded afresh, does not give the outputs of the model that was trained."""


def nearest(name: str, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known name most like `name`, or None when nothing is close. cutoff: from 0 to 1 (the same)."""
    matches = difflib.get_close_matches(
        name.lower(), {known.lower(): known for known in names}, n=1, cutoff=cutoff
    )
    return next((known for known in names if known.lower() == matches[0]), None) if matches else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`did you mean X? known: ...`, for a name that is not there."""
    names = list(names)
    found = nearest(name, names)
    known = f"known: {', '.join(names)}" if names else "there are none"
    return f"did you mean `{found}`? {known}" if found else known
