"""Text that others wrote (labels, findings, names of files) as it can stand in Markdown, and comes out as itself.

A page that the Hub shows is Markdown with HTML in it: `<script>` in a label must be read there, and not be run; a `|`
must not end a cell of a table, nor a line break the row.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

BIDIRECTIONAL = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Marks that turn the direction of the text around them; with them a line can be made to read as another."""
UNSEEN = re.compile(f"[{BIDIRECTIONAL}\ufeff\u200b]")
MARKS = re.compile(r"[\\`*\[\]~|$]|(?<![^\W_])_|_(?![^\W_])")
"""What means something anywhere in a line; an underscore inside of a word does not."""
AT_START = re.compile(r"^(\d*)(?=[#+-]|(?<=\d)[.)](\s|$))")
"""What at its start makes a line a heading or an item of a list: up to where a backslash belongs."""
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
LONGEST = 1000


class Markdown(str):
    """Text that is Markdown already."""


def escaped(value: Any, most: int = LONGEST) -> Markdown:
    """A value as one line of Markdown that reads as the value does. most: characters, of which more are cut, said by …

    Control characters, and marks that change the direction of the text, are spelled out: `\\u202e`.
    """
    if isinstance(value, Markdown):
        return value
    text = visible(" ".join(str(value).split()))
    text = text if len(text) <= most else text[: most - 1] + "…"
    text = MARKS.sub(lambda found: "\\" + found[0], text)
    text = AT_START.sub(r"\1\\", text)
    # Not as a link: neither in angle brackets nor bare.
    return Markdown(text.translate(ENTITIES).replace("://", ":\\//").replace("www.", "www\\."))


def visible(text: str) -> str:
    """With control characters, and what turns the direction of text, spelled out."""
    return "".join(
        f"\\u{ord(one):04x}" if UNSEEN.match(one) or unicodedata.category(one) in UNPRINTED else one
        for one in text
    )


UNPRINTED = ("Cc", "Cs", "Zl", "Zp")


def fenced(text: str, language: str = "") -> Markdown:
    """Text as a block of code, as it is. The fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markdown(f"{fence}{language}\n{text.strip(chr(10))}\n{fence}")


def number(value: Any) -> Markdown:
    """A score, to four digits after the point."""
    return Markdown("not defined" if value is None else f"{value:.4f}")


def apart(value: float) -> Markdown:
    """A difference of two scores."""
    return Markdown(f"{value:+.4f}")


def bounds(value: Any) -> Markdown:
    """An interval, or a dash where there is none."""
    return Markdown("-" if value is None else f"{value[0]:.4f} to {value[1]:.4f}")
