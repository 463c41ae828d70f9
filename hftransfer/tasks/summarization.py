"""summarization: a short text that says what a long one says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from hftransfer.metrics.sentences import sentences
from hftransfer.tasks.predictions import Predictions
from hftransfer.tasks.text_generation import ROUGE, TextGeneration, said


class Summarization(TextGeneration):
    """`text` in, `summary` out; a row may have several summaries to be scored against, and is trained on the first."""

    source: ClassVar[str] = "text"
    target: ClassVar[str] = "summary"

    name: Literal["summarization"] = "summarization"

    @property
    def default_metrics(self) -> tuple[str, ...]:
        return (*ROUGE, "generated_length")

    @property
    def baseline_name(self) -> str:
        return "lead"

    def baseline(self, train: Any, rows: Any, labels: Sequence[str]) -> Predictions:
        """The first sentence (lead-1)."""
        return said([(sentences(text) or [""])[0] for text in rows[self.source]])
