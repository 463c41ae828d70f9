"""The command line as a user has it: a process of its own.

Importing torch and the like takes it seconds. So it is forked from a process that has imported all but the command line
itself; where that would not show what is asked, or where libraries would read other settings, it starts from nothing.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

LIBRARIES = ("HF_", "TRANSFORMERS_", "OMP_", "PYTHON", "TOKENIZERS_")
"""How the names of settings begin that libraries read while they are imported."""


def hftransfer(
    *arguments: str | Path,
    cwd: Path | None = None,
    stdin: str | None = None,
    anew: bool = False,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run `hftransfer ARGUMENTS` and wait for it. stdin: what is piped into it. anew: for how long all of it takes."""
    variables = {**os.environ, "COLUMNS": "200", **environment}
    command = [sys.executable, "-m", "hftransfer", *map(str, arguments)]
    if anew or not hasattr(os, "fork") or settings(variables) != settings(os.environ):
        return subprocess.run(
            command, capture_output=True, text=True, cwd=cwd, input=stdin, env=variables, check=False
        )
    job = {"arguments": command[3:], "cwd": str(cwd or Path.cwd()), "environment": variables}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        reads, writes = os.pipe()
        server = warm(settings(os.environ))
        try:
            socket.send_fds(server, [json.dumps(job).encode()], [reads, out.fileno(), err.fileno()])
        finally:
            os.close(reads)
        with os.fdopen(writes, "w", encoding="utf-8") as pipe:
            pipe.write(stdin or "")
        code = json.loads(server.recv(1000))
        said = [_all(out), _all(err)]
    return subprocess.CompletedProcess(command, code, *said)


def settings(variables: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(one for one in variables.items() if one[0].startswith(LIBRARIES)))


def _all(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode().replace("\r\n", "\n"))


@cache
def warm(settings: tuple[tuple[str, str], ...]) -> socket.socket:
    """What to ask for a process. Closed, with this process, it ends what is at its other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    number = theirs.fileno()
    subprocess.Popen(
        [sys.executable, __file__, str(number)],
        pass_fds=[number],
        # A forked process would not have the threads of numpy's linear algebra.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    theirs.close()
    return ours


def serve(server: socket.socket) -> None:
    """Start what is asked for, one after the other, until nobody can ask any more."""
    libraries = ("peft", "rich.progress", "sklearn.linear_model", "transformers.pipelines", "typer")
    own = ("comparison", "one_run", "planning", "propose", "runner")
    for name in (*libraries, *(f"hftransfer.{one}" for one in own)):
        importlib.import_module(name)
    from hftransfer.registry import METRICS, STRATEGIES, TASKS

    assert all(table.names() for table in (METRICS, STRATEGIES, TASKS))
    assert "hftransfer.cli" not in sys.modules  # it looks at the terminal it is started in
    while True:
        said, files, _, _ = socket.recv_fds(server, 1 << 18, 3)
        if not said:
            return
        child = os.fork()
        if not child:
            server.close()
            be(json.loads(said), files)
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        server.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())


def be(job: dict[str, Any], files: list[int]) -> NoReturn:
    """Be `python -m hftransfer ARGUMENTS` to its end."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["cwd"])
    sys.argv = ["hftransfer", *job["arguments"]]
    code = 1
    try:
        runpy.run_module("hftransfer", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else 0 if asked.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # and not this folder, whose modules have names of libraries
    serve(socket.socket(fileno=int(sys.argv[1])))
