"""Hub id of a checkpoint -> the tiny family that stands in for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiny import make_checkpoint


@dataclass(frozen=True)
class StandIn:
    """family, options: as for `tiny.make_checkpoint`. length: tokens that the tokenizer says it takes."""

    family: str
    length: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, folder: Path) -> Path:
        make_checkpoint(self.family, folder, **self.options)
        if self.length is not None:
            file = folder / "tokenizer_config.json"
            settings = json.loads(file.read_text(encoding="utf-8"))
            file.write_text(json.dumps(settings | {"model_max_length": self.length}), encoding="utf-8")
        return folder


def _reads(family: str, length: int = 512, *, offset: int = 0) -> StandIn:
    """A model of texts that takes as many tokens as the published one. offset: positions before the first token's."""
    return StandIn(family, length, {"max_position_embeddings": length + offset})


CHECKPOINTS: dict[str, StandIn] = {
    "FacebookAI/roberta-base": _reads("roberta-mlm", offset=2),
    "answerdotai/ModernBERT-base": _reads("modernbert-mlm", 8192),
    "distilbert/distilbert-base-uncased": _reads("distilbert-mlm"),
    "facebook/bart-base": _reads("bart", 1024),
    "facebook/convnext-tiny-224": StandIn("convnext", options={"head": True}),
    "facebook/dinov2-base": StandIn("dinov2"),
    "facebook/dinov2-small": StandIn("dinov2"),
    "facebook/wav2vec2-base": StandIn("wav2vec2"),
    "google-bert/bert-base-cased": _reads("bert"),
    "google-bert/bert-base-uncased": _reads("bert"),
    "google-t5/t5-small": StandIn("t5", 512),
    "google/electra-small-discriminator": _reads("electra"),
    "google/vit-base-patch16-224-in21k": StandIn("vit"),
    "microsoft/deberta-v3-base": _reads("deberta-v2"),
    "microsoft/resnet-50": StandIn("resnet", options={"head": True}),
    "nvidia/mit-b0": StandIn("segformer"),
    "sentence-transformers/all-MiniLM-L6-v2": _reads("bert"),
}
