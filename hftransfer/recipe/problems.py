"""pydantic's validation errors in the words of this project: key, found, expected, the nearest right name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from hftransfer.errors import Problem, did_you_mean, nearest
from hftransfer.recipe.expect import Expected, inside, section, shown
from hftransfer.recipe.unknown import unknown_key
from hftransfer.recipe.yaml import Key

# What to write where a key is required and not there.
_EXAMPLES = {
    "checkpoint": "for example `checkpoint: google-bert/bert-base-uncased`",
    "data": "for example `data: train.csv`",
    "task": "for example `task: text-classification`",
}


def problems_in(error: ValidationError, model: type[BaseModel], raw: Any) -> list[Problem]:
    """Every mistake that `error` holds, with the errors carried inside parts unfolded.

    model: what was validated. raw: what it was validated from; keys are as they are written there.
    """
    found = list(_walk(error, model, raw, (), model))
    suggested = {key for _, key in found if key}
    kept = [p for p, _ in found if not (p.key in suggested and p.message == _MISSING)]
    mismatches = [p.key for p in kept if p.message.startswith(_EXPECTED)]
    # A union complains once for every member: the member that fits the shape complains further down.
    deep = {key for key in mismatches if any(other.startswith(f"{key}.") for other in mismatches)}
    return list(dict.fromkeys(p for p in kept if not (p.key in deep and p.message.startswith(_EXPECTED))))


_MISSING = "this key is required and not there"
_EXPECTED = "expected "


def dotted(path: Key) -> str:
    """`("metrics", 1)` as `metrics.1`."""
    return ".".join(str(step) for step in path)


def mismatch(path: Key, expected: Expected, value: Any) -> Problem:
    """The problem of a value that is not what its key expects."""
    return Problem(
        dotted(path), f"{_EXPECTED}{expected.words()}, found {shown(value)}", _hint(expected, value)
    )


def _walk(
    error: ValidationError, model: type[BaseModel], raw: Any, prefix: Key, root: type[BaseModel]
) -> Iterator[tuple[Problem, str | None]]:
    """Problems, each with the key it says to write instead, if it says so."""
    for one in error.errors(include_url=False):
        kind: str = one["type"]
        context: Mapping[str, Any] = one.get("ctx", {})
        path = _written(one["loc"], raw, whole=kind in ("missing", "extra_forbidden"))
        full = (*prefix, *path)
        value = _at(raw, path)
        if kind == "nested":
            yield from _walk(context["error"], context["model"], _options(value), full, root)
        elif kind == "missing":
            yield Problem(dotted(full), _MISSING, _EXAMPLES.get(dotted(full))), None
        elif kind == "extra_forbidden":
            home = section(Expected(model), path[:-1], raw)
            yield unknown_key(full, home, _at(raw, path[:-1]), root)
        else:
            yield _other(one, full, section(Expected(model), path, raw), value), None


def _other(one: Mapping[str, Any], path: Key, expected: Expected | None, value: Any) -> Problem:
    context = one.get("ctx", {})
    if one["type"] == "part":
        return Problem(dotted(path), context["message"], context["hint"] or None)
    if one["type"] in ("value_error", "assertion_error"):
        return Problem(dotted(path), f"{context['error']}; found {shown(value)}")
    if one["type"] == "union_tag_invalid":
        names = [str(name) for name in expected.choices] if expected else []
        return Problem(
            dotted((*path, "name")),
            f"no {path[-1]} is named `{context['tag']}`",
            did_you_mean(context["tag"], names),
        )
    if one["loc"] and one["loc"][-1] == "[key]":
        return Problem(
            dotted(path), f"`{path[-1]}` is not a key that is known here", _key_hint(one, str(path[-1]))
        )
    if expected is not None:
        return mismatch(path, expected, value)
    return Problem(dotted(path), f"{one['msg'][0].lower()}{one['msg'][1:]}; found {shown(value)}")


def _key_hint(one: Mapping[str, Any], name: str) -> str | None:
    """For a mapping whose keys are fixed names: pydantic lists them in its message as `'a', 'b' or 'c'`."""
    names = re.findall(r"'([^']*)'", str(one.get("ctx", {}).get("expected", "")))
    return did_you_mean(name, names) if names else None


def _written(loc: Key, raw: Any, *, whole: bool) -> Key:
    """pydantic's `loc` as a way through what was written: without the tags of unions, and without the main
    field of a section that is written as that field alone.

    whole: the last step is kept though it is not there.
    """
    path: list[str | int] = []
    steps, last = (loc[:-1], loc[-1:]) if whole else (loc, ())
    for step in steps:
        there = inside(raw, step)
        if there is not None or (isinstance(raw, Mapping) and step in raw) or _is_item(raw, step):
            path.append(step)
            raw = there
    return (*path, *last)


def _is_item(raw: Any, step: str | int) -> bool:
    return isinstance(raw, list | tuple) and isinstance(step, int) and step < len(raw)


def _at(raw: Any, path: Key) -> Any:
    for step in path:
        raw = inside(raw, step)
    return raw


def _options(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _hint(expected: Expected, value: Any) -> str | None:
    if isinstance(value, str):
        return _text_hint(expected, value)
    if value is None:
        return None if expected.required else "leave the key out for its default"
    if isinstance(value, int | float) and expected.takes(str):
        return f'write it in quotes: "{value}"'
    if isinstance(value, str | int | float) and expected.takes(tuple):
        return f"write a list: [{value}]"
    return None


def _text_hint(expected: Expected, value: str) -> str | None:
    if value in ("None", "none", "nil") and expected.takes(type(None)):
        return f"`{value}` is text in YAML: write null"
    if expected.choices:
        found = nearest(value, [str(choice) for choice in expected.choices])
        return f"did you mean `{found}`?" if found else None
    if expected.takes(tuple):
        return f"write a list: [{value}]"
    if value == "\\t":
        return 'write a tab in double quotes: "\\t"'
    if any(option.model is not None for option in expected.options) and re.match(r"\w+:\S", value):
        key, _, rest = value.partition(":")
        return f"write a space after the colon: `{key}: {rest}`"
    return None
