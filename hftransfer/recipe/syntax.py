"""What is wrong with a text that is not YAML, in plain words, with the line it happens in."""

from __future__ import annotations

import yaml

from hftransfer.errors import Problem

MAX_SHOWN = 100

# A piece of PyYAML's message -> what it means, and what to do. The first that fits counts.
_MEANINGS: tuple[tuple[str, str, str | None], ...] = (
    ("too deep", "sections are nested more than 40 deep", None),
    (
        "too many values",
        "more than 25,000 values: too long for a recipe",
        "keep data in a file that the recipe names",
    ),
    (
        "but found another document",
        "a second document begins here (`---`); a recipe is one",
        "keep one, or write two files",
    ),
    (
        "found undefined alias",
        "an alias (`*name`) without an anchor (`&name`)",
        "a text that starts with `*` needs quotes",
    ),
    (
        "found undefined tag handle",
        "tags (`!name`) are not allowed",
        "a text that starts with `!` needs quotes",
    ),
    (
        "mapping values are not allowed",
        "a `:` does not fit here",
        "check the indentation of this line and the one above; a text that holds `: ` needs quotes",
    ),
    (
        "expected ',' or ']'",
        "a list that starts with `[` is not closed, or a `,` is missing",
        "close it with `]`",
    ),
    (
        "expected ',' or '}'",
        "a section that starts with `{` is not closed, or a `,` is missing",
        "close it with `}`",
    ),
    (
        "expected <block end>, but found ':'",
        "there is no key before `:`",
        "write `key: value`; a text that starts with `:` needs quotes",
    ),
    (
        "expected the node content",
        "a value is missing here",
        "a text that starts with `,`, `]` or `}` needs quotes",
    ),
    (
        "sequence entries are not allowed",
        "a list item (`- `) does not fit here",
        "the items of a list begin in the line below its key; or write [a, b]",
    ),
    (
        "expected <block end>",
        "this line is not indented like the lines it belongs to",
        "the keys of one section start in the same column",
    ),
    ("could not find expected ':'", "this is not `key: value`", "write a `:` and a space after the key"),
    ("found unexpected end of stream", "a text in quotes is not closed", "add the closing quote"),
    ("found unexpected document separator", "a text in quotes is not closed", "add the closing quote"),
    (
        "found unknown escape character",
        "an unknown escape (`\\`) in double quotes",
        "use single quotes for a text that holds `\\`",
    ),
    (
        "expected '<document start>'",
        "this line does not go on with what stands before it",
        "the keys of a recipe start in the first column, each with a `:` and a space",
    ),
    ("found duplicate anchor", "an anchor (`&name`) stands here a second time", "give it another name"),
    ("scanning an anchor", "a `&` without a name", "a text that starts with `&` needs quotes"),
    ("scanning an alias", "a `*` without a name", "a text that starts with `*` needs quotes"),
    ("a tag", "tags (`!name`) are not allowed", "a text that starts with `!` needs quotes"),
    ("scanning a block scalar", "a text may not start with `>` or `|`", "write it in quotes"),
    ("scanning a directive", "a line may not start with `%`", "a text that starts with `%` needs quotes"),
    ("mapping keys are not allowed", "a text may not start with `? `", "write it in quotes"),
)


def explain(error: yaml.YAMLError, text: str) -> Problem:
    """The problem that PyYAML's `error` is about, with the text of its line."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        found = f"U+{error.character:04X}" if isinstance(error.character, int) else repr(error.character)
        return Problem(
            "", f"a control character ({found}) that a text file does not hold", None, line, column
        )
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem("", f"not YAML: {error}")
    opened, mark = error.context_mark, error.problem_mark or error.context_mark
    if mark is None:
        return Problem("", f"not YAML: {error.problem or error.context}")
    lines = text.splitlines()
    message, hint = _meaning(error, _line(lines, mark.line), mark.column)
    if opened is not None and "in quotes is not closed" in message:
        mark = opened  # noticed at the end of the file only
    elif opened is not None and opened.line != mark.line and "not closed" in message:
        message = f"{message}; it starts in line {opened.line + 1}"
    row = min(mark.line, max(len(lines) - 1, 0))
    return Problem(
        "", f"{message}\n    {row + 1} | {_short(_line(lines, row))}", hint, row + 1, mark.column + 1
    )


def _line(lines: list[str], row: int) -> str:
    return lines[min(row, len(lines) - 1)] if lines else ""


def _meaning(error: yaml.MarkedYAMLError, line: str, column: int) -> tuple[str, str | None]:
    said = f"{error.context or ''} {error.problem or ''}"
    if "cannot start any token" in said:
        return _odd_start(line, column)
    if "expected <block end>" in said and line[:column].rstrip()[-1:] in ("'", '"'):
        return "a text goes on after its closing quote", "write a quote inside quotes twice: 'it''s'"
    for piece, message, hint in _MEANINGS:
        if piece in said:
            return message, hint
    return f"not YAML: {said.strip()}", None


def _odd_start(line: str, column: int) -> tuple[str, str | None]:
    found = line[column : column + 1]
    if found == "\t":
        if not line[:column].strip():
            return "this line is indented with a tab; YAML takes spaces only", "replace the tab by two spaces"
        return "a tab stands between the key and its value", "replace the tab by a space"
    return f"a text may not start with `{found}`", f'write it in quotes: "{line[column:].strip()}"'


def _short(line: str) -> str:
    visible = line.replace("\t", "→")
    return visible if len(visible) <= MAX_SHOWN else f"{visible[:MAX_SHOWN]}..."
