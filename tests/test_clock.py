"""How long a run took: by stage and in all, with what it took before it was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toy import toy_recipe, trained, write_texts

from hftransfer.job import Clock
from hftransfer.run_directory import RunDirectory
from hftransfer.training.events import Event, Step


def test_what_came_before_a_stop_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    clock = Clock(lambda event: None)
    with clock("data", ""):
        now[0] += 1
    with clock("train", ""):
        now[0] += 10
        kept = clock.spent()  # as at a checkpoint
    assert kept == {"data": 1, "train": 10, "total": 11}
    again = Clock(lambda event: None)
    with again("data", ""):
        now[0] += 2
    again.go_on(kept)
    with again("train", ""):
        now[0] += 5
    with again("score", ""):
        now[0] += 3
    assert again.spent() == {"data": 3, "train": 15, "score": 3, "total": 21}
    assert list(again.spent())[-1] == "total"
    assert again.seconds["train"] == 5  # the control: here


def test_a_checkpoint_keeps_it(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    """Two epochs of four steps, stopped in the second of them."""
    recipe = toy_recipe(tiny_checkpoint("bert"), write_texts(tmp_path / "data"), epochs=2)

    def stop(event: Event) -> None:
        if isinstance(event, Step) and event.step == 3:
            time.sleep(1.5)
        if isinstance(event, Step) and event.step == 6:
            raise KeyboardInterrupt

    def kept() -> tuple[int, float]:
        there = RunDirectory(tmp_path / "run").load_checkpoint("last")
        assert there is not None
        return there[1]["step"], there[1]["seconds"]["total"]

    with pytest.raises(KeyboardInterrupt):
        trained(recipe, tmp_path / "run", watch=stop)
    step, seconds = kept()
    assert step == 4
    assert seconds > 1.5
    trained(recipe, tmp_path / "run", resume=True)
    assert kept()[0] == 8
    assert kept()[1] > seconds  # what comes after the stop takes less by itself
