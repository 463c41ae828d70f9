"""What a user sees of it: `check --data`, a run that is refused, and a recipe that accepts."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lint.looking import rows
from typer.testing import CliRunner

import hftransfer as ht
from hftransfer.cli import app


@pytest.fixture
def recipe(tmp_path: Path) -> Iterator[Path]:
    """Its checkpoint lies nowhere; of 60 validation rows 15 stand in train."""
    train = rows(120)
    for name, some in (("train", train), ("validation", [*train[:15], *rows(45, seed=1)])):
        with (tmp_path / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["text", "label"])
            writer.writeheader()
            writer.writerows(some)
    file = tmp_path / "mine.yaml"
    file.write_text(
        "checkpoint: a/b\ndata: {source: ., splits: {train: train, validation: validation}}\n"
        "task: text-classification\n"
    )
    return file


def command(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["check", *map(str, arguments)], env={"COLUMNS": "80"})


def test_leakage_is_shown_and_refused(recipe: Path) -> None:
    done = command(recipe, "--data")
    assert done.exit_code == 2
    assert "data        120 train, 60 validation; 2 labels: a, b" in done.stdout
    assert [line.split() for line in done.stdout.splitlines() if line.startswith("error ")] == [
        ["error", "leakage", "validation,", "train", "15", "25.0%"]
    ]
    assert "  line 2 of validation.csv (" in done.stdout
    assert "as line 2 of train.csv (" in done.stdout
    assert "15 of 60 validation rows have the same inputs as a row of train (25.0%" in done.stderr
    assert "data.accept_leakage=0.25" in done.stderr


def test_what_is_accepted_is_told(recipe: Path) -> None:
    done = command(recipe, "--data", "data.accept_leakage=0.25")
    assert done.exit_code == 0, done.stderr
    assert "warning  leakage" in done.stdout
    assert done.stderr == ""


def test_nothing_found(recipe: Path) -> None:
    done = command(recipe, "--data", f"data.source={recipe.parent}/train.csv", "data.splits={}")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "lint        nothing found"


def test_as_json_with_everything(recipe: Path) -> None:
    done = command(recipe, "--data", "--json")
    assert done.exit_code == 2
    seen = json.loads(done.stdout)
    assert seen["examples"] == {"train": 120, "validation": 60}
    (one,) = seen["lint"]
    assert (one["check"], one["severity"], one["rows"], one["share"]) == ("leakage", "error", 15, 0.25)
    assert one["examples"][0]["row"] == 0
    assert one["examples"][0]["of"]["where"] == "line 2 of train.csv"


def test_rows_on_the_hub_are_left_where_they_are(recipe: Path) -> None:
    done = command(recipe, "--data", "data.source=owner/set", "data.splits={}")
    assert done.exit_code == 0, done.stderr
    assert (
        done.stdout == "not checked data.source owner/set: it lies on the Hub; --download looks at it, too\n"
    )


def test_check_and_run_refuse_before_anything_is_made(
    recipe: Path, tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    checkpoint = f"checkpoint={tiny_checkpoint('bert')}"
    done = command(recipe, checkpoint)
    assert done.exit_code == 2
    assert f"{recipe}:2: data.accept_leakage: 15 of 60 validation rows" in done.stderr
    with pytest.raises(ht.DataError, match="15 of 60 validation rows"):
        ht.run(ht.load_recipe(recipe, checkpoint), output=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    seen = ht.check(ht.load_recipe(recipe, checkpoint, "data.accept_leakage=1"))
    assert "15 of 60 validation rows have the same inputs as a row of train" in seen.findings
    assert [one.check for one in seen.lint] == ["leakage"]
