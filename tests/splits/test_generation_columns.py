"""Columns inside columns, texts as lists of sentences, and texts to generate: one or several a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hftransfer.errors import DataError, HFTransferError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Column, Splits, make_splits, read_split

COLUMNS = {"source": Column("document"), "target": Column("texts")}
PAIR = {"en": "a cat", "de": "eine Katze"}


def write(folder: Path, rows: list[dict[str, Any]]) -> str:
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder)


def splits(source: Any, **settings: Any) -> Splits:
    data = DataSection(source=source, **settings)
    return make_splits(open_source(data), data, columns=COLUMNS, seed=0)


def test_a_dot_reaches_into_a_column_of_mappings(tmp_path: Path) -> None:
    source = write(tmp_path, [{"id": 1, "translation": {**PAIR, "fr": "un chat"}}] * 3)
    made = splits(source, columns={"source": "translation.en", "target": "translation.de"})
    assert made.train["source"] == ["a cat"] * 3
    assert made.train["target"] == [["eine Katze"]] * 3
    assert made.labels == ()
    assert "columns ignored: `id`, `translation.fr`" in made.findings


def test_a_hub_dataset_with_a_translation_feature() -> None:
    import datasets

    features = datasets.Features({"translation": datasets.Translation(languages=["en", "de"])})
    rows = datasets.Dataset.from_list([{"translation": PAIR}] * 4, features=features)
    source = datasets.DatasetDict({"train": rows.select([2, 0, 1]), "validation": rows})
    made = splits(source, columns={"source": "translation.de", "target": "translation.en"})
    assert made.train["source"] == ["eine Katze"] * 3
    assert made.validation["target"] == [["a cat"]] * 4


def test_a_column_whose_own_name_has_a_dot_is_taken_as_it_is(tmp_path: Path) -> None:
    source = write(tmp_path, [{"translation.en": "flat", "translation": PAIR}] * 2)
    data = DataSection(source=source, columns={"source": "translation.en"})
    rows = read_split(
        open_source(data), data, columns={"source": Column("document")}, labels=(), split="train"
    ).rows
    assert rows["source"] == ["flat"] * 2
    made = splits(source, columns={"source": "translation.en", "target": "translation.de"})
    assert made.train["source"] == ["flat"] * 2
    assert made.train["target"] == [["eine Katze"]] * 2


def test_a_field_that_is_not_there(tmp_path: Path) -> None:
    source = write(tmp_path, [{"translation": PAIR}] * 2)
    with pytest.raises(
        DataError, match=r"no column `translation.dr`.*`translation.en`, `translation.de`"
    ) as e:
        splits(source, columns={"source": "translation.en", "target": "translation.dr"})
    assert "translation.de" in str(e.value.hint)


def test_a_mapping_without_a_field_named(tmp_path: Path) -> None:
    source = write(tmp_path, [{"source": "a", "translation": PAIR}] * 2)
    with pytest.raises(DataError, match=r"holds struct<.*>, not texts") as caught:
        splits(source, columns={"target": "translation"})
    assert "of a struct name the field" in str(caught.value.hint)


def test_sentences_are_joined_and_this_is_said(tmp_path: Path) -> None:
    source = write(
        tmp_path, [{"source": ["One.", "Two."], "target": "x"}, {"source": ["Three."], "target": "y"}]
    )
    made = splits(source)
    assert made.train["source"] == ["One. Two.", "Three."]
    assert "train: `source` holds lists of sentences; they are joined by spaces" in made.findings


def test_a_row_without_sentences_is_located(tmp_path: Path) -> None:
    rows = [
        {"source": ["One."], "target": "x"},
        {"source": [], "target": "y"},
        {"source": None, "target": "z"},
    ]
    with pytest.raises(
        DataError, match=r"2 of 3 rows .* have no text in `source`: lines 2, 3 of train.jsonl"
    ):
        splits(write(tmp_path, rows))


def test_several_references_are_kept_and_counted(tmp_path: Path) -> None:
    source = write(tmp_path, [{"source": "a", "target": ["x", "y"]}, {"source": "b", "target": ["z"]}])
    made = splits(source)
    assert made.train["target"] == [["x", "y"], ["z"]]
    assert any(
        one.startswith("train: 1 of 2 rows have several texts in `target`: the first")
        for one in made.findings
    )


def test_references_in_columns_of_their_own(tmp_path: Path) -> None:
    source = write(tmp_path, [{"source": "a", "one": "x", "two": "y"}] * 2)
    assert splits(source, columns={"target": ["one", "two"]}).train["target"] == [["x", "y"]] * 2


@pytest.mark.parametrize("target", [None, "", " \t", [], [""], ["x", None]])
def test_rows_without_a_text_to_generate_are_located(tmp_path: Path, target: Any) -> None:
    good: Any = ["x"] if isinstance(target, list) else "x"
    rows = [{"source": "a", "target": good}, {"source": "b", "target": target}]
    with pytest.raises(DataError, match=r"1 of 2 rows .* in `target`, or an empty one: line 2 of") as caught:
        splits(write(tmp_path, rows))
    assert caught.value.key == "data.columns.target"


def test_numbers_are_no_texts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`target` of .* holds int64, not texts"):
        splits(write(tmp_path, [{"source": "a", "target": 1}] * 2))


def test_there_are_no_labels_to_name(tmp_path: Path) -> None:
    with pytest.raises(HFTransferError, match="no labels to name"):
        splits(write(tmp_path, [{"source": "a", "target": "b"}] * 2), labels=["x", "y"])
