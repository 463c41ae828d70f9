"""A small finished run, and pushing it as a user does: by a process of its own against the loopback hub."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hub import LoopbackHub
from toy import toy_recipe, write_texts

from hftransfer.runner import run

Tiny = Callable[..., Path]
Push = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def finished(tiny_checkpoint: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's directory, only to be read."""
    folder = tmp_path_factory.mktemp("finished")
    data = write_texts(folder / "data", train=24, other=8)
    run(toy_recipe(tiny_checkpoint("bert"), data, epochs=1), output=folder / "run")
    return folder / "run"


@pytest.fixture
def run_dir(finished: Path, tmp_path: Path) -> Path:
    """A run's directory of the test's own."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def client(hub: LoopbackHub, tmp_path: Path) -> Push:
    """client(*arguments of hftransfer) -> the process, when it has ended."""
    home = tmp_path / "home"
    home.mkdir()

    def start(*arguments: object, xet: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hftransfer", *map(str, arguments)]
        return hub.run(command, home=home, xet=xet, **options)  # type: ignore[arg-type]

    return start
