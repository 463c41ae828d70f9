"""Splits of a source as a task on texts asks for them, and small tables for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Column, Splits, make_splits

TEXT = {"text": Column("text"), "text_pair": Column("text", required=False), "label": Column("class")}


def split(source: Any, *, seed: int = 0, **settings: Any) -> Splits:
    data = DataSection(source=source, **settings)
    return make_splits(open_source(data), data, columns=TEXT, seed=seed)


def table(rows: int = 20, start: int = 0, labels: str = "ab") -> list[dict[str, Any]]:
    return [{"text": f"text {i}", "label": labels[i % len(labels)]} for i in range(start, start + rows)]


def write(path: Path, content: str) -> str:
    path.write_text(content)
    return str(path)
