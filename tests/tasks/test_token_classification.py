"""Tags of words: each piece belongs to its word, counts once, and makes the entities that transformers makes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from tiny import ANIMALS, COLOURS, FILLER, TEXT_FAMILIES

from hftransfer.errors import CheckpointError, DataError
from hftransfer.metrics import METRICS
from hftransfer.proof import difference, one_by_one
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.pieces import EncodedWords
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.token_classification import TokenClassification
from hftransfer.tasks.words import encode_words, split_words

TAGS = ("B-animal", "B-colour", "I-animal", "I-colour", "O")
STRATEGIES = ("simple", "first", "average", "max")
TASK = TokenClassification()
WORDS = [*ANIMALS, *COLOURS, *FILLER, "catx", "e-mail", "U.S.", "(red)", "xyzzy", "İ", "ﬁx", "naïve"]
ODD = [
    ["my", "\u200b", "cat"],
    ["שלום", "cat", "עולם"],
    ["e\u0301te\u0301", "cafe\u0301", "\u0301"],
    ["\u200b"],
    ["", "cow"],
    ["New York", "and", "10 000"],
    ["🐈\u200d⬛", "cat", "\u00a0", "\ufeff"],
    ["[SEP]", "<s>", "[UNK]", "cat"],
]


def sentences(count: int, *, longest: int = 12, seed: int = 0) -> list[list[str]]:
    draw = np.random.default_rng(seed)
    return [[str(draw.choice(WORDS)) for _ in range(draw.integers(1, longest + 1))] for _ in range(count)]


def tags_for(tokens: list[list[str]], *, seed: int = 0) -> list[list[int]]:
    draw = np.random.default_rng(seed)
    return [draw.integers(0, len(TAGS), len(one)).tolist() for one in tokens]


def rows(tokens: list[Any], tags: list[list[int]] | None = None) -> Any:
    return datasets.Dataset.from_dict({"tokens": tokens, **({} if tags is None else {"tags": tags})})


@cache
def loaded(folder: Path) -> tuple[Any, Pretrained]:
    """(a random tagger, what the task may know of it), its tokenizer made ready."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    config = transformers.AutoConfig.from_pretrained(folder, **TASK.head_config(TAGS))
    torch.manual_seed(0)
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder, config=config).eval()
    # A fresh head says nearly the same of everything; this one does not.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("classifier", "score")) and parameter.ndim == 2:
                parameter.normal_(std=2)
    pretrained = Pretrained(tokenizer, model.config, 64)
    TASK.ready(pretrained)
    return model, pretrained


@pytest.fixture(params=TEXT_FAMILIES)
def tagger(request: pytest.FixtureRequest, tiny_checkpoint: Callable[..., Path]) -> tuple[Any, Pretrained]:
    return loaded(tiny_checkpoint(request.param))


@pytest.fixture
def bert(tiny_checkpoint: Callable[..., Path]) -> tuple[Any, Pretrained]:
    return loaded(tiny_checkpoint("bert"))


def pipeline(model: Any, pretrained: Pretrained) -> Any:
    return transformers.pipeline("token-classification", model=model, tokenizer=pretrained.processor)


def answers(task: TokenClassification, model: Any, pretrained: Pretrained, given: list[Any]) -> list[Any]:
    table = rows(given)
    arrays, _, examples = one_by_one(model, task, table, pretrained)
    return list(task.decode(arrays, examples, table, pretrained).answers)


@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("form", ["words", "texts"])
def test_entities_are_those_of_the_pipeline(tagger: tuple[Any, Pretrained], strategy: Any, form: str) -> None:
    model, pretrained = tagger
    task = TokenClassification(aggregation_strategy=strategy)
    given: list[Any] = [*sentences(30), *ODD]
    if form == "texts":
        given = [*map(" ".join, given), "two  spaces,\tand a\nline. ", "cat,dog;cow(red)"]
    pipe = pipeline(model, pretrained)
    found = 0
    for one, said in zip(given, answers(task, model, pretrained, given), strict=True):
        asked = task.ask(pipe, {"tokens": one}, TAGS)
        expected = task.expected(said, TAGS)
        assert difference(asked, expected) < 1e-4, (one, asked, expected)
        text = one if isinstance(one, str) else " ".join(one)
        assert all(0 <= entity["start"] <= entity["end"] <= len(text) for entity in expected)
        found += len(expected)
    assert found > 30


def test_the_control_strategies_differ(bert: tuple[Any, Pretrained]) -> None:
    _model, _pretrained = bert
    given = sentences(30)
    said = [
        [
            TASK.expected(one, TAGS)
            for one in answers(TokenClassification(aggregation_strategy=s), *bert, given)
        ]
        for s in STRATEGIES
    ]
    assert all(difference(one, other) > 1e-3 for one, other in pairwise(said))


def test_every_word_has_the_tag_of_its_first_piece(tagger: tuple[Any, Pretrained]) -> None:
    model, pretrained = tagger
    tokenizer = pretrained.processor
    given = sentences(12)
    for one, said in zip(given, answers(TASK, model, pretrained, given), strict=True):
        encoded = tokenizer(one, is_split_into_words=True, return_tensors="pt")
        with torch.inference_mode():
            best = model(**encoded).logits[0].argmax(-1).tolist()
        expected = [TAGS[best[encoded.word_to_tokens(word).start]] for word in range(len(one))]
        assert list(said.tags) == expected
        assert said.words == tuple(one)


def test_targets_stand_at_first_pieces_or_at_all(tagger: tuple[Any, Pretrained]) -> None:
    _, pretrained = tagger
    tokens = sentences(10)
    tags = tags_for(tokens)
    for pieces in ("first", "all"):
        examples = TokenClassification(label_pieces=pieces).encode(rows(tokens, tags), pretrained, name="x")
        for index, (one, told) in enumerate(zip(tokens, tags, strict=True)):
            encoded = pretrained.processor(one, is_split_into_words=True)
            expected, before = [], None
            for word in encoded.word_ids():
                if word is None or (word == before and pieces == "first"):
                    expected.append(-100)
                else:
                    tag = TAGS[told[word]]
                    expected.append(TAGS.index(tag.replace("B-", "I-") if word == before else tag))
                before = word
            assert examples[index][LABELS].tolist() == expected
            assert examples[index]["input_ids"].tolist() == encoded["input_ids"]


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("limit", [6, 9, 20])
def test_in_windows_every_piece_counts_once(
    tagger: tuple[Any, Pretrained], limit: int, overlap: float
) -> None:
    _, pretrained = tagger
    short = Pretrained(pretrained.processor, pretrained.config, limit)
    tokens = sentences(25, longest=40)
    tags = tags_for(tokens)
    task = TokenClassification(overlap=overlap)
    examples = task.encode(rows(tokens, tags), short, name="train")
    whole = task.encode(
        rows(tokens, tags), Pretrained(pretrained.processor, pretrained.config, None), name="train"
    )
    assert len(examples) > len(tokens) == len(whole)
    assert examples.lengths.max() == limit
    counted = [_counted(one) for one in (examples, whole)]
    assert counted[0] == counted[1]
    assert examples.findings == (
        f"train: {sum(whole.lengths > limit)} of 25 texts are longer than {limit} tokens and were read in windows, "
        f"{len(examples)} in all",
    )


def _counted(examples: EncodedWords) -> list[Any]:
    """(row, word, id, offsets, whether first, target) of every piece that counts, in order."""
    pieces = examples.pieces
    row = np.repeat(pieces.rows, examples.lengths)
    assert examples.targets is not None
    columns = (
        row,
        pieces.word,
        examples.features["input_ids"],
        *pieces.offsets.T,
        pieces.first,
        examples.targets,
    )
    return [tuple(column[place].item() for column in columns) for place in np.flatnonzero(pieces.counts)]


def test_a_piece_counts_where_it_has_most_context(bert: tuple[Any, Pretrained]) -> None:
    _, pretrained = bert
    words = [*ANIMALS, *COLOURS]  # one piece each
    short = Pretrained(pretrained.processor, pretrained.config, 12)
    examples = TokenClassification(overlap=0.5).encode(rows([words]), short, name="x")
    pieces = examples.pieces
    context: dict[int, list[tuple[int, bool]]] = {}
    for example in range(len(examples)):
        here = pieces.of(example)
        inside = pieces.word[here][1:-1].tolist()
        for place, word in enumerate(inside):
            left = 99 if example == 0 else place
            right = 99 if example == len(examples) - 1 else len(inside) - 1 - place
            context.setdefault(word, []).append((min(left, right), bool(pieces.counts[here][1:-1][place])))
    assert sorted(context) == list(range(len(words)))
    assert any(len(seen) > 1 for seen in context.values())
    for seen in context.values():
        chosen = [most for most, counts in seen if counts]
        assert chosen == [max(most for most, _ in seen)]


def test_windows_give_one_tag_a_word_and_one_set_of_entities(bert: tuple[Any, Pretrained]) -> None:
    model, pretrained = bert
    words = (ANIMALS + COLOURS + FILLER) * 6
    (said,) = answers(TASK, model, pretrained, [words])
    assert len(said.tags) == len(words) > 64
    spans = [(one["start"], one["end"]) for one in said.entities]
    assert spans == sorted(spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    # A pipeline reads the first window only, so there is nothing to compare with.
    assert TASK.ask(pipeline(model, pretrained), {"tokens": words}, TAGS) is None


def test_words_of_no_pieces_are_counted_and_outside(bert: tuple[Any, Pretrained]) -> None:
    model, pretrained = bert
    tokens = [["my", "\u200b", "cat"], ["red", "cow"], ["\u200b", ""]]
    table = rows(tokens, [[4, 4, 0], [1, 0], [4, 4]])
    arrays, _, examples = one_by_one(model, TASK, table, pretrained)
    (finding,) = examples.findings
    assert "makes nothing of 3 words, such as '\\u200b' (rows 1, 3, counted from 1)" in finding
    assert "tagged `O`" in finding
    said = TASK.decode(arrays, examples, table, pretrained)
    assert [len(one) for one in said.values] == [3, 2, 2]
    assert said.answers[0].tags[1] == "O"
    assert said.answers[0].scores[1] == 0
    assert said.answers[2].tags == ("O", "O")
    assert said.answers[2].entities == ()


def test_where_there_is_no_outside_they_have_the_commonest_tag(bert: tuple[Any, Pretrained]) -> None:
    learnt = TASK.learn(rows([["a", "b", "c"]], [[1, 1, 0]]), ("ADJ", "NOUN"), bert[1])
    assert learnt == {"untold": "NOUN"}
    assert TASK.learn(rows([["a"]], [[1]]), ("ADJ", "O"), bert[1]) == {}


def test_a_batch_is_padded_with_targets_that_do_not_count(tagger: tuple[Any, Pretrained]) -> None:
    model, pretrained = tagger
    tokens = [["my", "cat"], ["a", "very", "golden", "tiger"]]
    examples = TASK.encode(rows(tokens, tags_for(tokens)), pretrained, name="x")
    for side in ("right", "left"):
        pretrained.processor.padding_side = side
        batch = TASK.collate([examples[0], examples[1]], pretrained)
        pretrained.processor.padding_side = "right"
        real = batch["attention_mask"].bool()
        assert (batch[LABELS][~real] == -100).all()
        assert not real.all()
        for index in range(2):
            assert batch[LABELS][index][real[index]].tolist() == examples[index][LABELS].tolist()
        with torch.inference_mode():
            arrays = TASK.outputs(TASK.run(model, batch, pretrained), batch)
        assert [array.shape for array in arrays] == [(length, len(TAGS)) for length in examples.lengths]


def test_the_loss_is_transformers_own(bert: tuple[Any, Pretrained]) -> None:
    model, pretrained = bert
    tokens = sentences(8)
    table = rows(tokens, tags_for(tokens))
    examples = TASK.encode(table, pretrained, name="x")
    batch = TASK.collate([examples[index] for index in range(8)], pretrained)
    with torch.inference_mode():
        output = model(**batch)
        for options, same in (({}, True), ({"focal": 2.0}, False), ({"class_weights": "balanced"}, False)):
            loss = TokenClassification(**options).make_loss(table, TAGS, pretrained)
            value = loss.sum(output, batch) / loss.weight(batch)
            assert torch.isclose(value, output.loss).item() == same


def test_byte_level_tokenizers_put_a_space_before_words(
    tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    for family in ("roberta", "modernbert"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint(family))
        words = ["my", "red", "catx", "cow."]

        def ids(of: Any, split: bool, words: list[str] = words) -> list[int]:
            given = words if split else " ".join(words)
            return list(of(given, is_split_into_words=split)["input_ids"])

        assert ids(tokenizer, split=True) != ids(tokenizer, split=False)  # the trap
        split_words(tokenizer)
        assert ids(tokenizer, split=True) == ids(tokenizer, split=False)
        tokenizer.save_pretrained(tmp_path / family)
        again = transformers.AutoTokenizer.from_pretrained(tmp_path / family)
        for split in (True, False):
            assert ids(again, split=split) == ids(tokenizer, split=split)


def test_slow_tokenizers_are_refused() -> None:
    with pytest.raises(
        CheckpointError, match="CanineTokenizer does not say which word a token is of"
    ) as caught:
        split_words(transformers.CanineTokenizer())
    assert "tokenizer.json" in str(caught.value.hint)


def test_words_and_tags_must_be_as_many() -> None:
    with pytest.raises(DataError, match="2 of 3 rows do not have a tag for every word: rows 2, 3") as caught:
        TASK.check_rows(
            rows([["a"], ["a", "b"], ["c"]], [[0], [0], [0, 1]]),
            lambda found: f"rows {found[0] + 1}, {found[1] + 1}",
        )
    assert "the first has 2 words and 1 tags" in caught.value.message
    TASK.check_rows(rows([["a"], ["a", "b"]], [[0], [0, 1]]), str)
    with pytest.raises(DataError, match="tokens are texts"):
        TASK.check_rows(rows(["a b"], [[0, 1]]), str)


def test_metrics_follow_the_tagging() -> None:
    assert TASK.default_metrics[0] == "entity_f1"
    assert TokenClassification(tagging="tokens").default_metrics == ("token_accuracy",)
    for tagging in ("entities", "tokens"):
        task = TokenClassification(tagging=tagging)
        assert {*task.default_metrics} <= {*task.metrics} <= {*METRICS.names()}


def test_a_very_long_text_is_read_in_reasonable_time(bert: tuple[Any, Pretrained]) -> None:
    _, pretrained = bert
    text = " ".join(WORDS * 4000)
    assert len(text) > 10**6
    examples = TASK.encode(rows([text]), pretrained, name="x")
    assert len(examples) > 1000
    outputs = [np.tile(np.eye(5, dtype=np.float32)[4], (length, 1)) for length in examples.lengths]
    said = TASK.decode(outputs, examples, rows([text]), pretrained).answers[0]
    assert said.entities == ()
    assert set(said.tags) == {"O"}
    assert len(said.words) == len(said.tags) > 200_000


def test_the_control_encoding_without_labels_has_no_targets(bert: tuple[Any, Pretrained]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoded = encode_words(
            [["a"]], None, bert[1].processor, 8, overlap=0.25, label_all=None, untold="O", name="x"
        )
    assert encoded.targets is None
    assert LABELS not in encoded[0]
