"""What is said of a sentence: a tag for every word, and the entities that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hftransfer.tasks.predictions import Prediction


@dataclass(frozen=True)
class Tags(Prediction):
    """A tag for every word of a text.

    words: as they were given; of a text, as the tokenizer splits it. scores: the probability of each word's tag.
    entities: what `transformers.pipeline` makes of it: {"entity_group", "score", "word", "start", "end"} of each, in
    characters of the text (of words: with one space between them).
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    scores: tuple[float, ...]
    entities: tuple[Mapping[str, Any], ...]

    def columns(self) -> dict[str, Any]:
        return {
            "prediction": list(self.tags),
            "words": list(self.words),
            "scores": list(self.scores),
            "entities": [dict(one) for one in self.entities],
        }

    def record(self, top: int = 1) -> dict[str, Any]:
        columns = self.columns()
        return {"tags": columns.pop("prediction"), **columns}

    def line(self, top: int = 1) -> str:
        return " ".join(f"{word}/{tag}" for word, tag in zip(self.words, self.tags, strict=True))


class Entities(Tags):
    """The same, told by its entities."""

    def line(self, top: int = 1) -> str:
        shown = (f"{one['word'].strip()} {one['entity_group']} {one['score']:.4f}" for one in self.entities)
        return ", ".join(shown) or "none"
