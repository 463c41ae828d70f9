"""The hub in the foreground: `python -m hub [--port PORT]`, until Ctrl-C. What it holds ends with it."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from hub import LoopbackHub
from hub.loopback import USER


def main() -> None:
    parser = argparse.ArgumentParser(prog="loopback-hub", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the hub; a free one by default")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        made = LoopbackHub(arguments.port)
    except OSError as error:
        parser.error(f"port {arguments.port}: {error.strerror}")
    with made as hub:
        print(f"Loopback hub at {hub.url}, user {USER!r}, write token {hub.token}", file=sys.stderr)
        print(f"export HF_ENDPOINT={hub.url}")
        print(f"export HF_TOKEN={hub.token} HF_HUB_DISABLE_XET=1", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
