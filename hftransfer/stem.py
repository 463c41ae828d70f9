"""What a fresh process does: it imports what answers need, and answers each question by a child of its own.

The other end is in `fresh`: there a folder is named, in a line of JSON, and how the child ended is read, in another.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

ANSWERS = "answers.json"
READY = b"\0ready\n"
"""The end of the first line that a stem says: what comes before it, libraries have printed while they were imported."""
FORKS = hasattr(os, "fork") and sys.platform != "darwin"
"""Whether a process can be forked that has imported everything: libraries of macOS do not bear it. Where it cannot, a
process answers one question by itself, and ends."""
IDLE = 600.0
"""Seconds without a question after which a stem ends: it holds a few hundred megabytes."""
TAIL = 4096
"""Bytes of what a child says that are kept: its last line tells why it failed."""


def serve(answer: Callable[[Path], dict[str, Any]]) -> NoReturn:
    """Be a stem. answer: says, in a child, what there is to say of a folder. All that it needs is imported."""
    if FORKS:
        # An interrupt reaches all of a terminal's processes: whoever asked knows what to do about it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What is printed from here on is no word of ours, and goes where warnings do.
    sys.stdout.flush()
    told = os.dup(1)
    os.dup2(2, 1)
    os.write(told, READY)
    while _is_asked() and (line := sys.stdin.readline()):
        question = json.loads(line)
        for library in question["imports"]:
            with suppress(ImportError):  # whether it can do without, the answer tells
                importlib.import_module(library)
        if FORKS:
            ended = _in_child(partial(_answer, answer, question), told)
        else:
            _answer(answer, question)
            ended = {"code": 0, "last": ""}
        os.write(told, json.dumps(ended).encode() + b"\n")
        if not FORKS:
            break
    os._exit(0)  # taking all those modules down in good order takes a second


def _is_asked() -> bool:
    """Wait for a question, or the end of all questions; not for ever where the stem stays."""
    return not FORKS or bool(select.select([0], [], [], IDLE)[0])


def _answer(answer: Callable[[Path], dict[str, Any]], question: dict[str, Any]) -> None:
    if "cwd" in question:
        os.chdir(question["cwd"])
    folder = Path(question["folder"])
    (folder / ANSWERS).write_text(json.dumps(answer(folder)), encoding="utf-8")


def _in_child(work: Callable[[], None], told: int) -> dict[str, Any]:
    """Fork, and wait until the child has ended, or until nobody waits for it any more. told: where it says nothing."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        # Of threads: an allocator's is there, and takes care of itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os.close(told)
        _be_child(work, write)
    os.close(write)
    said = b""
    while True:
        if 0 in select.select([0, read], [], [])[0]:
            os.kill(child, signal.SIGKILL)
            os._exit(0)
        more = os.read(read, TAIL)
        if not more:
            break
        said = (said + more)[-TAIL:]
    os.close(read)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"code": code, "last": last_line(said)}


def _be_child(work: Callable[[], None], write: int) -> NoReturn:
    """Work, and end, whatever happens. write: where to say what went wrong; it is closed when the child has ended."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(write, 1)
    os.dup2(write, 2)
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def last_line(said: bytes) -> str:
    """The last line of what a process has said, where the reason for its end stands; empty where it said nothing."""
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
