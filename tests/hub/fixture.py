"""The fixture `hub`: one server per test process, as new for every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hub import LoopbackHub


@pytest.fixture(scope="session")
def hub_server() -> Iterator[LoopbackHub]:
    from hub import LoopbackHub  # aiohttp is not to be paid for by tests that need no hub

    with LoopbackHub() as server:
        yield server


@pytest.fixture
def hub(hub_server: LoopbackHub) -> LoopbackHub:
    hub_server.clear()
    return hub_server
