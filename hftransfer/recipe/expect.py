"""What the schema expects at a place in a recipe, in words, read off the types of the models' fields."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types as limits
from pydantic import BaseModel
from pydantic.fields import FieldInfo

MAX_KEYS = 4
MAX_SHOWN = 60


@dataclass(frozen=True)
class Expected:
    """A type with its constraints, as one field (or one item of a list) has them."""

    annotation: Any
    metadata: tuple[Any, ...] = ()
    required: bool = False

    @property
    def options(self) -> tuple[Expected, ...]:
        """The members of a union, itself otherwise; Annotated is taken apart."""
        if get_origin(self.annotation) is Annotated:
            bare, *notes = get_args(self.annotation)
            return Expected(bare, (*self.metadata, *_flat(notes))).options
        if get_origin(self.annotation) in (Union, types.UnionType):
            members = (Expected(member, self.metadata) for member in get_args(self.annotation))
            return tuple(option for member in members for option in member.options)
        return (self,)

    @property
    def model(self) -> type[BaseModel] | None:
        """The class of a section; None for anything else."""
        is_model = isinstance(self.annotation, type) and issubclass(self.annotation, BaseModel)
        return self.annotation if is_model else None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values that a Literal allows, or the names of sections of which one is chosen by `name`."""
        found: list[Any] = []
        for option in self.options:
            if get_origin(option.annotation) is Literal:
                found += get_args(option.annotation)
            elif option.model is not None and "name" in option.model.model_fields:
                found += Expected(option.model.model_fields["name"].annotation).choices
        return tuple(found)

    def takes(self, kind: type) -> bool:
        """Whether a value of that Python type may be right here."""
        return any(
            option.annotation in (kind, Any) or get_origin(option.annotation) is kind
            for option in self.options
        )

    def at(self, step: str | int, value: Any) -> Expected | None:
        """What is expected one step down. `value`: what the recipe holds here, to tell sections apart."""
        for option in self.options:
            origin, arguments = get_origin(option.annotation), get_args(option.annotation)
            if (
                option.model is not None
                and _chosen(option.model, value)
                and step in option.model.model_fields
            ):
                return of_field(option.model.model_fields[str(step)])
            if origin is dict:
                return Expected(arguments[1])
            if origin in (tuple, list) and isinstance(step, int):
                return Expected(arguments[0] if Ellipsis in arguments or origin is list else arguments[step])
        return None

    def words(self) -> str:
        """`a whole number above 0 or null`."""
        null = [option for option in self.options if option.annotation in (None, type(None))]
        rest = [option for option in self.options if option not in null]
        if len(rest) > 1 and all(option.model for option in rest) and self.choices:
            return f"{_choice(self.choices)}, or a section with one of these as `name`"
        return " or ".join(dict.fromkeys([*(_words(option) for option in rest), *("null" for _ in null)]))


def of_field(field: FieldInfo) -> Expected:
    """What a model's field expects."""
    return Expected(field.annotation, tuple(field.metadata), field.is_required())


def section(root: Expected, path: Sequence[str | int], value: Any) -> Expected | None:
    """What is expected at `path` below `root`, where the recipe holds `value` at `root`."""
    here: Expected | None = root
    for step in path:
        if here is None:
            return None
        here = here.at(step, value)
        value = inside(value, step)
    return here


def inside(value: Any, step: str | int) -> Any:
    """`value[step]` where that is there, None otherwise."""
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def shown(value: Any) -> str:
    """A value from a recipe, as it is quoted in messages: never more than one line of it."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, str):
        return f"`{_short(value)}`" if value else "an empty text"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, int | float):
        return f"`{_short(str(value))}`"
    if isinstance(value, Mapping):
        keys = ", ".join(map(str, value))
        return f"a section with the keys {_short(keys)}" if value else "an empty section"
    if isinstance(value, list | tuple):
        return f"the list {_short(str(list(value)))}" if value else "an empty list"
    return f"a {value.__name__} class" if isinstance(value, type) else f"a {type(value).__name__}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN else f"{line[: MAX_SHOWN - 3]}..."


def _flat(notes: Sequence[Any]) -> Iterator[Any]:
    for note in notes:
        if isinstance(note, FieldInfo):
            yield from note.metadata
        else:
            yield note


def _chosen(model: type[BaseModel], value: Any) -> bool:
    """Whether `value` asks for this one of several sections that are told apart by `name`."""
    name = model.model_fields.get("name")
    written = value.get("name") if isinstance(value, Mapping) else None
    if name is None or get_origin(name.annotation) is not Literal or written is None:
        return True
    return written in get_args(name.annotation)


def _words(option: Expected, *, many: bool = False) -> str:
    annotation, arguments = option.annotation, get_args(option.annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return _choice(arguments)
    if origin in (tuple, list):
        return _list_words(option, arguments)
    if origin is dict:
        keys = Expected(arguments[0]).choices
        return f"a section with {_choice(keys)} as keys" if keys else "a section"
    if option.model is not None:
        return _section_words(option.model)
    if annotation is str:
        return "names" if many else _text_words(option.metadata)
    one, more = _NAMES.get(annotation, ("another value", "other values"))
    return f"{more if many else one}{_bounds(option.metadata)}"


def _text_words(metadata: Sequence[Any]) -> str:
    if any(isinstance(note, limits.MaxLen) and note.max_length == 1 for note in metadata):
        return "one character"
    some = any(isinstance(note, limits.MinLen) and note.min_length for note in metadata)
    return "text that is not empty" if some else "text"


_NAMES: dict[Any, tuple[str, str]] = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "true or false"),
}


def _choice(names: Sequence[Any]) -> str:
    shown = [f"`{name}`" for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _list_words(option: Expected, arguments: tuple[Any, ...]) -> str:
    least = [note.min_length for note in option.metadata if isinstance(note, limits.MinLen)]
    count = ("one or more " if least[0] == 1 else f"at least {least[0]} ") if least else ""
    if get_origin(option.annotation) is tuple and Ellipsis not in arguments:
        count = f"{len(arguments)} "
    items = " or ".join(_words(item, many=True) for item in Expected(arguments[0]).options)
    return f"a list of {count}{items}"


def _section_words(model: type[BaseModel]) -> str:
    main = getattr(model, "main_field", None)
    if main is not None:
        field = model.model_fields[main]
        first = "a source of rows" if field.annotation is Any else of_field(field).words()
        return f"{first}, or a section with keys of its own"
    keys = list(model.model_fields)
    shown_keys = [*keys[:MAX_KEYS], *(["..."] if len(keys) > MAX_KEYS else [])]
    return f"a section with keys of its own ({', '.join(shown_keys)})"


def _bounds(metadata: Sequence[Any]) -> str:
    low, high = "", ""
    for note in metadata:
        if isinstance(note, limits.Gt):
            low = f"above {note.gt}"
        elif isinstance(note, limits.Ge):
            low = f"from {note.ge}"
        elif isinstance(note, limits.Lt):
            high = f"below {note.lt}"
        elif isinstance(note, limits.Le):
            high = f"up to {note.le}"
    if low.startswith("from") and not high:
        low += " up"
    return "".join(f" {bound}" for bound in [" and ".join(filter(None, [low, high]))] if bound)
