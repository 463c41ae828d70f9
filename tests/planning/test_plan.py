"""What a plan says, against the run it is of; and that it leaves nothing behind."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import toy_recipe, trained, write_texts
from typer.testing import CliRunner

from hftransfer import Estimate, plan
from hftransfer.cli import app
from hftransfer.errors import DataError
from hftransfer.features.store import cache_folder
from hftransfer.planning.extrapolate import Pace, asking_of, due
from hftransfer.planning.sample import evenly, sampled, step_work, steps_of
from hftransfer.planning.told import duration
from hftransfer.recipe import Recipe
from hftransfer.run_directory import RunDirectory
from hftransfer.runner import linted

TOTAL = 4 * 4
"""Steps of 64 rows in batches of 16, four epochs."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("texts"), train=64, other=24)


@pytest.fixture(scope="module")
def recipe(tiny_checkpoint: Callable[..., Path], texts: Path) -> Recipe:
    return toy_recipe(tiny_checkpoint("bert"), texts, evaluate_every=3, checkpoint_every=5)


@pytest.fixture(scope="module")
def planned(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> tuple[Estimate, list[Path]]:
    """An estimate, and what is left in the folders that it was made in."""
    here, temporary = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setattr(tempfile, "tempdir", str(temporary))
        before = [*cache_folder().glob("*")]  # other tests keep features there, too
        found = plan(recipe)
    kept = [one for one in cache_folder().glob("*") if one not in before]
    return found, [*here.iterdir(), *temporary.iterdir(), *kept]


def prepared(recipe: Recipe) -> Any:
    """Its job, with all rows."""
    from hftransfer.job import prepare
    from hftransfer.runner import load_data, resolve
    from hftransfer.training.compute import make_accelerator

    return prepare(recipe, load_data(resolve(recipe)), make_accelerator(recipe.training))


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and the time it was changed."""
    return {
        str(one.relative_to(folder)): (one.stat().st_size, one.stat().st_mtime_ns)
        for one in folder.rglob("*")
    }


def test_nothing_is_left(planned: tuple[Estimate, list[Path]]) -> None:
    assert planned[1] == []


def test_the_facts_are_those_of_the_run(
    planned: tuple[Estimate, list[Path]], recipe: Recipe, tmp_path: Path
) -> None:
    found = planned[0]
    job, done = trained(recipe, tmp_path / "run")
    assert found.steps == done.steps == TOTAL
    assert found.parameters == job.parameters
    assert found.examples == {"train": 64, "validation": 24, "test": 24}
    assert found.micro_batch_size == done.rows == 16
    events = [json.loads(line) for line in RunDirectory(tmp_path / "run").metrics.read_text().splitlines()]
    assert found.evaluations == sum(event["event"] == "evaluation" for event in events)
    size = sum(one.stat().st_size for one in (tmp_path / "run" / "checkpoints").rglob("*") if one.is_file())
    assert found.disk["checkpoints"] == pytest.approx(size, rel=0.05)
    assert found.disk["model"] > 4 * job.parameters["total"]
    lengths = job.examples["train"].lengths
    assert found.tokens is not None
    assert (found.tokens.mean, found.tokens.longest) == (lengths.mean(), lengths.max())
    assert found.tokens.cut == 0
    assert found.findings == (*linted(recipe, job.splits).findings, *job.findings)


def test_the_times_add_up(planned: tuple[Estimate, list[Path]]) -> None:
    found = planned[0]
    stages = {name: value for name, value in found.seconds.items() if name != "total"}
    assert set(stages) == {"data", "checkpoint", "train", "score", "save"}
    assert found.seconds["total"] == pytest.approx(sum(stages.values()))
    assert all(value > 0 for value in stages.values())
    assert stages["train"] >= sum(found.training.values()) > 0
    assert stages["save"] > 0.05  # the proof was really made
    assert 3 <= found.rehearsed < TOTAL
    assert found.peak_memory_bytes > 50e6


def test_it_is_told(planned: tuple[Estimate, list[Path]]) -> None:
    told = str(planned[0])
    for part in ("time      about ", "16 of 16 examples, 4 epochs", "0 of 64 rows (0.0%) are cut", "memory "):
        assert part in told
    assert json.loads(json.dumps(planned[0].to_dict()))["steps"] == TOTAL


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.41, "0.4 s"),
        (42.3, "42 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (3599, "60 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_mistake_is_told_as_by_a_run() -> None:
    done = CliRunner().invoke(app, ["plan", "quickstart", "training.epoch=3"])
    assert done.exit_code == 2
    assert "did you mean `training.epochs`" in done.stderr or "did you mean `epochs`" in done.stderr


def test_what_a_run_refuses_a_plan_does(tiny_checkpoint: Callable[..., Path]) -> None:
    rows = [{"text": f"a text, {one}", "label": "ab"[one % 2]} for one in range(40)]
    data = {"source": {"train": rows, "validation": rows[:12]}}
    with pytest.raises(DataError, match="12 of 12 validation rows have the same inputs as a row of train"):
        plan(Recipe(checkpoint=str(tiny_checkpoint("bert")), data=data, task="text-classification"))


# --- a frozen backbone ------------------------------------------------------------------------------------------


def test_features_that_are_there_are_counted_and_left_alone(
    tiny_checkpoint: Callable[..., Path], texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HFTRANSFER_CACHE", str(tmp_path / "cache"))
    grid = {"name": "frozen", "grid": {"learning_rates": [0.01, 0.02], "weight_decays": [0.0]}}
    recipe = toy_recipe(tiny_checkpoint("bert"), texts, strategy=grid)
    trained(recipe, tmp_path / "run")
    before = tree(tmp_path / "cache")
    assert before
    warm = plan(recipe)
    assert warm.kept == 1
    assert warm.steps == TOTAL
    assert tree(tmp_path / "cache") == before
    # With nothing kept all would have to be asked; a store that is not there keeps nothing.
    job = prepared(recipe)
    few = sampled(job, steps=2, rows=8)
    cold, other = (asking_of(job, few, names) for names in ((), ("0" * 32,)))
    (name,) = (folder.name for folder in cache_folder().iterdir())
    there = asking_of(job, few, (name,))
    assert (cold.kept, other.kept, there.kept) == (0, 0, 1)
    assert cold.share == other.share > 1
    assert there.share == 0


@pytest.mark.long
@pytest.mark.parametrize(
    "strategy",
    [
        {"name": "probe-then-full", "probe_epochs": 3},
        {"name": "partial", "blocks": 1},
        {"name": "frozen", "pooling": "mean", "head": "logistic-regression"},
        "gradual",
        "lora",
    ],
    ids=lambda one: one if isinstance(one, str) else one["name"],
)
def test_other_strategies(
    strategy: Any, tiny_checkpoint: Callable[..., Path], texts: Path, tmp_path: Path
) -> None:
    recipe = toy_recipe(tiny_checkpoint("bert"), texts, strategy=strategy)
    found = plan(recipe)
    job, done = trained(recipe, tmp_path / "run")
    assert found.steps == done.steps
    assert found.parameters["trained"] == job.parameters["trained"]
    assert ("probe" in found.seconds) == ("probe-then-full" in str(strategy))
    assert all(value >= 0 for value in found.seconds.values())


# --- the parts --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def job(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of 640 rows, of which most are short."""
    random = np.random.default_rng(0)
    rows = [
        {"text": " ".join(["cat"] * int(words)), "label": "animal" if number % 2 else "colour"}
        for number, words in enumerate(random.geometric(0.1, 640).clip(max=60))
    ]
    recipe = toy_recipe(tiny_checkpoint("bert"), rows, batch_size=8)
    return prepared(recipe)


def test_the_rows_of_a_rehearsal_stand_for_all(job: Any) -> None:
    few = sampled(job, steps=9, rows=16)
    everything = step_work(steps_of(job, 0), job.examples["train"].lengths, 8)
    chosen = step_work(steps_of(few, 0), few.examples["train"].lengths, 8)
    assert len(chosen) == 9
    assert chosen.max() == everything.max()
    typical = np.sort(chosen)[:-1]  # beside the one with the most work
    assert typical.mean() == pytest.approx(everything.mean(), rel=0.1)
    assert np.median(typical) == pytest.approx(np.median(everything), rel=0.2)
    assert len(few.examples["validation"]) == 16


def test_the_longest_rows_would_not(job: Any) -> None:
    """The control: other rows are told from representative ones."""
    lengths = job.examples["train"].lengths
    everything = step_work(steps_of(job, 0), lengths, 8)
    longest = np.sort(everything)[-9:]
    assert longest.mean() > 1.5 * everything.mean()


@pytest.mark.parametrize(("count", "wanted", "found"), [(10, 2, [2, 7]), (3, 9, [0, 1, 2]), (1, 1, [0])])
def test_evenly(count: int, wanted: int, found: list[int]) -> None:
    assert evenly(count, wanted).tolist() == found


def test_a_pace_is_found_again() -> None:
    work = np.array([100.0, 400.0, 900.0, 250.0])
    pace = Pace.fitted([*(0.2 + 0.001 * work)], [*work])
    assert (pace.fixed, pace.each) == (pytest.approx(0.2), pytest.approx(0.001))
    falling = Pace.fitted([3.0, 2.0, 1.0], [1.0, 2.0, 3.0])  # noise: no step is cheaper for being larger
    assert falling.each == 0
    assert falling.fixed == pytest.approx(2.0)


@pytest.mark.parametrize("every", [None, 1, 3, 7, 100])
@pytest.mark.parametrize("steps", [None, 25])
def test_what_is_due_is_counted_as_a_run_does_it(job: Any, every: int | None, steps: int | None) -> None:
    from dataclasses import replace

    from hftransfer.stages import due as is_due
    from hftransfer.training.events import Step

    training = job.recipe.training.model_copy(update={"steps": steps, "epochs": 2})
    one = replace(job, recipe=job.recipe.model_copy(update={"training": training}))
    epoch = len(steps_of(one, 0))
    told = [Step(n, 0, n % epoch == 0, 0, 0.0, 0.0, None) for n in range(1, one.steps + 1)]
    assert due(one, every) == sum(is_due(step, every, one.steps) for step in told)
