"""Numbers to predict: from whatever holds them to lists of floats; what is no finite number is located."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

from hftransfer.errors import DataError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Column, Splits, make_splits, read_split

COLUMNS = {"text": Column("text"), "label": Column("numbers")}


def split(source: Any, **settings: Any) -> Splits:
    data = DataSection(source=source, **settings)
    return make_splits(open_source(data), data, columns=COLUMNS, seed=0)


def read(source: Any, labels: tuple[str, ...], **settings: Any) -> Any:
    data = DataSection(source=source, **settings)
    return read_split(open_source(data), data, columns=COLUMNS, labels=labels).rows


def table(*values: Any) -> list[dict[str, Any]]:
    return [{"text": f"text {row}", "label": one} for row, one in enumerate(values)]


def both(train: Any, validation: Any | None = None) -> dict[str, Any]:
    return {"train": train, "validation": train if validation is None else validation}


def file_twice(path: str | Path) -> dict[str, Any]:
    """A file and a copy of it: one file cannot be two splits."""
    copy = shutil.copy(path, Path(path).with_stem("validation"))
    return {"train": str(path), "validation": str(copy)}


def csv_of(path: Path, cells: list[str]) -> str:
    pd.DataFrame({"text": [f"text {row}" for row in range(len(cells))], "label": cells}).to_csv(
        path, index=False
    )
    return str(path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3], [1.0, 2.0, 3.0]),
        ([0.5, -1e300, 3.0], [0.5, -1e300, 3.0]),
        (["2.5", " -3 ", "1e3"], [2.5, -3.0, 1000.0]),
        ([[1.5], [2], [0.25]], [1.5, 2.0, 0.25]),
    ],
)
def test_one_number_a_row(values: list[Any], expected: list[float]) -> None:
    splits = split(both(table(*values)))
    assert splits.labels == ("label",)
    assert splits.train["label"][:] == [[one] for one in expected]
    assert splits.train.features["label"] == datasets.List(datasets.Value("float64"))


def test_texts_of_a_csv_file_are_numbers(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "train.csv", ["2.5", "0", "-1e-3"])
    splits = split(file_twice(path))
    assert splits.train["label"][:] == [[2.5], [0.0], [-0.001]]


def test_several_numbers_a_row() -> None:
    splits = split(both(table([1, 2.5], [3, 4], [5, -6])), columns={"label": "label"})
    assert splits.labels == ("label_0", "label_1")
    assert splits.train["label"][:] == [[1.0, 2.5], [3.0, 4.0], [5.0, -6.0]]


def test_lists_of_texts_are_numbers() -> None:
    assert split(both(table(["1", "2.5"], ["3", "4"]))).train["label"][:] == [[1.0, 2.5], [3.0, 4.0]]


def test_names_of_targets() -> None:
    rows = [{"text": row["text"], "scores": row["label"]} for row in table([1, 2], [3, 4])]
    assert split(both(rows), columns={"label": "scores"}).labels == ("scores_0", "scores_1")
    one = [{"text": row["text"], "price": row["label"]} for row in table(1, 2)]
    assert split(both(one), columns={"label": "price"}).labels == ("price",)
    named = split(both(rows), columns={"label": "scores"}, labels=["valence", "arousal"])
    assert named.labels == ("valence", "arousal")
    with pytest.raises(DataError, match=r"data.labels names 3 targets, found 2") as error:
        split(both(rows), columns={"label": "scores"}, labels=["a", "b", "c"])
    assert error.value.key == "data.labels"


def test_rows_are_set_aside_without_regard_to_numbers() -> None:
    splits = split(table(*range(30)))
    assert splits.sizes == {"train": 27, "validation": 3}
    assert all(row["label"] == [row["row"]] for row in splits.validation)
    assert "no validation split: 3 of 30 training rows set aside, seed 0" in splits.findings


@pytest.mark.parametrize(
    "bad",
    [None, math.nan, math.inf, -math.inf],
)
def test_what_is_no_finite_number_is_located(bad: float | None) -> None:
    with pytest.raises(
        DataError, match=r"2 of 4 rows of `train` .* have no number in `label`: rows 2, 4"
    ) as error:
        split(both(table(1.0, bad, 2.0, bad), table(1.0)))
    assert error.value.key == "data.columns.label"
    with pytest.raises(DataError, match=r"1 of 2 rows of `validation` .*: row 1"):
        split(both(table(1.0, 2.0), table(bad, 1.0)))


@pytest.mark.parametrize("cell", ["", "nan", "inf", "-Infinity", "high", "2,5", "1_000", "0x10", "True"])
def test_cells_that_are_no_number_are_located(cell: str, tmp_path: Path) -> None:
    path = csv_of(tmp_path / "train.csv", ["1", "2.5", cell])
    with pytest.raises(
        DataError, match=r"1 of 3 rows of .*train\.csv.* have no number in `label`: .*line 4"
    ) as error:
        split(file_twice(path))
    assert "written with a point" in str(error.value.hint)
    if cell:
        assert f"(found {cell!r})" in error.value.message


def test_true_and_false_are_no_numbers() -> None:
    with pytest.raises(DataError, match="2 of 2 rows"):
        split(both(table(True, False)))


@pytest.mark.parametrize("bad", [[1.0, None], [math.nan, 1.0], []])
def test_a_list_with_less_than_numbers_is_located(bad: list[Any]) -> None:
    with pytest.raises(DataError, match=r"1 of 3 rows of `train` .* have no number in `label`: row 2"):
        split(both(table([1.0, 2.0], bad, [3.0, 4.0]), table([1.0, 2.0])))


def test_a_row_of_another_length_is_located() -> None:
    with pytest.raises(DataError, match=r"1 of 3 rows of `train` .* have not 2 numbers .* has: row 3"):
        split(both(table([1, 2], [3, 4], [5]), table([1, 2])))


def test_every_split_has_as_many_numbers_as_train() -> None:
    with pytest.raises(DataError, match=r"`label` of `validation` .* holds 3 numbers a row, but train has 2"):
        split(both(table([1, 2], [3, 4]), table([1, 2, 3])))


def test_read_split_knows_how_many_the_model_gives() -> None:
    assert read(table([1, 2], [3, 4]), ("x", "y"))["label"][:] == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(DataError, match="holds 1 numbers a row, but the model gives 2"):
        read(table(1, 2), ("x", "y"))


def test_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in table([1, 2.5], [3, 4])))
    assert split(file_twice(path)).train["label"][:] == [[1.0, 2.5], [3.0, 4.0]]


def test_a_single_row_cannot_be_shared() -> None:
    with pytest.raises(DataError, match=r"no validation rows can be held out of .*: it has one row"):
        split(table(1.0))
