"""Dotted overrides, `training.epochs=1`: a recipe's keys, set on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from hftransfer.errors import Problem
from hftransfer.recipe.expect import shown
from hftransfer.recipe.problems import dotted
from hftransfer.recipe.sections import MAIN_FIELDS, PARTS, expand, forget
from hftransfer.recipe.yaml import Key, Place, Tree, parse

COMMAND_LINE = "command line"
_PLACE = Place(origin=COMMAND_LINE)


def apply_overrides(tree: Tree, overrides: Sequence[str]) -> None:
    """Set every `key=value` in the recipe, from left to right; mistakes are added to `tree.problems`.

    A value is read as in the file: `3`, `2e-5`, `null`, `[accuracy, f1]`, `{train: 100}`; nothing at all is
    null, as in YAML. A key below a section that was written short (`strategy: lora`, then `strategy.rank=16`)
    makes it a whole section. Another `strategy`, `task` or `training.optimizer` drops the options of the old
    one. An override that would undo an earlier one is a mistake.
    """
    odd = [one for one in overrides if not isinstance(one, str)]
    if odd:
        message = f"an override is a text, KEY=VALUE; found {shown(odd[0])}"
        tree.problems.append(_wrong("", message, "for example 'training.epochs=1'"))
        return
    done: list[Key] = []
    for override in _joined(overrides, tree):
        problem = _apply(tree, override, done)
        if problem is not None:
            tree.problems.append(problem)


def _joined(overrides: Sequence[str], tree: Tree) -> Iterator[str]:
    """The overrides, without those that stand as two words, `training.epochs 1`: a mistake of its own."""
    rest = list(overrides)
    while rest:
        override = rest.pop(0)
        if re.fullmatch(r"[a-z_]+(\.\w+)*", override) and rest and "=" not in rest[0]:
            meant = f"{override}={rest.pop(0)}"
            tree.problems.append(_wrong("", f"`{override}` has no `=`", f"did you mean `{meant}`?"))
            continue
        yield override


def _apply(tree: Tree, override: str, done: list[Key]) -> Problem | None:
    name, equals, text = override.partition("=")
    path: Key = tuple(name.strip().split("."))
    if not equals:
        return _wrong("", f"`{override}` has no `=`", _meant(override))
    if not all(re.fullmatch(r"\S+", str(step)) for step in path):
        return _wrong("", f"`{name}` is not a key", "write KEY=VALUE, for example training.epochs=1")
    for earlier in done:
        if earlier[: len(path)] == path:
            undone = dotted(earlier)
            message = (
                "is given twice" if earlier == path else f"would undo `{undone}`, which is given before it"
            )
            return _wrong(
                dotted(path), message, "keep one of them" if earlier == path else f"give `{undone}` after it"
            )
    value = parse(text)
    problem = _bad_value(path, text, value)
    if problem is None:
        problem = _set(tree, path, value)
    done.append(path)
    return problem


def _meant(word: str) -> str:
    """What a word that sets nothing may have been written for."""
    if word.endswith((".yaml", ".yml")):
        return "one recipe at a time: give this one a command of its own"
    where = f"; the folder to write to is --output {word}" if "/" in word else ""
    return f"write KEY=VALUE, for example training.epochs=1{where}"


def _wrong(key: str, message: str, hint: str | None) -> Problem:
    return Problem(key, message, hint, source=COMMAND_LINE)


def _bad_value(path: Key, text: str, value: Tree) -> Problem | None:
    quoted = f"quote it, once for the shell and once for YAML: '{dotted(path)}=\"{text}\"'"
    if value.problems:
        message = value.problems[0].message.partition("\n")[0]
        return _wrong(dotted(path), f"{message}: `{text}`", value.problems[0].hint or quoted)
    if value.block or text[value.end :].strip() or (value.empty and text.strip()):
        return _wrong(dotted(path), f"`{text}` is not one value", quoted)
    return None


def _set(tree: Tree, path: Key, value: Tree) -> Problem | None:
    here: Any = tree.value
    for depth, step in enumerate(path[:-1], start=1):
        at = path[:depth]
        if step not in here or (here[step] is None and at not in MAIN_FIELDS):
            here[step] = {}
            tree.places[at] = _PLACE
        expand(tree, here, at, path[depth])
        if not isinstance(here[step], dict):
            hint = f"give the whole of it: {dotted(at)}=..."
            return _wrong(dotted(path), f"`{dotted(at)}` is not a section; it is {shown(here[step])}", hint)
        here = here[step]
    if path[-1] == "name" and path[:-1] in PARTS and here.get("name") != value.value:
        for key in list(here):
            forget(tree, (*path[:-1], key))
        here.clear()
    forget(tree, path)
    here[path[-1]] = value.value
    tree.places[path] = _PLACE
    for below, place in value.places.items():
        tree.places[(*path, *below)] = replace(_PLACE, written=place.written)
    return None
