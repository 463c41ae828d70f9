"""Another process, which knows nothing of this one, for questions about what lies on the disk.

Importing what answers them takes seconds, so the process that has imported it stays, as a stem that knows nothing yet:

    this process                     the stem                        its child
    starts the stem         --->     imports, and waits
    names a folder          --->     forks                  --->     answers, and ends
    learns how that ended   <---     waits for it           <---

Of one answer nothing reaches the next, since each is given by a new child. The stem ends when nobody holds the other
end of what it reads any more, however this process has ended, and when it has not been asked anything for a while.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hftransfer.errors import ReloadError
from hftransfer.locate import importing_alike
from hftransfer.stem import ANSWERS, READY, last_line
from hftransfer.tokens import without_tokens

COMMAND = (sys.executable, "-m", "hftransfer.proof")
GRACE = 0.5
"""Seconds that a stem has to end by itself; while it imports, it does not look."""
LAUNCHER = (
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
    "GROUP_RANK",
)
"""A launcher's variables, which would make the fresh process join the training's process group."""
UNREAD = ("HFTRANSFER_CACHE", "HFTRANSFER_CACHE_GB", "PYTEST_CURRENT_TEST")
"""What no answer reads: of features, and which test is running. A stem serves whatever they are by then."""


class FreshProcess:
    """A stem for as long as the `with` lasts, and at most one question to it.

    It is had by nobody else meanwhile, and kept for the next afterwards.
    """

    def __init__(self) -> None:
        self._stem: _Stem | None = None

    def __enter__(self) -> FreshProcess:
        return self

    def __exit__(self, *_: object) -> None:
        stem, self._stem = self._stem, None
        if stem is not None:
            _keep(stem)

    def start(self) -> int:
        """Start a stem, if there is none yet: it imports, and waits to be asked. Returns its process id."""
        if self._stem is None:
            self._stem = _kept() or _Stem(_environment())
        return self._stem.pid

    def ready(self) -> None:
        """Wait until it has imported what it needs."""
        self.start()
        assert self._stem is not None
        self._stem.ready()

    def ask(self, folder: Path, *, imports: Sequence[str] = ()) -> Callable[[], dict[str, Any]]:
        """Name it a folder. Returns what waits for its answers; raises ReloadError there.

        imports: libraries that not every answer needs, and that are there for the next one, too.
        """
        self.start()
        stem = self._stem
        assert stem is not None
        if not stem.is_alive():
            stem.end()
            stem = self._stem = _Stem(_environment())
        stem.ask(folder, imports)

        def answers() -> dict[str, Any]:
            ended = stem.ended()
            if ended is None:  # it had waited for so long that it was about to end
                return self.ask(folder, imports=imports)()
            code, last = ended
            if code:
                told = last or f"exit code {code}"
                raise ReloadError(f"the saved model cannot be loaded in a fresh process: {told}")
            found: dict[str, Any] = json.loads((folder / ANSWERS).read_text(encoding="utf-8"))
            return found

        return answers


class _Stem:
    """This end of a stem. environment: what it is started with."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._asked = self._ready = False
        # No pipe: nobody reads it while it could fill.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        # Unbuffered: a forked process can then let go of its copies of the pipes, whatever other threads did.
        self._process = subprocess.Popen(
            COMMAND,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
        )
        self.pid = self._process.pid
        _STEMS.add(self)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def is_free(self) -> bool:
        """Whether it can be asked; not while somebody has given up waiting for its answer."""
        return self.is_alive() and not self._asked

    def ready(self) -> None:
        while not self._ready and (line := self._line()):
            self._ready = line.endswith(READY)

    def ask(self, folder: Path, imports: Sequence[str]) -> None:
        self._asked = True
        question: dict[str, Any] = {"folder": str(folder.resolve()), "imports": list(imports)}
        with suppress(FileNotFoundError):  # it may have been deleted
            question["cwd"] = str(Path.cwd())
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is gone: how, `ended` tells
            self._process.stdin.write(json.dumps(question).encode() + b"\n")

    def ended(self) -> tuple[int, str] | None:
        """Wait for the answer: (exit code, last line of what was said). None where the stem had ended unasked."""
        self.ready()
        line = self._line()
        self._asked = False
        if line:
            told = json.loads(line)
            return told["code"], told["last"]
        code = self._process.wait()
        self._errors.seek(0)
        return (code, last_line(self._errors.read())) if code else None

    def end(self) -> None:
        """It ends, and its child with it, as soon as it cannot be asked any more."""
        self.let_go()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        self._process.kill()
        self._process.wait()

    def let_go(self) -> None:
        """Of the pipes. In a forked process this is all: there, `poll` finds no child, and that it is gone."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._errors.close()
        self._process.poll()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


_STEMS: weakref.WeakSet[_Stem] = weakref.WeakSet()
_FREE: list[_Stem] = []
"""What is kept for the next question: at most one, unless several threads give theirs back at once."""


def _environment() -> dict[str, str]:
    """What a stem is started with. One that was started with anything else is not asked: most of it is read once, by
    libraries while they are imported."""
    # All that it loads is here: it asks no hub, and needs no token.
    environment = {key: value for key, value in os.environ.items() if key not in LAUNCHER}
    environment = importing_alike(without_tokens(environment))
    # On the CPU, where float32 means float32: the question is whether the files are right. And no threads from the
    # start (numpy's linear algebra would have some): a child does not have them.
    return {**environment, "CUDA_VISIBLE_DEVICES": "", "OPENBLAS_NUM_THREADS": "1"}


def _read(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in UNREAD}


def _kept() -> _Stem | None:
    while _FREE:
        try:
            stem = _FREE.pop()
        except IndexError:  # another thread has it
            break
        if stem.is_alive() and _read(stem.environment) == _read(_environment()):
            return stem
        stem.end()
    return None


def _keep(stem: _Stem) -> None:
    if stem.is_free() and not _FREE:
        _FREE.append(stem)
    else:
        stem.end()


@atexit.register
def _end_all() -> None:
    while _FREE:
        _FREE.pop().end()


def _forget() -> None:
    """In a forked process, such as one that loads data: the stems are its parent's, and end with that."""
    _FREE.clear()
    for stem in _STEMS:
        stem.let_go()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
