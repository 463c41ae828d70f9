"""Labels: their names, their order, and those that train does not have."""

from __future__ import annotations

from typing import Any

import datasets
import pandas as pd
import pytest
from made import split, table

from hftransfer.errors import DataError


class TestLabels:
    def names(self, values: list[Any], **settings: Any) -> tuple[str, ...]:
        values = values * 6
        return split([{"text": f"t{i}", "label": v} for i, v in enumerate(values)], **settings).labels

    @pytest.mark.parametrize(
        ("values", "names"),
        [
            (["b", "a", "C"], ("C", "a", "b")),
            ([10, 9, -1], ("-1", "9", "10")),
            (["10", "9", "007"], ("007", "9", "10")),
            (["7", "007"], ("007", "7")),
            (["10", "9", "x"], ("10", "9", "x")),
            ([True, False], ("False", "True")),
            ([2.0, 10.0], ("2", "10")),
            (["NA", "null", "None"], ("NA", "None", "null")),
            (["no", "yes"], ("no", "yes")),
        ],
    )
    def test_names_and_order(self, values: list[Any], names: tuple[str, ...]) -> None:
        assert self.names(values) == self.names(values[::-1]) == names

    def test_as_listed(self) -> None:
        assert self.names(["a", "b"], labels=["b", "a"]) == ("b", "a")

    def test_ids_are_of_the_labels(self) -> None:
        splits = split(table(), labels=["b", "a"])
        assert [splits.labels[row["label"]] for row in splits.train] == [
            "ab"[row % 2] for row in splits.train["row"]
        ]

    def test_categories_of_pandas(self) -> None:
        frame = pd.DataFrame(table())
        frame["label"] = frame["label"].astype("category")
        assert split(frame).labels == ("a", "b")

    def test_names_of_the_data_set(self) -> None:
        features = datasets.Features(
            {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["z", "y", "x"])}
        )
        rows = datasets.Dataset.from_dict(
            {"text": [f"t{i}" for i in range(20)], "label": [0, 1] * 10}, features=features
        )
        splits = split(rows)
        assert splits.labels == ("z", "y", "x")
        assert splits.train[0]["label"] == splits.train[0]["row"] % 2
        assert "labels are in the data set's own order" in splits.findings
        assert "labels without a training row: `x`" in splits.findings

    def test_a_listed_label_without_rows_is_said(self) -> None:
        assert "labels without a training row: `c`" in split(table(), labels=["a", "b", "c"]).findings

    def test_a_label_that_is_not_listed(self) -> None:
        rows = [*table(), {"text": "t", "label": "bb"}]
        with pytest.raises(
            DataError, match=r"1 of 21 rows .* not among those listed: `bb` \(row 21 \("
        ) as error:
            split(rows, labels=["a", "bbb", "b"])
        assert "did you mean `bbb`?" in str(error.value.hint)

    def test_a_label_unseen_in_training(self) -> None:
        validation = [*table(4, 50), {"text": "t", "label": "c"}, {"text": "u", "label": "c"}]
        with pytest.raises(
            DataError,
            match=r"2 of 6 rows .* not among those seen in training: `c` \(rows 5, 6 of `validation`",
        ) as error:
            split({"train": table(), "validation": validation})
        assert "to leave this split out, write data.splits: {train: train}" in str(error.value.hint)
        listed = split({"train": table(), "validation": validation}, labels=["a", "b", "c"])
        assert listed.validation["label"][:][-1] == 2

    def test_a_named_class_unseen_in_training(self) -> None:
        features = datasets.Features(
            {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["x", "y", "z"])}
        )

        def rows(labels: list[int]) -> datasets.Dataset:
            return datasets.Dataset.from_dict(
                {"text": [f"{labels} {i}" for i in range(len(labels))], "label": labels}, features=features
            )

        with pytest.raises(DataError, match="seen in training: `z`"):
            split({"train": rows([0, 1] * 9), "validation": rows([0, 2])})

    def test_one_class_only(self) -> None:
        with pytest.raises(DataError, match="the same label, `a`: there is nothing to tell apart"):
            split(table(labels="a"))

    @pytest.mark.parametrize(
        "values",
        [
            [0.5, 1.5],
            [["a"], ["b"]],
            [{"a": 1}, {"a": 2}],
            [float("inf"), 1.0],
        ],
    )
    def test_the_wrong_kind(self, values: list[Any]) -> None:
        with pytest.raises(DataError, match=r"the column `label` of .* does not look like labels"):
            self.names(values)

    def test_a_column_of_texts_or_ids(self) -> None:
        rows = [{"text": f"t{i}", "label": f"other text {i}"} for i in range(30)]
        with pytest.raises(DataError, match="it holds 30 different values in 30 rows"):
            split(rows)
        rows = [{"text": f"t{i}", "label": i * 2 // 3} for i in range(3000)]
        with pytest.raises(DataError, match="it holds 2000 different values in 3000 rows"):
            split(rows)
        assert len(split([{"text": f"t{i}", "label": i // 3} for i in range(3000)]).labels) == 1000

    @pytest.mark.parametrize("nothing", [None, "", "  "])
    def test_rows_without_a_label(self, nothing: str | None) -> None:
        rows = table()
        rows[2]["label"] = nothing
        with pytest.raises(
            DataError, match=r"1 of 20 rows .* have no label in `label` \(.*\): row 3 \(counted"
        ):
            split(rows)

    def test_missing_numbers(self) -> None:
        frame = pd.DataFrame({"text": list("abcd") * 5, "label": [1, 0, None, 1] * 5})
        with pytest.raises(DataError, match=r"5 of 20 rows .* have no label .* rows 3, 7, 11, 15, 19 \("):
            split(frame)

    @pytest.mark.parametrize("named", [True, False])
    def test_a_split_without_labels(self, named: bool) -> None:
        kind = datasets.ClassLabel(names=["x", "y"]) if named else datasets.Value("int64")
        features = datasets.Features({"text": datasets.Value("string"), "label": kind})
        texts = [f"t{i}" for i in range(20)]
        source = datasets.DatasetDict(
            train=datasets.Dataset.from_dict({"text": texts, "label": [0, 1] * 10}, features=features),
            test=datasets.Dataset.from_dict(
                {"text": texts, "label": [-1 if named else None] * 20}, features=features
            ),
        )
        with pytest.raises(DataError, match=r"`test` in memory has no labels") as error:
            split(source)
        assert error.value.hint == "to leave this split out, write data.splits: {train: train}"
        left_out = split(source, splits={"train": "train"})
        assert left_out.test is None
        assert "splits not used: `test`" in left_out.findings
