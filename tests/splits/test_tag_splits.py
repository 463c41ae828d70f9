"""Sentences with tags as splits: schemes told, broken tags located, and rows that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from hftransfer.errors import DataError
from hftransfer.inputs import input_rows
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Splits, make_splits, read_split
from hftransfer.tasks.token_classification import TokenClassification

TASK = TokenClassification()
IOB2 = [["B-X", "I-X", "O", "B-Y"], ["O", "B-X", "B-X", "I-X"]]
IOB1 = [["I-X", "I-X", "O", "I-Y"], ["O", "I-X", "B-X", "I-X"]]


def records(tags: list[list[str]]) -> list[dict[str, Any]]:
    return [{"tokens": [f"w{row}{n}" for n in range(len(one))], "tags": one} for row, one in enumerate(tags)]


def splits(train: Any, validation: Any, **data: Any) -> Splits:
    section = DataSection(source={"train": train, "validation": validation}, **data)
    return make_splits(
        open_source(section), section, columns=TASK.columns, seed=0, check_rows=TASK.check_rows
    )


def named(made: Splits) -> list[list[str]]:
    return TASK.told(made.train, made.labels)


def test_iob2_is_said_and_kept() -> None:
    made = splits(records(IOB2), records(IOB2[:1]))
    assert named(made) == IOB2
    assert made.labels == ("B-X", "B-Y", "I-X", "O")
    assert "tags mark entities by IOB2; 2 types: `X`, `Y`" in made.findings
    assert not any("break" in finding for finding in made.findings)


def test_iob1_becomes_iob2() -> None:
    made = splits(records(IOB1), records(IOB1))
    assert named(made) == IOB2
    assert TASK.told(made.validation, made.labels) == IOB2
    assert "IOB1 is read as IOB2: every tag that begins an entity is written B-" in made.findings


def test_iob1_of_named_classes_becomes_iob2() -> None:
    own = ["O", "I-X", "B-X", "I-Y"]
    features = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "tags": datasets.List(datasets.ClassLabel(names=own)),
        }
    )
    table = datasets.Dataset.from_list(records(IOB1), features=features)
    made = splits(table, table)
    assert named(made) == IOB2
    assert made.labels == (*own, "B-Y")


def test_a_file_of_iob1_for_a_model_of_iob2() -> None:
    labels = ("O", "B-X", "I-X", "B-Y")
    for tags in (IOB1, IOB2):
        section = DataSection(source=records(tags))
        rows = read_split(open_source(section), section, columns=TASK.columns, labels=labels).rows
        assert TASK.told(rows, labels) == IOB2
    section = DataSection(source=records(IOB1))
    with_iob1 = ("O", "B-X", "I-X", "I-Y")  # a model that was not made here
    rows = read_split(open_source(section), section, columns=TASK.columns, labels=with_iob1).rows
    assert TASK.told(rows, with_iob1) == IOB1


def test_bioes_is_said() -> None:
    tags = [["S-X", "O", "B-Y", "I-Y", "E-Y"]]
    made = splits(records(tags), records(tags))
    assert named(made) == tags
    assert "tags mark entities by IOBES; 2 types: `X`, `Y`" in made.findings


@pytest.mark.parametrize(
    ("train", "broken", "told"),
    [
        (
            IOB2,
            [["O"], ["I-X", "O", "B-X", "I-Y"]],
            "2 tags in 1 of 2 rows break IOB2, such as `I-X` first in its row",
        ),
        (IOB2, [["B-X", "I-Y"]], "1 tags in 1 of 1 rows break IOB2, such as `I-Y` after `B-X`"),
        (
            [["S-X", "B-Y", "E-Y", "B-X", "I-X", "E-X"]],
            [["B-Y", "O", "S-X"], ["O"], ["B-X", "I-X"]],
            "2 tags in 2 of 3 rows break IOBES, such as `B-Y`, which nothing closes",
        ),
    ],
)
def test_broken_tags_are_counted_and_located(train: Any, broken: Any, told: str, tmp_path: Path) -> None:
    made = splits(records([*train, ["O", "I-Y"] if train is IOB2 else ["O", "O"]]), records(broken))
    (finding,) = [finding for finding in made.findings if finding.startswith("validation:")]
    assert told in finding
    assert TASK.told(made.validation, made.labels) == broken


def test_broken_tags_have_their_line(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("a\tB-X\n\nb\tO\nc\tI-X\n\nd\tB-X\ne\tI-X\n\nf\tO\ng\tB-X\n")
    (tmp_path / "test.conll").write_text("a\tB-X\n")
    section = DataSection(source=str(tmp_path), hold_out={"validation": 0.3})
    made = make_splits(open_source(section), section, columns=TASK.columns, seed=0)
    assert any("`I-X` after `O` (line 3 of train.conll)" in finding for finding in made.findings)


def test_parts_of_speech_have_no_scheme() -> None:
    tags = [["DET", "NOUN"], ["VERB", "X"]]
    made = splits(records(tags), records(tags))
    assert named(made) == tags
    assert not any("mark entities" in finding for finding in made.findings)


def test_named_columns_of_a_file(tmp_path: Path) -> None:
    lines = "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nAnn NNP B-NP B-PER\n"
    for split in ("train", "validation"):
        (tmp_path / f"{split}.conll").write_text(lines)
    section = DataSection(source=str(tmp_path), columns={"tags": "column_2"})
    made = make_splits(open_source(section), section, columns=TASK.columns, seed=0)
    assert named(made) == [["NNP", "VBZ"], ["NNP"]]
    wrong = DataSection(source=str(tmp_path), columns={"tags": "column_9"})
    with pytest.raises(DataError, match=r"no column `column_9`.*`column_2`, `column_3`, `tags`"):
        make_splits(open_source(wrong), wrong, columns=TASK.columns, seed=0)


def test_an_unknown_tag_in_validation_is_located() -> None:
    with pytest.raises(
        DataError, match=r"1 of 2 rows .*not among those seen in training: `B-Z` .*row 2"
    ) as caught:
        splits(records(IOB2), records([["O"], ["B-Z"]]))
    assert caught.value.key == "data.columns.tags"
    labels = ["O", "B-X", "I-X", "B-Y", "B-Z"]
    assert splits(records(IOB2), records([["O"], ["B-Z"]]), labels=labels).labels == tuple(labels)


def test_rows_that_cannot_be_used() -> None:
    good = records(IOB2)
    for bad, told in (
        ({"tokens": [], "tags": []}, "a list without words in `tokens`: row 3"),
        ({"tokens": None, "tags": ["O"]}, r"no list of words \(null\) in `tokens`: row 3"),
        ({"tokens": ["a", None], "tags": ["O", "O"]}, "a word that is null in `tokens`: row 3"),
        ({"tokens": ["a", "b"], "tags": ["O"]}, "1 of 3 rows do not have a tag for every word: row 3"),
        ({"tokens": ["a"], "tags": None}, "null"),
    ):
        with pytest.raises(DataError, match=told):
            splits([*good, bad], good)
    numbers = [{"tokens": [1, 2], "tags": ["O", "B-X"]}]
    with pytest.raises(DataError, match=r"holds list<.*int64>, not lists of words"):
        splits(numbers, numbers)
    texts = [{"tokens": "a b", "tags": ["O", "B-X"]}]
    with pytest.raises(DataError, match="tokens are texts"):
        splits(texts, texts)


def test_lists_in_cells_are_json() -> None:
    cells = [{"tokens": '["a", "b"]', "tags": '["B-X", "O"]'}]
    made = splits(cells, cells)
    assert list(made.train["tokens"]) == [["a", "b"]]
    assert named(made) == [["B-X", "O"]]


def test_inputs_are_texts_or_lists_of_words() -> None:
    assert list(input_rows(TASK, ["a b", "c"], roles=["tokens"])["tokens"]) == ["a b", "c"]
    assert list(input_rows(TASK, [["a", "b"], ["c"]], roles=["tokens"])["tokens"]) == [["a", "b"], ["c"]]
    assert list(input_rows(TASK, [{"tokens": ["a"]}], roles=["tokens"])["tokens"]) == [["a"]]
    for inputs, told in (
        ([["a", "b"], "c"], "input 2 is a text and input 1 a list of words"),
        ([["a", 3]], "input 1 is a list with 3 in it"),
        ([3], "input 1 is a int, neither a text nor a list of words"),
        ([[]], "input 1 has no words"),
        ([" "], "input 1 is empty"),
    ):
        with pytest.raises(DataError, match=told):
            input_rows(TASK, inputs, roles=["tokens"])
