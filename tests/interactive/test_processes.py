"""Two processes started from a notebook: interrupted, gone on with, and gone when the notebook is."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from interactive.kernels import Kernel
from toy import toy_recipe, write_texts

from hftransfer.runner import load_data, resolve

pytestmark = pytest.mark.long  # every start of three processes takes some ten seconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture
def kernel(folder: Path, tiny_checkpoint: Callable[..., Path]) -> Iterator[Kernel]:
    write_texts(folder / "texts")
    kernel = Kernel(folder)
    shown = kernel(f"""
import sys, pandas as pd, hftransfer as ht
recipe = ht.Recipe(
    checkpoint={str(tiny_checkpoint("bert"))!r},
    data={{split: pd.read_csv(f"texts/{{split}}.csv") for split in ("train", "validation", "test")}},
    task="text-classification",
    training={{"epochs": 40, "batch_size": 4, "learning_rate": 3e-3, "checkpoint_every": 5}},
)
def say(event):
    if getattr(event, "learning_rate", None) and event.step == 12:
        print("now", flush=True)
""")
    assert shown.status == "ok", shown.error
    yield kernel
    kernel.close()


def workers() -> list[int]:
    """The processes of a run that was started from Python, and what they have started; not what this process, which
    may have made runs of its own, keeps for its next proof."""
    own = ("hftransfer.interactive.worker", "torch.distributed.run", "hftransfer.proof")
    mine = psutil.Process().username()
    return [
        one.pid
        for one in psutil.process_iter(["cmdline", "username", "environ", "ppid"])
        if one.info["username"] == mine
        and one.info["ppid"] != os.getpid()
        and set(own) & set(one.info["cmdline"] or ())
        and (one.info["environ"] or {}).get("HFTRANSFER_CACHE") == os.environ["HFTRANSFER_CACHE"]
    ]


def test_stopped_gone_on_with_and_told_alike(kernel: Kernel, folder: Path) -> None:
    started: list[int] = []

    def stop(text: str) -> None:
        if text == "now\n":
            started.extend(workers())
            kernel.interrupt()

    shown = kernel("ht.run(recipe, output='runs/x', processes=2, watch=say)", seen=stop)
    assert len(started) == 3
    assert workers() == []
    assert "ht.run(recipe, output='runs/x', resume=True, processes=2)" in shown.error
    assert kernel("'torch' in sys.modules").text == "False"

    shown = kernel("result = ht.run(recipe, output='runs/x', resume=True, processes=2); result")
    assert shown.status == "ok", shown.error
    assert "done in " in shown.texts[0]
    assert "starting 2 processes" not in shown.texts[0]
    assert workers() == []
    environment = json.loads((folder / "runs" / "x" / "environment.json").read_text())
    assert environment["processes"] == 2
    lines = (folder / "runs" / "x" / "metrics.jsonl").read_text().splitlines()
    steps = [one["step"] for one in map(json.loads, lines) if one["event"] == "step"]
    assert steps == list(range(1, 40 * 16 + 1))
    assert float(kernel("result.metrics['test']['accuracy']").text) > 0.7
    assert kernel("result.predict(['my cat is near that dog'])[0].label").text in ("'animal'", "'colour'")


def test_the_rows_are_known_by_the_fingerprint_that_one_process_gives_them(
    kernel: Kernel, folder: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    """The run above was resumed on it; a run of the same frames on one process writes the same."""
    import pandas as pd

    frames = {
        split: pd.read_csv(folder / "texts" / f"{split}.csv") for split in ("train", "validation", "test")
    }
    here = load_data(resolve(toy_recipe(tiny_checkpoint("bert"), frames))).fingerprint
    assert json.loads((folder / "runs" / "x" / "data.json").read_text())["fingerprint"] == here


def test_a_failure_there_is_raised_here(kernel: Kernel) -> None:
    broken = "ht.Recipe(**{**dict(recipe), 'training': {'learning_rate': 1e30, 'clip_norm': None}})"
    shown = kernel(f"ht.run({broken}, output='runs/broken', processes=2)")
    assert shown.error.startswith("TrainingError: the ")
    assert "is not a finite number" in shown.error
    assert "failed after " in shown.texts[0]
    assert "hftransfer/training/loop.py" in kernel("%tb").error
    assert workers() == []


def test_they_end_with_the_kernel(kernel: Kernel) -> None:
    def kill(text: str) -> None:
        if text == "now\n":
            assert len(workers()) == 3
            os.kill(kernel.process, signal.SIGKILL)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kernel("ht.run(recipe, output='runs/killed', processes=2, watch=say)", seen=kill)
    until = time.monotonic() + 30
    while workers() and time.monotonic() < until:
        time.sleep(0.2)
    assert workers() == []
