"""YAML the way people mean it: the core schema of YAML 1.2, closed to everything that is not plain data.

PyYAML scans and parses; the values are built here, node by node, so that every value keeps its place.
Other than in PyYAML's own (YAML 1.1) reading `2e-5` is a number, `010` is ten, `no`, `on` and dates are text,
a key may stand once only, a tag is an error, and aliases cannot blow up.
Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hftransfer.errors import Problem
from hftransfer.recipe.syntax import explain

Key = tuple[str | int, ...]
"""The way to a value: names of keys, and numbers (from 0) of items."""

MAX_VALUES = 25_000  # read in a second; the labels of ImageNet-21k fit
MAX_DEPTH = 40
MAX_REPEATS = 10_000  # values that aliases repeat: an alias bomb ends here
MAX_DIGITS = 300

_PREFIX = "tag:yaml.org,2002:"
_BOOL, _INT, _FLOAT, _NULL, _MERGE = (
    f"{_PREFIX}{name}" for name in ("bool", "int", "float", "null", "merge")
)
_KINDS = {_BOOL: "true or false", _INT: "a number", _FLOAT: "a number", _NULL: "nothing (null)"}
_CORE = [
    (_BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (_INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        _FLOAT,
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    (_MERGE, r"<<", "<"),
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
]


def add_core_schema(resolver: type[yaml.resolver.BaseResolver]) -> None:
    """Make a PyYAML loader or dumper tell plain scalars apart as YAML 1.2's core schema does."""
    resolver.yaml_implicit_resolvers = {}
    for tag, pattern, first in _CORE:
        resolver.add_implicit_resolver(tag, re.compile(rf"(?:{pattern})\Z"), list(first))


@dataclass(frozen=True)
class Place:
    """Where a value stands. Lines and columns count from 1.

    line, column: of its key (in a list: of the item).
    start, end: of a scalar as it stands in the text, quotes included: `text[start:end]`.
    written: a scalar as text, before it was read as a number or a boolean.
    origin: None for a file; otherwise where else the value came from, and lines and columns mean nothing.
    file: None for the recipe's own file; otherwise the one, named as its `base`, that the value came from.
    """

    line: int = 0
    column: int = 0
    start: int | None = None
    end: int | None = None
    written: str | None = None
    origin: str | None = None
    file: Path | None = None


@dataclass
class Tree:
    """A YAML text as plain data, the place of every value, and what is wrong with the text.

    empty: it holds no value. block: the value is written over lines, not in brackets. end: offset of its end.
    """

    value: Any = None
    places: dict[Key, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    empty: bool = False
    block: bool = False
    end: int = 0


def parse(text: str) -> Tree:
    """The one YAML document in `text`. Mistakes do not raise: they are its `problems`."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        return Tree(problems=[explain(error, text)])
    if root is None:
        return Tree(empty=True)
    tree = Tree(
        empty=isinstance(root, yaml.ScalarNode) and not text[root.start_mark.index : root.end_mark.index],
        block=isinstance(root, yaml.CollectionNode) and not root.flow_style,
        end=root.end_mark.index,
    )
    try:
        tree.value = _Builder(tree, loader.tags).build(root, ())
    except _TooMuchError as error:
        tree.problems = [error.problem]
    return tree


class _Loader(yaml.SafeLoader):
    """Composes nodes; bounds their depth and number, and keeps the tags that were written out."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.tags: dict[int, str] = {}
        self._depth = 0
        self._count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, "too deep", event.start_mark)
        if self._count > MAX_VALUES:
            raise yaml.composer.ComposerError(None, None, "too many values", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and getattr(event, "tag", None) is not None:
            self.tags[id(node)] = event.tag.replace(_PREFIX, "!!")
        return node


add_core_schema(_Loader)


class _TooMuchError(Exception):
    """Building stops: going on would take for ever."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Builder:
    """Builds plain data from nodes, writing places and problems into the tree."""

    def __init__(self, tree: Tree, tags: dict[int, str]) -> None:
        self._tree = tree
        self._tags = tags
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._repeats = 0

    def build(self, node: yaml.Node, path: Key) -> Any:
        self._guard(node, path)
        if id(node) in self._tags:
            self._report(
                node,
                path,
                f"the tag `{self._tags[id(node)]}` is not allowed",
                "a recipe is plain data: leave the tag out; a text that starts with `!` needs quotes",
            )
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        value: Any = None
        if isinstance(node, yaml.MappingNode):
            value = self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            value = self._sequence(node, path)
        self._open.discard(id(node))
        return value

    def _guard(self, node: yaml.Node, path: Key) -> None:
        if id(node) in self._open:
            raise _TooMuchError(_at(node, path, "an alias (`*`) stands inside its own anchor (`&`)", None))
        self._repeats += id(node) in self._seen
        self._seen.add(id(node))
        if self._repeats > MAX_REPEATS:
            message = f"aliases (`*`) repeat more than {MAX_REPEATS:,} values"
            raise _TooMuchError(_at(node, path, message, "write the values out"))

    def _mapping(self, node: yaml.MappingNode, path: Key) -> dict[str, Any]:
        value: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            line = key_node.start_mark.line + 1
            if key in value:
                self._report(
                    key_node,
                    (*path, key),
                    f"the key `{key}` stands here a second time; the first is in line {first[key]}",
                    "keep one of them",
                )
                continue
            first[key] = line
            self._tree.places[(*path, key)] = _place(key_node, value_node)
            value[key] = self.build(value_node, (*path, key))
        return value

    def _sequence(self, node: yaml.SequenceNode, path: Key) -> list[Any]:
        value = []
        for index, item in enumerate(node.value):
            self._tree.places[(*path, index)] = _place(item, item)
            value.append(self.build(item, (*path, index)))
        return value

    def _key(self, node: yaml.Node, path: Key) -> str | None:
        """The key's name, or None when it is not one, which is reported."""
        if not isinstance(node, yaml.ScalarNode):
            self._report(node, path, "a key is a name; found a list or a section as a key", None)
        elif node.tag == _MERGE:
            self._report(
                node,
                path,
                "`<<` (merging keys) is not part of YAML 1.2 and not read here",
                "write the keys out",
            )
        elif id(node) in self._tags:
            self._report(node, path, f"the tag `{self._tags[id(node)]}` is not allowed", "leave the tag out")
        elif node.tag != f"{_PREFIX}str":
            found = (
                f"`{node.value}`, which YAML reads as {_KINDS[node.tag]}"
                if node.value
                else "nothing before `:`"
            )
            hint = f'if it is a name, write it in quotes: "{node.value}"' if node.value else None
            self._report(node, path, f"a key is a name; found {found}", hint)
        else:
            return str(node.value)
        return None

    def _scalar(self, node: yaml.ScalarNode, path: Key) -> Any:
        text, kind = str(node.value), _KINDS.get(node.tag)
        if id(node) in self._tags or kind is None:
            return text
        if kind == "a number" and len(text) > MAX_DIGITS:
            self._report(node, path, f"a number of {len(text)} characters is too long", None)
            return None
        if node.tag == _INT:
            return int(text, {"0x": 16, "0o": 8}.get(text[:2], 10))
        if kind == "a number":
            return self._finite(node, path)
        return text.lower() == "true" if kind == "true or false" else None

    def _finite(self, node: yaml.ScalarNode, path: Key) -> float | None:
        number = float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if math.isfinite(number):
            return number
        self._report(node, path, f"expected a finite number, found `{node.value}`", None)
        return None

    def _report(self, node: yaml.Node, path: Key, message: str, hint: str | None) -> None:
        self._tree.problems.append(_at(node, path, message, hint))


def _at(node: yaml.Node, path: Key, message: str, hint: str | None) -> Problem:
    mark = node.start_mark
    return Problem(".".join(map(str, path)), message, hint, mark.line + 1, mark.column + 1)


def _place(key: yaml.Node, value: yaml.Node) -> Place:
    scalar = isinstance(value, yaml.ScalarNode)
    return Place(
        line=key.start_mark.line + 1,
        column=key.start_mark.column + 1,
        start=value.start_mark.index if scalar else None,
        end=value.end_mark.index if scalar else None,
        written=value.value if scalar else None,
    )
