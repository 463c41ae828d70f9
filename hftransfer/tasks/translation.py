"""translation: a text in another language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from hftransfer.tasks.languages import Target, speak
from hftransfer.tasks.predictions import Predictions
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.text_generation import TextGeneration, said


class Translation(TextGeneration):
    """`source` in, `target` out; a row may have several targets to be scored against, and is trained on the first."""

    source: ClassVar[str] = "source"
    target: ClassVar[str] = "target"

    name: Literal["translation"] = "translation"
    source_language: str | None = Field(
        None,
        description="code of the source's language, for checkpoints of many languages: en_XX, eng_Latn, ...",
    )
    target_language: str | None = Field(
        None, description="code of the target's language, likewise; Marian's, too: fra"
    )

    @property
    def default_metrics(self) -> tuple[str, ...]:
        return ("bleu", "chrf", "generated_length")

    @property
    def baseline_name(self) -> str:
        return "copy"

    def languages(self, pretrained: Pretrained) -> Target:
        return speak(pretrained.processor, self.source_language, self.target_language)

    def baseline(self, train: Any, rows: Any, labels: Sequence[str]) -> Predictions:
        """The source as it is."""
        return said(list(rows[self.source]))
