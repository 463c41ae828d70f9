"""The block under a notebook's cell: what it shows of a run's events, and how often."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest

from hftransfer.interactive.view import PAUSE, SHOWN, Bundle, NotebookView, notebook_display
from hftransfer.training.events import Begin, Evaluation, Event, Extraction, Loaded, Note, Stage, Step


def step(number: int) -> Step:
    return Step(number, 0, False, 4 * number, 0.5, 1e-4, None)


def shown(*events: Event) -> list[Bundle]:
    bundles: list[Bundle] = []
    with NotebookView(bundles.append, "<task>: runs/x", "accuracy") as view:
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
        "<task>: runs/x\nloading <data>\n"
        "training: 40 examples, 100 steps in 10 epochs; 1 of 10 parameters are trained (10.00%)\nnote: a & b",
    ]
    assert texts[4].startswith("<task>: runs/x\ndone in 0.0 s\ntraining: 40 examples")


def test_the_rows_are_told() -> None:
    text = shown(Loaded({"train": 1270, "validation": 30}, 7))[-1]["text/plain"]
    assert "\nrows: 1,270 train, 30 validation; 7 labels" in text
    assert "labels" not in shown(Loaded({"train": 10}, 0))[-1]["text/plain"]


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
    view(Stage("train", "training"))
    view(Begin(100, 10, 20, 40, 10, 1))  # goes on after step 20
    clock[0] = 5.0
    view(step(25))
    clock[0] = 10.0
    view(step(30))
    line = "training: step 30 of 100, epoch 1 of 10, loss 0.5000, rate 1.0e-04, 4.0 examples/s, about 1 min 10 s left"
    assert line in bundles[-1]["text/plain"].splitlines()
    assert '<progress value="30" max="100"' in bundles[-1]["text/html"]
    view(Stage("features", "asking the backbone"))
    view(Extraction(5, 25))
    clock[0] += PAUSE + 1
    view(Extraction(15, 25))
    assert "asking the backbone: row 15 of 25, about 1.2 s left" in bundles[-1]["text/plain"].splitlines()
    assert '<progress value="15" max="25"' in bundles[-1]["text/html"]
    clock[0] += PAUSE + 1
    view(Extraction(5, 10))  # of the next split
    assert "asking the backbone: row 5 of 10" in bundles[-1]["text/plain"].splitlines()


def test_the_best_evaluation_and_the_last_ones_stay() -> None:
    def scored(number: int, best: bool) -> Evaluation:
        return Evaluation(number, 0, {"accuracy": number / 100, "confusion_matrix": [[1]], "nan": None}, best)

    text = shown(BEGIN, scored(1, True), scored(2, True), *(scored(n, False) for n in range(3, 13)))[-1]
    lines = text["text/plain"].splitlines()[3:]
    assert lines[0].split() == ["validation", "accuracy"]
    assert [line.split()[3].rstrip(",") for line in lines[1:]] == ["2", *map(str, range(13 - SHOWN, 13))]
    assert [line.endswith("best so far, by accuracy") for line in lines[1:]] == [True] + [False] * SHOWN


def test_what_a_run_is_compared_with_takes_nothing_from_what_is_told_of_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hftransfer.interactive.view.PAUSE", -1.0)
    mine, theirs = Evaluation(9, 0, {"accuracy": 0.9}, True), Evaluation(5, 0, {"accuracy": 0.5}, True)
    arm, trained = "random-weights (2 of 3)", Begin(7, 1, 0, 40, 10, 10)
    events = [
        *(Stage("train", "training"), BEGIN, Note("said by both"), mine),
        *(Stage("train", "training", arm), trained, Note("said by both"), Note("its own"), theirs),
    ]
    during, after = (one["text/plain"].splitlines() for one in shown(*events, step(7))[-2:])
    assert during[1].startswith(f"compared with {arm}: training: step 7 of 7, epoch 1 of 1, loss")
    assert "training: 40 examples, 100 steps" in after[2]  # and not the 7 of what it is compared with
    _, ours, compared = (line.split() for line in after[3:6])
    assert ours == ["epoch", "1,", "step", "9", "0.9000", "best", "so", "far,", "by", "accuracy"]
    assert compared == ["random-weights:", "epoch", "1,", "step", "5", "0.5000", "compared"]
    assert after[6:] == ["note: said by both", "note: random-weights: its own"]


def test_what_was_interrupted_or_failed_says_so() -> None:
    for error, said in ((KeyboardInterrupt, "interrupted after 0.0 s"), (ValueError, "failed after 0.0 s")):
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
