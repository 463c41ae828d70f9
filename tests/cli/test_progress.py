"""What the terminal tells of events, where a notebook tells the same: whose they are, and which is the best."""

from __future__ import annotations

import pytest

from hftransfer.cli.progress import ProgressView
from hftransfer.interactive.view import Bundle, NotebookView
from hftransfer.told import Training
from hftransfer.training.events import Begin, Evaluation, Event, Note, Stage, Step

BEGIN = Begin(steps=100, epochs=10, step=0, examples=40, total_parameters=10, trained_parameters=1)
ARM = "random-weights (2 of 3)"


def told(capsys: pytest.CaptureFixture[str], *events: Event) -> list[str]:
    with ProgressView("accuracy") as view:
        for event in events:
            view(event)
    return capsys.readouterr().err.splitlines()


def test_what_a_run_is_compared_with_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    ours = (Stage("train", "training"), Note("said by both"), BEGIN)
    theirs = (Stage("train", "training", ARM), Note("said by both"), Note("its own"), BEGIN)
    lines = told(capsys, *ours, *theirs)
    assert lines[:2] == ["training ...", "note        said by both"]
    assert lines[2].startswith("training    40 examples, 100 steps")
    assert lines[3:5] == [f"compared with {ARM}: training ...", "note        random-weights: its own"]
    assert lines[5].startswith("training    random-weights: 40 examples")
    bundles: list[Bundle] = []
    with NotebookView(bundles.append, "x") as view:
        for event in (*ours, *theirs):
            view(event)
    assert bundles[-1]["text/plain"].splitlines()[-2:] == [
        "note: said by both",
        "note: random-weights: its own",
    ]


def test_the_best_before_a_resume_is_not_known() -> None:
    first, second = (Evaluation(number, 5, {"accuracy": 0.5}, number == 70) for number in (60, 70))
    resumed = Begin(steps=100, epochs=10, step=50, examples=40, total_parameters=10, trained_parameters=1)
    training = Training(resumed, "accuracy", Step(60, 5, False, 240, 0.5, 1e-4, None), last=first)
    assert (
        training.told()[1] == "last, after epoch 6, step 60: accuracy 0.5000; no better than an earlier one"
    )
    training.best = training.last = second
    assert training.told()[1] == "best so far, after epoch 6, step 70: accuracy 0.5000"


def test_a_finished_run_shows_what_it_is_compared_with() -> None:
    """Nothing of it is trained again, and it has no evaluation of its own to take the columns from."""
    bundles: list[Bundle] = []
    with NotebookView(bundles.append, "x", "accuracy") as view:
        for event in (Stage("train", "training", ARM), BEGIN, Evaluation(9, 0, {"accuracy": 0.75}, True)):
            view(event)
    assert "random-weights: epoch 1, step 9  0.7500    compared" in bundles[-1]["text/plain"]
