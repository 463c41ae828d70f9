"""Rows as a data set on the Hub holds them: parquet files, and a card that says which belong to which split."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

EXPORT = "refs/convert/parquet"
"""The Hub's own copy of a data set: CONFIG/SPLIT/0000.parquet, without a card."""
SIZES = {"train": 40, "validation": 8, "test": 8}


@dataclass(frozen=True)
class Column:
    """feature: its type, as `datasets` has it. value: of a row, by its number. blind: where labels are not public."""

    feature: Any
    value: Callable[[int, random.Random], Any]
    blind: Any = None


@dataclass(frozen=True)
class Rows:
    """One configuration. splits: name -> rows. blind: the splits without labels."""

    columns: Mapping[str, Column]
    splits: Mapping[str, int] = field(default_factory=lambda: SIZES)
    blind: Sequence[str] = ()

    def table(self, split: str) -> pa.Table:
        """Its schema carries the features, as every file has it that `datasets` wrote."""
        features = datasets.Features({name: column.feature for name, column in self.columns.items()})
        draw = random.Random(split)
        values = {
            name: [
                column.blind if split in self.blind and column.blind is not None else column.value(row, draw)
                for row in range(self.splits[split])
            ]
            for name, column in self.columns.items()
        }
        return pa.Table.from_pydict(values, schema=features.arrow_schema)


def repository_files(configs: Mapping[str, Rows], *, card: bool = True) -> dict[str, bytes]:
    """Path -> content of everything in the repository. card: with a README.md that names the files."""
    files: dict[str, bytes] = {}
    listed = []
    for config, rows in configs.items():
        named = []
        for split in rows.splits:
            path = f"{config}/{split}/0000.parquet"
            written = io.BytesIO()
            pq.write_table(rows.table(split), written)
            files[path] = written.getvalue()
            named.append({"split": split, "path": path})
        listed.append({"config_name": config, "data_files": named})
    if card:
        files["README.md"] = f"---\n{yaml.safe_dump({'configs': listed}, sort_keys=False)}---\n".encode()
    return files
