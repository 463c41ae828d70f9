"""What splits are made of: lengths before anything is cut are the tokenizer's own, and labels are counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import transformers
from tiny import ANIMALS

from hftransfer.tasks.classification import Classification
from hftransfer.tasks.fill_mask import FillMask
from hftransfer.tasks.makeup import BARS, Whole, balance, token_lengths
from hftransfer.tasks.multiple_choice import MultipleChoice
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.question_answering import QuestionAnswering
from hftransfer.tasks.summarization import Summarization
from hftransfer.tasks.text_classification import TextClassification
from hftransfer.tasks.token_classification import TokenClassification

LIMIT = 16
SHORT = [" ".join(ANIMALS[: n % 5 + 1]) for n in range(30)]
MIXED = [" ".join((ANIMALS * 3)[: n % 30 + 1]) for n in range(30)]


@pytest.fixture(scope="module")
def bert(tiny_checkpoint: Callable[..., Path]) -> Pretrained:
    folder = tiny_checkpoint("bert")
    config = transformers.AutoConfig.from_pretrained(folder)
    return Pretrained(transformers.AutoTokenizer.from_pretrained(folder), config, 64)


def uncut(bert: Pretrained, *texts: Any, **options: Any) -> list[int]:
    read = bert.processor(*texts, truncation=False, verbose=False, **options)
    return [len(ids) for ids in read["input_ids"]]


TEXTS = {"text": MIXED}
PAIRS = {"text": SHORT, "text_pair": MIXED}
QUESTIONS = {"question": ["cat"] * 30, "context": MIXED}


@pytest.mark.parametrize(
    ("task", "columns", "read"),
    [
        (TextClassification(max_length=LIMIT), TEXTS, (MIXED,)),
        (TextClassification(max_length=LIMIT), PAIRS, (SHORT, MIXED)),
        (TextClassification(max_length=LIMIT, long_texts="windows"), TEXTS, (MIXED,)),
        (TextClassification(max_length=LIMIT, long_texts="windows"), PAIRS, (SHORT, MIXED)),
        (TextClassification(max_length=LIMIT, pairs="apart"), PAIRS, (SHORT + MIXED,)),
        (QuestionAnswering(max_length=LIMIT, stride=3), QUESTIONS, (["cat"] * 30, MIXED)),
        (FillMask(max_length=LIMIT), TEXTS, (MIXED,)),
        (Summarization(max_source_length=LIMIT), TEXTS, (MIXED,)),
        (TokenClassification(max_length=LIMIT), {"tokens": [one.split() for one in MIXED]}, (MIXED,)),
        (MultipleChoice(max_length=LIMIT), {"text": SHORT, "choices": [[one, "cat"] for one in MIXED]}, None),
    ],
)
def test_lengths_are_those_that_the_tokenizer_gives_without_a_limit(
    bert: Pretrained, task: Any, columns: dict[str, Any], read: Any
) -> None:
    if read is None:
        both = [
            (first, other) for first, second in zip(SHORT, MIXED, strict=True) for other in (second, "cat")
        ]
        read = [one for one, _ in both], [other for _, other in both]
    examples = task.encode(datasets.Dataset.from_dict(columns), bert, name="rows")
    expected = uncut(bert, *(list(one) for one in read))
    assert examples.whole.tokens.tolist() == expected
    assert (examples.whole.most, max(expected) > LIMIT) == (LIMIT, True)
    assert max(examples.lengths) < max(expected)  # the control: what the model is given is no measure of it


def test_packed_blocks_do_not_hide_how_long_texts_are(bert: Pretrained) -> None:
    rows = datasets.Dataset.from_dict(TEXTS)
    packed = FillMask(max_length=LIMIT).encode_train(rows, bert, name="train")
    assert packed.whole.tokens.tolist() == uncut(bert, MIXED)
    assert packed.lengths.max() <= LIMIT  # the control


def test_a_histogram_of_all_texts_and_the_share_beyond_the_limit(bert: Pretrained) -> None:
    task = TextClassification(max_length=LIMIT)
    by_split = {"train": MIXED, "test": SHORT}
    examples = {
        name: task.encode(datasets.Dataset.from_dict({"text": texts}), bert, name=name)
        for name, texts in by_split.items()
    }
    told = token_lengths(examples)
    lengths = {name: np.array(uncut(bert, texts)) for name, texts in by_split.items()}
    for name, one in told["splits"].items():
        here = lengths[name]
        assert (one["texts"], one["over"], one["limit"]) == (30, int((here > LIMIT).sum()), LIMIT)
        assert (one["median"], one["longest"]) == (int(np.median(here)), here.max())
        assert one["counts"] == np.histogram(here, told["edges"])[0].tolist()
    assert told["splits"]["train"]["over"] > told["splits"]["test"]["over"] == 0
    assert token_lengths({"train": datasets.Dataset.from_dict(TEXTS)}) == {}  # no examples of texts


def test_one_endless_text_does_not_flatten_the_histogram() -> None:
    class Examples:
        whole = Whole(np.array([*range(1, 400), 100_000]), 128)

    told = token_lengths({"train": Examples()})  # type: ignore[dict-item]
    counts = told["splits"]["train"]["counts"]
    assert told["edges"][-1] < 500
    assert (sum(counts), len(counts) <= BARS + 1, told["splits"]["train"]["longest"]) == (400, True, 100_000)


def test_labels_of_every_split_are_counted() -> None:
    single = {
        "train": datasets.Dataset.from_dict({"label": [0, 0, 2]}),
        "test": datasets.Dataset.from_dict({"label": [1]}),
    }
    told = balance(TextClassification(), single, ["a", "b", "c"])
    assert told == {"unit": "rows", "splits": {"train": [2, 0, 1], "test": [0, 1, 0]}}
    several = {"train": datasets.Dataset.from_dict({"label": [[0, 1], [], [1]]})}
    task = TextClassification(problem_type="multi_label_classification")
    assert balance(task, several, ["a", "b"])["splits"] == {"train": [1, 2]}
    words = {"train": datasets.Dataset.from_dict({"tags": [[0, 2, 2], [1]]})}
    assert balance(TokenClassification(), words, ["O", "B", "I"]) == {
        "unit": "words",
        "splits": {"train": [1, 1, 2]},
    }
    numbers: Classification = TextClassification(problem_type="regression")
    assert balance(numbers, {"train": datasets.Dataset.from_dict({"label": [[0.5]]})}, ["score"]) == {}
