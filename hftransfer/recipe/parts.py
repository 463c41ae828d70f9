"""The fields of a recipe that hold a part: written as a name, or as a mapping of its name and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from hftransfer.errors import did_you_mean
from hftransfer.recipe.expect import shown
from hftransfer.registry import STRATEGIES, TASKS, Part, Registry, UnknownNameError


@dataclass(frozen=True)
class PartOf:
    """Marks a field whose value is a part out of `registry`."""

    registry: Registry[Any]


def part_class(registry: Registry[Any], value: Any) -> Any:
    """The class of the part that `value` (a part, its name, or a mapping with `name`) asks for, or None."""
    name = value.get("name") if isinstance(value, Mapping) else getattr(value, "name", value)
    return registry.get(name) if isinstance(name, str) and name in registry.names() else None


def build(registry: Registry[Any], value: Any) -> Any:
    """The part that `value` (a name, or a mapping with `name` and options) asks for."""
    if isinstance(value, Part):
        if part_class(registry, value) is not type(value):
            raise _problem(f"a {type(value).__name__} is not a {registry.kind} that is known", registry)
        return value
    options = {"name": value} if isinstance(value, str) else value
    if not isinstance(options, Mapping):
        expected = f"the name of a {registry.kind}, or a section with `name` and options"
        raise _problem(f"expected {expected}, found {shown(value)}", registry)
    if not isinstance(options.get("name"), str):
        raise _problem(f"the {registry.kind} has no name", registry, _name_hint(registry, options))
    try:
        part = registry.get(options["name"])
    except UnknownNameError as error:
        raise _problem(error.message, registry, error.hint) from None
    try:
        return part.model_validate(dict(options))
    except ValidationError as error:
        # pydantic would flatten this to one message; carried whole, it keeps a place for every mistake.
        context = {"part": part.__name__, "error": error, "model": part}
        raise PydanticCustomError("nested", "{part}", context) from None


def _name_hint(registry: Registry[Any], options: Mapping[str, Any]) -> str | None:
    """Which part has these options."""
    fits = [name for name in registry.names() if set(options) <= set(registry.get(name).model_fields)]
    if not fits or not set(options) - {"name"}:
        return f"write `name` beside its options; known: {', '.join(registry.names())}"
    return f"write `name: {fits[0]}` beside its options"


def _problem(message: str, registry: Registry[Any], hint: str | None = None) -> PydanticCustomError:
    hint = hint or did_you_mean("", registry.names())
    return PydanticCustomError("part", "{message}", {"message": message, "hint": hint})


if TYPE_CHECKING:
    # Tasks and strategies lie above this layer, which cannot name their types.
    TaskPart = Any
    StrategyPart = Any
else:
    TaskPart = Annotated[
        SerializeAsAny[Part],
        PartOf(TASKS),
        BeforeValidator(lambda value: build(TASKS, value)),
        WithJsonSchema({"x-part": "task"}),
    ]
    StrategyPart = Annotated[
        SerializeAsAny[Part],
        PartOf(STRATEGIES),
        BeforeValidator(lambda value: build(STRATEGIES, value)),
        WithJsonSchema({"x-part": "strategy"}),
    ]
