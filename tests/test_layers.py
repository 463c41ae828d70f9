"""Imports point strictly down, and the check that says so can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the package that lies in `root` (not the installed one) against `root`'s contracts."""
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )


def copy_of_the_package(folder: Path) -> Path:
    shutil.copytree(ROOT / "hftransfer", folder / "hftransfer", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_imports_point_down(tmp_path: Path) -> None:
    done = lint_imports(copy_of_the_package(tmp_path))
    assert done.returncode == 0, done.stdout
    assert "1 kept, 0 broken" in done.stdout


def test_an_upward_import_is_found(tmp_path: Path) -> None:
    module = copy_of_the_package(tmp_path) / "hftransfer" / "tasks" / "base.py"
    module.write_text(module.read_text() + "\n\ndef late() -> None:\n    import hftransfer.runner  # noqa\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "hftransfer.tasks.base -> hftransfer.runner" in done.stdout


def test_a_module_that_no_layer_names_is_found(tmp_path: Path) -> None:
    (copy_of_the_package(tmp_path) / "hftransfer" / "utils.py").write_text("")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "utils" in done.stdout
