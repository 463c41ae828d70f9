"""multiple-choice: which of several texts goes on from, or answers, a first one (SWAG, COPA, RACE)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from hftransfer.errors import DataError
from hftransfer.splits import Column
from hftransfer.tasks.base import LABELS, Batch, Examples, Loss, Task, Where
from hftransfer.tasks.losses import CrossEntropy
from hftransfer.tasks.makeup import Whole
from hftransfer.tasks.predictions import Answers, Prediction, Predictions
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.texts import EncodedTexts, bound, encode_texts, pad

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

CHOICES = "choices"


@dataclass(frozen=True)
class Choice(Prediction):
    """One of a row's choices. index: its place, from 0. score: its probability. scores: of every choice, in order."""

    choice: str
    index: int
    score: float
    scores: tuple[float, ...]
    choices: tuple[str, ...]

    def columns(self) -> dict[str, Any]:
        return {
            "prediction": self.choice,
            "index": self.index,
            "score": self.score,
            "scores": list(self.scores),
        }

    def record(self, top: int = 1) -> dict[str, Any]:
        best = {"choice": self.choice, "index": self.index, "score": self.score}
        return (
            {**best, "scores": [[self.choices[one], self.scores[one]] for one in self._ranked(top)]}
            if top > 1
            else best
        )

    def line(self, top: int = 1) -> str:
        return ", ".join(f"{self.choices[one]} {self.scores[one]:.4f}" for one in self._ranked(top))

    def _ranked(self, top: int) -> list[int]:
        return sorted(range(len(self.scores)), key=lambda one: -self.scores[one])[:top]


@dataclass(frozen=True)
class EncodedChoices:
    """See `Examples`. texts: every choice of every row, in order. starts: (N + 1,) where each row begins."""

    texts: EncodedTexts
    starts: NDArray[np.int64]
    labels: Sequence[int] | None
    lengths: NDArray[np.int64]
    rows: NDArray[np.int64] | None = None

    @property
    def findings(self) -> tuple[str, ...]:
        return self.texts.findings

    @property
    def whole(self) -> Whole | None:
        """Of every text with each of its choices."""
        return self.texts.whole

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        begin, end = self.starts[index : index + 2].tolist()
        example: dict[str, Any] = {CHOICES: [self.texts[place] for place in range(begin, end)]}
        return example if self.labels is None else {**example, LABELS: self.labels[index]}


@dataclass(frozen=True)
class ChoiceLoss:
    """Cross-entropy over the choices of every row; those that only fill a batch up do not count."""

    entropy: CrossEntropy

    def sum(self, output: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """output.logits: (B, K); targets: (B,)."""
        logits = output.logits.float().masked_fill(~there(batch), -1e30)
        return self.entropy.of_logits(logits, batch[LABELS])

    def weight(self, batch: Mapping[str, Tensor]) -> Tensor:
        return self.entropy.weight(batch)


def there(batch: Mapping[str, Tensor]) -> Tensor:
    """(B, K): the choices that a row has. One that it lacks is a single token, shorter than any text with its frame."""
    return batch["attention_mask"].sum(-1) > 1


class MultipleChoice(Task):
    """Which of a row's choices is right: each is read after the text, and the scores are compared.

    text: what is gone on from, or asked about. question: put before every choice (SWAG's start of an ending, RACE's
    question), where there is one. choices: a list of texts, of any number, or a column for each. label: the right one.
    """

    model_class: ClassVar[str] = "AutoModelForMultipleChoice"
    processor_class: ClassVar[str] = "AutoTokenizer"

    name: Literal["multiple-choice"] = "multiple-choice"
    max_length: int | None = Field(
        None,
        gt=2,
        description="tokens of a text with one of its choices, special ones included; of a pair that is longer the "
        "longer text is cut, and counted; by default all the model takes",
    )

    @property
    def columns(self) -> Mapping[str, Column]:
        return {
            "text": Column("text"),
            "question": Column("text", required=False),
            CHOICES: Column("choices"),
            "label": Column("choice"),
        }

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("accuracy",)

    @property
    def default_metrics(self) -> tuple[str, ...]:
        return self.metrics

    @property
    def added(self) -> tuple[str, ...]:
        return ("prediction", "index", "score", "scores")

    def head_config(self, labels: Sequence[str]) -> dict[str, Any]:
        return {}  # one score for each choice, whatever they are called

    def check_asked(self, rows: Any, pretrained: Pretrained, where: Where) -> None:
        self._counted(rows, where)

    def check_rows(self, rows: Any, where: Where) -> None:
        counts = self._counted(rows, where)
        beyond = [row for row, label in enumerate(rows["label"]) if label >= counts[row]]
        if beyond:
            first = beyond[0]
            raise DataError(
                f"{len(beyond)} of {len(counts)} rows have a label beyond their choices: {where(beyond)} "
                f"(the first names choice {rows['label'][first] + 1} of {counts[first]})",
                hint="is every choice there, and is the label counted as in the other rows?",
                key="data.columns.label",
            )

    def _counted(self, rows: Any, where: Where) -> list[int]:
        """How many choices every row has."""
        counts = [len(choices) for choices in rows[CHOICES]]
        few = [row for row, count in enumerate(counts) if count < 2]
        if few:
            raise DataError(
                f"{len(few)} of {len(counts)} rows have fewer than 2 choices: {where(few)}",
                hint="there is nothing to choose: add choices, or remove these rows",
                key="data.columns.choices",
            )
        return counts

    def encode(self, rows: Any, pretrained: Pretrained, *, name: str) -> EncodedChoices:
        import datasets
        import numpy as np

        choices = rows[CHOICES]
        counts = np.array([len(one) for one in choices], dtype=np.int64)
        texts = np.repeat(np.asarray(rows["text"], dtype=object), counts)
        questions = rows["question"] if "question" in rows.column_names else None
        second = [
            choice if questions is None else f"{questions[row]} {choice}"
            for row, one in enumerate(choices)
            for choice in one
        ]
        pairs = datasets.Dataset.from_dict({"text": texts.tolist(), "text_pair": second})
        most = bound(self.max_length, pretrained)
        encoded = encode_texts(pairs, pretrained.processor, most, name=f"{name} (texts with a choice)")
        starts = np.concatenate([[0], counts.cumsum()])
        lengths = np.maximum.reduceat(encoded.lengths, starts[:-1])
        labels = list(rows["label"]) if "label" in rows.column_names else None
        return EncodedChoices(encoded, starts, labels, lengths)

    def collate(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        """Tensors of (B, K, T); a row of fewer than K choices is filled up with single tokens, see `there`."""
        import torch

        most = max(len(example[CHOICES]) for example in examples)
        flat = []
        for example in examples:
            missing = most - len(example[CHOICES])
            filler = {key: values[:1] for key, values in example[CHOICES][0].items()}
            flat += [*example[CHOICES], *[filler] * missing]
        padded = pad(flat, pretrained.processor)
        batch: Batch = {key: values.view(len(examples), most, -1) for key, values in padded.items()}
        if LABELS in examples[0]:
            batch[LABELS] = torch.tensor([example[LABELS] for example in examples])
        return batch

    def make_loss(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> Loss:
        return ChoiceLoss(CrossEntropy())

    def outputs(self, output: Any, batch: Batch) -> list[NDArray[Any]]:
        counts = there(batch).sum(-1).tolist()
        logits = output.logits.float().cpu().numpy()
        return [one[:count] for one, count in zip(logits, counts, strict=True)]

    def decode(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> Predictions:
        import numpy as np

        choices = rows[CHOICES]

        def answer(row: int) -> Choice:
            scores = np.exp(outputs[row].astype(np.float64) - outputs[row].max())
            scores /= scores.sum()
            best = int(outputs[row].argmax())
            return Choice(
                choices[row][best], best, float(scores[best]), tuple(scores.tolist()), tuple(choices[row])
            )

        return Predictions(
            np.array([one.argmax() for one in outputs], dtype=np.int64), None, Answers(len(outputs), answer)
        )

    def references(self, rows: Any, labels: Sequence[str]) -> Any:
        import numpy as np

        return np.asarray(rows["label"], dtype=np.int64)

    def told(self, rows: Any, labels: Sequence[str]) -> list[Any]:
        return [labels[index] for index in rows["label"]]

    def amounts(self, rows: Any, labels: Sequence[str]) -> NDArray[np.int64]:
        """Rows by the place of the choice that is right."""
        import numpy as np

        return np.bincount(self.references(rows, labels), minlength=len(labels))

    def baseline(self, train: Any, rows: Any, labels: Sequence[str]) -> Predictions | None:
        """The place that is right most often in training."""
        import numpy as np

        place = np.bincount(self.references(train, labels)).argmax()
        return Predictions(np.full(len(rows), place, dtype=np.int64), None, [])

    def perfect(self, rows: Any, labels: Sequence[str]) -> Predictions | None:
        return Predictions(self.references(rows, labels), None, [])
