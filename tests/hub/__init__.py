"""A Hugging Face hub on this machine, for tests of what talks to the real one.

Clients are not patched: HF_ENDPOINT alone chooses it. What they may find: repositories of models and datasets with
their whole history, private and gated ones, LFS (in one piece or in parts), pull requests, the hub's refusals in its
own words, and planned faults. What they may not: xet storage (see `upload.py`), spaces, search, discussions.
"""

from hub.faults import (
    ClosedMidway,
    Corrupt,
    LostAnswer,
    Redirect,
    Reset,
    ResetMidway,
    Slow,
    Status,
    WrongSize,
)
from hub.loopback import LoopbackHub

__all__ = [
    "ClosedMidway",
    "Corrupt",
    "LoopbackHub",
    "LostAnswer",
    "Redirect",
    "Reset",
    "ResetMidway",
    "Slow",
    "Status",
    "WrongSize",
]
