"""The schema of a recipe file as JSON Schema (draft 2020-12), for editors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hftransfer.recipe.base import KEY
from hftransfer.recipe.data import SPLITS
from hftransfer.recipe.schema import Recipe
from hftransfer.registry import STRATEGIES, TASKS, Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TEXT = {"type": "string", "minLength": 1}
_FILES = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_PER_SPLIT = {
    "type": "object",
    "properties": dict.fromkeys(SPLITS, _FILES),
    "minProperties": 1,
    "additionalProperties": False,
}
_BASE = {
    **_TEXT,
    "description": "the recipe to start from: a file (.yaml or .yml), or the name of a shipped recipe; what this one "
    "says itself wins, sections key by key",
}


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of a recipe: every section and the options of every part under `$defs`.

    An editor that knows it completes and checks keys. What it cannot say (contradictions between keys) is
    left to `load_recipe`. The tests compare it with a copy, so that a change is seen in review; to renew it:
    `hftransfer schema > tests/recipe/schema.json`.
    """
    schema = Recipe.model_json_schema()
    definitions: dict[str, Any] = schema["$defs"]
    for kind, registry in (("task", TASKS), ("strategy", STRATEGIES)):
        definitions |= _parts(kind, registry)
    _write_short(definitions, "CheckpointSection", [_TEXT])
    _write_short(definitions, "DataSection", [*_FILES["anyOf"], _PER_SPLIT])
    definitions["DataSection.section"]["properties"]["source"] |= {"anyOf": [*_FILES["anyOf"], _PER_SPLIT]}
    for option in definitions["DataSection.section"]["properties"]["labels"]["anyOf"]:
        if option["type"] == "array":  # `labels: [0, 1]` is read as the text it is written as
            option["items"] = {"type": ["string", "number", "boolean"]}
    _choose_optimizer(definitions)
    _allow_a_base(schema)
    plain: dict[str, Any] = _plain(schema)
    return {"$schema": DIALECT, "title": "hftransfer recipe", **plain}


def _parts(kind: str, registry: Registry[Any]) -> dict[str, Any]:
    """`task`: a name, or one of `task.<name>`, which hold the options."""
    definitions: dict[str, Any] = {}
    for part in registry:
        name = f"{kind}.{part.model_fields['name'].default}"
        own = part.model_json_schema(ref_template="#/$defs/{model}")
        definitions |= own.pop("$defs", {})
        definitions[name] = own
    names = {"enum": list(registry.names()), "description": f"a {kind} with its default options"}
    definitions[kind] = {
        "anyOf": [names, *_refs(sorted(key for key in definitions if key.startswith(f"{kind}.")))]
    }
    return definitions


def _write_short(definitions: dict[str, Any], name: str, short: list[dict[str, Any]]) -> None:
    """Let a section be written as its main field alone."""
    section = definitions.pop(name)
    definitions[f"{name}.section"] = section
    definitions[name] = {
        "description": section.get("description", ""),
        "anyOf": [*short, {"$ref": f"#/$defs/{name}.section"}],
    }


def _choose_optimizer(definitions: dict[str, Any]) -> None:
    field = definitions["TrainingSection"]["properties"]["optimizer"]
    options = field.pop("oneOf")
    field.pop("discriminator")
    names = [definitions[one["$ref"].rpartition("/")[2]]["properties"]["name"]["const"] for one in options]
    field["anyOf"] = [{"enum": names}, *options]
    for name, option in zip(names, options, strict=True):
        if name != field["default"]["name"]:  # options without a name are those of the default
            definitions[option["$ref"].rpartition("/")[2]]["required"] = ["name"]


def _allow_a_base(schema: dict[str, Any]) -> None:
    """With a base, a recipe and its sections may leave out what that says; without one, all that is needed is."""
    schema["properties"] = {KEY: _BASE, **schema["properties"]}
    for name in ("CheckpointSection.section", "DataSection.section"):
        del schema["$defs"][name]["required"]
    sections = {
        section: {"anyOf": [{"not": {"type": "object"}}, {"required": [main]}]}
        for section, main in (
            ("checkpoint", "name"),
            ("data", "source"),
            ("task", "name"),
            ("strategy", "name"),
        )
    }
    sections["data"]["anyOf"].append(_PER_SPLIT)
    schema["if"] = {"not": {"required": [KEY]}}
    schema["then"] = {"required": schema.pop("required"), "properties": sections}


def _refs(names: Iterable[str]) -> list[dict[str, Any]]:
    return [{"$ref": f"#/$defs/{name}"} for name in names]


def _plain(value: Any, *, names: bool = False) -> Any:
    """Without pydantic's titles, which repeat the keys, and with the marks of parts as references.

    names: whether the keys of `value` are names in a recipe, where `title` would be one of them.
    """
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "x-part" in value:
        rest = {key: item for key, item in value.items() if key not in ("x-part", "title")}
        return {"$ref": f"#/$defs/{value['x-part']}", **rest}
    return {
        key: item if key == "default" else _plain(item, names=key in ("properties", "$defs"))
        for key, item in value.items()
        if names or key != "title"
    }
