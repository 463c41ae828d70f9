"""Short blocks of facts: a name, and a text that is wrapped beside it."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

WIDTH = 12
LEAST = 40
CONTINUED = " \\"
"""What a shell reads on from."""


def print_facts(console: Console, facts: Sequence[tuple[str, str]], *, width: int = WIDTH) -> None:
    """A line each; on a terminal wrapped at its width, elsewhere whole, so that a program can read it."""
    room = max(LEAST, console.width) - width if console.is_terminal else None
    for name, text in facts:
        lines = (
            [text]
            if room is None
            else textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False) or [""]
        )
        if text.startswith(" ") and len(lines) == 1:
            lines = [text]  # indented on purpose
        for number, line in enumerate(lines):
            label = name if not number else ""
            # At once: what is printed above a block that moves has to be whole lines.
            console.print(Text.assemble((f"{label:<{width}}", "bold"), line))


def print_command(console: Console, command: str) -> None:
    """A command to be copied; on a terminal broken where a shell reads on, none of its words in two."""
    indent = "  "
    if not console.is_terminal or len(indent + command) <= console.width:
        console.print(f"{indent}{command}", markup=False)
        return
    room = max(LEAST, console.width) - len(2 * indent) - len(CONTINUED)
    lines: list[str] = []
    for word in shlex.split(command):
        quoted = shlex.quote(word)
        if lines and len(lines[-1]) + 1 + len(quoted) <= room:
            lines[-1] += f" {quoted}"
        else:
            lines.append(quoted)
    for number, line in enumerate(lines):
        more = CONTINUED if number + 1 < len(lines) else ""
        console.print(f"{indent * (1 + bool(number))}{line}{more}", markup=False)
