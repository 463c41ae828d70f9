"""A run's events in a notebook: one block under the cell, which changes as they come."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from hftransfer.planning.told import duration
from hftransfer.summary import GREY, Table, html_table, number, text_table
from hftransfer.told import Pace, Training, rows_told, stage_told, training_told, when, whose
from hftransfer.training.events import Begin, Evaluation, Event, Extraction, Loaded, Note, Stage, Step

Bundle = Mapping[str, str]
"""MIME type -> what to show: HTML, and plain text for what shows no HTML."""
Display = Callable[[Bundle], None]

PAUSE = 0.25
"""Seconds between two changes while steps come: a page that is sent more often falls behind."""
SHOWN = 5
"""Evaluations that are shown beside the best one: a long training has hundreds."""


def notebook_display() -> Display | None:
    """What shows a block under the running cell and replaces it; None where this is no notebook's kernel.

    IPython is looked for among what is loaded: a notebook has it, and nobody else is made to import it.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if getattr(shell, "kernel", None) is None:
        return None
    from IPython import display

    shown: list[Any] = []

    def show(bundle: Bundle) -> None:
        if shown:
            shown[0].update(bundle, raw=True)
        else:
            shown.append(display.display(bundle, raw=True, display_id=True))

    return show


class NotebookView:
    """Shows events as they come; use as a context manager, and call it with every event.

    show: replaces what it has shown before. name: what is run, and where. metric: the one that chooses the weights.
    """

    def __init__(self, show: Display, name: str, metric: str | None = None) -> None:
        self._show = show
        self._name = name
        self._metric = metric
        self._stage = Stage("", "starting")
        self._now = "starting"
        self._facts: dict[str, str] = {}
        self._notes: dict[str, str] = {}  # by their message: what an arm says again is not shown again
        self._training: Training | None = None
        self._asked = Pace()
        self._evaluations: list[Evaluation] = []
        self._arms: dict[str, Evaluation] = {}  # by `whose`
        self._bar: tuple[int, int] | None = None
        self._began = self._updated = time.monotonic()

    def __enter__(self) -> NotebookView:
        self._update()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        seconds = duration(time.monotonic() - self._began)
        stopped = kind is not None and issubclass(kind, KeyboardInterrupt)
        how = "done in" if kind is None else "interrupted after" if stopped else "failed after"
        self._now, self._bar = f"{how} {seconds}", None
        self._update()

    def __call__(self, event: Event) -> None:
        match event:
            case Stage():
                self._stage, self._asked = event, Pace()
                self._now, self._bar = stage_told(event), None
            case Note(message):
                self._notes.setdefault(message, whose(self._stage) + message)
            case Loaded():
                self._facts["rows"] = rows_told(event)
            case Extraction():
                self._extraction(event)
            case Begin():
                self._begin(event)
            case Step():
                self._step(event)
            case Evaluation():
                self._evaluation(event)
        often = isinstance(event, Step | Extraction | Evaluation)
        if not often or time.monotonic() - self._updated > PAUSE:
            self._update()

    # --- what happened ----------------------------------------------------------------------------------------

    def _extraction(self, event: Extraction) -> None:
        if event.rows < (self._bar or (0, 0))[0]:
            self._asked = Pace()  # the next split is counted from the start
        self._asked.note(event.rows)
        left = self._asked.left(event.total)
        told = f", about {duration(left)} left" if left else ""
        self._now = f"{stage_told(self._stage)}: row {event.rows:,} of {event.total:,}{told}"
        self._bar = (event.rows, event.total)

    def _begin(self, event: Begin) -> None:
        self._training = Training(event, self._metric)
        self._training.steps.note(event.step)
        if not self._stage.within:
            self._facts["head" if self._stage.name == "probe" else "training"] = training_told(event)
            self._evaluations = []  # of a training of the head alone, which came first

    def _step(self, event: Step) -> None:
        training = self._training
        assert training is not None
        training.step = event
        training.examples.note(event.examples)
        training.steps.note(event.step)
        self._bar = (event.step, training.begin.steps)
        count = f"step {event.step:,} of {training.begin.steps:,}, epoch {event.epoch + 1} of {training.begin.epochs}"
        self._now = f"{stage_told(self._stage)}: {count}, {training.told()[0]}"

    def _evaluation(self, event: Evaluation) -> None:
        if self._training is not None:
            self._training.examples.pause()
        arm = whose(self._stage)
        if not arm:
            self._evaluations.append(event)
        elif event.best or arm not in self._arms:
            self._arms[arm] = event

    # --- the block --------------------------------------------------------------------------------------------

    def _update(self) -> None:
        self._updated = time.monotonic()
        header, rows = self._scores()
        self._show({"text/html": self._html(header, rows), "text/plain": self._text(header, rows)})

    def _html(self, header: list[str], rows: list[list[str]]) -> str:
        bar = ""
        if self._bar is not None:
            value, most = self._bar
            bar = f'<progress value="{value}" max="{most}" aria-label="progress" style="width:14em"></progress> '
        name, *facts = (f'<div style="{GREY}">{escape(line)}</div>' for line in (self._name, *self._told()))
        table = html_table(header, rows) if rows else ""
        notes = "".join(f'<div style="{GREY}">note: {escape(note)}</div>' for note in self._notes.values())
        return f"<div>{name}<div>{bar}{escape(self._now)}</div>{''.join(facts)}{table}{notes}</div>"

    def _text(self, header: list[str], rows: list[list[str]]) -> str:
        table = text_table(header, rows) if rows else []
        notes = (f"note: {note}" for note in self._notes.values())
        return "\n".join([self._name, self._now, *self._told(), *table, *notes])

    def _told(self) -> list[str]:
        return [f"{name}: {text}" for name, text in self._facts.items()]

    def _scores(self) -> Table:
        """The best evaluation so far and the last few, in order; of everything that it is compared with, the best."""
        best = next((one for one in reversed(self._evaluations) if one.best), None)
        chosen = self._evaluations[-SHOWN:]
        if best is not None and best not in chosen:
            chosen = [best, *chosen]
        last = next(
            iter([*chosen[-1:], *self._arms.values()]), None
        )  # of a finished run the arms alone are trained
        names = [name for name, value in last.metrics.items() if number(value)] if last is not None else []
        by = f", by {self._metric}" if self._metric in names else ""

        def row(one: Evaluation, of: str, told: str) -> list[str]:
            return [of + when(one), *(number(one.metrics.get(name)) for name in names), told]

        rows = [row(one, "", f"best so far{by}" if one is best else "") for one in chosen]
        rows += [row(one, arm, "compared") for arm, one in self._arms.items()]
        return ["validation", *names, ""], rows
