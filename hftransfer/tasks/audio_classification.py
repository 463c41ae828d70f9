"""audio-classification: a label for a clip of sound, several labels, or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from hftransfer.splits import Column
from hftransfer.tasks.base import LABELS, Batch, forward
from hftransfer.tasks.classification import Classification
from hftransfer.tasks.clips import MASK, EncodedClips, Hearing, encode_clips, frames, hearing, input_name, pad
from hftransfer.tasks.pretrained import Pretrained

if TYPE_CHECKING:
    from torch import nn


class AudioClassification(Classification):
    """What a clip of sound is: one label, several labels, or numbers."""

    input_columns: ClassVar[Mapping[str, Column]] = {"audio": Column("audio")}
    model_class: ClassVar[str] = "AutoModelForAudioClassification"
    processor_class: ClassVar[str] = "AutoFeatureExtractor"

    name: Literal["audio-classification"] = "audio-classification"
    max_seconds: float | None = Field(
        None,
        gt=0,
        description="seconds used of a clip; by default all that the checkpoint looks at (AST: its spectrogram; "
        "wav2vec2: the whole clip)",
    )
    long_clips: Literal["crop", "windows"] = Field(
        "crop",
        description="a longer clip is cut to its beginning, and counted; or read in overlapping windows, whose logits "
        "are averaged",
    )
    overlap: float = Field(
        0.25, ge=0, lt=1, description="share of a window that is in the one before it, too"
    )

    def encode(self, rows: Any, pretrained: Pretrained, *, name: str) -> EncodedClips:
        return encode_clips(
            rows, pretrained, self._hearing(pretrained.processor, pretrained.config), name=name
        )

    def collate(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        fixed = self._hearing(pretrained.processor, pretrained.config).fixed
        return pad(examples, pretrained.processor, fixed=fixed) | self.targets(examples, pretrained)

    def augment(self, batch: Batch, pretrained: Pretrained) -> Batch:
        """The batch as the model takes it in training, where it may mask spans of time (SpecAugment) by itself."""
        if MASK not in batch:
            return batch
        batch = _long_enough(batch, pretrained)
        return batch if _sees_mask(pretrained) else {key: batch[key] for key in batch if key != MASK}

    def run(self, model: nn.Module, batch: Batch, pretrained: Pretrained) -> Any:
        """A model that knows no mask would hear the padding, and say other things of a clip in other company: it is
        given clips of one length at a time, without any."""
        if MASK not in batch or _sees_mask(pretrained):
            return forward(model, batch)
        import torch
        from transformers.modeling_outputs import SequenceClassifierOutput

        name = input_name(pretrained.processor)
        lengths = batch[MASK].sum(dim=1)
        chosen = [torch.nonzero(lengths == length)[:, 0] for length in sorted(set(lengths.tolist()))]
        parts = [forward(model, {name: batch[name][rows, : int(lengths[rows[0]])]}).logits for rows in chosen]
        order = torch.cat(chosen).argsort()
        return SequenceClassifierOutput(logits=torch.cat(parts)[order])

    def ask(self, pipe: Any, row: Mapping[str, Any], labels: Sequence[str]) -> Any:
        hear = self._hearing(pipe.feature_extractor, pipe.model.config)
        samples = hear.hear(row["audio"], "probe").samples
        if len(hear.starts(len(samples))) > 1:
            return None  # a pipeline knows no windows
        said = pipe({"raw": samples, "sampling_rate": hear.rate}, top_k=len(labels), **self.activation)
        return {one["label"]: one["score"] for one in said}

    def _hearing(self, extractor: Any, config: Any) -> Hearing:
        windows = self.long_clips == "windows"
        return hearing(extractor, config, max_seconds=self.max_seconds, windows=windows, overlap=self.overlap)


def _sees_mask(pretrained: Pretrained) -> bool:
    return bool(getattr(pretrained.processor, "return_attention_mask", False))


def _long_enough(batch: Batch, pretrained: Pretrained) -> Batch:
    """Padded to the length of one masked span: transformers refuses to draw one for a batch of shorter clips."""
    from torch.nn.functional import pad as padded

    config = pretrained.config
    if not getattr(config, "apply_spec_augment", False) or not config.mask_time_prob:
        return batch
    name = input_name(pretrained.processor)
    lacking = frames(config, config.mask_time_length) - batch[MASK].shape[1]
    if lacking <= 0:
        return batch
    features = (0, 0) * (batch[name].ndim - 2)
    value = float(pretrained.processor.padding_value)
    return {
        **{key: batch[key] for key in (LABELS,) if key in batch},
        name: padded(batch[name], (*features, 0, lacking), value=value),
        MASK: padded(batch[MASK], (0, lacking)),
    }
