"""A client of the hub that stays: asked for one thing after the other, it imports its libraries once.

`python long_lived.py` reads a line of JSON, {"push": [RUN, REPO]} or {"fetch": REPO}, and answers with one: what came
out ("done"), or the error that a user reads ("error", "hint", "exit_code"; "unforeseen" for any that is not ours).
What it has fetched it forgets before it fetches again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any


class Client:
    """The process, from outside; in a `with`."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def push(self, run: Path, repo: str) -> dict[str, Any]:
        return self._ask({"push": [str(run), repo]})

    def fetch(self, repo: str) -> dict[str, Any]:
        return self._ask({"fetch": repo})

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def answer(question: dict[str, Any]) -> dict[str, Any]:
    from hftransfer.errors import HFTransferError
    from hftransfer.hub import fetch, push

    try:
        if "push" in question:
            return {"done": vars(push(*question["push"]))}
        shutil.rmtree(Path(os.environ["HF_HOME"]) / "hub", ignore_errors=True)
        return {"done": str(fetch(question["fetch"]))}
    except HFTransferError as error:
        return {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}
    except Exception as error:
        return {"unforeseen": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    to_parent = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line)), default=str), file=to_parent, flush=True)
