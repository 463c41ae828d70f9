"""What `import hftransfer` offers, and that it costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import hftransfer

EXPORTED = [
    "METRICS",
    "STRATEGIES",
    "TASKS",
    "CheckpointError",
    "Comparison",
    "DataError",
    "Estimate",
    "HFTransferError",
    "InputError",
    "Prediction",
    "Pushed",
    "Recipe",
    "RecipeError",
    "ReloadError",
    "Result",
    "RunDirectoryError",
    "TrainingError",
    "check",
    "compare",
    "dump_recipe",
    "load_recipe",
    "load_run",
    "plan",
    "push",
    "recipe_schema",
    "run",
]
HEAVY = (
    "torch", "transformers", "datasets", "pandas", "numpy", "pyarrow", "sklearn", "accelerate", "peft", "PIL",
    "IPython", "rich"
)  # fmt: skip


def test_the_exported_names() -> None:
    assert hftransfer.__all__ == EXPORTED
    for name in EXPORTED[3:]:
        assert getattr(hftransfer, name).__name__ == name
    assert "accuracy" in hftransfer.METRICS.names()
    assert "lora" in hftransfer.STRATEGIES.names()
    assert "text-classification" in hftransfer.TASKS.names()


def test_completion_offers_them() -> None:
    assert {*EXPORTED, "__version__"} <= set(dir(hftransfer))


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'hftransfer' has no attribute 'rnu'"):
        hftransfer.rnu  # noqa: B018
    assert not hasattr(hftransfer, "anything")


def test_the_version_is_that_of_the_installation() -> None:
    assert hftransfer.__version__ == version("hftransfer")


def test_every_error_is_an_hftransfer_error_with_an_exit_code() -> None:
    errors = [getattr(hftransfer, name) for name in EXPORTED if name.endswith("Error")]
    assert len(errors) == 8
    for error in errors:
        assert issubclass(error, hftransfer.HFTransferError)
        assert error.exit_code == (2 if issubclass(error, hftransfer.InputError) else 1)


def test_importing_takes_a_moment() -> None:
    """Of the processor: some hundredths of a second, most of them for Python's own `typing`."""
    code = "import time; start = time.process_time(); import {}; print(time.process_time() - start)"

    def seconds(module: str) -> float:
        command = [sys.executable, "-c", code.format(module)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert min(seconds("hftransfer") for _ in range(3)) < 0.06
    assert seconds("hftransfer.recipe") > 0.06  # the control: what the first use of it loads


def test_importing_and_naming_parts_imports_nothing_heavy() -> None:
    """In a fresh process; the last line is the control: the same look sees what `run` needs."""
    code = f"""
import sys
def heavy():
    print(*[name for name in {HEAVY!r} if name in sys.modules])
import hftransfer as ht
heavy()
dir(ht), ht.Result, ht.run, ht.load_run, ht.TASKS.names(), ht.STRATEGIES.names(), ht.METRICS.names()
heavy()
ht.dump_recipe(ht.load_recipe("quickstart"))
ht.recipe_schema()
heavy()
import hftransfer.stages
heavy()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *light, last = done.stdout.splitlines()
    assert light == ["", "", ""]
    assert {"torch", "accelerate"} <= set(last.split())
