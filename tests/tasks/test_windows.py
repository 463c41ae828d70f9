"""Long texts read in windows: nothing is left out, nothing is lost track of, and what cannot be done is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import transformers
from tiny import ANIMALS, COLOURS, TEXT_FAMILIES

from hftransfer.errors import CheckpointError, DataError
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.text_classification import TextClassification

WORDS = [*ANIMALS, *COLOURS]
# 1 to 32 different words, one of each length: what a window holds says where it comes from.
MIXED = [" ".join(WORDS[: n % 32 + 1]) for n in range(40)]


def windows(overlap: float = 0.25, max_length: int | None = 12) -> TextClassification:
    return TextClassification(long_texts="windows", overlap=overlap, max_length=max_length)


@pytest.fixture(params=TEXT_FAMILIES)
def tokenizer(request: pytest.FixtureRequest, tiny_checkpoint: Callable[..., Path]) -> Any:
    return transformers.AutoTokenizer.from_pretrained(tiny_checkpoint(request.param))


@pytest.fixture
def bert(tiny_checkpoint: Callable[..., Path]) -> Any:
    return transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("bert"))


def given(tokenizer: Any, limit: int | None = 64) -> Pretrained:
    return Pretrained(tokenizer, transformers.PreTrainedConfig(num_labels=2), limit)


def rows(texts: list[str], pairs: list[str] | None = None, labels: list[int] | None = None) -> Any:
    columns = {"text": texts, "text_pair": pairs, "label": labels}
    return datasets.Dataset.from_dict(
        {name: column for name, column in columns.items() if column is not None}
    )


def bare(tokenizer: Any, text: str) -> list[int]:
    """Its tokens without special ones."""
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def joined(parts: list[list[int]], overlap: int) -> list[int]:
    """Windows as one text again; every two of them must have `overlap` tokens in common."""
    whole = list(parts[0])
    for part in parts[1:]:
        assert part[:overlap] == (whole[-overlap:] if overlap else [])
        assert len(part) > overlap
        whole += part[overlap:]
    return whole


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.99])
def test_every_token_is_in_a_window_and_windows_overlap_as_asked(tokenizer: Any, share: float) -> None:
    examples = windows(share).encode(rows(MIXED), given(tokenizer), name="train")
    room = 12 - tokenizer.num_special_tokens_to_add()
    overlap = int(share * room)
    assert examples.lengths.max() == 12
    assert examples.rows is not None
    for row, text in enumerate(MIXED):
        parts = [examples[int(index)]["input_ids"].tolist() for index in np.flatnonzero(examples.rows == row)]
        # Each is a whole example: special tokens at both ends.
        assert [part[0] for part in parts] == [tokenizer.cls_token_id] * len(parts)
        assert [part[-1] for part in parts] == [tokenizer.sep_token_id] * len(parts)
        whole = bare(tokenizer, text)
        assert joined([part[1:-1] for part in parts], overlap) == whole
        assert len(parts) == (1 if len(whole) <= room else -(-(len(whole) - overlap) // (room - overlap)))


def test_the_control_cut_texts_lose_tokens(bert: Any) -> None:
    examples = TextClassification(max_length=12).encode(rows(MIXED), given(bert), name="train")
    assert examples.rows is None
    with pytest.raises(AssertionError):
        assert joined([examples[31]["input_ids"].tolist()[1:-1]], 0) == bare(bert, MIXED[31])
    assert "were cut" in examples.findings[0]


def test_windows_are_counted(tokenizer: Any) -> None:
    examples = windows().encode(rows(MIXED), given(tokenizer), name="validation")
    longer = sum(len(bare(tokenizer, text)) > 10 for text in MIXED)
    assert 0 < longer < 40
    assert examples.findings == (
        f"validation: {longer} of 40 texts are longer than 12 tokens and were read in windows, {len(examples)} in all",
    )
    assert len(examples) > 40


def test_short_texts_are_what_they_are_without_windows(tokenizer: Any) -> None:
    short = [text for text in MIXED if len(bare(tokenizer, text)) <= 10]
    examples = windows().encode(rows(short), given(tokenizer), name="train")
    cut = TextClassification(max_length=12).encode(rows(short), given(tokenizer), name="train")
    assert examples.rows is None
    assert examples.findings == cut.findings == ()
    for index in range(len(short)):
        assert {key: value.tolist() for key, value in examples[index].items()} == {
            key: value.tolist() for key, value in cut[index].items()
        }


def test_without_max_length_windows_are_as_long_as_the_model_takes(bert: Any) -> None:
    task = windows(max_length=None)
    examples = task.encode(rows(["cat " * 100]), given(bert, 20), name="train")
    assert examples.lengths.tolist() == [20] * 6 + [18]
    endless = task.encode(rows(["cat " * 100]), given(bert, None), name="train")
    assert endless.lengths.tolist() == [102]
    assert endless.findings == ()


def test_a_label_belongs_to_every_window_of_its_row(bert: Any) -> None:
    examples = windows().encode(rows(MIXED, labels=list(range(40))), given(bert), name="train")
    assert [examples[index][LABELS] for index in range(len(examples))] == examples.rows.tolist()
    assert sorted(set(examples.rows.tolist())) == list(range(40))
    assert (np.diff(examples.rows) >= 0).all()


def test_chunks_are_put_together(bert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = rows(["cat"] * 40, MIXED)
    whole = windows().encode(texts, given(bert), name="train")
    monkeypatch.setattr("hftransfer.tasks.texts.CHUNK", 7)
    chunked = windows().encode(texts, given(bert), name="train")
    assert chunked.findings == whole.findings
    assert chunked.rows.tolist() == whole.rows.tolist()
    assert [chunked[i]["input_ids"].tolist() for i in range(len(chunked))] == [
        whole[i]["input_ids"].tolist() for i in range(len(whole))
    ]


def test_logits_of_a_row_are_the_mean_of_its_windows(bert: Any) -> None:
    task, texts = windows(), rows(MIXED)
    examples = task.encode(texts, given(bert), name="test")
    logits = np.random.default_rng(0).normal(size=(len(examples), 2)).astype(np.float32)
    config = transformers.PreTrainedConfig(id2label={0: "a", 1: "b"})
    predictions = task.decode(list(logits), examples, texts, Pretrained(bert, config, 64))
    assert len(predictions.answers) == len(predictions.values) == 40
    for row in range(40):
        mean = logits[examples.rows == row].astype(np.float64).mean(axis=0)
        assert predictions.scores[row] == pytest.approx(np.exp(mean) / np.exp(mean).sum())
        assert predictions.values[row] == mean.argmax()
    # Control: the first windows alone say something else.
    first = np.stack([logits[examples.rows == row][0] for row in range(40)])
    assert (first.argmax(axis=1) != predictions.values).any()


# --- pairs ---------------------------------------------------------------------------------------------------------


def test_windows_of_pairs_hold_the_first_text_and_go_over_the_second(tokenizer: Any) -> None:
    firsts = [" ".join(COLOURS[: n % 3 + 1]) for n in range(40)]
    examples = windows(0.1, 24).encode(rows(firsts, MIXED), given(tokenizer), name="train")
    special = tokenizer.num_special_tokens_to_add(pair=True)
    overlap = int(0.1 * (24 - special))
    assert overlap > 0
    assert (np.bincount(examples.rows) > 1).any()
    assert examples.lengths.max() == 24
    for row, (text, pair) in enumerate(zip(firsts, MIXED, strict=True)):
        first, second = bare(tokenizer, text), bare(tokenizer, pair)
        parts = [examples[int(index)]["input_ids"].tolist() for index in np.flatnonzero(examples.rows == row)]
        head = 1 + len(first) + special - 2  # everything before the second text
        assert all(part[1 : 1 + len(first)] == first for part in parts)
        assert joined([part[head:-1] for part in parts], overlap) == second


def test_a_first_text_that_leaves_no_room_is_named(bert: Any) -> None:
    # Of 12 tokens 3 are special and 2 in the window before: a first text may have 6.
    firsts = ["cat", "cat " * 6, "cat " * 7, "cat " * 50, "cat " * 8]
    seconds = ["dog " * 50, "dog " * 50, "dog " * 50, "dog", "dog"]
    with pytest.raises(DataError) as caught:
        windows().encode(rows(firsts, seconds), given(bert), name="train")
    assert caught.value.message.startswith("2 of 5 rows of train have a first text that is too long to read")
    assert caught.value.message.endswith("in windows of 12 tokens, 2 of them in two: rows 3, 4")
    assert "long_texts: truncate" in str(caught.value.hint)
    assert caught.value.key == "task.long_texts"
    # The others can be read: the last fits whole.
    kept = [0, 1, 4]
    fitting = rows([firsts[row] for row in kept], [seconds[row] for row in kept])
    examples = windows().encode(fitting, given(bert), name="train")
    assert np.bincount(examples.rows).tolist() == [8, 48, 1]


def test_rows_are_named_by_their_numbers_in_the_source(bert: Any) -> None:
    drawn = datasets.Dataset.from_dict(
        {"text": ["cat", "cat " * 50], "text_pair": ["dog"] * 2, "row": [4, 77]}
    )
    with pytest.raises(DataError, match="row 78"):
        windows().encode(drawn, given(bert), name="train")


# --- what cannot be done -------------------------------------------------------------------------------------------


def test_a_window_must_have_room_for_text(bert: Any) -> None:
    with pytest.raises(CheckpointError, match="max_length is 3, but 3 tokens of every example are") as caught:
        windows(max_length=3).encode(rows(["cat"], ["dog"]), given(bert), name="train")
    assert caught.value.key == "task.max_length"
    assert len(windows(0.99, 3).encode(rows(["cat dog"]), given(bert), name="train")) == 2


def test_a_tokenizer_in_python_makes_no_windows() -> None:
    with pytest.raises(CheckpointError, match="CanineTokenizer cannot make windows") as caught:
        windows().encode(rows(["cat"]), given(transformers.CanineTokenizer()), name="train")
    assert caught.value.key == "task.long_texts"
    assert caught.value.hint == "write long_texts: truncate"
