"""Rows in memory: the same rows in every form, left as they were."""

from __future__ import annotations

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hftransfer.errors import DataError, RecipeError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source

RECORDS = [{"text": "NA", "label": "x"}, {"text": "b", "label": "y"}]
FORMS = {
    "list of dicts": RECORDS,
    "DataFrame": pd.DataFrame(RECORDS),
    "Dataset": datasets.Dataset.from_list(RECORDS),
    "mapping": {"train": RECORDS},
    "DatasetDict": datasets.DatasetDict({"train": datasets.Dataset.from_list(RECORDS)}),
}


def load(source: object, **settings: object) -> dict[str, datasets.Dataset]:
    return open_source(DataSection(source=source, **settings)).load()


def section_without_checks(source: object) -> DataSection:
    """A section as it would be if the recipe let every source through: the source has to refuse by itself."""
    return DataSection.model_construct(source=source, config=None, revision=None, delimiter=None)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows(form: str) -> None:
    source = open_source(DataSection(source=FORMS[form]))
    source.check()
    assert {split: rows.to_list() for split, rows in source.load().items()} == {"train": RECORDS}
    assert source.describe() == "2 rows in memory"
    named = form in ("mapping", "DatasetDict")
    assert source.where("train", [1]) == (
        "row 2 of `train` (counted from 1)" if named else "row 2 (counted from 1)"
    )
    assert source.describe_split("train") == ("`train` in memory" if named else "the table in memory")


def test_splits_keep_their_names() -> None:
    assert set(load({"train": RECORDS, "dev": pd.DataFrame(RECORDS)})) == {"train", "dev"}


def test_missing_values_of_pandas_are_null() -> None:
    frame = pd.DataFrame({"text": ["a", None, np.nan], "label": pd.Categorical(["x", "y", "x"])})
    rows = load(frame)["train"]
    assert rows["text"][:] == ["a", None, None]
    assert rows["label"][:] == ["x", "y", "x"]


def test_the_index_of_a_frame_is_no_column() -> None:
    assert load(pd.DataFrame(RECORDS, index=[7, 9]))["train"].column_names == ["text", "label"]


def test_a_selection_of_a_dataset() -> None:
    rows = load(datasets.Dataset.from_list(RECORDS).select([1]))["train"]
    assert rows.to_list() == RECORDS[1:]


@pytest.mark.parametrize("as_frame", [False, True])
def test_images_of_pillow(as_frame: bool) -> None:
    records = [{"image": Image.new("RGB", (2, 3), "red"), "label": "x"}] * 2
    rows = load(pd.DataFrame(records) if as_frame else records)["train"]
    assert rows[0]["image"]["bytes"].startswith(b"\x89PNG")


def test_fingerprint_is_of_the_content() -> None:
    def fingerprint(value: object) -> str:
        return open_source(DataSection(source=value)).fingerprint()

    whole = datasets.Dataset.from_list([*RECORDS, *RECORDS])
    assert fingerprint(RECORDS) == fingerprint(list(RECORDS)) == fingerprint(whole.select([0, 1]))
    assert fingerprint(RECORDS) != fingerprint(RECORDS[::-1])
    assert fingerprint(RECORDS) != fingerprint([{**RECORDS[0], "text": "na"}, RECORDS[1]])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (42, "found a int; expected a pandas DataFrame"),
        ([1, 2], "found a list"),
        ({"train": 42}, "data.source.train: found a int"),
        ([], "it is empty"),
        ({}, "it is empty"),
        (None, "it is empty"),
        ("", "it is empty"),
        ({"train": "a.csv", "test": RECORDS}, "it mixes file names with something else"),
        (datasets.Dataset.from_list(RECORDS).to_iterable_dataset(), "found a IterableDataset"),
        (pd.Series(["a"]), "found a Series"),
    ],
)
def test_what_is_no_table(value: object, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        open_source(section_without_checks(value))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (pd.DataFrame({"text": []}), "no rows for `train`"),
        ({"train": RECORDS, "test": pd.DataFrame()}, "no rows for `test`"),
        (pd.DataFrame([["a", "b"]], columns=["text", "text"]), "more than one column is named `text`"),
        (pd.DataFrame([["a", "b"]]), "a column is named 0"),
        ([{1: "a"}], "a column is named 1"),
        ([{"text": "a"}, {"text": 1}], r"`text` mixes text \(row 1\), whole numbers \(row 2\)"),
        (pd.DataFrame({"text": ["a", 1]}), r"`text` mixes text \(row 1\), whole numbers \(row 2\)"),
        ([{"text": object()}], r"the column `text` \(object\) cannot be read"),
    ],
)
def test_tables_that_cannot_be_read(value: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        open_source(section_without_checks(value)).load()


@pytest.mark.parametrize(("setting", "value"), [("config", "a"), ("revision", "b"), ("delimiter", ";")])
def test_settings_of_other_sources(setting: str, value: str) -> None:
    with pytest.raises(RecipeError, match=f"data.{setting}"):
        load(RECORDS, **{setting: value})
