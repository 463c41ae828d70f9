"""A user's process that types one command after the other: importing torch once is dear enough.

Reads a JSON list of arguments in every line; answers each with {"code", "stdout", "stderr"} in one.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback
from collections.abc import Sequence


def answer(arguments: Sequence[str]) -> dict[str, object]:
    """What `hftransfer ARGUMENTS` prints, and the code it exits with."""
    from hftransfer.cli import app

    said, told = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
        try:
            app(list(arguments))
        except SystemExit as stopped:
            code = stopped.code or 0
        except BaseException:
            traceback.print_exc()
            code = 70
    return {"code": code, "stdout": said.getvalue(), "stderr": told.getvalue()}


def main() -> None:
    answers = sys.stdout
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
