"""A run's files: complete or not there, damage found, a resumed run's events told once."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from hftransfer.errors import RunDirectoryError
from hftransfer.run_directory import RunDirectory
from hftransfer.tensor_folder import MANIFEST
from hftransfer.training.events import Begin, Evaluation, Event, Note, Stage, Step

RECIPE = "checkpoint: x\ntask: y\n"


def tensors(value: float) -> dict[str, dict[str, torch.Tensor]]:
    return {
        "model": {"a.weight": torch.full((2, 3), value)},
        "optimizer": {"a.weight//step": torch.tensor(7)},
    }


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


@pytest.fixture
def last(run_dir: RunDirectory) -> Path:
    """The folder of a complete checkpoint."""
    run_dir.save_checkpoint("last", tensors(1.0), {"step": 5})
    return run_dir.path / "checkpoints" / "last"


def loaded(run_dir: RunDirectory) -> tuple[float, dict[str, Any]]:
    found = run_dir.load_checkpoint("last")
    assert found is not None
    groups, facts = found
    assert groups.keys() == {"model", "optimizer"}
    assert groups["optimizer"]["a.weight//step"] == 7
    return float(groups["model"]["a.weight"][0, 0]), facts


# --- checkpoints -----------------------------------------------------------------------------------------------


def test_a_checkpoint_comes_back_as_it_was(run_dir: RunDirectory, last: Path) -> None:
    assert loaded(run_dir) == (1.0, {"step": 5})
    assert run_dir.load_checkpoint("best") is None
    run_dir.save_checkpoint("last", tensors(2.0), {"step": 6})
    assert loaded(run_dir) == (2.0, {"step": 6})
    assert [path.name for path in last.parent.iterdir()] == ["last"]


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors"])
def test_one_flipped_byte_is_found(run_dir: RunDirectory, last: Path, name: str) -> None:
    raw = bytearray((last / name).read_bytes())
    raw[-1] ^= 1  # in the numbers: safetensors itself would not notice
    (last / name).write_bytes(raw)
    with pytest.raises(RunDirectoryError, match=f"{name} is damaged: not the bytes that were written"):
        run_dir.load_checkpoint("last")
    raw[-1] ^= 1  # the control: put right, it loads
    (last / name).write_bytes(raw)
    assert loaded(run_dir) == (1.0, {"step": 5})


def test_a_missing_file_is_found(run_dir: RunDirectory, last: Path) -> None:
    (last / "optimizer.safetensors").unlink()
    with pytest.raises(RunDirectoryError, match=r"optimizer\.safetensors is damaged"):
        run_dir.load_checkpoint("last")


def test_killed_while_the_first_checkpoint_is_written(run_dir: RunDirectory, last: Path) -> None:
    last.rename(last.with_name(".last.new"))
    (last.with_name(".last.new") / MANIFEST).unlink()  # it is written last
    assert run_dir.load_checkpoint("last") is None


def test_killed_while_a_later_checkpoint_is_written(run_dir: RunDirectory, last: Path) -> None:
    half = last.with_name(".last.new")
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert loaded(run_dir) == (1.0, {"step": 5})
    run_dir.save_checkpoint("last", tensors(3.0), {"step": 9})  # what was left lying about is no hindrance
    assert loaded(run_dir) == (3.0, {"step": 9})
    assert not half.exists()


def test_killed_between_the_two_renames(run_dir: RunDirectory, last: Path, tmp_path: Path) -> None:
    old = last.with_name(".last.old")
    other = RunDirectory(tmp_path / "other")
    other.save_checkpoint("last", tensors(2.0), {"step": 6})
    last.rename(old)
    (other.path / "checkpoints" / "last").rename(last.with_name(".last.new"))
    assert sorted(path.name for path in last.parent.iterdir()) == [".last.new", ".last.old"]
    assert loaded(run_dir) == (2.0, {"step": 6})
    # Going on from there leaves no rubbish and loses nothing.
    run_dir.save_checkpoint("last", tensors(4.0), {"step": 7})
    assert loaded(run_dir) == (4.0, {"step": 7})
    assert [path.name for path in last.parent.iterdir()] == ["last"]


def test_the_old_checkpoint_alone_is_enough(run_dir: RunDirectory, last: Path) -> None:
    last.rename(last.with_name(".last.old"))
    assert loaded(run_dir) == (1.0, {"step": 5})


class Killed(BaseException):
    """What no `except Exception` stops, as a kill."""


@pytest.mark.parametrize(("renames", "survivor"), [(0, 1.0), (1, 2.0), (2, 2.0)])
def test_killed_at_a_rename_it_loads_the_old_or_the_new(
    run_dir: RunDirectory, last: Path, monkeypatch: pytest.MonkeyPatch, renames: int, survivor: float
) -> None:
    left = iter([True] * renames)
    rename = Path.rename

    def rename_or_die(path: Path, target: Path) -> Path:
        if not next(left, False):
            raise Killed
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_or_die)
    try:
        run_dir.save_checkpoint("last", tensors(2.0), {"step": 6})
    except Killed:
        assert renames < 2
    assert loaded(run_dir)[0] == survivor


# --- events ----------------------------------------------------------------------------------------------------


def step(number: int) -> Step:
    return Step(number, 0, False, examples=4, loss=0.5, learning_rate=1e-3, gradient_norm=None)


def events_of(run_dir: RunDirectory) -> list[tuple[str, int | None]]:
    lines = run_dir.metrics.read_text(encoding="utf-8").splitlines()
    return [(event["event"], event.get("step")) for event in map(json.loads, lines)]


def begin(run_dir: RunDirectory, done: int) -> None:
    run_dir.begin(recipe=RECIPE, environment={"python": "3"}, data={"rows": 4}, done=done)


def test_a_resumed_run_forgets_the_events_that_it_repeats(run_dir: RunDirectory) -> None:
    begin(run_dir, 0)
    told: list[Event] = [
        Stage("train", "training"),
        Begin(6, 2, 0, 24, 100, 10),
        *(step(number) for number in (1, 2, 3)),
        Evaluation(3, 0, {"accuracy": 0.5}, True),
        Note("something"),
        step(4),
    ]
    for event in told:
        run_dir.record(event)
    assert [name for name, _ in events_of(run_dir)] == [
        "begin", "step", "step", "step", "evaluation", "note", "step"
    ]  # fmt: skip
    with run_dir.metrics.open("a") as stream:
        stream.write('{"event": "step", "ste')  # a killed process may cut its last line
    begin(run_dir, 3)
    assert events_of(run_dir) == [("step", 1), ("step", 2), ("step", 3), ("evaluation", 3)]
    begin(run_dir, 2)
    assert events_of(run_dir) == [("step", 1), ("step", 2)]
    resumed = RunDirectory.open(run_dir.path, run_dir.recipe.read_text(), resume=True)
    begin(resumed, 0)
    assert events_of(run_dir) == []


def test_of_two_runs_that_start_in_one_place_the_second_is_refused(tmp_path: Path) -> None:
    one, two = (RunDirectory.open(tmp_path / "run", "the recipe", resume=False) for _ in range(2))
    begin(one, 0)
    with pytest.raises(RunDirectoryError, match="another run has started"):
        begin(two, 0)
    assert not [path.name for path in one.path.iterdir() if path.name.endswith(".new")]


def test_where_a_file_has_one_name_a_run_starts_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on exFAT, or on a drive that a notebook in a cloud has mounted."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    one, two = (RunDirectory.open(tmp_path / "run", RECIPE, resume=False) for _ in range(2))
    begin(one, 0)
    assert one.recipe.read_text() == RECIPE
    with pytest.raises(RunDirectoryError, match="another run has started"):
        begin(two, 0)


def test_a_resumed_run_keeps_the_recipe_it_was_started_with(run_dir: RunDirectory) -> None:
    begin(run_dir, 0)
    first = run_dir.recipe.stat().st_mtime_ns
    begin(run_dir, 3)
    assert run_dir.recipe.read_text() == RECIPE
    assert run_dir.recipe.stat().st_mtime_ns == first


def test_only_the_main_process_writes(tmp_path: Path) -> None:
    other = RunDirectory(tmp_path / "run", writes=False)
    begin(other, 0)
    other.record(step(1))
    other.save_checkpoint("last", tensors(1.0), {})
    other.finish({"schema": 1})
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_is_not_finite_is_null(run_dir: RunDirectory) -> None:
    begin(run_dir, 0)
    run_dir.record(Evaluation(1, 0, {"auroc": float("nan")}, False))
    assert json.loads(run_dir.metrics.read_text())["metrics"] == {"auroc": None}


# --- opening ---------------------------------------------------------------------------------------------------


def test_opening_creates_nothing(tmp_path: Path) -> None:
    RunDirectory.open(tmp_path / "a" / "b", RECIPE, resume=False)
    (tmp_path / "empty").mkdir()
    RunDirectory.open(tmp_path / "empty", RECIPE, resume=False)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_parent_that_may_not_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunDirectoryError, match=f"{tmp_path} may not be written to"):
            RunDirectory.open(tmp_path / "a" / "b", RECIPE, resume=False)
    finally:
        tmp_path.chmod(0o700)


def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunDirectoryError, match=r"cannot be made: .*file is a file"):
        RunDirectory.open(tmp_path / "file" / "run", RECIPE, resume=False)


def test_resuming_names_what_differs(run_dir: RunDirectory) -> None:
    with pytest.raises(RunDirectoryError, match="there is no run in"):
        RunDirectory.open(run_dir.path, RECIPE, resume=True)
    begin(run_dir, 0)
    RunDirectory.open(run_dir.path, RECIPE, resume=True)
    with pytest.raises(RunDirectoryError, match=r"another recipe: task: z; \(was\) task: y"):
        RunDirectory.open(run_dir.path, RECIPE.replace("y", "z"), resume=True)
