"""Examples of asking the model, which run as they are printed: with a row of the validation split, where it is text."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from hftransfer.locate import ADAPTER
from hftransfer.predictions import HEAVY
from hftransfer.recipe import Weights
from hftransfer.report.front_matter import SENTENCES, library
from hftransfer.report.origins import hub_id
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory

LONGEST = 200
"""Characters of a text that is shown."""
SHOWN = 3
LOOKED_AT = 1000
"""Rows among which those are looked for."""
FILES = {"image": "photo.jpg", "audio": "sound.wav"}


@dataclass(frozen=True)
class Example:
    """title: what opens the model, in words. language: of the code, as a fence names it."""

    title: str
    language: str
    code: str


def asked(result: Result) -> list[dict[str, Any]]:
    """Role -> value: up to three rows of the validation split that can be shown whole; none for images and sounds."""
    task = result.recipe.task
    file = RunDirectory(result.run_dir).predictions("validation")
    if any(task.columns[role].kind in HEAVY for role in result.inputs) or not file.is_file():
        return []
    config = result.model / "tokenizer_config.json"
    tokens = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    rows = pq.read_table(file, columns=list(result.inputs)).slice(0, LOOKED_AT).to_pylist()
    fitting = [task.example(row, tokens) for row in rows if all(map(_fits, row.values()))]
    fitting = [row for row in fitting if all(map(_fits, row.values()))]
    return fitting[:: max(1, len(fitting) // SHOWN)][:SHOWN]


def _fits(value: Any) -> bool:
    """Whether a value can be shown: not empty, not long, nothing in it that is not seen."""
    if isinstance(value, list):
        return bool(value) and all(map(_fits, value)) and sum(map(len, value)) + len(value) <= LONGEST
    if value is None:  # an input that the row does not have
        return True
    return bool(value.strip()) and len(value) <= LONGEST and value.isprintable()


def widget(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The rows as the Hub's widgets take them: one text, or a question with its context."""
    if not rows:
        return []
    if rows[0].keys() == {"question", "context"}:
        return [{"text": row["question"], "context": row["context"]} for row in rows]
    return [{"text": _sentence(*row.values())} for row in rows] if len(rows[0]) == 1 else []


def examples(
    result: Result, rows: Sequence[Mapping[str, Any]], *, repo: str | None, weights: Weights
) -> list[Example]:
    """One for every way of opening the model that the run has proven, the simplest first."""
    kinds = {role: result.recipe.task.columns[role].kind for role in result.inputs}
    row = dict(rows[0]) if rows else {role: _placeholder(kind) for role, kind in kinds.items()}
    model = repo or shown_path(result.model)
    ways = result.reload_check["ways"]
    found = []
    if weights != "adapter":
        if "pipeline" in ways:
            found.append(Example("transformers", "python", _pipeline(result.task, model, row)))
        elif result.recipe.task.model_class in ways:
            found.append(Example("transformers", "python", _auto(result, model)))
        if SENTENCES in ways:
            found.append(Example("sentence_transformers", "python", _encode(result, model, row)))
    base = hub_id(result.checkpoint["name"])
    if "PeftModel" in ways and base is not None and (repo is None or weights != "merged"):
        found.append(Example("peft", "python", _peft(result, base, repo, weights)))
    run = repo or shown_path(result.run_dir)
    return [*found, Example("hftransfer", "bash", f"hftransfer predict {shlex.quote(run)} {_argument(row)}")]


def shown_path(path: Path) -> str:
    """From the current folder where it is in there, else whole: it has to be found."""
    absolute, here = os.path.abspath(path), os.getcwd()
    return os.path.relpath(absolute) if absolute.startswith(here + os.sep) else absolute


def _placeholder(kind: str) -> Any:
    return FILES.get(kind, ["one text", "another"] if kind == "choices" else "your text here")


def _sentence(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _argument(row: Mapping[str, Any]) -> str:
    """A row as an argument of `hftransfer predict`."""
    if len(row) > 1:
        return shlex.quote(json.dumps(row, ensure_ascii=False))
    text = _sentence(*row.values())
    return f"-- {shlex.quote(text)}" if text.startswith("-") else shlex.quote(text)


def _pipeline(task: str, model: str, row: Mapping[str, Any]) -> str:
    value = repr(_sentence(*row.values()) if len(row) == 1 else dict(row))
    return (
        f"from transformers import pipeline\n\nask = pipeline({task!r}, model={model!r})\nprint(ask({value}))"
    )


def _auto(result: Result, model: str) -> str:
    names = (result.recipe.task.model_class, result.recipe.task.processor_class)
    return "\n".join(
        [
            f"from transformers import {', '.join(sorted(names))}",
            "",
            f"processor = {names[1]}.from_pretrained({model!r})",
            f"model = {names[0]}.from_pretrained({model!r})",
        ]
    )


def _encode(result: Result, model: str, row: Mapping[str, Any]) -> str:
    """Where it gives logits, of a pair at once; else what the head stands on, of each text."""
    logits = library(result, "merged") == "sentence-transformers"
    values = [tuple(row.values())] if logits and len(row) > 1 else list(row.values())
    said = "logits, in the order of the labels" if logits else "what the head stands on"
    return "\n".join(
        [
            "from sentence_transformers import SentenceTransformer",
            "",
            f"model = SentenceTransformer({model!r})",
            f"print(model.encode({values!r}))  # {said}",
        ]
    )


def _peft(result: Result, base: str, repo: str | None, weights: Weights) -> str:
    """With the head of as many labels that the adapter brings weights for."""
    task = result.recipe.task
    labelled = "id2label" in task.head_config(result.labels)
    revision = result.checkpoint.get("revision")
    options = [f", num_labels={len(result.labels)}"] * labelled
    options += [f", revision={revision!r}"] * (revision is not None)
    adapter = repr(repo or shown_path(RunDirectory(result.run_dir).adapter))
    folder = f", subfolder={ADAPTER!r}" if repo and weights == "both" else ""
    return "\n".join(
        [
            "from peft import PeftModel",
            f"from transformers import {task.model_class}",
            "",
            f"base = {task.model_class}.from_pretrained({base!r}{''.join(options)})",
            f"model = PeftModel.from_pretrained(base, {adapter}{folder})",
        ]
    )
