"""Choices and which of them is right, in the shapes that published data sets have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from hftransfer.errors import DataError, InputError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Splits, make_splits, read_split
from hftransfer.tasks.multiple_choice import MultipleChoice

TASK = MultipleChoice()
ENDINGS = ["one", "two", "three", "four"]


def splits(rows: Any, validation: Any = None, **settings: Any) -> Splits:
    source = rows if validation is None else {"train": rows, "validation": validation}
    data = DataSection(source=source, **settings)
    return make_splits(open_source(data), data, columns=TASK.columns, seed=0, check_rows=TASK.check_rows)


def table(labels: list[Any], choices: Any = ENDINGS) -> list[dict[str, Any]]:
    return [{"text": f"row {n}", "choices": list(choices), "label": label} for n, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("labels", "names", "ids", "said"),
    [
        ([0, 3, 1, 2], "0123", [0, 3, 1, 2], "its number, counted from 0 (0 to 3)"),
        ([1, 2, 1, 2], "0123", [1, 2, 1, 2], "its number, counted from 0"),
        (["0", "3", "1", "0"], "0123", [0, 3, 1, 0], "its number, counted from 0"),
        ([1, 4, 2, 3], "1234", [0, 3, 1, 2], "its number, counted from 1 (1 to 4)"),
        (["A", "D", "B", "B"], "ABCD", [0, 3, 1, 1], "a letter (A to D)"),
        (["a", "d", "b", "b"], "abcd", [0, 3, 1, 1], "a small letter"),
    ],
)
def test_what_labels_mean(labels: list[Any], names: str, ids: list[int], said: str) -> None:
    made = splits(table(labels), table(labels[:1]))
    assert made.labels == tuple(names)
    assert list(made.train["label"]) == ids
    assert any(said in finding for finding in made.findings)
    # Later rows are read in the same way, though they would not show which it is.
    data = DataSection(source=table(labels[:1]))
    rows = read_split(open_source(data), data, columns=TASK.columns, labels=made.labels).rows
    assert list(rows["label"]) == ids[:1]


def test_a_label_that_train_lacks_may_turn_up_later() -> None:
    assert list(splits(table([0, 1, 0]), table([3])).validation["label"]) == [3]


def test_the_names_of_a_class_label_count_in_order() -> None:
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "choices": datasets.List(datasets.Value("string")),
            "label": datasets.ClassLabel(names=["choice1", "choice2"]),
        }
    )
    rows = datasets.Dataset.from_list(table([1, 0, 1], ["so", "thus"]), features=features)
    made = splits(datasets.DatasetDict({"train": rows, "validation": rows}))
    assert made.labels == ("choice1", "choice2")
    assert list(made.train["label"]) == [1, 0, 1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 7], r"1 of 3 rows .* not among those listed: `7` \(row 3"),
        (["A", "B", "E"], r"`E` \(row 3"),
        ([0, 1, -2], "`-2`"),
        ([0.5, 1, 2], "fractions"),
        ([0, None, 2], "no label in `label`"),
    ],
)
def test_labels_out_of_range_are_located(labels: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        splits(table(labels), table([0] if labels[0] == 0 else ["A"]))
    assert error.value.key == "data.columns.label"


def test_a_label_beyond_the_choices_of_its_own_row() -> None:
    rows = [*table([0, 3]), *table([2], ["only", "these"])]
    with pytest.raises(
        DataError, match=r"1 of 3 rows have a label beyond their choices: row 3 .*choice 3 of 2"
    ):
        splits(rows, table([1]))
    with pytest.raises(DataError, match=r"fewer than 2 choices: rows 1, 2"):
        splits(table([0, 0], ["alone"]), table([1]))


def test_a_column_for_every_choice(tmp_path: Path) -> None:
    """As in SWAG: sent1, sent2, ending0 to ending3, label."""
    lines = ["sent1,sent2,ending0,ending1,ending2,ending3,label"]
    lines += [f"she sat,she,{n} a,{n} b,{n} c,{n} d,{n % 4}" for n in range(8)]
    (tmp_path / "train.csv").write_text("\n".join(lines))
    (tmp_path / "validation.csv").write_text("\n".join(lines[:3]))
    columns = {"text": "sent1", "question": "sent2", "choices": [f"ending{n}" for n in range(4)]}
    made = splits(str(tmp_path), columns=columns)
    assert made.train["choices"][1] == ["1 a", "1 b", "1 c", "1 d"]
    assert list(made.train["question"]) == ["she"] * 8
    (tmp_path / "train.csv").write_text("\n".join(lines).replace("3 b", ""))
    with pytest.raises(DataError, match="have no text in `ending1`: line 5"):
        splits(str(tmp_path), columns=columns)


def test_lists_written_as_json_in_a_csv(tmp_path: Path) -> None:
    rows = [("a", json.dumps(ENDINGS), n % 4) for n in range(6)]
    cells = ['"{}","{}",{}'.format(text, choices.replace('"', '""'), label) for text, choices, label in rows]
    (tmp_path / "rows.csv").write_text("\n".join(["text,choices,label", *cells]))
    assert splits(str(tmp_path / "rows.csv")).train["choices"][0] == ENDINGS
    (tmp_path / "rows.csv").write_text("\n".join(["text,choices,label", *cells, "b,one,0"]))
    with pytest.raises(DataError, match=r"no list of texts in `choices`: line 8"):
        splits(str(tmp_path / "rows.csv"))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (["a", ""], "or one with an empty text: row 2"),
        (["a", None], "or one with an empty text: row 2"),
        ([], "have no list in `choices`"),
        (None, "have no list in `choices`"),
    ],
)
def test_choices_that_are_none(choices: Any, message: str) -> None:
    rows = table([0, 1, 0])
    rows[1]["choices"] = choices
    with pytest.raises(DataError, match=message):
        splits(rows, table([1]))


def test_choices_of_another_type() -> None:
    with pytest.raises(DataError, match="not lists of texts"):
        splits(table([0, 1], [1, 2]), table([1], [1, 2]))
    with pytest.raises(InputError, match="one column, found a list of 2"):
        splits(table([0, 1]), table([1]), columns={"text": ["text", "choices"]})
