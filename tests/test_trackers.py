"""Trackers: tensorboard reads back what metrics.jsonl has; a resumed run goes on; one that fails costs nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toy import toy_recipe, write_texts

from hftransfer import runner, trackers
from hftransfer.errors import InputError, RecipeError
from hftransfer.job import Clock
from hftransfer.recipe import Recipe, Tracker, settings
from hftransfer.run_directory import RunDirectory
from hftransfer.trackers import STARTS, check_installed, tracking
from hftransfer.training.events import Begin, Evaluation, Event, Note, Stage, Step

STOP = 6


class Recorded:
    """A service that takes what it is told until it goes down, after `bears` things."""

    def __init__(self, bears: int) -> None:
        self.told: list[dict[str, Any]] = []
        self.bears = bears
        self.finished = False

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.config = values

    def log(self, values: dict[str, Any], step: int) -> None:
        if len(self.told) == self.bears:
            raise ConnectionError("the server is down\nand a traceback of forty lines")
        self.told.append(values)

    def finish(self) -> None:
        self.finished = True


@pytest.fixture(scope="module")
def recipe(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    data = write_texts(tmp_path_factory.mktemp("texts"))
    return toy_recipe(tiny_checkpoint("bert"), data, epochs=2, trackers=["tensorboard"])


@pytest.fixture(scope="module")
def run_dir(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run that was interrupted two steps after its checkpoint, and gone on with."""
    folder = tmp_path_factory.mktemp("runs") / "tracked"

    def stop(event: Event) -> None:
        if isinstance(event, Step) and event.step == STOP:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run(recipe, output=folder, watch=stop)
    runner.run(recipe, output=folder, resume=True)
    return folder


def read_back(run_dir: Path, **options: Any) -> dict[str, list[tuple[int, float]]]:
    read = EventAccumulator(str(RunDirectory(run_dir).trackers / "tensorboard"), **options).Reload()
    return {tag: [(one.step, one.value) for one in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def written(run_dir: Path, kind: str) -> list[dict[str, Any]]:
    lines = map(json.loads, RunDirectory(run_dir).metrics.read_text().splitlines())
    return [line for line in lines if line["event"] == kind]


def test_tensorboard_has_every_step_and_evaluation_once(run_dir: Path) -> None:
    found = read_back(run_dir)
    steps = written(run_dir, "step")
    assert [one["step"] for one in steps] == [1, 2, 3, 4, 5, 6, 7, 8]
    for name in ("loss", "learning_rate", "gradient_norm"):
        expected = [(one["step"], pytest.approx(one[name], rel=1e-6)) for one in steps]
        assert found[f"train/{name}"] == expected
    for name in ("loss", "accuracy", "f1"):
        expected = [
            (one["step"], pytest.approx(one["metrics"][name])) for one in written(run_dir, "evaluation")
        ]
        assert found[f"validation/{name}"] == expected
        assert len(expected) == 2


def test_the_steps_that_were_taken_twice_are_there_and_hidden(run_dir: Path) -> None:
    """The control: without tensorboard's purge the step that was taken after the checkpoint is there twice."""
    steps = [step for step, _ in read_back(run_dir, purge_orphaned_data=False)["train/loss"]]
    assert steps == [1, 2, 3, 4, 5, 5, 6, 7, 8]


def test_final_scores_are_those_of_the_result(run_dir: Path) -> None:
    found, result = read_back(run_dir), runner.load_run(run_dir)
    final = {tag: values for tag, values in found.items() if tag.startswith("final/")}
    assert final == {
        f"final/{split}/{name}": [(8, pytest.approx(value))]
        for split, metrics in result.metrics.items()
        for name, value in metrics.items()
    }
    assert len(final) == 6


def test_the_settings_are_kept_once_and_whole(run_dir: Path, recipe: Recipe) -> None:
    (file,) = (RunDirectory(run_dir).trackers / "tensorboard").rglob("hparams.yml")
    kept = yaml.safe_load(file.read_text())
    assert kept.keys() == settings(recipe).keys()
    assert kept["training.epochs"] == 2
    assert kept["strategy.name"] == "full"
    assert kept["metrics"] == "[accuracy, f1]"


# --- one that fails ----------------------------------------------------------------------------------------------


def told(
    recipe: Recipe, folder: Path, names: tuple[Tracker, ...], events: list[Event], **options: Any
) -> tuple[list[Event], list[str]]:
    """(what the watcher saw, the notes in metrics.jsonl) of events that happened beside these trackers."""
    training = recipe.training.model_copy(update={"trackers": names})
    run_dir = RunDirectory(folder, **options)
    folder.mkdir()
    seen: list[Event] = []
    clock = Clock(seen.append)
    with tracking(recipe.model_copy(update={"training": training}), run_dir, clock) as watching:
        for event in events:
            clock.tell(event)
        watching.final({"test": {"accuracy": 0.5, "confusion_matrix": [[1, 0]], "auroc": None}})
    clock.tell(Note("afterwards"))
    return seen, [one["message"] for one in written(folder, "note")] if run_dir.metrics.is_file() else []


def steps(count: int) -> list[Event]:
    begin = Begin(steps=count, epochs=1, step=0, examples=8, total_parameters=1, trained_parameters=1)
    return [
        Stage("train", "training"),
        begin,
        *(Step(n + 1, 0, False, n, 0.5, 0.1, None) for n in range(count)),
    ]


def test_a_server_that_goes_down_is_told_of_once_and_nothing_more_to_it(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = Recorded(bears=99), Recorded(bears=2)
    monkeypatch.setitem(STARTS, "wandb", lambda place: bad)
    monkeypatch.setitem(STARTS, "trackio", lambda place: good)
    seen, notes = told(recipe, tmp_path / "run", ("wandb", "trackio"), steps(5))
    assert [type(one).__name__ for one in seen].count("Step") == 5
    (note,) = notes
    assert "the tracker wandb failed" in note
    assert note.endswith("the server is down")
    assert seen.count(Note(note)) == 1
    assert len(bad.told) == 2
    assert good.told == [{"train/loss": 0.5, "train/learning_rate": 0.1}] * 5 + [{"final/test/accuracy": 0.5}]
    assert good.finished


def test_one_that_does_not_start_is_left_out(recipe: Recipe, tmp_path: Path) -> None:
    """tensorboard itself: where its folder is to be, there is a file."""
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "trackers").mkdir()
    (tmp_path / "blocked" / "trackers" / "tensorboard").write_text("in the way")
    place = trackers.Place(tmp_path / "blocked" / "trackers", tmp_path / "ids.json", "blocked")
    notes: list[str] = []
    watching = trackers.Trackers(["tensorboard"], place, settings(recipe), notes.append)
    for event in steps(3):
        watching(event)
    watching.finish()
    (note,) = notes
    assert "the tracker tensorboard failed" in note


def test_the_training_before_the_training_is_not_told(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Recorded(bears=99)
    monkeypatch.setitem(STARTS, "wandb", lambda place: service)
    _, *of_the_head = steps(3)
    scored = Evaluation(1, 0, {"loss": 0.25, "accuracy": None}, True)
    told(recipe, tmp_path / "run", ("wandb",), [Stage("probe", "the head"), *of_the_head, *steps(1), scored])
    assert service.told[:2] == [{"train/loss": 0.5, "train/learning_rate": 0.1}, {"validation/loss": 0.25}]
    assert len(service.told) == 3


def test_only_the_main_process_tells(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setitem(STARTS, "wandb", lambda place: started.append(place) or SimpleNamespace())
    told(recipe, tmp_path / "other", ("wandb",), steps(2), writes=False)
    assert started == []
    told(recipe, tmp_path / "main", ("wandb",), steps(2))
    assert len(started) == 1


# --- the recipe --------------------------------------------------------------------------------------------------


def test_a_package_that_is_not_there_is_found_before_the_run() -> None:
    missing = [name for name in get_args(Tracker) if find_spec(name) is None]
    if not missing:
        pytest.skip("every tracker is installed here")
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        check_installed(["tensorboard", missing[0]])
    assert time.monotonic() - started < 1
    assert caught.value.key == "training.trackers.1"
    assert caught.value.hint == f"pip install {missing[0]}"
    check_installed(["tensorboard"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["tensorbord"], "did you mean `tensorboard`?"),
        (["tensorboard", "tensorboard"], "`tensorboard` is named twice"),
        ("tensorboard", "write a list: [tensorboard]"),
    ],
)
def test_mistakes_in_the_list(recipe: Recipe, asked: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=r"training\.trackers") as caught:
        Recipe(checkpoint="a", data="b.csv", task="text-classification", training={"trackers": asked})
    assert message in str(caught.value)
