"""What a task may know of a checkpoint, and what it leaves with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SETTINGS = "hftransfer"
"""The key of a model's config that holds what a task has to remember beside the weights (thresholds, ...)."""


@dataclass(frozen=True)
class Pretrained:
    """What a task may know of a checkpoint.

    processor: its tokenizer, image processor or feature extractor. config: its transformers config, with the labels
    and the task's own settings in it. limit: the most tokens that the model takes, or None.
    """

    processor: Any
    config: Any
    limit: int | None

    @property
    def settings(self) -> dict[str, Any]:
        """What the task has to remember beside the weights; it is saved with the model."""
        return getattr(self.config, SETTINGS, None) or {}

    def remember(self, settings: Mapping[str, Any]) -> None:
        """Replace the settings by others; none at all leave no trace in the config."""
        if settings:
            setattr(self.config, SETTINGS, dict(settings))
        elif hasattr(self.config, SETTINGS):
            delattr(self.config, SETTINGS)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in order."""
        return tuple(str(label) for _, label in sorted(self.config.id2label.items()))
