"""The wheel that users install: recipes and their data are in it, and it finds them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hftransfer.recipe import shipped_recipes

ROOT = Path(__file__).parent.parent
DATA = "hftransfer/recipes/data/support-desk"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this checkout with the hatchling that is installed: nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    done = subprocess.run(
        [sys.executable, *command, "--wheel-dir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    (metadata,) = {name.split("/")[0] for name in names} - {"hftransfer"}
    assert metadata.endswith(".dist-info")
    assert {f"{metadata}/licenses/LICENSE", f"{metadata}/entry_points.txt"} <= set(names)
    assert "hftransfer/py.typed" in names
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "hftransfer").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == code
    assert len(names) == len(set(names))


def test_recipes_and_their_data_are_in_it(unpacked: Path) -> None:
    names = {f"hftransfer/recipes/{name}.yaml" for name in shipped_recipes()}
    names |= {f"{DATA}/{file}" for file in ("train.csv", "validation.csv", "test.csv", "README.md")}
    assert len(names) > 12
    for name in names:
        there = ROOT / name.removeprefix("hftransfer/")
        assert (unpacked / name).read_bytes() == there.read_bytes()


def test_templates_are_in_it(unpacked: Path) -> None:
    written = {path.relative_to(ROOT) for path in (ROOT / "hftransfer").rglob("*.jinja")}
    assert Path("hftransfer/report/card.md.jinja") in written
    for name in written:
        assert (unpacked / name).read_bytes() == (ROOT / name).read_bytes()


def test_unpacked_it_finds_its_recipes_and_data(unpacked: Path, tmp_path: Path) -> None:
    def ask(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "hftransfer", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(unpacked)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert set(json.loads(ask("list", "recipes", "--json"))["recipes"]) == set(shipped_recipes())
    shown = json.loads(ask("show", "quickstart", "--json"))
    assert shown["data"]["source"] == str(unpacked / DATA)
