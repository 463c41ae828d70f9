"""Several labels a row: lists of whatever kind become lists of class ids, and what is no label is located."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pytest

from hftransfer.errors import DataError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Column, Splits, make_splits, read_split

COLUMNS = {"text": Column("text"), "label": Column("classes")}


def split(source: Any, **settings: Any) -> Splits:
    data = DataSection(source=source, **settings)
    return make_splits(open_source(data), data, columns=COLUMNS, seed=0)


def read(source: Any, labels: tuple[str, ...], **settings: Any) -> Any:
    data = DataSection(source=source, **settings)
    return read_split(open_source(data), data, columns=COLUMNS, labels=labels).rows


def table(*labels: Any) -> list[dict[str, Any]]:
    return [{"text": f"text {row}", "label": one} for row, one in enumerate(labels)]


def both(train: Any, validation: Any) -> dict[str, Any]:
    return {"train": train, "validation": validation}


ROWS = table(["b", "a"], [], ["c"], ["a"])
IDS = [[1, 0], [], [2], [0]]


def file_twice(path: str | Path) -> dict[str, Any]:
    """A file and a copy of it: one file cannot be two splits."""
    copy = shutil.copy(path, Path(path).with_stem("validation"))
    return {"train": str(path), "validation": str(copy)}


def csv_of(path: Path, cells: list[str]) -> str:
    pd.DataFrame({"text": [f"text {row}" for row in range(len(cells))], "label": cells}).to_csv(
        path, index=False
    )
    return str(path)


# --- kinds of lists ------------------------------------------------------------------------------------------------


def test_lists_become_lists_of_ids() -> None:
    validation = [{"text": "other", "label": ["c", "b"]}, {"text": "another", "label": []}]
    splits = split(both(ROWS, validation))
    assert splits.labels == ("a", "b", "c")
    assert splits.train.features["label"] == datasets.List(datasets.Value("int64"))
    assert splits.train["label"][:] == IDS
    assert splits.validation["label"][:] == [[2, 1], []]
    assert splits.train[1] == {"text": "text 1", "label": [], "row": 1}
    assert splits.findings == ()


def test_lists_written_as_json_in_cells(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "train.csv", ['["b", "a"]', "[]", '["c"]', '[ "a" ]'])
    splits = split(file_twice(path))
    assert splits.labels == ("a", "b", "c")
    assert splits.train["label"][:] == IDS


def test_lists_in_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    assert split(file_twice(path)).train["label"][:] == IDS


@pytest.mark.parametrize("kind", ["list", "large", "fixed", "sliced", "chunks"])
def test_every_kind_of_list(kind: str) -> None:
    values: list[Any] = [["b", "a"], ["c", "a"], ["b", "c"], ["a", "a"]]
    feature = datasets.Value("string")
    features = {
        "large": datasets.LargeList(feature),
        "fixed": datasets.List(feature, length=2),
    }
    whole = datasets.Dataset.from_dict(
        {"text": list("wxyz"), "label": values},
        features=datasets.Features(
            {"text": datasets.Value("string"), "label": features.get(kind, datasets.List(feature))}
        ),
    )
    expected = [[1, 0], [2, 0], [1, 2], [0, 0]]
    if kind == "sliced":
        whole, expected = whole.select(range(1, 4)), expected[1:]
    elif kind == "chunks":
        whole = datasets.concatenate_datasets([whole.select(range(1)), whole.select([3, 2, 1])])
        expected = [expected[row] for row in (0, 3, 2, 1)]
    splits = split(both(whole, whole))
    assert splits.labels == ("a", "b", "c")
    assert splits.train["label"][:] == expected


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([[10, 9], [], [2]], ("2", "9", "10")),
        ([[1.0], [2.0, 1.0]], ("1", "2")),
        ([[True, False], [True]], ("False", "True")),
        ([["007"], ["7"]], ("007", "7")),
    ],
)
def test_labels_of_other_types_are_text(values: list[Any], labels: tuple[str, ...], tmp_path: Path) -> None:
    in_memory = split(both(table(*values), table(*values)))
    assert in_memory.labels == labels
    path = csv_of(tmp_path / "train.csv", [json.dumps(value) for value in values])
    written = split(file_twice(path))
    assert written.labels == labels
    assert written.train["label"][:] == in_memory.train["label"][:]


def test_named_classes_keep_their_order() -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.List(datasets.ClassLabel(names=["z", "m", "a"]))}
    )
    rows = datasets.Dataset.from_dict({"text": list("xyz"), "label": [[0, 2], [], [2]]}, features=features)
    splits = split(both(rows, rows))
    assert splits.labels == ("z", "m", "a")
    assert splits.train["label"][:] == [[0, 2], [], [2]]
    assert "labels are in the data set's own order" in splits.findings
    assert "labels without a training row: `m`" in splits.findings


def test_labels_as_listed_in_the_recipe() -> None:
    splits = split(both(ROWS, ROWS), labels=["c", "a", "b", "d"])
    assert splits.labels == ("c", "a", "b", "d")
    assert splits.train["label"][:] == [[2, 1], [], [0], [1]]
    assert "labels without a training row: `d`" in splits.findings
    with pytest.raises(DataError, match=r"not among those listed: `c` \(row 3") as error:
        split(both(ROWS, ROWS), labels=["a", "b"])
    assert error.value.key == "data.labels"


def test_one_label_is_enough_where_rows_may_lack_it() -> None:
    assert split(both(table(["a"], [], []), table([]))).labels == ("a",)


def test_rows_are_set_aside_and_limited_without_regard_to_labels() -> None:
    splits = split(table(*[["a"], ["b"], []] * 10), limits={"train": 12})
    assert splits.sizes == {"train": 12, "validation": 3}
    assert "no validation split: 3 of 30 training rows set aside, seed 0" in splits.findings
    labels = [["a"], ["b"], []]
    for row in splits.validation:
        assert [splits.labels[one] for one in row["label"]] == labels[row["row"] % 3]


def test_read_split_knows_the_models_labels() -> None:
    assert read(table(["c"], ["a", "b"]), ("a", "b", "c"))["label"][:] == [[2], [0, 1]]
    assert read(table([], []), ("a", "b"))["label"][:] == [[], []]
    with pytest.raises(DataError, match=r"1 of 2 rows .* not among those the model knows: `x` \(row 2"):
        read(table(["c"], ["a", "x"]), ("a", "b", "c"))


# --- what is no label ----------------------------------------------------------------------------------------------


def test_labels_that_training_has_not_seen_are_located() -> None:
    validation = table(["a"], ["d", "a", "d"], [], ["e"])
    with pytest.raises(
        DataError,
        match=r"2 of 4 rows of `validation` .* not among those seen in training: `d`, `e` \(rows 2, 4",
    ) as error:
        split(both(ROWS, validation))
    assert error.value.key == "data.columns.label"
    # A label that the data set names, but no training row has, is not known either.
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.List(datasets.ClassLabel(names=["a", "b", "c"]))}
    )
    train, other = (
        datasets.Dataset.from_dict({"text": ["x", "y"], "label": value}, features=features)
        for value in ([[0], [1]], [[0], [1, 2]])
    )
    with pytest.raises(DataError, match=r"1 of 2 rows .* seen in training: `c` \(row 2"):
        split(both(train, other))
    assert split(both(other, train)).labels == ("a", "b", "c")


def test_lists_that_are_all_empty() -> None:
    with pytest.raises(DataError, match=r"no row of `train` .* has a label in `label`"):
        split(both(table([], []), table([])))
    assert split(both(ROWS, table([], []))).validation["label"][:] == [[], []]


def test_a_row_without_a_list_is_located() -> None:
    with pytest.raises(DataError, match=r"rows? .*null; a row without labels is an empty list.*: row 2"):
        split(both(table(["a"], None, ["b"]), ROWS))


def test_an_empty_cell_is_no_list(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "train.csv", ['["a"]', "", '["b"]'])
    with pytest.raises(DataError, match=r"null; a row without labels is an empty list.*line 3"):
        split(file_twice(path))


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([["a"], ["b", None]], "empty"),
        ([[1], [2, None]], "null"),
        ([["a"], ["b", " "]], "empty"),
        ([["a"], [""]], "empty"),
    ],
)
def test_a_label_that_is_nothing_is_located(values: list[Any], what: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"1 rows of `train` .* that is {what}: row 2"):
        split(both(table(*values), ROWS))
    path = csv_of(tmp_path / "train.csv", [json.dumps(value) for value in values])
    with pytest.raises(DataError, match=r"train\.csv.*line 3"):
        split(file_twice(path))


def test_minus_one_of_named_classes_is_no_label() -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.List(datasets.ClassLabel(names=["a", "b"]))}
    )
    rows = datasets.Dataset.from_dict(
        {"text": list("xyz"), "label": [[0], [1, -1], [-1, -1]]}, features=features
    )
    with pytest.raises(DataError, match=r"2 rows of `train` .* is -1, which stands for none: rows 2, 3"):
        split(both(rows, ROWS))


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (['["a"]', "a, b", '["b"]'], "line 3"),
        (['["a"]', '["b"]', '"a"'], "line 4"),
        (['["a"]', '{"a": 1}', '["b"]'], "line 3"),
        (['["a"]', "1", '["b"]'], "line 3"),
        (['["a"]', '[["b"]]', '["b"]'], "line 3"),
        (['["a"]', "[1.5]", '["b"]'], "line 3"),
        (['["a"]', '[{"b": 1}]', '["b"]'], "line 3"),
    ],
)
def test_a_cell_that_is_no_list_of_labels_is_located(cells: list[str], line: str, tmp_path: Path) -> None:
    path = csv_of(tmp_path / "train.csv", cells)
    with pytest.raises(
        DataError, match=rf"1 of 3 rows of .* have no list of labels in `label`: .*{line}"
    ) as error:
        split(file_twice(path))
    assert '["a", "b"]' in str(error.value.hint)
    assert "data.columns: {label: [a, b]}" in str(error.value.hint)


@pytest.mark.parametrize("values", [[1, 2], [0.5, 1.5], [{"a": 1}, {"a": 2}]])
def test_a_column_of_no_lists(values: list[Any]) -> None:
    with pytest.raises(DataError, match=r"the column `label` of `train` .* not lists of labels") as error:
        split(both(table(*values), ROWS))
    assert error.value.key == "data.columns.label"


@pytest.mark.parametrize("values", [[[0.5], [1.5]], [[{"a": 1}], []], [[["a"]], []]])
def test_a_column_of_lists_of_something_else(values: list[Any]) -> None:
    with pytest.raises(DataError, match="does not look like labels"):
        split(both(table(*values), ROWS))


def test_as_many_labels_as_a_column_of_words_would_have() -> None:
    words = table(*[[f"word {row}"] for row in range(30)])
    with pytest.raises(DataError, match="does not look like labels: it holds 30 different values in 30 rows"):
        split(both(words, words))


def test_one_label_a_row_is_read_as_before() -> None:
    """Control: where one label is asked for, a list is an error."""
    data = DataSection(source=both(ROWS, ROWS))
    with pytest.raises(DataError, match="does not look like labels"):
        make_splits(
            open_source(data), data, columns={"text": Column("text"), "label": Column("class")}, seed=0
        )
    assert pa.types.is_list(split(both(ROWS, ROWS)).train.features.arrow_schema.field("label").type)
