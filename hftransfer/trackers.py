"""Experiment trackers (tensorboard, trackio, wandb, mlflow): told what a run's own metrics.jsonl holds, as it happens.

The trackers are Accelerate's (https://huggingface.co/docs/accelerate/usage_guides/tracking), driven one by one:
`Accelerator.init_trackers` and `log` end with the first that fails, and `end_training` takes the process group down.

    train/loss, train/learning_rate, train/gradient_norm    after every optimizer step
    validation/<metric>                                     after every evaluation
    final/<split>/<metric>                                  of the weights that were kept

A run never depends on them: one that fails is left alone from then on, and a note says so.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.errors import InputError
from hftransfer.files import write_json
from hftransfer.recipe import Recipe, in_yaml, settings
from hftransfer.training.events import Begin, Evaluation, Event, Note, Stage, Step

if TYPE_CHECKING:
    from hftransfer.job import Clock
    from hftransfer.run_directory import RunDirectory

PROJECT = "hftransfer"
"""What the runs are gathered under where a tracker's own variable does not name another."""

PATIENCE = {
    "wandb": {"WANDB_LOGIN_TIMEOUT": "60"},
    "mlflow": {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"},
}
"""Variables that are set where the user has not: wandb waits forever at a terminal to be told whose run it is, and
MLflow four minutes for a server that is not there."""


def check_installed(names: Sequence[str]) -> None:
    """Raises InputError, saying what to install, for the first tracker whose package is not there."""
    for place, name in enumerate(names):
        if importlib.util.find_spec(name) is None:
            raise InputError(
                f"the tracker {name} is not installed",
                hint=f"pip install {name}",
                key=f"training.trackers.{place}",
            )


@dataclass
class Place:
    """Where a tracker writes. folder: of this run's trackers. name: the run's. done: steps that are behind it.

    ids: of every tracker, how it knows this run already, so that a resumed run goes on in the same place; a tracker
    that is started adds its own. kept: the file of them. after: what is to be put back once all are closed.
    """

    folder: Path
    kept: Path
    name: str
    done: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    after: ExitStack = field(default_factory=ExitStack)


@contextmanager
def tracking(recipe: Recipe, run_dir: RunDirectory, clock: Clock) -> Iterator[Trackers]:
    """The recipe's trackers, meanwhile told all that `clock` tells; none of them in a process that does not write."""

    def note(text: str) -> None:
        run_dir.record(Note(text))
        clock.note([text])

    names = recipe.training.trackers if run_dir.writes else ()
    place = Place(run_dir.trackers.absolute(), run_dir.tracker_ids, run_dir.path.absolute().name)
    trackers = Trackers(names, place, settings(recipe) if names else {}, note)
    watch = clock.tell

    def tell(event: Event) -> None:
        watch(event)
        trackers(event)

    clock.tell = tell
    try:
        yield trackers
    finally:
        clock.tell = watch
        trackers.finish()


class Trackers:
    """Called with every event of a run. They start as its training does, which is when its directory is there."""

    def __init__(
        self, names: Sequence[str], place: Place, config: Mapping[str, Any], note: Callable[[str], None]
    ) -> None:
        self._names, self._place, self._config, self._note = names, place, config, note
        self._open: dict[str, Any] = {}
        self._trains = False
        self._step = 0

    def __call__(self, event: Event) -> None:
        """Tell them. A training before the training (of the head alone) has steps of its own, and is left out."""
        match event:
            case Stage(name):
                self._trains = name == "train"
            case Begin() if self._trains:
                self._begin(event.step)
            case Step() if self._trains:
                names = ("loss", "learning_rate", "gradient_norm")
                self._log("train", {name: getattr(event, name) for name in names}, event.step)
            case Evaluation() if self._trains:
                self._log("validation", event.metrics, event.step)

    def final(self, metrics: Mapping[str, Mapping[str, Any]]) -> None:
        """The scores of the kept weights: split -> metric -> value."""
        for split, values in metrics.items():
            self._log(f"final/{split}", values, self._step)

    def finish(self) -> None:
        """Close them."""
        for name in [*self._open]:
            self._try(name, lambda tracker: tracker.finish())
        self._open.clear()
        self._place.after.close()

    def _begin(self, done: int) -> None:
        if not self._names:
            return
        place = self._place
        place.done = self._step = done
        if place.kept.is_file():
            place.ids.update(json.loads(place.kept.read_text(encoding="utf-8")))
        config = {key: _told(value) for key, value in self._config.items()}
        for name in self._names:
            known = name in place.ids
            self._open[name] = None
            self._try(name, partial(self._start, name))
            if not known:
                self._try(name, lambda tracker: tracker.store_init_configuration(config))
        write_json(place.kept, place.ids)

    def _start(self, name: str, _: Any) -> None:
        for variable, value in PATIENCE.get(name, {}).items():
            if variable not in os.environ:
                os.environ[variable] = value
                self._place.after.callback(os.environ.pop, variable, None)
        self._open[name] = STARTS[name](self._place)

    def _log(self, group: str, values: Mapping[str, Any], step: int) -> None:
        """Those of the values that are numbers."""
        self._step = step
        numbers = {
            f"{group}/{name}": value for name, value in values.items() if isinstance(value, float | int)
        }
        for name in [*self._open] if numbers else ():
            self._try(name, lambda tracker: tracker.log(numbers, step=step))

    def _try(self, name: str, do: Callable[[Any], None]) -> None:
        """What goes wrong in a tracker is its own: it is told once, and nothing more is told to that tracker."""
        if name not in self._open:
            return
        try:
            with redirect_stdout(sys.stderr):  # where they greet is no place for greetings: it may be piped
                do(self._open[name])
        except Exception as error:
            del self._open[name]
            said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            self._note(
                f"the tracker {name} failed, and is told nothing more of this run, which goes on: {said}"
            )


def _told(value: Any) -> Any:
    """A setting as every tracker takes it."""
    return value if value is None or isinstance(value, bool | int | float | str) else in_yaml(value)


# How each is started: a new run, or the one that a resumed run has begun -----------------------------------------


def _tensorboard(place: Place) -> Any:
    from accelerate.tracking import TensorBoardTracker

    # Steps that a killed run took after its last checkpoint are taken again, and would stand there twice.
    tracker = TensorBoardTracker("tensorboard", place.folder, purge_step=place.done + 1)
    tracker.start()
    place.ids["tensorboard"] = "tensorboard"
    return tracker


def _trackio(place: Place) -> Any:
    """In trackio's own folder or where its variables say: it decides on that once, as it is imported."""
    import trackio
    from accelerate.tracking import TrackioTracker

    name = place.ids.get("trackio")
    asked: dict[str, Any] = {
        "name": name or place.name,
        "resume": "allow" if name else "never",
        "embed": False,
    }
    tracker = TrackioTracker(os.environ.get("TRACKIO_PROJECT", PROJECT), **asked)
    tracker.start()
    tracker.finish = (
        trackio.finish
    )  # the run's own, Accelerate's choice, is done again, aloud, as Python ends
    place.ids["trackio"] = tracker.run.name
    return tracker


def _wandb(place: Place) -> Any:
    from accelerate.tracking import WandBTracker

    place.folder.mkdir(parents=True, exist_ok=True)
    run = place.ids.get("wandb") or uuid.uuid4().hex
    tracker = WandBTracker(
        os.environ.get("WANDB_PROJECT", PROJECT),
        name=place.name,
        id=run,
        resume="allow",
        dir=str(place.folder),
    )
    tracker.start()
    place.ids["wandb"] = run
    return tracker


def _mlflow(place: Place) -> Any:
    """Where MLflow was told to (MLFLOW_TRACKING_URI), or in a database in the run's own folder."""
    import mlflow
    from accelerate.tracking import MLflowTracker

    folder, artifacts = place.folder / "mlflow", None
    if not mlflow.is_tracking_uri_set():
        folder.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
        place.after.callback(mlflow.set_tracking_uri, None)  # or the next run here would go into this folder
        artifacts = folder.as_uri()
    tracker = MLflowTracker(PROJECT, artifacts, run_id=place.ids.get("mlflow"), run_name=place.name)
    tracker.start()
    place.ids["mlflow"] = tracker.active_run.info.run_id
    return tracker


STARTS: Mapping[str, Callable[[Place], Any]] = {
    "tensorboard": _tensorboard,
    "trackio": _trackio,
    "wandb": _wandb,
    "mlflow": _mlflow,
}
