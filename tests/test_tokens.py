"""A token of the hub is known to the process that needs it, and to none that it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants

from hftransfer.fresh import FreshProcess
from hftransfer.tokens import forget_tokens
from hftransfer.training.loaders import load

SECRET = "hf_known_to_nobody"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)


def environment(process: int) -> bytes:
    """Once it is there: for an instant a new process has none."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = Path(f"/proc/{process}/environ").read_bytes()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"process {process} shows no environment")


@pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="no /proc: a process cannot be looked into"
)
def test_the_process_that_proves_a_model_is_given_none() -> None:
    with FreshProcess() as fresh:
        assert SECRET.encode() not in environment(fresh.start())
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert SECRET.encode() in environment(other.pid)
    finally:
        other.communicate(b"\n")


class Rows:
    """Two examples of nothing."""

    lengths = np.ones(2, dtype=np.int64)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        return {}


def known(examples: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """Whether the process that makes the batch knows the token."""
    return {"known": torch.tensor(os.environ.get("HF_TOKEN") == SECRET)}


@pytest.mark.parametrize("workers", [0, 1])
def test_workers_that_load_data_have_none(workers: int) -> None:
    examples: Any = Rows()
    batches = list(load(examples, known, [np.array([0, 1])], workers))
    assert [bool(batch["known"]) for batch in batches] == [workers == 0]
    assert os.environ["HF_TOKEN"] == SECRET


def test_what_is_forgotten_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        monkeypatch.setenv(name, "0")
        monkeypatch.setattr(constants, name, False)
    command = [sys.executable, "-c", "import os; print(os.environ.get('HF_TOKEN'))"]
    before = subprocess.run(command, capture_output=True, text=True, check=True)
    forget_tokens()
    after = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (before.stdout.strip(), after.stdout.strip()) == (SECRET, "None")
    assert constants.is_offline_mode()  # and nobody is asked without one
