"""What a run looks like on a real pseudo-terminal of 80 columns, and in a pipe."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from toy import write_texts

COLUMNS, ROWS = 80, 24
COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[0-9;]*m")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PLAY = Path(__file__).with_name("play_a_run.py")


def on_a_terminal(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """All that the command writes to its terminal of 80 columns and 24 rows."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env={**kept, "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    written = b""
    while chunk := _read(ours):
        written += chunk
    os.close(ours)
    assert process.wait() == 0, written.decode()
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # its last user has gone
        return b""


def lines(written: str) -> list[str]:
    """What stood in the lines of the terminal, without what moves the cursor and what colours."""
    return [line for part in CONTROL.sub("", written).split("\n") for line in part.split("\r")]


def screen(written: str) -> list[str]:
    """What stands there at the end: by the few movements that are used."""
    shown, row = [""], 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\n|\r|[^\x1b\n\r]+", written):
        if token == "\n":
            row += 1
            shown += [""] * (row + 1 - len(shown))
        elif token.endswith("A") and token.startswith("\x1b"):
            row -= int(token[2:-1] or 1)
        elif token == "\x1b[2K":
            shown[row] = ""
        elif not token.startswith(("\x1b", "\r")):
            shown[row] += token
    return [line.rstrip() for line in shown]


@pytest.fixture(scope="module")
def played() -> str:
    return on_a_terminal(PLAY)


def test_no_line_is_wider_than_the_terminal(played: str) -> None:
    told = lines(played)
    assert not [line for line in told if len(line) > COLUMNS]
    assert sum(len(line) > 60 for line in told) > 5  # the control: there was enough to wrap
    assert any("1,234,567 of 22,717,066" in line for line in told)


def test_the_block_tells_all_in_words(played: str) -> None:
    told = "\n".join(lines(played))
    assert re.search(r"step 12 of 20, epoch 2 of 2 .* 60%", told)
    assert re.search(r"loss 0\.4000, rate 1\.0e-04, [\d,.]+ examples/s, about [\d.]+ s left", told)
    assert "best so far, after epoch 1, step 10: accuracy 0.9000; last accuracy 0.8000" in told
    assert "row 50 of 100" in told


def test_the_block_is_gone_afterwards(played: str) -> None:
    left = "\n".join(screen(played))
    assert "step 12 of 20" not in left
    assert "best so far" not in left
    for stays in ("recipe ", "data  ", "note  ", "training ", "  at 95 %", "proof ", "cost ", "next"):
        assert f"\n{stays}" in f"\n{left}"
    assert len(left.partition("\naccuracy")[0].splitlines()) < 16


def test_commands_can_be_copied(played: str) -> None:
    """A long one is broken where a shell reads on, and nowhere else."""
    left = "\n".join(screen(played)).partition("\nnext\n")[2]
    joined = left.replace(" \\\n", " ")
    assert re.search(r"hftransfer evaluate +'/tmp/a folder/[a-z/-]+' +--split validation", joined)


def test_a_wide_confusion_is_told_as_a_list(played: str) -> None:
    left = "\n".join(screen(played))
    assert "confusion, validation: the commonest of" in left


def test_colours_are_there_unless_they_are_not_wanted(played: str) -> None:
    assert COLOUR.search(played)
    plain = on_a_terminal(PLAY, NO_COLOR="1")
    assert not COLOUR.search(plain)
    assert "best so far, after epoch 1, step 10" in plain


def test_a_terminal_that_cannot_move_gets_lines(played: str) -> None:
    dumb = on_a_terminal(PLAY, TERM="dumb")
    assert "\x1b" not in dumb
    assert "step 20 of 20: loss 0.4000" in dumb
    assert "epoch 1, step 10: loss 0.5000, accuracy 0.9000 (best so far)" in dumb
    assert max(map(len, lines(dumb))) <= COLUMNS


def test_a_pipe_gets_whole_lines_and_no_control_codes() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run(
        [sys.executable, str(PLAY)], capture_output=True, text=True, check=True, env=environment
    )
    for told in (done.stdout, done.stderr):
        assert "\x1b" not in told
        assert "\r" not in told
    assert any(len(line) > COLUMNS for line in done.stderr.splitlines())
    assert "  step 20 of 20: loss 0.4000" in done.stderr
    assert "hftransfer evaluate '/tmp/a folder/" in done.stdout


@pytest.mark.long
def test_a_real_run(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    write_texts(tmp_path / "texts", train=64, other=24)
    (tmp_path / "toy.yaml").write_text(
        f"checkpoint: {tiny_checkpoint('bert')}\ndata: texts\ntask: text-classification\n"
        "training: {epochs: 3, batch_size: 8, learning_rate: 0.003}\n"
    )
    written = on_a_terminal("-m", "hftransfer", "run", "toy.yaml", cwd=tmp_path)
    assert max(map(len, lines(written))) <= COLUMNS + 20  # the path of the checkpoint is one word
    assert "%|" not in written
    left = "\n".join(screen(written))
    assert "\noutput      runs/toy" in left
    assert "\ndata        64 train, 24 validation, 24 test; 2 labels" in left
    assert "\nmodel    runs/toy/model" in left
