"""What loading has to know of a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Needs(Protocol):
    """Which transformers classes, and what the config must say."""

    @property
    def name(self) -> str: ...
    @property
    def model_class(self) -> str: ...
    @property
    def processor_class(self) -> str: ...
    def head_config(self, labels: Sequence[str]) -> dict[str, Any]: ...
