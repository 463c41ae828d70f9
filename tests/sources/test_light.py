"""Opening and checking a source reads nothing and imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ("torch", "datasets", "pandas", "numpy", "pyarrow", "PIL", "sklearn", "transformers")


def test_open_and_check_import_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\na,b\n")
    code = f"""
import sys
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Column, check_columns
for source in ({str(tmp_path)!r}, "user/dataset", [{{"text": "a"}}]):
    data = DataSection(source=source)
    opened = open_source(data)
    opened.check()
    check_columns(opened, data, {{"text": Column("text")}})
print([name for name in {HEAVY!r} if name in sys.modules])
opened.load()
print("datasets" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # The second line is the control: the same look does see what loading imports.
    assert done.stdout.splitlines() == ["[]", "True"]
