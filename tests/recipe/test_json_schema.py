"""The JSON Schema of a recipe, and its snapshot: a change of the schema is seen in review."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hftransfer.recipe import recipe_schema
from hftransfer.registry import STRATEGIES, TASKS

SNAPSHOT = Path(__file__).parent / "schema.json"


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_the_schema_is_the_one_that_was_reviewed() -> None:
    assert recipe_schema() == json.loads(SNAPSHOT.read_text(encoding="utf-8")), (
        "the recipe's schema has changed; if that is meant: hftransfer schema > tests/recipe/schema.json"
    )


def test_every_reference_leads_somewhere_and_every_definition_is_used() -> None:
    schema = recipe_schema()
    wanted = {reference.removeprefix("#/$defs/") for reference in references(schema)}
    assert wanted == set(schema["$defs"])


def test_every_part_is_there_with_its_options() -> None:
    definitions = recipe_schema()["$defs"]
    for kind, registry in (("task", TASKS), ("strategy", STRATEGIES)):
        names, *sections = definitions[kind]["anyOf"]
        assert names["enum"] == list(registry.names())
        assert [section["$ref"] for section in sections] == [
            f"#/$defs/{kind}.{name}" for name in registry.names()
        ]
        for name in registry.names():
            part = definitions[f"{kind}.{name}"]
            assert set(part["properties"]) == set(registry.get(name).model_fields)
            assert "required" not in part
            assert part["additionalProperties"] is False


def test_it_is_plain_json_and_says_what_keys_mean() -> None:
    schema = json.loads(json.dumps(recipe_schema()))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$defs"]["TrainingSection"]["properties"]["batch_size"]["description"]
    assert schema["$defs"]["TrainingSection"]["properties"]["epochs"]["default"] == 3
    assert "x-part" not in json.dumps(schema)


def test_what_is_needed_may_come_from_a_base() -> None:
    schema = recipe_schema()
    assert "required" not in schema
    assert schema["properties"]["base"]["type"] == "string"
    assert schema["if"] == {"not": {"required": ["base"]}}
    assert schema["then"]["required"] == ["checkpoint", "data", "task"]
    needed = {key: one["anyOf"][1]["required"] for key, one in schema["then"]["properties"].items()}
    assert needed == {"checkpoint": ["name"], "data": ["source"], "task": ["name"], "strategy": ["name"]}
