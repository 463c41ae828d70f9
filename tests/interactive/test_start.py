"""`hftransfer.run` around the runner's: what it refuses, what it shows, and what it hands to new processes."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import datasets
import numpy as np
import pandas as pd
import pytest
from tiny import make_rows
from toy import toy_recipe

import hftransfer as ht
from hftransfer.cli.progress import ProgressView
from hftransfer.errors import DataError, InputError, Interrupted, Problem, RecipeError, TrainingError
from hftransfer.interactive.order import read_order, write_order
from hftransfer.interactive.processes import RemoteError, _error
from hftransfer.interactive.start import _view
from hftransfer.interactive.worker import _facts, ordered
from hftransfer.recipe import Recipe, dump_recipe
from hftransfer.registry import STRATEGIES
from hftransfer.runner import load_data, resolve
from hftransfer.strategies import Full
from hftransfer.training.events import Event, Stage, Step


def step(number: int) -> Step:
    return Step(number, 0, False, 4 * number, 0.5, 1e-4, None)


@pytest.fixture
def frame() -> pd.DataFrame:
    texts, labels = make_rows(40)
    return pd.DataFrame(
        {"text": texts, "label": pd.Categorical(labels), "length": [len(text) for text in texts]}
    )


@pytest.fixture
def recipe(tiny_checkpoint: Callable[..., Path], frame: pd.DataFrame) -> Recipe:
    return toy_recipe(tiny_checkpoint("bert"), frame)


# --- slips -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("quickstart", "write ht.load_recipe('quickstart') in its place"),
        ({"checkpoint": "x"}, "write ht.Recipe(**...) of it"),
    ],
)
def test_what_is_no_recipe(value: Any, said: str) -> None:
    with pytest.raises(InputError) as error:
        ht.run(value)
    assert error.value.hint == said


def test_processes_that_cannot_be(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="found processes=0"):
        ht.run(recipe, processes=0)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="one of several processes already"):
        ht.run(recipe, processes=2)


def test_mistakes_are_told_before_processes_are_started(
    recipe: Recipe, tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: Any, **__: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("subprocess.Popen", started)
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ht.RunDirectoryError, match="is not empty"):
        ht.run(recipe, output=tmp_path, processes=2)
    wrong = Recipe(**{**dict(recipe), "data": frame.rename(columns={"label": "kind"})})
    with pytest.raises(DataError, match="has no column `label`"):
        ht.run(wrong, output=tmp_path / "run", processes=2)
    with pytest.raises(AssertionError, match="a process was started"):  # the control
        ht.run(recipe, output=tmp_path / "run", processes=2)


def test_a_part_of_this_process_alone_is_refused_there(recipe: Recipe, tmp_path: Path) -> None:
    class Mine(Full):
        """A strategy that somebody has written in a cell."""

        name: Literal["mine"] = "mine"  # type: ignore[assignment]

    STRATEGIES.add("mine", Mine)
    order = write_order(
        tmp_path, resolve(Recipe(**{**dict(recipe), "strategy": "mine"})), tmp_path, resume=False
    )
    assert ordered(order)[0].strategy.name == "mine"
    del STRATEGIES._parts["mine"]
    with pytest.raises(InputError, match="new processes do not know what was added to this one") as error:
        ordered(order)
    assert "no strategy is named `mine`" in error.value.message


# --- progress --------------------------------------------------------------------------------------------------


@pytest.fixture
def failing(tiny_checkpoint: Callable[..., Path], frame: pd.DataFrame) -> Recipe:
    return toy_recipe(tiny_checkpoint("bert"), frame, learning_rate=1e30, clip_norm=None)


def test_a_script_is_told_nothing_unless_it_asks(
    failing: Recipe, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def watch(event: Any) -> None:
        seen.append(type(event).__name__)

    with pytest.raises(TrainingError):
        ht.run(failing, output=tmp_path / "silent", watch=watch)
    assert capfd.readouterr() == ("", "")
    assert {"Stage", "Note", "Begin", "Step"} <= set(seen)
    with pytest.raises(TrainingError):
        ht.run(failing, output=tmp_path / "told", progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "loading the data" in err


def test_progress_is_shown_where_somebody_types(monkeypatch: pytest.MonkeyPatch, recipe: Recipe) -> None:
    def shown(progress: bool | None) -> bool:
        return isinstance(_view(progress, recipe, "x"), ProgressView)

    assert [shown(None), shown(True), shown(False)] == [False, True, False]
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)  # as at Python's prompt
    assert [shown(None), shown(True), shown(False)] == [True, True, False]
    monkeypatch.setenv("RANK", "1")  # one of several processes: the first of them tells
    assert [shown(None), shown(True)] == [False, False]


def test_a_training_that_failed_holds_no_model(failing: Recipe, tmp_path: Path) -> None:
    def models() -> int:
        gc.collect()
        return sum(type(one).__name__ == "BertForSequenceClassification" for one in gc.get_objects())

    before = models()
    with pytest.raises(TrainingError) as kept:
        ht.run(failing, output=tmp_path / "run")
    assert kept.value.__traceback__ is not None
    assert models() == before
    from hftransfer.runner import run

    with pytest.raises(TrainingError) as kept:
        run(failing, output=tmp_path / "control")
    assert models() == before + 1


def test_a_stop_while_a_run_is_compared(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is counted are the steps of the run, and not those of what it is compared with."""
    arm: list[Event] = [Stage("train", "training", "frozen (1 of 2)"), step(3)]
    for events, said in (
        ([step(7)], "interrupted after step 7"),
        ([step(7), *arm], "interrupted while it was compared with frozen (1 of 2)"),
        ([step(7), *arm, Stage("push", "pushing")], "interrupted after step 7"),
    ):

        def stopped(*_: Any, output: Path, watch: Any, events: list[Event] = events, **__: Any) -> None:
            output.mkdir(exist_ok=True)
            (output / "recipe.yaml").touch()
            for event in events:
                watch(event)
            raise KeyboardInterrupt

        monkeypatch.setattr("hftransfer.interactive.start.runner.run", stopped)
        with pytest.raises(Interrupted) as error:
            ht.run(recipe, output=tmp_path / "run")
        first, second = str(error.value).splitlines()
        assert first == said
        assert "resume=True" in second


# --- errors in a cell ------------------------------------------------------------------------------------------


def test_an_error_is_shown_as_its_message() -> None:
    error = RecipeError([Problem("training.epoch", "unknown key `epoch`", "did you mean `epochs`?")])
    assert error._render_traceback_() == [
        "RecipeError: recipe: training.epoch: unknown key `epoch`",
        "    did you mean `epochs`?",
        "  (%tb shows the whole traceback)",
    ]
    assert issubclass(Interrupted, KeyboardInterrupt)
    assert not issubclass(Interrupted, Exception)


# --- what new processes are handed -----------------------------------------------------------------------------


def forms(frame: pd.DataFrame) -> dict[str, Any]:
    other = frame.iloc[:12]
    typed = datasets.Dataset.from_pandas(frame).cast_column(
        "label", datasets.ClassLabel(names=["animal", "colour"])
    )
    return {
        "frame": frame,
        "frames": {"train": frame, "validation": other},
        "records": frame.to_dict("records"),
        "dataset": typed,
        "selection": typed.select(range(5, 35)),
        "dict": datasets.DatasetDict({"train": typed, "test": typed.select(range(10))}),
    }  # fmt: skip


@pytest.mark.parametrize("form", ["frame", "frames", "records", "dataset", "selection", "dict"])
def test_rows_in_memory_are_the_same_there(
    form: str, frame: pd.DataFrame, tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = toy_recipe(tiny_checkpoint("bert"), forms(frame)[form])
    order = write_order(tmp_path, resolve(recipe), Path("runs/x"), resume=True)
    there, arguments = read_order(order)
    assert arguments == {"output": Path("runs/x"), "resume": True}
    assert dump_recipe(there) == dump_recipe(recipe)  # by which a resumed run knows it
    here, read = load_data(resolve(recipe)), load_data(resolve(there))
    assert read.fingerprint == here.fingerprint
    assert read.train.to_list() == here.train.to_list()
    other = toy_recipe(tiny_checkpoint("bert"), forms(frame.iloc[::-1])[form])
    assert load_data(resolve(other)).fingerprint != here.fingerprint  # the control


def test_images_in_memory_are_the_same_there(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 255, (12, 8, 8, 3), dtype=np.uint8)
    rows = [{"image": Image.fromarray(one), "label": "ab"[i % 2]} for i, one in enumerate(noise)]
    recipe = toy_recipe(tiny_checkpoint("vit"), rows, task="image-classification")
    there, _ = read_order(write_order(tmp_path, resolve(recipe), Path("x"), resume=False))
    assert load_data(resolve(there)).fingerprint == load_data(resolve(recipe)).fingerprint


def test_files_are_named_and_not_copied(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    pd.DataFrame({"text": ["a"], "label": ["b"]}).to_csv(tmp_path / "rows.csv", index=False)
    recipe = toy_recipe(tiny_checkpoint("bert"), tmp_path / "rows.csv")
    (tmp_path / "order").mkdir()
    there, _ = read_order(write_order(tmp_path / "order", resolve(recipe), Path("x"), resume=False))
    assert there == recipe
    assert sorted(os.listdir(tmp_path / "order")) == ["order.json", "recipe.yaml"]


def test_long_lines_of_several_workers_do_not_mix(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from hftransfer.interactive.worker import Teller
tell = Teller(1, Path(sys.argv[1]))
sys.stdin.readline()
for number in range(40):
    tell({"event": sys.argv[2] * 30_000})
"""
    lock = tmp_path / "lock"
    lock.touch()
    read, write = os.pipe()
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(lock), name], stdin=subprocess.PIPE, stdout=write)
        for name in "ab"
    ]
    os.close(write)
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()
    with os.fdopen(read) as stream:
        lines = [json.loads(line)["event"] for line in stream]
    assert sorted(lines) == ["a" * 30_000] * 40 + ["b" * 30_000] * 40
    assert [worker.wait() for worker in workers] == [0, 0]


def raised(error: Exception) -> Exception:
    """As the error arrives from another process."""
    try:
        raise error
    except Exception as caught:
        facts = json.loads(json.dumps(_facts(caught)))
    assert facts.pop("event") == "error"
    return _error(facts)


def test_an_error_of_another_process_is_raised_as_what_it_is() -> None:
    arrived = raised(RecipeError([Problem("data.columns", "no", "yes", line=3)], source="x.yaml"))
    assert isinstance(arrived, RecipeError)
    assert str(arrived) == "x.yaml:3: data.columns: no\n    yes"
    arrived = raised(DataError("a row", hint="mend it", key="data.source"))
    assert isinstance(arrived, DataError)
    assert (arrived.message, arrived.hint, arrived.key) == ("a row", "mend it", "data.source")
    arrived = raised(TrainingError("not finite", hint="lower it"))
    assert isinstance(arrived, TrainingError)
    arrived = raised(OSError(28, "no space left"))
    assert type(arrived) is ht.HFTransferError
    assert str(arrived) == "OSError: [Errno 28] no space left"
    assert isinstance(arrived.__cause__, RemoteError)
    assert "in raised" in "".join(traceback.format_exception(arrived))  # where it was raised
