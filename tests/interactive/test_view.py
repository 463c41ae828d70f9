"""The block under a notebook's cell: what it shows of a run's events, and how often."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest

from hftransfer.interactive.view import PAUSE, SHOWN, Bundle, NotebookView, duration, notebook_display
from hftransfer.training.events import Begin, Evaluation, Event, Extraction, Note, Stage, Step


def step(number: int) -> Step:
    return Step(number, 0, False, 4 * number, 0.5, 1e-4, None)


def shown(*events: Event) -> list[Bundle]:
    bundles: list[Bundle] = []
    with NotebookView(bundles.append, "<task>: runs/x") as view:
        for event in events:
            view(event)
    return bundles


BEGIN = Begin(steps=100, epochs=10, step=0, examples=40, total_parameters=10, trained_parameters=1)


def test_every_stage_and_note_is_shown_as_it_comes() -> None:
    texts = [one["text/plain"] for one in shown(Stage("data", "loading <data>"), Note("a & b"), BEGIN)]
    assert texts[:4] == [
        "<task>: runs/x\nstarting",
        "<task>: runs/x\nloading <data>",
        "<task>: runs/x\nloading <data>\nnote: a & b",
        "<task>: runs/x\ntraining on 40 examples\nnote: a & b",
    ]
    assert texts[4].startswith("<task>: runs/x\ndone in 0 s")


def test_steps_are_shown_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [step(number) for number in range(1, 1001)]
    assert len(shown(BEGIN, *many)) < 8
    monkeypatch.setattr("hftransfer.interactive.view.PAUSE", -1.0)
    assert len(shown(BEGIN, *many)) > 1000  # the control: it is the pause that keeps them apart


def test_the_rate_and_the_time_left_are_of_the_steps_since_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    bundles: list[Bundle] = []
    view = NotebookView(bundles.append, "x")
    view(Begin(100, 10, 20, 40, 10, 1))  # goes on after step 20
    clock[0] = 10.0
    view(step(30))
    assert (
        "step 30 of 100, loss 0.500, learning rate 1.0e-04, 4 examples/s, 1 min 10 s left"
        in (bundles[-1]["text/plain"])
    )
    assert '<progress value="30" max="100"' in bundles[-1]["text/html"]
    clock[0] += PAUSE + 1
    view(Extraction(5, 10))
    assert '<progress value="5" max="10"' in bundles[-1]["text/html"]


def test_the_best_evaluation_and_the_last_ones_stay() -> None:
    def scored(number: int, best: bool) -> Evaluation:
        return Evaluation(number, 0, {"accuracy": number / 100, "confusion_matrix": [[1]], "nan": None}, best)

    text = shown(BEGIN, scored(1, True), scored(2, True), *(scored(n, False) for n in range(3, 13)))[-1]
    lines = text["text/plain"].splitlines()[2:]
    assert lines[0].split() == ["validation", "accuracy"]
    assert [line.split()[3].rstrip(",") for line in lines[1:]] == ["2", *map(str, range(13 - SHOWN, 13))]
    assert [line.endswith("best so far") for line in lines[1:]] == [True] + [False] * SHOWN


def test_what_was_interrupted_or_failed_says_so() -> None:
    for error, said in ((KeyboardInterrupt, "interrupted after 0 s"), (ValueError, "failed after 0 s")):
        bundles: list[Bundle] = []
        with pytest.raises(error), NotebookView(bundles.append, "x"):
            raise error
        assert said in bundles[-1]["text/plain"]


class Tags(HTMLParser):
    """Which tags there are, and whether each is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_what_comes_from_outside_is_escaped() -> None:
    nasty = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    bundles = shown(
        Stage("data", nasty), Note(nasty), BEGIN, step(1), Evaluation(1, 0, {nasty: 0.5}, True), Stage("x", nasty)
    )  # fmt: skip
    for bundle in bundles:
        tags = Tags(bundle["text/html"])
        assert tags.open == []
        assert tags.seen <= {"div", "span", "progress", "table", "thead", "tbody", "tr", "th", "td"}
        assert "&lt;task&gt;" in bundle["text/html"]
    assert "<script" in bundles[-1]["text/plain"]  # the control: it was there to be escaped


def test_there_is_no_display_outside_of_a_kernel() -> None:
    assert notebook_display() is None


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7620, "2 h 7 min")]
)
def test_duration(seconds: float, said: str) -> None:
    assert duration(seconds) == said
