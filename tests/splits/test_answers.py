"""Answers in every shape that data come in, and whether they stand in their contexts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hftransfer.errors import DataError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Splits, make_splits
from hftransfer.tasks.question_answering import QuestionAnswering

TASK = QuestionAnswering()
CONTEXT = "I saw two cats and two dogs."
TWO = {"text": ["two cats", "cats"], "answer_start": [6, 10]}
NONE: dict[str, list[Any]] = {"text": [], "answer_start": []}


def split(answers: list[Any], *, context: str = CONTEXT, source: Any = None, **settings: Any) -> Splits:
    rows = [{"question": f"What {n}?", "context": context, "answers": one} for n, one in enumerate(answers)]
    data = DataSection(source={"train": rows, "validation": rows} if source is None else source, **settings)
    return make_splits(open_source(data), data, columns=TASK.columns, seed=0, check_rows=TASK.check_rows)


@pytest.mark.parametrize(
    "answers",
    [
        [TWO, NONE],
        [[{"text": "two cats", "answer_start": 6, "id": 7}, {"text": "cats", "answer_start": 10}], []],
        [json.dumps(TWO), "[]"],
        [{"text": ["two cats", "cats"], "answer_start": [6.0, 10.0]}, NONE],
    ],
    ids=["hub", "squad", "json", "numbers-of-pandas"],
)
def test_every_shape_comes_to_one(answers: list[Any]) -> None:
    splits = split(answers)
    assert splits.train["answers"][:] == [TWO, NONE]
    assert splits.train.column_names == ["question", "context", "answers", "row"]
    assert splits.labels == ()


def test_one_answer_alone() -> None:
    assert split([{"text": "cats", "answer_start": 10}]).train["answers"][0] == {
        "text": ["cats"],
        "answer_start": [10],
    }


def test_questions_that_nothing_answers_alone() -> None:
    assert split([NONE, NONE]).train["answers"][:] == [NONE, NONE]


def test_csv_and_frames(tmp_path: Path) -> None:
    contexts = [f"{CONTEXT} {n}" for n in range(4)]
    frame = pd.DataFrame({"question": "What?", "context": contexts, "answers": [json.dumps(TWO)] * 4})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for source in (frame, str(tmp_path / "rows.csv")):
        splits = split([], source=source, hold_out={"validation": 0.5})
        assert splits.validation["answers"][:] == [TWO, TWO]
        assert splits.sizes == {"train": 2, "validation": 2}


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([TWO, None], "1 of 2 rows of .* have no answers in `answers`: row 2 "),
        ([json.dumps(TWO), "cats"], "have answers that cannot be read .'cats', .*row 2 "),
        ([{"text": ["cats"], "answer_start": [10, 11]}], "cannot be read .*row 1 "),
        ([{"text": ["cats"], "answer_start": [10.5]}], "cannot be read .*row 1 "),
        ([{"text": ["cats"], "answer_start": [None]}], "cannot be read .*row 1 "),
        ([["cats"]], "cannot be read .*row 1 "),
    ],
)
def test_what_are_no_answers(answers: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        split(answers)
    assert error.value.key == "data.columns.answers"
    assert '{"text": ["two words"], "answer_start": [17]}' in str(error.value)


@pytest.mark.parametrize(
    ("text", "start", "message", "hint"),
    [
        ("cats", 9, r"'cats' is said to start at 9, where ' cat' stands", "it starts at 10: answer_start counts"),
        ("two", 12, r"where 'ts ' stands", "it starts at 6:"),
        ("two", 14, r"where ' an' stands", "it starts at 19:"),
        ("Cats", 10, r"where 'cats' stands", "not in the context at all: an answer is copied"),
        ("cats", 99, r"where nothing stands", "it starts at 10"),
        ("dogs.", -5, r"where nothing stands", "it starts at 23"),
        (" ", 1, "the first: an empty answer", "has {\"text\": \\[\\], \"answer_start\": \\[\\]}"),
    ],
)  # fmt: skip
def test_answers_that_are_not_in_their_context(text: str, start: int, message: str, hint: str) -> None:
    bad = {"text": ["cats", text], "answer_start": [10, start]}
    with pytest.raises(DataError, match=message) as error:
        split([TWO, bad, NONE, bad])
    assert "2 of 4 rows have an answer that is not in the context where it is said to be" in str(error.value)
    assert "rows 2, 4 of `train`" in str(error.value)
    assert error.value.key == "data.columns.answers"
    with pytest.raises(DataError, match=hint):
        split([bad])


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ("\u200bcats\u200b", "cats\u200b"),
        ("ראיתי שני חתולים", "חתולים"),
        ("cafe\u0301 noir", "cafe\u0301"),
        ("👩‍👩‍👧 saw cats", "saw"),
    ],
)
def test_places_count_characters_of_the_text_as_it_is(context: str, text: str) -> None:
    good = {"text": [text], "answer_start": [context.index(text)]}
    assert split([good], context=context).train["answers"][0] == good
    with pytest.raises(DataError, match="not in the context where"):
        split([{**good, "answer_start": [context.index(text) + 1]}], context=context)


def test_empty_contexts() -> None:
    rows = [{"question": "What?", "context": text, "answers": NONE} for text in ("a", "", "b")]
    with pytest.raises(DataError, match=r"1 of 3 contexts are empty: row 2 of `train`") as error:
        split([], source={"train": rows, "validation": rows[:1]})
    assert error.value.key == "data.columns.context"


def test_there_are_no_labels_to_name() -> None:
    with pytest.raises(DataError, match="the task has no labels to name") as error:
        split([TWO], labels=["a", "b"])
    assert error.value.key == "data.labels"


def test_questions_of_one_context_are_set_aside_together() -> None:
    rows = [{"question": f"What {n}?", "context": f"{n // 5} {CONTEXT}", "answers": NONE} for n in range(100)]
    splits = split([], source=rows, hold_out={"validation": 0.2, "test": 0.1})
    contexts = [set(part["context"]) for part in splits.by_name.values()]
    assert [len(one) for one in contexts] == [14, 4, 2]
    assert sum(map(len, contexts)) == len(set().union(*contexts)) == 20
    assert (
        "no validation split: 20 of 100 training rows set aside, each context wholly, seed 0"
        in splits.findings
    )


def test_contexts_of_a_given_split_that_stand_in_train_are_counted() -> None:
    row = {"question": "Who?", "context": CONTEXT, "answers": NONE}
    other = {"question": "Where?", "context": f"{CONTEXT} Then I left.", "answers": NONE}
    splits = split([], source={"train": [row], "validation": [{**row, "question": "Why?"}, other]})
    assert "1 of 2 validation rows have the same context as a row of train" in splits.findings


def test_one_context_cannot_be_parted() -> None:
    rows = [{"question": f"What {n}?", "context": CONTEXT, "answers": NONE} for n in range(9)]
    with pytest.raises(DataError, match="all of its rows have the same context") as caught:
        split([], source=rows)
    assert caught.value.hint == "give a validation split"
