"""Short blocks of facts: a name, and a text that is wrapped beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.console import Console

WIDTH = 10
LEAST = 40


def print_facts(console: Console, facts: Sequence[tuple[str, str]], *, width: int = WIDTH) -> None:
    """A line each; on a terminal wrapped at its width, elsewhere whole, so that a program can read it."""
    room = max(LEAST, console.width) - width if console.is_terminal else None
    for name, text in facts:
        lines = [text] if room is None else textwrap.wrap(text, room, break_on_hyphens=False) or [""]
        if text.startswith(" ") and len(lines) == 1:
            lines = [text]  # indented on purpose
        for number, line in enumerate(lines):
            label = name if not number else ""
            console.print(f"{label:<{width}}", end="", style="bold", markup=False)
            console.print(line, markup=False)


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
