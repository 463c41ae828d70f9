"""The run directory: the only place that spells the names of output files.

    recipe.yaml  environment.json  data.json     asked for, made with, made from
    metrics.jsonl                                one line an event
    checkpoints/last/  checkpoints/best/         to resume from; the weights that are kept
    model/                                       the artefact, a plain transformers model; README.md is its card
    grid.json                                    of many heads that were trained at once, what each was worth
    probe/                                       what a training of the head alone, before the training, left
    trackers/                                    what local trackers wrote (`tensorboard --logdir RUN/trackers`)
    adapter/                                     the same as a PEFT adapter, where the strategy has one
    predictions/<split>.parquet
    resampled.npz                                every metric on the resamples of the rows, and which rows are right
    evidence/<arm>/  evidence/seed-<n>/          what the run was compared with, each a run directory; of an arm that is
                                                 no run (words), arm.json stands in the place of result.json
    report/                                      report.html and its plots, where they were asked for
    result.json                                  last: it exists only if the run finished
    pushed.json                                  where it was published, if it was

Everything is written beside its place and renamed into it, so that a kill at any instant leaves either the old
or the new, whole.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hftransfer.errors import RunDirectoryError
from hftransfer.files import is_beside, plain, replacing, write_json, write_text
from hftransfer.locate import ADAPTER, MODEL_CARD, RUN_MODEL, RUN_RECIPE, RUN_RESULT
from hftransfer.tensor_folder import read_tensors, write_tensors
from hftransfer.training.events import Begin, Event, Note, Stage

if TYPE_CHECKING:
    from torch import Tensor

REPORT_PAGE = "report.html"
"""Of a report's folder."""
ANOTHER = "give another --output (in Python: output=...)"
Kind = Literal["last", "best"]


class RunDirectory:
    """One run's files. Nothing is created before `begin`; only the main process writes."""

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path = path
        self.writes = writes
        self._resumes = False
        self._claimed = False
        self._began = time.monotonic()

    # --- where things are -------------------------------------------------------------------------------------

    @property
    def recipe(self) -> Path:
        return self.path / RUN_RECIPE

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def model(self) -> Path:
        """Of a run that was published and fetched, the folder itself: a hub's repository is a model's folder."""
        inside = self.path / RUN_MODEL
        return self.path if not inside.exists() and (self.path / "config.json").is_file() else inside

    @property
    def card(self) -> Path:
        return self.model / MODEL_CARD

    @property
    def adapter(self) -> Path:
        return self.path / ADAPTER

    @property
    def result(self) -> Path:
        return self.path / RUN_RESULT

    @property
    def probe(self) -> RunDirectory:
        """The directory of the training before the training: of this run alone, so that nobody has to claim it."""
        directory = RunDirectory(self.path / "probe", writes=self.writes)
        directory._claimed = True
        return directory

    @property
    def trackers(self) -> Path:
        return self.path / "trackers"

    @property
    def tracker_ids(self) -> Path:
        return self.trackers / "ids.json"

    @property
    def resampled(self) -> Path:
        return self.path / "resampled.npz"

    @property
    def arm(self) -> Path:
        return self.path / "arm.json"

    def evidence(self, name: str) -> RunDirectory:
        """The directory of what the run is compared with."""
        return RunDirectory(self.path / "evidence" / name, writes=self.writes)

    def predictions(self, split: str) -> Path:
        return self.path / "predictions" / f"{split}.parquet"

    @property
    def report(self) -> Path:
        return self.path / "report"

    def _checkpoint(self, kind: Kind) -> Path:
        return self.path / "checkpoints" / kind

    # --- opening ----------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: Path, recipe: str, *, resume: bool, writes: bool = True) -> RunDirectory:
        """The directory for a run of `recipe` (its resolved YAML). Creates nothing.

        Raises RunDirectoryError when the place is taken, or, to resume, holds a run of another recipe.
        """
        run_dir = cls(path, writes=writes)
        if path.exists() and not path.is_dir():
            raise RunDirectoryError(f"the output {path} is a file; a run needs a folder")
        if resume:
            run_dir._check_resumable(recipe)
            run_dir._resumes = True
        elif path.is_dir() and any(not is_beside(one) for one in path.iterdir()):
            what = "holds a run already" if run_dir.recipe.exists() else "is not empty"
            raise RunDirectoryError(
                f"the output folder {path} {what}",
                hint=f"{ANOTHER}, or --resume (resume=True) to go on with the run that is there"
                if run_dir.recipe.exists()
                else ANOTHER,
            )
        parent = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            why = "may not be written to" if parent.is_dir() else "is a file"
            raise RunDirectoryError(f"the output folder {path} cannot be made: {parent} {why}")
        return run_dir

    def _check_resumable(self, recipe: str) -> None:
        if not self.recipe.is_file():
            raise RunDirectoryError(
                f"there is no run in {self.path} to resume",
                hint="leave --resume (resume=True) out to start one there",
            )
        then = self.recipe.read_text(encoding="utf-8")
        if _trained(then) != _trained(recipe):
            theirs, ours = then.splitlines(), recipe.splitlines()
            changed = [line.strip() for line in ours if line not in theirs] + [
                f"(was) {line.strip()}" for line in theirs if line not in ours
            ]
            raise RunDirectoryError(
                f"the run in {self.path} was started with another recipe: {'; '.join(changed[:6])}",
                hint=f"resume it with the recipe it was started with, or {ANOTHER}",
            )

    # --- writing ----------------------------------------------------------------------------------------------

    def begin(
        self, *, recipe: str, environment: Mapping[str, Any], data: Mapping[str, Any], done: int
    ) -> None:
        """Write down what was asked for, made with and made from. done: steps that a resumed run has behind it."""
        if not self.writes:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self._resumes or self._claimed or done):
            self._claim(recipe)
        self._claimed = True
        write_json(self.environment, environment)
        write_json(self.data, data)
        self._forget_events_after(done)

    def _claim(self, recipe: str) -> None:
        """Write recipe.yaml, which makes the directory this run's. Raises RunDirectoryError when another was first."""
        mine = self.path / f".recipe.{os.getpid()}.new"
        write_text(mine, recipe)
        try:
            _link(mine, self.recipe)  # unlike a rename, fails where there is a file
        except FileExistsError:
            raise RunDirectoryError(
                f"another run has started in {self.path} meanwhile", hint=ANOTHER
            ) from None
        finally:
            mine.unlink()

    def record(self, event: Event) -> None:
        """Append an event to metrics.jsonl, with the seconds since this process opened the directory."""
        if not self.writes or isinstance(event, Stage) or not self.path.is_dir():
            return
        seconds = round(time.monotonic() - self._began, 3)
        line = {"event": type(event).__name__.lower(), **vars(event), "seconds": seconds}
        # Bytes: half the time of text, and there is a line for every step.
        with self.metrics.open("ab") as stream:
            stream.write((json.dumps(plain(line), ensure_ascii=False) + "\n").encode())

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write result.json: from here on the run counts as finished."""
        if self.writes:
            write_json(self.result, result)

    def save_recipe(self, recipe: str) -> None:
        """Write down a recipe that asks for more evidence than the one that the run was started with."""
        if self.writes:
            write_text(self.recipe, recipe)

    def forget_checkpoints(self) -> None:
        """Remove what a training would go on from: of what is finished, and is there to be compared with alone."""
        if self.writes:
            shutil.rmtree(self._checkpoint("last").parent, ignore_errors=True)

    def save_checkpoint(
        self, kind: Kind, tensors: Mapping[str, Mapping[str, Tensor]], facts: Mapping[str, Any]
    ) -> None:
        """Keep tensors (file name -> name -> tensor) and facts."""
        if self.writes:
            write_tensors(self._checkpoint(kind), tensors, facts)

    def load_checkpoint(self, kind: Kind) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None:
        """What `save_checkpoint` kept, or None when there is no complete checkpoint.

        Raises RunDirectoryError when a file of a complete checkpoint has been changed since.
        """
        return read_tensors(self._checkpoint(kind))

    def save_grid(self, grid: Mapping[str, Any]) -> None:
        """Write down what every head of a grid was worth."""
        if self.writes:
            write_json(self.path / "grid.json", grid)

    def save_pushed(self, facts: Mapping[str, Any]) -> None:
        """Write down where the run was published."""
        write_json(self.path / "pushed.json", facts)

    def save_folder(self, final: Path, write: Callable[[Path], bool]) -> bool:
        """Let `write` fill a folder beside `final`, then rename it there; nothing is left where it returns False."""
        with replacing(final) as folder:
            written = write(folder)
            if not written:
                folder.rmdir()
        return written

    def _forget_events_after(self, done: int) -> None:
        """A resumed run repeats the steps after its checkpoint: their lines would stand twice."""
        if not self.metrics.exists():
            return
        kept = [
            line for line in self.metrics.read_text(encoding="utf-8").splitlines(True) if _step(line) <= done
        ]
        write_text(self.metrics, "".join(kept))


def _link(file: Path, name: Path) -> None:
    """Give a file another name. Raises FileExistsError where there is one."""
    try:
        os.link(file, name)
    except FileExistsError:
        raise
    except OSError:  # exFAT, a mounted drive of a cloud: there, a file has one name
        with name.open("xb") as stream:
            stream.write(file.read_bytes())


def _trained(recipe: str) -> list[str]:
    """The lines of a resolved recipe without its section `evidence`: what is compared afterwards trains nothing."""
    kept, within = [], False
    for line in recipe.splitlines():
        within = line.startswith("evidence:") or (within and line.startswith((" ", "-")))
        if not within:
            kept.append(line)
    return kept


def _step(line: str) -> float:
    try:
        event = json.loads(line)
    except ValueError:  # the last line of a killed process may be cut
        return math.inf
    repeated = event.get("event") in {Begin.__name__.lower(), Note.__name__.lower()}
    return math.inf if repeated else float(event.get("step", math.inf))
