"""The README's hour in a notebook: its cells, as they stand there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest
from interactive.kernels import Kernel

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.long


def cells() -> list[str]:
    """The first blocks of Python are a cell each; of the last, which says so, every line is one."""
    section = (
        (ROOT / "README.md")
        .read_text(encoding="utf-8")
        .partition("\n## In a notebook\n")[2]
        .partition("\n## ")[0]
    )
    *whole, last = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert "a line a cell" in section
    return [*whole, *last.strip().splitlines()]


def test_its_cells_run_in_order(tmp_path: Path) -> None:
    os.symlink(ROOT / "recipes", tmp_path / "recipes")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells()]
    nbformat.write(notebook, tmp_path / "hour.ipynb")
    kernel = Kernel(tmp_path, tmp_path / "hour.ipynb")
    kernel.close()
    shown = [[out for out in cell.outputs if out.output_type != "stream"] for cell in kernel.notebook.cells]
    said = [out for cell in kernel.notebook.cells for out in cell.outputs if out.output_type == "stream"]
    assert [one.name for one in said] == ["stdout"]
    assert "words: " in said[0].text
    empty = [cell.source for cell, outputs in zip(kernel.notebook.cells, shown, strict=True) if not outputs]
    assert empty == [next(one for one in cells() if one.startswith("print("))]
    assert (tmp_path / "runs" / "text-classification-frozen" / "report" / "report.html").is_file()
