"""token-classification: a tag for every word. Entities and slots (B-PER, I-PER, O), or parts of speech."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from hftransfer.errors import DataError
from hftransfer.splits import Column
from hftransfer.tasks.base import LABELS, Batch, Examples, Loss, Task, Where
from hftransfer.tasks.entities import Strategy, find_entities
from hftransfer.tasks.losses import IGNORED, ClassLossOptions
from hftransfer.tasks.pieces import EncodedWords, first_words
from hftransfer.tasks.predictions import Answers, Prediction, Predictions
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.tags import Entities, Tags
from hftransfer.tasks.texts import bound, pad
from hftransfer.tasks.words import encode_words, split_words, text_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENTITY_METRICS = tuple(
    f"entity_{name}{suffix}" for suffix in ("", "_macro") for name in ("f1", "precision", "recall")
)


class TokenClassification(ClassLossOptions, Task):
    """A tag for every word of a sentence."""

    target: ClassVar[str | None] = "tags"
    model_class: ClassVar[str] = "AutoModelForTokenClassification"
    processor_class: ClassVar[str] = "AutoTokenizer"
    amounts_of: ClassVar[str] = "words"

    name: Literal["token-classification"] = "token-classification"
    tagging: Literal["entities", "tokens"] = Field(
        "entities",
        description="entities: tags mark where they begin and go on (B-PER, I-PER, O), and are scored as such; "
        "tokens: every word has a tag of its own (parts of speech)",
    )
    max_length: int | None = Field(
        None,
        gt=2,
        description="tokens of a window, special ones included; by default all the model takes. What is longer is read "
        "in windows",
    )
    overlap: float = Field(
        0.25, ge=0, lt=1, description="share of a window that is in the one before it, too"
    )
    label_pieces: Literal["first", "all"] = Field(
        "first",
        description="which pieces of a word are trained to have its tag (all: after the first, B- becomes I-); "
        "the first one is scored",
    )
    aggregation_strategy: Strategy = Field(
        "first",
        description="how predictions group pieces into entities, in the words of transformers.pipeline",
    )

    @property
    def columns(self) -> Mapping[str, Column]:
        return {"tokens": Column("words"), "tags": Column("tags")}

    @property
    def metrics(self) -> tuple[str, ...]:
        entities = (*ENTITY_METRICS, "entity_report") if self.tagging == "entities" else ()
        return (*entities, "token_accuracy")

    @property
    def default_metrics(self) -> tuple[str, ...]:
        if self.tagging == "tokens":
            return ("token_accuracy",)
        return (*ENTITY_METRICS[:3], "token_accuracy")

    @property
    def added(self) -> tuple[str, ...]:
        return ("prediction", "words", "scores", "entities")

    def head_config(self, labels: Sequence[str]) -> dict[str, Any]:
        return {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: index for index, label in enumerate(labels)},
        }

    def check_rows(self, rows: Any, where: Where) -> None:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        table = rows.with_format("arrow")[:]
        if not pa.types.is_list(table["tokens"].type):
            raise DataError(
                "the tokens are texts, and every word needs a tag of its own",
                hint='write lists of words, as in jsonl: {"tokens": ["Ann", "sleeps"], "tags": ["B-PER", "O"]}',
                key="data.columns.tokens",
            )
        words, tags = (pc.list_value_length(table[role]).to_numpy() for role in ("tokens", "tags"))
        bad = np.flatnonzero(words != tags)
        if len(bad):
            one = int(bad[0])
            raise DataError(
                f"{len(bad)} of {len(words)} rows do not have a tag for every word: {where(bad.tolist())}; the first "
                f"has {words[one]} words and {tags[one]} tags",
                hint="mend or remove these rows; nothing is dropped silently",
                key="data.columns.tags",
            )

    def ready(self, pretrained: Pretrained) -> None:
        split_words(pretrained.processor)

    def learn(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> dict[str, Any]:
        """The tag of words that a tokenizer makes nothing of: `O`, or where there is none the commonest."""
        return {} if "O" in labels else {"untold": labels[int(_counts(rows, len(labels)).argmax())]}

    def encode(self, rows: Any, pretrained: Pretrained, *, name: str) -> EncodedWords:
        labels = pretrained.labels
        ids = {label: index for index, label in enumerate(labels)}
        goes_on = {ids[tag]: ids.get(f"I-{tag[2:]}", ids[tag]) for tag in labels if tag.startswith("B-")}
        return encode_words(
            list(rows["tokens"]),
            list(rows["tags"]) if "tags" in rows.column_names else None,
            pretrained.processor,
            bound(self.max_length, pretrained),
            overlap=self.overlap,
            label_all=goes_on if self.label_pieces == "all" else None,
            untold=_untold(pretrained),
            name=name,
        )

    def collate(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        import numpy as np
        import torch

        batch = pad(examples, pretrained.processor)
        if LABELS in examples[0]:
            batch[LABELS] = torch.full(batch["input_ids"].shape, IGNORED)
            targets = np.concatenate([example[LABELS] for example in examples])
            batch[LABELS][batch["attention_mask"].bool()] = torch.from_numpy(targets)
        return batch

    def make_loss(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> Loss:
        return self.cross_entropy(_counts(rows, len(labels)))

    def outputs(self, output: Any, batch: Batch) -> list[NDArray[Any]]:
        """Of every example the logits of its tokens, (L, C)."""
        real = batch["attention_mask"].bool()
        return [one[mask].float().cpu().numpy() for one, mask in zip(output.logits, real, strict=True)]

    def decode(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> Predictions:
        import numpy as np

        assert isinstance(examples, EncodedWords)  # what `encode` gives
        pieces, begins = examples.pieces, first_words(examples.sizes)
        best = np.concatenate([one.argmax(axis=1) for one in outputs])
        row = np.repeat(pieces.rows, examples.lengths)
        untold = pretrained.labels.index(_untold(pretrained))
        tags = np.full(int(begins[-1]), untold, dtype=np.int64)
        tags[(begins[row] + pieces.word)[pieces.first]] = best[pieces.first]
        values = np.split(tags, begins[1:-1])
        answer = partial(self._answer, values, outputs, examples, rows, pretrained)
        return Predictions(values, None, Answers(len(values), answer))

    def _answer(
        self,
        values: Sequence[NDArray[np.int64]],
        outputs: Sequence[NDArray[Any]],
        examples: EncodedWords,
        rows: Any,
        pretrained: Pretrained,
        row: int,
    ) -> Tags:
        import numpy as np

        pieces, labels = examples.pieces, pretrained.labels
        sentence = rows[row]["tokens"]
        text = text_of(sentence)
        places = np.concatenate([np.arange(*pieces.ends[one : one + 2]) for one in pieces.examples(row)])
        logits = np.concatenate([outputs[one] for one in pieces.examples(row)])
        counts = pieces.counts[places]
        places, scores = places[counts], _softmax(logits[counts])
        offsets = [(int(start), int(end)) for start, end in pieces.offsets[places]]
        ids = examples.features["input_ids"][places].tolist()
        found = find_entities(
            text, ids, offsets, scores, pretrained.processor, labels, self.aggregation_strategy
        )
        words = _words(text, pieces.word[places], offsets) if isinstance(sentence, str) else sentence
        first = pieces.first[places]
        sure = np.zeros(len(words))  # of a word that was not read, nothing is known
        sure[pieces.word[places][first]] = scores[first].max(axis=1)
        kind = Entities if self.tagging == "entities" else Tags
        tags = tuple(labels[index] for index in values[row])
        return kind(tuple(words), tags, tuple(sure.tolist()), tuple(found))

    def references(self, rows: Any, labels: Sequence[str]) -> Any:
        import numpy as np

        return [np.asarray(one, dtype=np.int64) for one in rows["tags"]]

    def told(self, rows: Any, labels: Sequence[str]) -> list[Any]:
        return [[labels[index] for index in one] for one in rows["tags"]]

    def amounts(self, rows: Any, labels: Sequence[str]) -> NDArray[np.int64]:
        return _counts(rows, len(labels))

    def baseline(self, train: Any, rows: Any, labels: Sequence[str]) -> Predictions | None:
        """The commonest tag for every word."""
        import numpy as np

        common = int(_counts(train, len(labels)).argmax())
        return Predictions([np.full(len(one), common) for one in rows["tags"]], None, [])

    def perfect(self, rows: Any, labels: Sequence[str]) -> Predictions | None:
        return Predictions(self.references(rows, labels), None, [])

    def ask(self, pipe: Any, row: Mapping[str, Any], labels: Sequence[str]) -> Any:
        sentence = row["tokens"]
        split = not isinstance(sentence, str)
        most = min(self.max_length or pipe.tokenizer.model_max_length, pipe.tokenizer.model_max_length)
        read = pipe.tokenizer(sentence, is_split_into_words=split, truncation=False, verbose=False)
        if len(read["input_ids"]) > most:
            return None  # a pipeline reads the first window only
        said = pipe(sentence, is_split_into_words=split, aggregation_strategy=self.aggregation_strategy)
        return [{**one, "score": float(one["score"])} for one in (said[0] if split else said)]

    def expected(self, prediction: Prediction, labels: Sequence[str]) -> Any:
        return [dict(one) for one in prediction.entities]  # type: ignore[attr-defined]


def _untold(pretrained: Pretrained) -> str:
    return str(pretrained.settings.get("untold", "O"))


def _counts(rows: Any, classes: int) -> NDArray[np.int64]:
    """How often each tag is in the rows, (C,)."""
    import numpy as np

    flat = np.concatenate([np.asarray(one, dtype=np.int64) for one in rows["tags"]])
    return np.bincount(flat, minlength=classes)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """In float32, as a pipeline does: where two pieces are nearly as sure, it decides which is the surer."""
    import numpy as np

    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    scores: NDArray[np.float32] = shifted / shifted.sum(axis=-1, keepdims=True)
    return scores


def _words(text: str, word: NDArray[np.int32], offsets: Sequence[tuple[int, int]]) -> list[str]:
    """The words of a text as its tokenizer splits it; of numbers in between that have no piece, nothing."""
    spans: dict[int, tuple[int, int]] = {}
    for number, (start, end) in zip(word.tolist(), offsets, strict=True):
        spans[number] = (spans.get(number, (start, end))[0], end)
    count = max(spans, default=-1) + 1
    return [text[slice(*spans[number])] if number in spans else "" for number in range(count)]
