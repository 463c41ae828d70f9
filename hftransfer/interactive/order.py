"""What a worker is to do, on disk: the recipe, and its rows where those are in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.files import write_json, write_text
from hftransfer.recipe import Recipe, dump_recipe, read_recipe
from hftransfer.recipe.memory import in_memory
from hftransfer.runner import Plan, load_data

if TYPE_CHECKING:
    import datasets

ONLY = None
"""The name of the rows that are a table, and not a mapping of splits to tables."""


def write_order(folder: Path, plan: Plan, output: Path, *, resume: bool) -> Path:
    """Write down what to run, and return the file that says it.

    Rows are kept in Arrow's own format: columns, types and features are what they are here, and so is their
    fingerprint. Raises DataError as `runner.load_data` does.
    """
    recipe = plan.recipe
    source = recipe.data.source
    tables: list[dict[str, Any]] = []
    if in_memory(source):
        load_data(plan)  # its mistakes are told here: new processes take seconds to find them
        for number, (name, rows) in enumerate(plan.source.load().items()):
            file = folder / f"{number}.arrow"
            _write_rows(rows, file)
            tables.append({"split": name if isinstance(source, dict) else ONLY, "file": str(file)})
    write_text(folder / "recipe.yaml", dump_recipe(recipe))
    order = folder / "order.json"
    write_json(
        order,
        {"recipe": folder / "recipe.yaml", "tables": tables, "output": output, "resume": resume},
    )
    return order


def read_order(file: Path) -> tuple[Recipe, dict[str, Any]]:
    """(the recipe, the arguments of `runner.run`)."""
    order = json.loads(file.read_text(encoding="utf-8"))
    sections = read_recipe(order["recipe"]).value
    if order["tables"]:
        tables = {one["split"]: _read_rows(Path(one["file"])) for one in order["tables"]}
        sections = {**sections, "data": {**sections["data"], "source": tables.get(ONLY, tables)}}
    return Recipe(**sections), {"output": Path(order["output"]), "resume": order["resume"]}


def _write_rows(rows: datasets.Dataset, file: Path) -> None:
    import pyarrow as pa

    table = rows.with_format("arrow")[:]
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def _read_rows(file: Path) -> datasets.Dataset:
    import datasets

    return datasets.Dataset.from_file(str(file))
