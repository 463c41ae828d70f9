"""A run's events in a notebook: one block under the cell, which changes as they come."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from hftransfer.summary import GREY, Table, html_table, number, text_table
from hftransfer.training.events import Begin, Evaluation, Event, Extraction, Note, Stage, Step

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

    _without_a_warning_of_tqdm()
    shown: list[Any] = []

    def show(bundle: Bundle) -> None:
        if shown:
            shown[0].update(bundle, raw=True)
        else:
            shown.append(display.display(bundle, raw=True, display_id=True))

    return show


def _without_a_warning_of_tqdm() -> None:
    """Import it here, quietly: in a notebook it complains of a package for its own bars, which are not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tqdm.auto  # noqa: F401


class NotebookView:
    """Shows events as they come; use as a context manager, and call it with every event.

    show: replaces what it has shown before. name: what is run, and where.
    """

    def __init__(self, show: Display, name: str) -> None:
        self._show = show
        self._name = name
        self._now = "starting"
        self._notes: list[str] = []
        self._evaluations: list[Evaluation] = []
        self._bar: tuple[int, int] | None = None
        self._began = self._since = self._updated = time.monotonic()
        self._first = self._total = 0

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
            case Stage(_, title):
                self._now, self._bar = title, None
            case Note(message):
                self._notes.append(message)
            case Extraction(rows, total):
                self._now, self._bar = f"the backbone has read {rows:,} of {total:,} rows", (rows, total)
            case Begin():
                self._since, self._first, self._total = time.monotonic(), event.step, event.steps
                self._now = f"training on {event.examples:,} examples"
                self._evaluations = []  # of a training of the head alone, which came first
            case Step():
                self._now = self._training(event)
            case Evaluation():
                self._evaluations.append(event)
        often = isinstance(event, Step | Extraction | Evaluation)
        if not often or time.monotonic() - self._updated > PAUSE:
            self._update()

    def _training(self, step: Step) -> str:
        """How far training is, in a line. The rate and the time left are of this process's own steps."""
        seconds = time.monotonic() - self._since
        self._bar = (step.step, self._total)
        done = max(1, step.step - self._first)
        rate = step.examples / step.step * done / max(seconds, 1e-9)
        left = duration((self._total - step.step) * seconds / done)
        return (
            f"step {step.step:,} of {self._total:,}, loss {step.loss:.3f}, learning rate {step.learning_rate:.1e}, "
            f"{rate:,.0f} examples/s, {left} left"
        )

    def _update(self) -> None:
        self._updated = time.monotonic()
        header, rows = self._scores()
        self._show({"text/html": self._html(header, rows), "text/plain": self._text(header, rows)})

    def _html(self, header: list[str], rows: list[list[str]]) -> str:
        bar = ""
        if self._bar is not None:
            value, most = self._bar
            bar = f'<progress value="{value}" max="{most}" aria-label="progress" style="width:14em"></progress> '
        table = html_table(header, rows) if rows else ""
        notes = "".join(f'<div style="{GREY}">note: {escape(note)}</div>' for note in self._notes)
        name = f'<span style="{GREY}">{escape(self._name)}</span>'
        return f"<div>{name}<div>{bar}{escape(self._now)}</div>{table}{notes}</div>"

    def _text(self, header: list[str], rows: list[list[str]]) -> str:
        table = text_table(header, rows) if rows else []
        return "\n".join([self._name, self._now, *table, *(f"note: {note}" for note in self._notes)])

    def _scores(self) -> Table:
        """The best evaluation so far and the last few, in order."""
        best = next((one for one in reversed(self._evaluations) if one.best), None)
        chosen = self._evaluations[-SHOWN:]
        if best is not None and best not in chosen:
            chosen = [best, *chosen]
        names = [name for name, value in chosen[-1].metrics.items() if number(value)] if chosen else []
        rows = [
            [
                f"epoch {one.epoch + 1}, step {one.step:,}" if one.step else "fitted",
                *(number(one.metrics.get(name)) for name in names),
                "best so far" if one is best else "",
            ]
            for one in chosen
        ]
        return ["validation", *names, ""], rows


def duration(seconds: float) -> str:
    """`12 s`, `3 min 5 s` or `2 h 7 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
