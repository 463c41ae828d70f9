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


def _wrapped(text: str, room: int) -> list[str]:
    """Lines of at most so many characters, but for words that are longer: a path is copied whole."""
    if len(text) <= room:
        return [text]
    return textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False)


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


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 10 and rest else f"{round(whole / 60)} min"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def gigabytes(count: float) -> str:
    """Bytes in kB, MB or GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.0f} kB"
