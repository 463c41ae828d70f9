"""A key that is not there: where it belongs, what it is called here, or the nearest right name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from hftransfer.errors import Problem, nearest
from hftransfer.recipe.data import SPLITS
from hftransfer.recipe.expect import Expected, of_field
from hftransfer.recipe.foreign import ours
from hftransfer.recipe.parts import PartOf
from hftransfer.recipe.yaml import Key

TOP = "the top level"
SOURCE_OF_A_SPLIT = (
    "beside other keys the rows of a split stand in `source`: {{source: {{{0}: ...}}, columns: ...}}"
)


def unknown_key(
    path: Key, home: Expected | None, written: Any, root: type[BaseModel]
) -> tuple[Problem, str | None]:
    """The problem of the key at `path`, and the dotted key that it says to write instead, if it names one.

    home: what is expected of the section it stands in. written: that section as written. root: the recipe.
    """
    name = str(path[-1])
    prefix = ".".join(str(step) for step in path[:-1])
    here = _keys_of(home, written)
    homes = [key for key in keys(root) if key.rpartition(".")[2] == name]
    foreign = ours(name)
    close = nearest(name, here)
    hint, target = None, None
    if path[:-1] == ("data",) and name in SPLITS and not _is_share(written, name):
        hint, target = SOURCE_OF_A_SPLIT.format(name), "data.source"
    elif homes and len({_section(key) for key in homes}) <= 3:
        hint, target = _belongs(name, homes), homes[0]
    elif foreign is not None:
        hint, target = _called(name, foreign.key, foreign.note, prefix), foreign.key
    elif close:
        hint, target = f"did you mean `{close}`?", f"{prefix}.{close}".lstrip(".")
    elif found := nearest(name, {key.rpartition(".")[2]: key for key in keys(root)}):
        target = next(key for key in keys(root) if key.rpartition(".")[2] == found)
        hint = f"did you mean `{found}`? {_belongs(found, [target])}"
    else:
        hint = f"known here: {', '.join(here)}" if here else None
    return Problem(".".join(map(str, path)), f"unknown key `{name}`", hint), target


def _is_share(written: Any, name: str) -> bool:
    return isinstance(written, Mapping) and isinstance(written.get(name), int | float)


def key_like(name: str, root: type[BaseModel]) -> str | None:
    """The dotted key that a name from elsewhere means: a whole key, its last part, or another library's word for it."""
    every = [re.sub(r"\(\w+\)", "", key) for key in keys(root)]
    if name in every:
        return name
    foreign = ours(name)
    if foreign is not None and foreign.key is not None:
        return foreign.key
    last = {key.rpartition(".")[2]: key for key in reversed(every)}
    close = name if name in last else nearest(name, last)
    return last[close] if close else None


def keys(root: type[BaseModel]) -> list[str]:
    """Every dotted key that a recipe may have, with the options of every part under the part's own name:
    `training.epochs`, `strategy(lora).rank`."""
    return list(_all_keys(root, ""))


def _all_keys(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        parts = [part for note in field.metadata if isinstance(note, PartOf) for part in note.registry]
        sections = [option.model for option in of_field(field).options if option.model is not None]
        if parts or len(sections) > 1:
            yield from _options(parts or sections, f"{prefix}{name}")
        else:
            for section in sections:
                yield from _all_keys(section, f"{prefix}{name}.")


def _options(parts: Sequence[type[BaseModel]], prefix: str) -> Iterator[str]:
    """The options of parts that are chosen by name: those of all, then those of some under their names."""
    shared = [key for key in parts[0].model_fields if all(key in part.model_fields for part in parts)]
    yield from (f"{prefix}.{key}" for key in shared if key != "name")
    for part in parts:
        yield from (f"{prefix}({_name(part)}).{key}" for key in part.model_fields if key not in shared)


def _name(part: type[BaseModel]) -> str:
    return str(part.model_fields["name"].default)


def _section(key: str) -> str:
    return key.rpartition(".")[0] or TOP


def _belongs(name: str, homes: list[str]) -> str:
    places: dict[str, list[str]] = {}
    for home in homes:
        kind, _, part = _section(home).rstrip(")").partition("(")
        places.setdefault(kind, []).extend([f"`{part}`"] if part else [])
    words = []
    for kind, parts in places.items():
        if parts:
            words.append(f"is an option of the {kind.rpartition('.')[2]} {' and '.join(parts)}")
        else:
            words.append("belongs at the top level" if kind == TOP else f"belongs in `{kind}`")
    return f"`{name}` {' or '.join(words)}"


def _called(name: str, key: str | None, note: str | None, prefix: str) -> str:
    if key is None:
        return str(note)
    shown = key.removeprefix(f"{prefix}.") if prefix else key
    return f"`{name}` is called `{shown}` here{f': {note}' if note else ''}"


def _keys_of(home: Expected | None, written: Any) -> list[str]:
    if home is None:
        return []
    from_name = [o for o in home.options if o.model is not None and written is not None]
    chosen = [o for o in from_name if o.at("name", written) is not None] or from_name
    return list(dict.fromkeys(key for option in chosen if option.model for key in option.model.model_fields))
