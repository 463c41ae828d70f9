"""The hub in the foreground: it says how to reach it, and ends when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_ends_well(number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-m", "hub"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        lines = [process.stdout.readline().split() for _ in range(2)]
        settings = dict(word.split("=", 1) for words in lines for word in words[1:])
        request = urllib.request.Request(
            f"{settings['HF_ENDPOINT']}/api/whoami-v2",
            headers={"Authorization": f"Bearer {settings['HF_TOKEN']}"},
        )
        with urllib.request.urlopen(request) as answer:
            assert b'"name": "me"' in answer.read()
        process.send_signal(number)
        _, complaint = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in complaint
