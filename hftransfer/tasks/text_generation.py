"""What the tasks that write a text from a text share: summarization and translation.

An encoder reads the source, a decoder writes the target. Trained by cross-entropy of every target token given those
before it; scored on what it generates by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from hftransfer.errors import CheckpointError
from hftransfer.registry import Options
from hftransfer.splits import Column
from hftransfer.tasks.base import LABELS, Batch, Examples, Loss, Task, forward
from hftransfer.tasks.languages import Target
from hftransfer.tasks.losses import IGNORED, CrossEntropy
from hftransfer.tasks.predictions import Answers, Prediction, Predictions
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.texts import EncodedTexts, bound, token_ids

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

ROUGE = ("rougeL", "rouge1", "rouge2", "rougeLsum")
MAX_TARGET_LENGTH = 128
METRICS = (*ROUGE, "bleu", "chrf", "generated_length")


@dataclass(frozen=True)
class GeneratedText(Prediction):
    """A text that the model wrote."""

    text: str

    def columns(self) -> dict[str, Any]:
        return {"prediction": self.text}

    def record(self, top: int = 1) -> dict[str, Any]:
        return {"text": self.text}

    def line(self, top: int = 1) -> str:
        return " ".join(self.text.split())


@dataclass(frozen=True)
class Generated:
    """What `run` gives for a batch. sequences: (B, L) generated token ids. logits: (B, T, V) of the targets' tokens,
    each given those before it; None where there are no targets."""

    sequences: Tensor
    logits: Tensor | None


class Generation(Options):
    """How texts are generated; it is kept in the saved model's generation_config.json.

    What is left out stays as the checkpoint has it (mostly: the likeliest token each time). Nothing is sampled.
    """

    num_beams: int | None = Field(None, gt=0, description="beams of the search; 1 takes the likeliest token")
    max_new_tokens: int | None = Field(
        None, gt=0, description="tokens that are generated at most; by default max_target_length"
    )
    length_penalty: float | None = Field(
        None,
        description="exponent of the length by which a beam's score is divided: above 0 for longer texts",
    )
    no_repeat_ngram_size: int | None = Field(
        None, ge=0, description="no run of so many tokens occurs twice; 0 for any"
    )
    early_stopping: bool | None = Field(
        None, description="stop as soon as there are num_beams whole candidates"
    )

    @model_validator(mode="after")
    def _beams_alone(self) -> Generation:
        for name in ("length_penalty", "early_stopping"):
            if self.num_beams == 1 and getattr(self, name) is not None:
                raise ValueError(f"{name} means nothing without beams: write num_beams above 1")
        return self


class TextGeneration(Task):
    """Base of the tasks with an encoder-decoder. Given an encoder alone, one is made of it (see `warm_start`)."""

    source: ClassVar[str]
    """The role that holds the text to read."""
    target: ClassVar[str]
    model_class: ClassVar[str] = "AutoModelForSeq2SeqLM"
    processor_class: ClassVar[str] = "AutoTokenizer"

    prefix: str = Field(
        "", description="put before every source; T5 was trained with one ('summarize: ', ...), most were not"
    )
    max_source_length: int | None = Field(
        None,
        gt=2,
        description="tokens kept of a source, special ones included; by default all the model takes",
    )
    max_target_length: int | None = Field(
        None,
        gt=2,
        description="tokens kept of a target in training, special ones included; by default 128 at most",
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all tokens")
    generation: Generation = Generation()

    @property
    def columns(self) -> Mapping[str, Column]:
        return {self.source: Column("document"), self.target: Column("texts")}

    @property
    def metrics(self) -> tuple[str, ...]:
        return METRICS

    def languages(self, pretrained: Pretrained) -> Target:
        """How the model is told the language to write, which few have to be."""
        return Target()

    def head_config(self, labels: Sequence[str]) -> dict[str, Any]:
        return {}

    def encode(self, rows: Any, pretrained: Pretrained, *, name: str) -> EncodedTexts:
        import numpy as np

        tokenizer = pretrained.processor
        prefix = self.languages(pretrained).prefix + self.prefix
        most = bound(self.max_source_length, pretrained, "max_source_length")
        sources = [prefix + text for text in rows[self.source]]
        read, whole = token_ids(sources, tokenizer, most)
        findings = [
            f"{name}: {whole.over} of {len(rows)} sources are longer than {most} tokens and were cut"
        ] * bool(whole.over)
        targets = None
        if self.target in rows.column_names:
            most = self._longest(pretrained)
            first = [texts[0] for texts in rows[self.target]]
            targets, written = token_ids(first, tokenizer, most, targets=True)
            start = self.start(pretrained)
            # The decoder is given it anyway: BERT's [CLS].
            targets = [ids[1:] if ids[0] == start else ids for ids in targets]
            if written.over:
                longer = f"{written.over} of {len(rows)} targets are longer than {most} tokens"
                findings.append(f"{name}: {longer}; the loss sees no more of them")
        lengths = np.array([len(ids) for ids in read], dtype=np.int64)
        return EncodedTexts({"input_ids": read}, targets, lengths, tuple(findings), whole=whole)

    def _longest(self, pretrained: Pretrained) -> int:
        """The most tokens of a target. Raises CheckpointError when the recipe asks for more than the model takes."""
        bound(self.generation.max_new_tokens, pretrained, "generation.max_new_tokens")
        if self.max_target_length is None:
            return min(MAX_TARGET_LENGTH, pretrained.limit or MAX_TARGET_LENGTH)
        bound(self.max_target_length, pretrained, "max_target_length")
        return self.max_target_length

    def start(self, pretrained: Pretrained) -> int:
        """The token that the decoder starts from. Raises CheckpointError where there is none."""
        start = self.languages(pretrained).start
        start = pretrained.config.decoder_start_token_id if start is None else start
        if start is None:
            raise CheckpointError(
                "the checkpoint does not say which token its decoder starts from",
                hint="a multilingual one has to be told: write target_language (of the task translation)",
            )
        return int(start)

    def collate(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        """input_ids and attention_mask (B, S); of targets also `LABELS` (B, T), and the same one place to the right
        behind the start token: decoder_input_ids (B, T)."""
        import torch

        tokenizer = pretrained.processor
        sources = {"input_ids": [example["input_ids"] for example in examples]}
        batch = dict(tokenizer.pad(sources, padding=True, return_attention_mask=True, return_tensors="pt"))
        if LABELS not in examples[0]:
            return batch
        longest = max(len(example[LABELS]) for example in examples)
        targets = torch.full((len(examples), longest), IGNORED)
        for row, example in enumerate(examples):
            targets[row, : len(example[LABELS])] = torch.as_tensor(example[LABELS])
        given = torch.full_like(targets, self.start(pretrained))
        given[:, 1:] = targets[:, :-1].masked_fill(targets[:, :-1] == IGNORED, tokenizer.pad_token_id)
        return {**batch, "decoder_input_ids": given, LABELS: targets}

    def make_loss(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> Loss:
        return CrossEntropy(label_smoothing=self.label_smoothing)

    def generation_settings(self, pretrained: Pretrained) -> dict[str, Any]:
        """What `generate` is given: what the recipe asks for over what the checkpoint has, and no sampling."""
        asked = {name: value for name, value in self.generation.model_dump().items() if value is not None}
        forced = self.languages(pretrained).forced
        return {
            "max_new_tokens": self._longest(pretrained),
            **asked,
            **({} if forced is None else {"forced_bos_token_id": forced}),
            "decoder_start_token_id": self.start(pretrained),
            "do_sample": False,
        }

    def run(self, model: nn.Module, batch: Batch, pretrained: Pretrained) -> Generated:
        from transformers.modeling_outputs import BaseModelOutput

        inputs: dict[str, Any] = {key: batch[key] for key in ("input_ids", "attention_mask")}
        logits = None
        if LABELS in batch:
            output = forward(model, batch)
            logits = output.logits
            # The source is read once for both.
            inputs["encoder_outputs"] = BaseModelOutput(output.encoder_last_hidden_state)
        generate: Any = model.generate
        return Generated(generate(**inputs, **self.generation_settings(pretrained)), logits)

    def outputs(self, output: Any, batch: Batch) -> list[NDArray[Any]]:
        """The generated token ids."""
        return list(output.sequences.cpu().numpy())

    def evidence(self, output: Any, batch: Batch) -> list[NDArray[Any]]:
        """The log-probability of every target token. (Where two tokens are all but equally likely, rounding decides
        which is generated: generated ids are no measure of whether weights are right.)"""
        targets = batch[LABELS]
        chances = output.logits.float().log_softmax(-1)
        told = chances.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
        return [row[one != IGNORED].cpu().numpy() for row, one in zip(told, targets, strict=True)]

    def settle(self, model: nn.Module, pretrained: Pretrained, loss: Loss) -> Loss:
        """Whoever loads the model generates as it was scored."""
        config: Any = model.generation_config
        config.update(**self.generation_settings(pretrained), max_length=None)
        return loss

    def decode(
        self, outputs: Sequence[NDArray[np.int64]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> Predictions:
        told = pretrained.processor.batch_decode([ids.tolist() for ids in outputs], skip_special_tokens=True)
        return said([text.strip() for text in told])

    def references(self, rows: Any, labels: Sequence[str]) -> list[list[str]]:
        return list(rows[self.target])

    def told(self, rows: Any, labels: Sequence[str]) -> list[Any]:
        references = self.references(rows, labels)
        alone = all(len(one) == 1 for one in references)
        return [one[0] for one in references] if alone else references


def said(texts: Sequence[str]) -> Predictions:
    """Texts as predictions."""
    return Predictions(texts, None, Answers(len(texts), lambda row: GeneratedText(texts[row])))
