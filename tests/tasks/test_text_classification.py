"""Texts as tokens and batches: cut where the model ends, counted when cut, padded where the tokenizer says."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
import transformers
from tiny import ANIMALS, PAIRS, TEXT_FAMILIES, TEXTS

from hftransfer.errors import CheckpointError
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.text_classification import TextClassification

TASK = TextClassification()
# 1 to 16 words, so lengths around every bound that the tests use.
MIXED = [" ".join(ANIMALS[: n % 16 + 1]) for n in range(40)]


@pytest.fixture(params=[*TEXT_FAMILIES, "in-python"])
def tokenizer(request: pytest.FixtureRequest, tiny_checkpoint: Callable[..., Path]) -> Any:
    """A tokenizer of every family, and one that is not made of the `tokenizers` library."""
    if request.param == "in-python":
        return python_tokenizer()
    return transformers.AutoTokenizer.from_pretrained(tiny_checkpoint(request.param))


@cache
def python_tokenizer() -> Any:
    tokenizer = transformers.CanineTokenizer()  # one token a character: it needs no vocabulary
    assert not tokenizer.is_fast
    return tokenizer


def rows(texts: list[str], pairs: list[str] | None = None, labels: list[int] | None = None) -> Any:
    columns: dict[str, Any] = {"text": texts}
    if pairs is not None:
        columns["text_pair"] = pairs
    if labels is not None:
        columns["label"] = labels
    return datasets.Dataset.from_dict(columns)


def given(tokenizer: Any, limit: int | None = None) -> Pretrained:
    return Pretrained(tokenizer, transformers.PreTrainedConfig(num_labels=2), limit)


def ids_of(tokenizer: Any, text: str, pair: str | None = None) -> list[int]:
    ids: list[int] = tokenizer(text, pair, truncation=False, verbose=False)["input_ids"]
    return ids


@pytest.mark.parametrize("limit", [7, 12, 64])
def test_cut_texts_are_counted_exactly(tokenizer: Any, limit: int) -> None:
    examples = TASK.encode(rows(MIXED), given(tokenizer, limit), name="train")
    whole = [ids_of(tokenizer, text) for text in MIXED]
    too_long = sum(len(ids) > limit for ids in whole)
    assert examples.findings == (
        (f"train: {too_long} of 40 texts are longer than {limit} tokens and were cut",) if too_long else ()
    )
    assert examples.lengths.tolist() == [min(len(ids), limit) for ids in whole]
    for index, ids in enumerate(whole):
        got = examples[index]["input_ids"].tolist()
        # A cut text is a beginning of the text with the same special token at its end.
        assert got == (ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]])


def test_the_control_some_are_cut_and_some_are_not(tokenizer: Any) -> None:
    lengths = [len(ids_of(tokenizer, text)) for text in MIXED]
    assert min(lengths) <= 12 < max(lengths)


def test_cut_pairs_are_counted_exactly(tokenizer: Any) -> None:
    firsts, seconds = MIXED, MIXED[::-1]
    examples = TASK.encode(rows(firsts, seconds), given(tokenizer, 16), name="test")
    whole = [len(ids_of(tokenizer, *pair)) for pair in zip(firsts, seconds, strict=True)]
    too_long = sum(length > 16 for length in whole)
    assert too_long
    assert examples.findings == (f"test: {too_long} of 40 texts are longer than 16 tokens and were cut",)
    assert examples.lengths.tolist() == [min(length, 16) for length in whole]


def test_without_a_limit_nothing_is_cut(tokenizer: Any) -> None:
    examples = TASK.encode(rows(MIXED), given(tokenizer, None), name="train")
    assert examples.findings == ()
    assert examples.lengths.tolist() == [len(ids_of(tokenizer, text)) for text in MIXED]


def test_max_length_of_the_recipe(tokenizer: Any) -> None:
    short = TextClassification(max_length=5)
    assert short.encode(rows(MIXED), given(tokenizer, 64), name="train").lengths.max() == 5
    assert short.encode(rows(MIXED), given(tokenizer, None), name="train").lengths.max() == 5
    with pytest.raises(
        CheckpointError, match="max_length is 5, but the checkpoint takes at most 4"
    ) as caught:
        short.encode(rows(MIXED), given(tokenizer, 4), name="train")
    assert "max_length: 4 or less" in str(caught.value.hint)


def test_chunks_are_put_together(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TASK.encode(rows(MIXED, MIXED[::-1]), given(tokenizer, 16), name="train")
    monkeypatch.setattr("hftransfer.tasks.texts.CHUNK", 7)
    chunked = TASK.encode(rows(MIXED, MIXED[::-1]), given(tokenizer, 16), name="train")
    assert chunked.findings == whole.findings
    for index in range(len(MIXED)):
        assert {k: v.tolist() for k, v in chunked[index].items()} == {
            k: v.tolist() for k, v in whole[index].items()
        }


def test_a_batch_is_what_the_tokenizer_makes_of_the_texts(tokenizer: Any) -> None:
    """Token types of pairs, and padding, are the tokenizer's own; only the labels are added."""
    firsts, seconds = (list(side) for side in zip(*PAIRS[:6], strict=True))
    examples = TASK.encode(rows(firsts, seconds, [0, 1] * 3), given(tokenizer, 200), name="train")
    batch = TASK.collate([examples[i] for i in range(6)], given(tokenizer))
    expected = tokenizer(firsts, seconds, padding=True, return_tensors="pt", return_attention_mask=True)
    assert set(batch) == {*expected, LABELS}
    for name, tensor in expected.items():
        assert torch.equal(batch[name].long(), tensor), name
    assert batch[LABELS].tolist() == [0, 1] * 3
    assert batch[LABELS].dtype == torch.int64


@pytest.mark.parametrize("family", TEXT_FAMILIES)
def test_pairs_have_token_types_where_the_family_has_them(
    family: str, tiny_checkpoint: Callable[..., Path]
) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint(family))
    firsts, seconds = (list(side) for side in zip(*PAIRS[:2], strict=True))
    examples = TASK.encode(rows(firsts, seconds), given(tokenizer, 64), name="train")
    types = TASK.collate([examples[0], examples[1]], given(tokenizer)).get("token_type_ids")
    # ALBERT has them, too, but transformers 5.23's AlbertTokenizer does not give them: pipelines run without.
    if family in ("roberta", "mpnet", "modernbert", "albert"):
        assert types is None
    else:
        assert types is not None
        assert types.unique().tolist() == [0, 1]


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_on_the_tokenizers_side(
    tokenizer: Any, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "padding_side", side)
    examples = TASK.encode(rows(["cat", "cat dog horse cow"]), given(tokenizer, 64), name="train")
    batch = TASK.collate([examples[0], examples[1]], given(tokenizer))
    short, long = examples.lengths.tolist()
    padding, own = [0] * (long - short), [1] * short
    assert batch["attention_mask"][0].tolist() == (padding + own if side == "left" else own + padding)
    assert batch["attention_mask"][1].tolist() == [1] * long
    assert (batch["input_ids"][0][batch["attention_mask"][0] == 0] == tokenizer.pad_token_id).all()
    assert LABELS not in batch


def test_an_empty_text_is_special_tokens_alone(tokenizer: Any) -> None:
    examples = TASK.encode(rows(["", "cat"]), given(tokenizer, 64), name="train")
    assert examples[0]["input_ids"].tolist() == ids_of(tokenizer, "")
    assert TASK.collate([examples[0], examples[1]], given(tokenizer))["attention_mask"][0].sum() == len(
        ids_of(tokenizer, "")
    )


class Pipe:
    """Stands where a pipeline would, and keeps what it is asked."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.asked: list[Any] = []

    def __call__(self, value: Any, **options: Any) -> list[dict[str, Any]]:
        self.asked.append((value, options))
        return [{"label": "b", "score": 0.75}, {"label": "a", "score": 0.25}]


def test_what_a_pipeline_is_asked(tiny_checkpoint: Callable[..., Path]) -> None:
    pipe = Pipe(transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("bert")))
    labels = ("a", "b")
    assert TASK.ask(pipe, {"text": "a", "label": 1}, labels) == {"b": 0.75, "a": 0.25}
    TextClassification(max_length=9).ask(pipe, {"text": "a", "text_pair": "b"}, labels)
    TextClassification(problem_type="regression").ask(pipe, {"text": "a"}, labels)
    assert pipe.asked == [
        ({"text": "a"}, {"top_k": 2, "truncation": True}),
        ({"text": "a", "text_pair": "b"}, {"top_k": 2, "truncation": True, "max_length": 9}),
        ({"text": "a"}, {"top_k": 2, "truncation": True, "function_to_apply": "none"}),
    ]


def test_a_pipeline_is_not_asked_about_a_text_of_several_windows(
    tiny_checkpoint: Callable[..., Path],
) -> None:
    pipe = Pipe(transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("bert")))
    windows = TextClassification(long_texts="windows", max_length=9)
    assert windows.ask(pipe, {"text": "cat " * 8}, ("a", "b")) is None
    assert windows.ask(pipe, {"text": "cat " * 7}, ("a", "b")) is not None
    assert len(pipe.asked) == 1


def test_texts_of_the_toy_data_are_not_cut(tokenizer: Any) -> None:
    assert TASK.encode(rows(TEXTS), given(tokenizer, 64), name="train").findings == ()
