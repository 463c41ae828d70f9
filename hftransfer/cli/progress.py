"""A run's events on the terminal: a block of facts before, one that changes in its place during, plain lines elsewhere.

On a terminal a few lines at the bottom tell what goes on, and are gone when it is done: what stays above them is worth
reading later. Where nothing can be written over (a pipe, a file, TERM=dumb) there are lines of text alone, so many over
a training. Whatever a bar or a colour shows is there in words, too.
"""

from __future__ import annotations

import time

from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hftransfer.cli.console import err
from hftransfer.cli.facts import print_facts
from hftransfer.planning.told import duration
from hftransfer.told import Pace, Training, numbers, rows_told, stage_told, training_told, when, whose
from hftransfer.training.events import Begin, Evaluation, Event, Extraction, Loaded, Note, Stage, Step

LINES = 10
"""Of a training, where there is no terminal."""
REFRESH = 2.0
"""Times a second: often enough to see that it goes on, seldom enough to be read aloud."""
BAR = 24


class ProgressView:
    """Shows events as they come; use as a context manager, and call it with every event.

    metric: the one that chooses the weights; by default the first of an evaluation that is not the loss.
    """

    def __init__(self, metric: str | None = None) -> None:
        self._metric = metric
        self.moving = err.is_terminal and err.is_interactive
        self._stage = Stage("", "")
        self._since = time.monotonic()
        self._asked = Pace()
        self._training: Training | None = None
        self._noted: set[str] = set()
        self._shown = 0
        # What is drawn, by a thread beside: replaced as a whole, never changed.
        self._lines: tuple[RenderableType, ...] = ()
        self._live = Live(
            get_renderable=self._block,
            console=err,
            refresh_per_second=REFRESH,
            transient=True,
            redirect_stdout=False,
        )

    def __enter__(self) -> ProgressView:
        if self.moving:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._live.stop()
        training = self._training
        if self.moving and kind is not None and training is not None and training.step is not None:
            steps = f"stopped after step {training.step.step:,} of {training.begin.steps:,}"
            err.print(f"{whose(self._stage)}{steps}", markup=False)

    def __call__(self, event: Event) -> None:
        match event:
            case Stage():
                self._begins(event)
            case Note(message):
                self._note(message)
            case Loaded():
                print_facts(err, [("data", rows_told(event))])
            case Extraction():
                self._extraction(event)
            case Begin():
                self._begin(event)
            case Step():
                self._step(event)
            case Evaluation():
                self._evaluation(event)

    # --- what happened ----------------------------------------------------------------------------------------

    def _note(self, message: str) -> None:
        """What something that the run is compared with says again is not said again."""
        if not self._stage.within or message not in self._noted:
            print_facts(err, [("note", whose(self._stage) + message)])
        self._noted.add(message)

    def _begins(self, stage: Stage) -> None:
        self._stage, self._since = stage, time.monotonic()
        self._asked, self._training, self._shown, self._lines = Pace(), None, 0, ()
        if not self.moving:
            _line(f"[dim]{escape(stage_told(stage))} ...[/dim]")

    def _extraction(self, event: Extraction) -> None:
        self._asked.note(event.rows)
        left = self._asked.left(event.total)
        told = [] if left is None else [f"about {duration(left)} left"]
        self._lines = (_counted(f"row {event.rows:,} of {event.total:,}", event.rows, event.total), *told)
        if not self.moving and event.rows * LINES // event.total > self._shown:
            self._shown = event.rows * LINES // event.total
            _line(f"  row {event.rows} of {event.total}")
        if event.rows == event.total:  # the next split is counted from the start
            self._asked, self._shown, self._lines = Pace(), 0, ()

    def _begin(self, event: Begin) -> None:
        self._training, self._shown = Training(event, self._metric), 0
        self._training.steps.note(event.step)
        head = event.steps and self._stage.name == "probe"
        print_facts(err, [("head" if head else "training", whose(self._stage) + training_told(event))])

    def _step(self, event: Step) -> None:
        training = self._training
        assert training is not None
        training.step = event
        training.examples.note(event.examples)
        training.steps.note(event.step)
        total = training.begin.steps
        if self.moving:
            self._draw(training)
        elif event.step * LINES // total > self._shown:
            self._shown = event.step * LINES // total
            _line(f"  step {event.step} of {total}: {training.told()[0]}")

    def _evaluation(self, event: Evaluation) -> None:
        training = self._training
        assert training is not None
        training.last = event
        training.best = event if event.best else training.best
        training.examples.pause()
        if self.moving:
            self._draw(training)
        else:
            mark = " [green](best so far)[/green]" if event.best else ""
            _line(f"  {when(event)}: {numbers(event.metrics)}{mark}")

    # --- the block --------------------------------------------------------------------------------------------

    def _draw(self, training: Training) -> None:
        if training.step is None:
            return
        step, total = training.step.step, training.begin.steps
        count = f"step {step:,} of {total:,}, epoch {training.step.epoch + 1} of {training.begin.epochs}"
        self._lines = (_counted(count, step, total), *training.told())

    def _block(self) -> RenderableType:
        """What goes on now, in at most four lines."""
        if not self._stage.title:
            return Text()
        passed = f", for {duration(time.monotonic() - self._since)}"
        head = Text(stage_told(self._stage), style="bold", overflow="ellipsis", no_wrap=True)
        head.append(passed, style="not bold")
        return Group(head, *(_indented(line) for line in self._lines))


def _line(markup: str) -> None:
    """A line of text; on a terminal no wider than that is."""
    err.print(markup, soft_wrap=not err.is_terminal)


def _indented(line: RenderableType) -> RenderableType:
    grid = Table.grid()
    grid.add_column(width=2)
    grid.add_column()
    grid.add_row("", Text(line, overflow="ellipsis", no_wrap=True) if isinstance(line, str) else line)
    return grid


def _counted(text: str, done: int, total: int) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        Text(text),
        ProgressBar(total, done, BAR, style="dim", complete_style="cyan", finished_style="cyan"),
        Text(f"{done / total:.0%}"),
    )
    return grid
