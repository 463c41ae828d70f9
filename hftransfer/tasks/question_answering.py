"""question-answering: the words of a context that answer a question, or that there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from hftransfer.errors import DataError
from hftransfer.metrics.squad import row_scores
from hftransfer.splits import Column
from hftransfer.splits.answers import check_answers
from hftransfer.tasks.answer_spans import Spans, best_spans, best_threshold
from hftransfer.tasks.base import LABELS, Batch, Examples, Loss, Task, Where
from hftransfer.tasks.context_windows import Windows, encode_windows
from hftransfer.tasks.losses import CrossEntropy
from hftransfer.tasks.predictions import Answers, Prediction, Predictions
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.texts import bound, pad

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

THRESHOLD = "no_answer_threshold"
"""What a model remembers that may say nothing: see `Spans.lead`. One that always answers has no such setting."""
LENGTH = 384


@dataclass(frozen=True)
class Candidate:
    """A possible answer: characters [start, end) of the context; an empty text, and no place, for none at all."""

    answer: str
    score: float
    start: int | None
    end: int | None


@dataclass(frozen=True)
class Answer(Prediction):
    """What is answered: words of the context and their characters [start, end); "" and no place for nothing.

    score: its share among the candidates (softmax of their scores). candidates: what else it may be, the best first.
    """

    answer: str
    score: float
    start: int | None
    end: int | None
    candidates: tuple[Candidate, ...]

    def columns(self) -> dict[str, Any]:
        return {"prediction": self.answer, "score": self.score, "start": self.start, "end": self.end}

    def record(self, top: int = 1) -> dict[str, Any]:
        told = {"answer": self.answer, "score": self.score, "start": self.start, "end": self.end}
        return {**told, "candidates": [vars(one) for one in self.candidates[:top]]} if top > 1 else told

    def line(self, top: int = 1) -> str:
        shown = self.candidates[:top] if top > 1 else (self,)
        return ", ".join(f"{one.answer or '(no answer)'} {one.score:.4f}" for one in shown)


@dataclass(frozen=True)
class SpanLoss:
    """The mean of two cross-entropies over the tokens of a window: where the answer starts, and where it ends."""

    cross_entropy: CrossEntropy

    def sum(self, output: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """output.start_logits, output.end_logits: (B, T); targets: (B, 2). Padding is no token."""
        padding = batch["attention_mask"] == 0
        sides = zip((output.start_logits, output.end_logits), batch[LABELS].unbind(1), strict=True)
        start, end = (
            self.cross_entropy.of_logits(logits.float().masked_fill(padding, float("-inf")), targets)
            for logits, targets in sides
        )
        return (start + end) / 2

    def weight(self, batch: Mapping[str, Tensor]) -> Tensor:
        return batch[LABELS].new_tensor(len(batch[LABELS])).float()


class QuestionAnswering(Task):
    """The words of a context that answer a question (extractive, as SQuAD). Where training rows have questions without
    an answer, the model may say nothing, from a threshold that is tuned on the validation rows."""

    target: ClassVar[str | None] = "answers"
    model_class: ClassVar[str] = "AutoModelForQuestionAnswering"
    processor_class: ClassVar[str] = "AutoTokenizer"
    columns: ClassVar[Mapping[str, Column]] = {
        "question": Column("text"),
        "context": Column("text", whole=True),
        "answers": Column("answers"),
    }
    metrics: ClassVar[tuple[str, ...]] = ("qa_f1", "exact_match", "qa_report")
    default_metrics: ClassVar[tuple[str, ...]] = ("qa_f1", "exact_match")

    name: Literal["question-answering"] = "question-answering"
    max_length: int | None = Field(
        None,
        ge=16,
        description=f"tokens of a window, the question included; by default {LENGTH}, or what the model takes where "
        "that is less",
    )
    stride: int | None = Field(
        None,
        ge=0,
        description="tokens of a long context that a window shares with the one before it; by default 128, or a third "
        "of a window where that is less",
    )
    max_answer_length: int = Field(30, gt=0, description="most tokens of an answer that is given")
    n_best: int = Field(20, gt=0, description="starts and ends of a window, and answers, that are weighed")
    threshold: Literal["tuned"] | float = Field(
        "tuned",
        description="of questions that may have no answer, by how much the score of there being none must beat the "
        "best answer's; tuned: the best F1 on the validation rows",
    )

    @property
    def baseline_name(self) -> str:
        return "no answer"

    @property
    def added(self) -> tuple[str, ...]:
        return ("prediction", "score", "start", "end")

    def head_config(self, labels: Sequence[str]) -> dict[str, Any]:
        return {
            "num_labels": 2
        }  # a start and an end: what else the checkpoint was trained for would stay otherwise

    def check_rows(self, rows: Any, where: Where) -> None:
        contexts = rows["context"][:]
        empty = [row for row, context in enumerate(contexts) if not context.strip()]
        if empty:
            raise DataError(
                f"{len(empty)} of {len(contexts)} contexts are empty: {where(empty)}",
                hint="there is nothing to answer from; remove these rows",
                key="data.columns.context",
            )
        if "answers" in rows.column_names:
            check_answers(contexts, rows["answers"][:], where, "data.columns.answers")

    def learn(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> dict[str, Any]:
        fixed = 0.0 if self.threshold == "tuned" else self.threshold
        return {} if all(one["text"] for one in rows["answers"][:]) else {THRESHOLD: fixed}

    def encode(self, rows: Any, pretrained: Pretrained, *, name: str) -> Windows:
        most = min(bound(self.max_length, pretrained) or LENGTH, self.max_length or LENGTH)
        return encode_windows(rows, pretrained.processor, most, self.stride, name=name)

    def collate(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        import numpy as np
        import torch

        batch = pad(examples, pretrained.processor)
        if LABELS in examples[0]:
            targets = torch.from_numpy(np.stack([example[LABELS] for example in examples]))
            if pretrained.processor.padding_side == "left":
                targets = targets + (batch["attention_mask"] == 0).sum(1, keepdim=True)
            batch[LABELS] = targets
        return batch

    def make_loss(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> Loss:
        return SpanLoss(CrossEntropy())

    def outputs(self, output: Any, batch: Batch) -> list[NDArray[Any]]:
        """Of every window (T, 2): the start and the end logit of its tokens, without padding."""
        import torch

        logits = torch.stack([output.start_logits, output.end_logits], dim=-1).float().cpu()
        tokens = batch["attention_mask"].bool().cpu()
        return [one[kept].numpy() for one, kept in zip(logits, tokens, strict=True)]

    def tune(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> dict[str, Any]:
        if THRESHOLD not in pretrained.settings or self.threshold != "tuned":
            return pretrained.settings
        contexts, golds = rows["context"][:], self.references(rows, ())
        spans = self._spans(outputs, examples, contexts)
        _, answered = row_scores(golds, [_best(one, text) for one, text in zip(spans, contexts, strict=True)])
        _, unanswered = row_scores(golds, [""] * len(golds))
        return {THRESHOLD: best_threshold([one.lead for one in spans], answered, unanswered)}

    def decode(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> Predictions:
        contexts = rows["context"][:]
        spans = self._spans(outputs, examples, contexts)
        threshold = pretrained.settings.get(THRESHOLD)
        answers = Answers(len(contexts), lambda row: _answer(spans[row], contexts[row], threshold))
        said = [
            "" if _is_silent(one, threshold) else _best(one, text)
            for one, text in zip(spans, contexts, strict=True)
        ]
        return Predictions(said, None, answers)

    def _spans(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, contexts: Sequence[str]
    ) -> list[Spans]:
        if not isinstance(examples, Windows):
            raise TypeError(f"expected the examples that encode gave, found {type(examples).__name__}")
        return best_spans(outputs, examples, contexts, count=self.n_best, longest=self.max_answer_length)

    def references(self, rows: Any, labels: Sequence[str]) -> list[list[str]]:
        """Of every row the right answers; none where its context holds no answer."""
        return [one["text"] for one in rows["answers"][:]]

    def told(self, rows: Any, labels: Sequence[str]) -> list[Any]:
        return self.references(rows, labels)

    def baseline(self, train: Any, rows: Any, labels: Sequence[str]) -> Predictions | None:
        """To answer nothing, where there are questions without an answer."""
        if all(self.references(rows, labels)):
            return None
        return Predictions([""] * len(rows), None, [])

    def perfect(self, rows: Any, labels: Sequence[str]) -> Predictions | None:
        return Predictions([gold[0] if gold else "" for gold in self.references(rows, labels)], None, [])


def _is_silent(spans: Spans, threshold: float | None) -> bool:
    return not len(spans.scores) or (threshold is not None and spans.lead > threshold)


def _best(spans: Spans, context: str) -> str:
    return context[slice(*spans.places[0])] if len(spans.scores) else ""


def _answer(spans: Spans, context: str, threshold: float | None) -> Answer:
    """What is said of a row, with all candidates; "nothing" is one where it may be said."""
    import numpy as np

    places: list[tuple[int, int] | None] = [(start, end) for start, end in spans.places.tolist()]
    scores = spans.scores
    if threshold is not None or not len(scores):
        places, scores = [*places, None], np.append(scores, spans.null)
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    ranked = tuple(
        _candidate(places[one], float(shares[one]), context) for one in (-shares).argsort(kind="stable")
    )
    silent = _is_silent(spans, threshold)
    said = next(one for one in ranked if (one.start is None) == silent)
    return Answer(**vars(said), candidates=ranked)


def _candidate(place: tuple[int, int] | None, share: float, context: str) -> Candidate:
    return (
        Candidate("", share, None, None)
        if place is None
        else Candidate(context[slice(*place)], share, *place)
    )
