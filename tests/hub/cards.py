"""Model and dataset cards: the metadata in a README.md, and what the hub finds wrong with it."""

from __future__ import annotations

import re

import yaml

_METADATA = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)

_TEXT_OR_TEXTS = ("license", "language", "datasets", "base_model", "metrics")
_TEXTS = ("tags", "task_categories", "task_ids", "size_categories")
_TEXT = ("pipeline_tag", "library_name", "license_name", "license_link", "pretty_name", "model_name")
_RELATIONS = ("adapter", "merge", "quantized", "finetune")
_LICENSES = (
    *(
        "apache-2.0",
        "mit",
        "openrail",
        "bigscience-openrail-m",
        "creativeml-openrail-m",
        "afl-3.0",
        "artistic-2.0",
    ),
    *(
        "bsl-1.0",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsd-3-clause-clear",
        "c-uda",
        "cc",
        "cc0-1.0",
        "cc-by-2.0",
    ),
    *("cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0"),
    *(
        "cc-by-nc-4.0",
        "cc-by-nd-4.0",
        "cc-by-nc-nd-3.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0",
    ),
    *(
        "cc-by-nc-sa-4.0",
        "cdla-sharing-1.0",
        "cdla-permissive-1.0",
        "cdla-permissive-2.0",
        "wtfpl",
        "ecl-2.0",
    ),
    *(
        "epl-1.0",
        "epl-2.0",
        "etalab-2.0",
        "eupl-1.1",
        "eupl-1.2",
        "agpl-3.0",
        "gfdl",
        "gpl",
        "gpl-2.0",
        "gpl-3.0",
    ),
    *("lgpl", "lgpl-2.1", "lgpl-3.0", "isc", "lppl-1.3c", "ms-pl", "mpl-2.0", "odc-by", "odbl", "openrail++"),
    *(
        "osl-3.0",
        "postgresql",
        "ofl-1.1",
        "ncsa",
        "unlicense",
        "zlib",
        "pddl",
        "llama2",
        "llama3",
        "llama3.1",
    ),
    *(
        "llama3.2",
        "llama3.3",
        "llama4",
        "gemma",
        "apple-ascl",
        "apple-amlr",
        "deepfloyd-if-license",
        "unknown",
        "other",
    ),
)


def card_metadata(readme: str) -> dict[str, object]:
    """The YAML block at the top of a README.md; empty where there is none or it cannot be read."""
    found = _METADATA.match(readme)
    try:
        metadata = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError:
        metadata = None
    return metadata if isinstance(metadata, dict) else {}


def card_problems(readme: str, type: str) -> tuple[list[str], list[str]]:
    """(errors, warnings) for a README.md of a repository of `type`; an error makes the hub refuse it.

    A useful part of the hub's own rules: the types of the known keys, the known licenses, and the shape of
    `model-index`. The hub knows more (every language, dataset and metric), so no error here is not a promise.
    """
    found = _METADATA.match(readme)
    if not found:
        return [], ["empty or missing yaml metadata in repo card"]
    try:
        metadata = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        return [f"YAML Metadata Error: {error}"], []
    if not isinstance(metadata, dict):
        return [f"YAML Metadata Error: a mapping is expected, not {metadata!r}"], []
    errors = [*_wrong_types(metadata), *_wrong_values(metadata)]
    if type == "model":
        errors += _wrong_model_index(metadata.get("model-index"))
    return errors, []


def _wrong_types(metadata: dict[str, object]) -> list[str]:
    errors = []
    for key, value in metadata.items():
        if value is None:
            continue
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if key in _TEXT and not isinstance(value, str):
            errors.append(f'"{key}" must be a string')
        elif key in _TEXT_OR_TEXTS and not (isinstance(value, str) or texts):
            errors.append(f'"{key}" must be one of [string, array of strings]')
        elif key in _TEXTS and not texts:
            errors.append(f'"{key}" must be an array of strings')
    return errors


def _wrong_values(metadata: dict[str, object]) -> list[str]:
    errors = []
    given = metadata.get("license")
    for name in given if isinstance(given, list) else [given]:
        if isinstance(name, str) and name not in _LICENSES:
            errors.append(f'"license" must be one of [{", ".join(_LICENSES)}], not {name}')
    relation = metadata.get("base_model_relation")
    if relation is not None and relation not in _RELATIONS:
        errors.append(f'"base_model_relation" must be one of [{", ".join(_RELATIONS)}]')
    return errors


def _wrong_model_index(index: object) -> list[str]:
    """model-index: [{name, results: [{task: {type}, dataset: {name, type}, metrics: [{type, value}]}]}]."""
    if index is None:
        return []
    if not isinstance(index, list):
        return ['"model-index" must be an array']
    errors = []
    for n, model in enumerate(index):
        where = f"model-index[{n}]"
        errors += _missing(model, where, "name")
        results = model.get("results") if isinstance(model, dict) else None
        if not isinstance(results, list):
            errors.append(f'"{where}.results" must be an array')
            continue
        for m, result in enumerate(results):
            errors += _wrong_result(result, f"{where}.results[{m}]")
    return errors


def _wrong_result(result: object, where: str) -> list[str]:
    if not isinstance(result, dict):
        return [f'"{where}" must be of type object']
    errors = _missing(result.get("task"), f"{where}.task", "type")
    if "dataset" in result:
        errors += _missing(result["dataset"], f"{where}.dataset", "name", "type")
    metrics = result.get("metrics")
    if not isinstance(metrics, list):
        return [*errors, f'"{where}.metrics" must be an array']
    for n, metric in enumerate(metrics):
        errors += _missing(metric, f"{where}.metrics[{n}]", "type", "value")
    return errors


def _missing(value: object, where: str, *keys: str) -> list[str]:
    if not isinstance(value, dict):
        return [f'"{where}" must be of type object']
    return [f'"{where}.{key}" is required' for key in keys if value.get(key) is None]
