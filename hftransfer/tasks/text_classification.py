"""text-classification: a label for a text or a pair of texts, several labels, or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hftransfer.errors import DataError
from hftransfer.splits import Column
from hftransfer.tasks.base import Batch, Where
from hftransfer.tasks.classification import Classification
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.texts import EncodedPairs, EncodedTexts, bound, encode_apart, encode_texts, pad, room


class TextClassification(Classification):
    """What a text, or a pair of texts (`text_pair` mapped to a column), says: one label, several labels, or numbers."""

    input_columns: ClassVar[Mapping[str, Column]] = {
        "text": Column("text"),
        "text_pair": Column("text", required=False),
    }
    model_class: ClassVar[str] = "AutoModelForSequenceClassification"
    processor_class: ClassVar[str] = "AutoTokenizer"

    name: Literal["text-classification"] = "text-classification"
    max_length: int | None = Field(
        None,
        gt=2,
        description="tokens kept of a text (or pair), special ones included; by default all the model takes",
    )
    long_texts: Literal["truncate", "windows"] = Field(
        "truncate",
        description="a text longer than that is cut, and counted; or read in overlapping windows, whose logits are "
        "averaged (of a pair, the second text)",
    )
    overlap: float = Field(
        0.25, ge=0, lt=1, description="share of a window that is in the one before it, too"
    )

    pairs: Literal["together", "apart"] = Field(
        "together",
        description="how a pair is read: as one text, or each text by itself, u and v, of which a head sees "
        "(u, v, |u - v|); apart is for the strategy frozen with a pooling",
    )

    @property
    def apart(self) -> bool:
        return self.pairs == "apart"

    @model_validator(mode="after")
    def _whole_texts(self) -> Self:
        if self.pairs == "apart" and self.long_texts == "windows":
            raise ValueError("windows are of texts that are read together: leave long_texts out, or pairs")
        return self

    def check_rows(self, rows: Any, where: Where) -> None:
        if self.pairs == "apart" and "text_pair" not in rows.column_names:
            raise DataError(
                "task.pairs is apart, and the rows have no second text",
                hint="map its column: data.columns.text_pair: ..., or leave pairs out",
                key="task.pairs",
            )

    def encode(self, rows: Any, pretrained: Pretrained, *, name: str) -> EncodedTexts | EncodedPairs:
        most = bound(self.max_length, pretrained)
        if self.pairs == "apart":
            return encode_apart(rows, pretrained.processor, most, name=name)
        overlap = None
        if self.long_texts == "windows" and most is not None:
            overlap = int(self.overlap * room(most, pretrained.processor, rows))
        return encode_texts(rows, pretrained.processor, most, name=name, overlap=overlap)

    def collate(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        return pad(examples, pretrained.processor) | self.targets(examples, pretrained)

    def ask(self, pipe: Any, row: Mapping[str, Any], labels: Sequence[str]) -> Any:
        value = {key: row[key] for key in ("text", "text_pair") if key in row}
        most = self.max_length or pipe.tokenizer.model_max_length
        if self.long_texts == "windows" and len(pipe.tokenizer(**value, verbose=False)["input_ids"]) > most:
            return None  # a pipeline reads the first window only
        cut = {"truncation": True, **({"max_length": self.max_length} if self.max_length else {})}
        return {
            one["label"]: one["score"] for one in pipe(value, top_k=len(labels), **cut, **self.activation)
        }
