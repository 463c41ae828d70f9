"""From a source to splits: which rows, which columns, which labels, and everything that was noticed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest

from hftransfer.errors import DataError, InputError, RecipeError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Column, Splits, check_columns, make_splits, read_split

TEXT = {"text": Column("text"), "text_pair": Column("text", required=False), "label": Column("class")}


def split(source: Any, *, seed: int = 0, **settings: Any) -> Splits:
    data = DataSection(source=source, **settings)
    return make_splits(open_source(data), data, columns=TEXT, seed=seed)


def table(rows: int = 20, start: int = 0, labels: str = "ab") -> list[dict[str, Any]]:
    return [{"text": f"text {i}", "label": labels[i % len(labels)]} for i in range(start, start + rows)]


def write(path: Path, content: str) -> str:
    path.write_text(content)
    return str(path)


class TestColumns:
    def test_the_roles_and_the_row_number_are_the_columns(self) -> None:
        splits = split({"train": table(), "validation": table(4, 100)})
        assert splits.train.features == datasets.Features(
            {
                "text": datasets.Value("string"),
                "label": datasets.Value("int64"),
                "row": datasets.Value("int64"),
            }
        )
        assert splits.train[3] == {"text": "text 3", "label": 1, "row": 3}
        assert splits.validation["row"][:] == [0, 1, 2, 3]
        assert splits.test is None
        assert splits.findings == ()
        assert splits.sizes == {"train": 20, "validation": 4}

    def test_columns_are_renamed(self) -> None:
        rows = [{"a": f"{i}", "b": f"{i}", "c": "xy"[i % 2], "id": i} for i in range(20)]
        splits = split(rows, columns={"text": "a", "text_pair": "b", "label": "c"})
        assert splits.train.column_names == ["text", "text_pair", "label", "row"]
        assert "columns ignored: `id`" in splits.findings

    def test_columns_that_swap_names(self) -> None:
        rows = [{"text": "ab"[i % 2], "label": f"text {i}"} for i in range(20)]
        splits = split(rows, columns={"text": "label", "label": "text"})
        assert splits.train[0]["text"].startswith("text ")
        assert splits.labels == ("a", "b")

    def test_an_optional_column_is_used_where_it_is_there(self) -> None:
        assert "text_pair" not in split(table()).train.column_names
        assert "text_pair" in split([{**row, "text_pair": "p"} for row in table()]).train.column_names

    def test_an_optional_role_does_not_take_a_column_given_to_another(self) -> None:
        rows = [{"text_pair": row["text"], "label": row["label"]} for row in table()]
        splits = split(rows, columns={"text": "text_pair"})
        assert splits.train.column_names == ["text", "label", "row"]

    def test_a_missing_column(self) -> None:
        rows = [{"sentence": row["text"], "label": row["label"], "id": "x"} for row in table()]
        with pytest.raises(
            DataError, match="has no column `text`; its columns: `sentence`, `label`, `id`"
        ) as error:
            split(rows)
        assert '"columns": {"text": "COLUMN"}' in str(error.value.hint)

    @pytest.mark.parametrize(
        ("column", "written"),
        [("texts", "texts"), (" text", '" text"'), ("text: a", '"text: a"'), ("q", "q")],
    )
    def test_the_line_to_write(self, column: str, written: str, tmp_path: Path) -> None:
        rows = pd.DataFrame([{column: row["text"], "label": row["label"]} for row in table()])
        path = write(tmp_path / "rows.csv", rows.to_csv(index=False))
        with pytest.raises(DataError) as error:
            split(path)
        assert error.value.hint == (
            f"write which one it is: data.columns: {{text: {written}}}, "
            f"or to evaluate and predict: --column text={written}"
        )
        split(path, columns={"text": column})

    def test_what_to_write_in_python(self) -> None:
        rows = [{"te xt": row["text"], "label": row["label"]} for row in table()]
        with pytest.raises(DataError) as error:
            split(rows)
        assert error.value.hint == (
            'write which one it is: data={"source": ..., "columns": {"text": "te xt"}}, '
            'or to evaluate: columns={"text": "te xt"}'
        )

    def test_all_columns_that_are_not_there_are_told_at_once(self) -> None:
        with pytest.raises(DataError, match=r"(?s)has no column `txt`.*has no column `lbl`"):
            split(table(), columns={"text": "txt", "label": "lbl"})

    def test_a_mapped_column_that_is_not_there(self) -> None:
        with pytest.raises(DataError, match=r"has no column `txt` \(for the task's `text`\)"):
            split(table(), columns={"text": "txt"})

    def test_a_missing_optional_column_that_was_asked_for(self) -> None:
        with pytest.raises(DataError, match="has no column `b`"):
            split(table(), columns={"text_pair": "b"})

    def test_a_column_that_only_train_has(self) -> None:
        rows = [{**row, "text_pair": "p"} for row in table()]
        with pytest.raises(DataError, match=r"`test` of .* has no column `text_pair`") as error:
            split({"train": rows, "test": table(4)})
        assert "data.splits: {train: train}" in str(error.value.hint)

    def test_a_file_with_another_delimiter(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.csv", "text;label\na;x\n")
        with pytest.raises(DataError) as error:
            split(path, delimiter=",")
        assert error.value.hint == 'is it separated by another character? write data.delimiter: ";"'

    def test_everything_wrong_with_the_mapping_at_once(self) -> None:
        data = DataSection(source=table(), columns={"txt": "text", "text_pair": "text"})
        with pytest.raises(RecipeError) as error:
            check_columns(open_source(data), data, TEXT)
        keys = {problem.key: problem for problem in error.value.problems}
        assert set(keys) == {"data.columns.txt", "data.columns.text_pair"}
        assert "did you mean `text`?" in str(keys["data.columns.txt"].hint)

    def test_text_and_label_on_one_column(self) -> None:
        with pytest.raises(
            RecipeError, match=r"data\.columns\.text: the column `label` is the task's `text`"
        ):
            split(table(), columns={"text": "label"})


class TestTexts:
    @pytest.mark.parametrize("nothing", [None, " ", "\t\n", "\u3000"])
    def test_no_text_is_an_error_that_names_rows(self, nothing: str | None) -> None:
        rows = table()
        rows[3]["text"] = rows[7]["text"] = nothing
        with pytest.raises(
            DataError, match=r"2 of 20 rows of .* have no text in `text`: rows 4, 8 of `train`"
        ):
            split(rows)

    def test_lines_of_a_file(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.csv", 'text,label\n"a\nb",x\n,y\nNA,x\n')
        with pytest.raises(DataError, match=r"1 of 3 rows of .*: line 4 of rows\.csv"):
            split(path)

    def test_all_of_them(self) -> None:
        with pytest.raises(DataError, match=r"20 of 20 rows .*rows 1, 2, 3, 4, 5 and 15 more"):
            split([{**row, "text": None} for row in table()])

    def test_an_empty_string_is_counted(self) -> None:
        rows = table()
        rows[3]["text"] = ""
        assert "train: 1 rows have an empty string in `text`" in split(rows).findings

    @pytest.mark.parametrize("value", [1, 1.5, True, ["a"], {"a": "b"}])
    def test_other_types(self, value: object) -> None:
        with pytest.raises(DataError, match=r"the column `text` of .* holds .*, not text"):
            split([{**row, "text": value} for row in table()])


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
            DataError, match=r"1 of 21 rows .* not among those listed: `bb` \(row 21 of"
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
            DataError, match=r"1 of 20 rows .* have no label in `label` \(.*\): row 3 of `train`"
        ):
            split(rows)

    def test_missing_numbers(self) -> None:
        frame = pd.DataFrame({"text": list("abcd") * 5, "label": [1, 0, None, 1] * 5})
        with pytest.raises(DataError, match=r"5 of 20 rows .* have no label .* rows 3, 7, 11, 15, 19 of"):
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
        with pytest.raises(DataError, match=r"`test` of .* has no labels") as error:
            split(source)
        assert error.value.hint == "to leave this split out, write data.splits: {train: train}"
        left_out = split(source, splits={"train": "train"})
        assert left_out.test is None
        assert "splits not used: `test`" in left_out.findings


class TestWhichSplits:
    @pytest.mark.parametrize("name", ["val", "valid", "dev", "eval", "Validation"])
    def test_usual_names_of_validation(self, name: str) -> None:
        splits = split({"train": table(), name: table(4, 100)})
        assert len(splits.validation) == 4
        assert splits.findings == (f"validation is the source's split `{name}`",)

    def test_the_very_name_wins(self) -> None:
        splits = split({"train": table(), "validation": table(4, 100), "dev": table(6, 200)})
        assert len(splits.validation) == 4
        assert splits.findings == ("splits not used: `dev`",)

    def test_two_that_may_be_validation(self) -> None:
        source = {"train": table(), "val": table(4, 100), "dev": table(6, 200)}
        with pytest.raises(RecipeError, match="several splits that may be validation: `val`, `dev`"):
            split(source)
        assert len(split(source, splits={"validation": "dev"}).validation) == 6

    def test_as_mapped(self) -> None:
        source = {"train": table(), "a": table(4, 100), "b": table(6, 200), "test": table(2, 300)}
        splits = split(source, splits={"validation": "a", "test": "b"})
        assert splits.sizes == {"train": 20, "validation": 4, "test": 6}
        assert splits.findings == ("splits not used: `test`",)

    def test_a_split_that_is_not_there(self) -> None:
        with pytest.raises(RecipeError) as error:
            split({"train": table(), "validation_matched": table(4)}, splits={"validation": "validation"})
        [problem] = error.value.problems
        assert problem.key == "data.splits.validation"
        assert problem.hint == "did you mean `validation_matched`? known: train, validation_matched"

    def test_nothing_to_train_on(self) -> None:
        with pytest.raises(RecipeError, match="has no split to train on; it has `a`, `test`"):
            split({"a": table(), "test": table()})

    def test_one_split_for_two(self) -> None:
        with pytest.raises(RecipeError, match="one split stands for several of ours: `train`"):
            split({"train": table()}, splits={"validation": "train"})


class TestHoldOut:
    def test_made_when_there_is_no_validation(self) -> None:
        splits = split(table(200, labels="aaab"))
        assert splits.sizes == {"train": 180, "validation": 20}
        assert Counter(splits.validation["label"][:]) == {0: 15, 1: 5}
        assert sorted([*splits.train["row"], *splits.validation["row"]]) == list(range(200))
        assert splits.train["row"][:] == sorted(splits.train["row"])
        assert splits.findings == (
            "no validation split: 20 of 200 training rows set aside, stratified by label, seed 0",
        )

    def test_not_made_when_there_is(self) -> None:
        splits = split(
            {"train": table(), "validation": table(2, 50)}, hold_out={"validation": 0.5, "test": 0.0}
        )
        assert splits.sizes == {"train": 20, "validation": 2}

    def test_by_the_seed(self) -> None:
        first, again, other = (split(table(200), seed=seed).validation["row"][:] for seed in (0, 0, 1))
        assert first == again != other

    def test_test_is_held_out_only_when_asked_for(self) -> None:
        assert split(table(100)).test is None
        splits = split(table(100), hold_out={"validation": 0.2, "test": 0.1})
        assert splits.sizes == {"train": 70, "validation": 20, "test": 10}
        assert splits.test is not None
        rows = [*splits.train["row"], *splits.validation["row"], *splits.test["row"]]
        assert sorted(rows) == list(range(100))

    def test_a_test_split_is_never_touched(self) -> None:
        source = {"train": table(100), "test": table(30, 500)}
        splits = split(source, hold_out={"validation": 0.2, "test": 0.1})
        assert splits.sizes == {"train": 80, "validation": 20, "test": 30}

    def test_none_at_all_is_an_error(self) -> None:
        with pytest.raises(RecipeError, match=r"data\.hold_out\.validation: found 0"):
            split(table(), hold_out={"validation": 0})

    def test_shares_that_leave_nothing(self) -> None:
        with pytest.raises(RecipeError, match="the shares leave nothing to train on"):
            split(table(), hold_out={"validation": 0.5, "test": 0.5})

    def test_a_class_of_one_row_stays_in_train(self) -> None:
        splits = split([*table(), {"text": "alone", "label": "c"}], hold_out={"validation": 0.9})
        assert 2 in splits.train["label"][:]
        assert "labels with a single row, which stays in train: `c`" in splits.findings

    def test_nothing_to_hold_out(self) -> None:
        with pytest.raises(DataError, match=r"no validation rows can be held out .* no label has two rows"):
            split(table(2))


class TestLimits:
    def test_a_limit(self) -> None:
        splits = split(
            {"train": table(100), "validation": table(50, 500)}, limits={"train": 30, "validation": 10}
        )
        assert splits.sizes == {"train": 30, "validation": 10}
        assert splits.train["row"][:] == sorted(splits.train["row"])
        assert splits.train["row"][:] != list(range(30))
        assert [row["text"] for row in splits.train] == [f"text {i}" for i in splits.train["row"]]
        assert "limited train to 30 of 100 rows, seed 0" in splits.findings

    def test_a_smaller_limit_is_a_subset(self) -> None:
        small, large = (set(split(table(100), limits={"train": n}).train["row"]) for n in (20, 40))
        assert small < large

    def test_a_limit_beyond_the_rows_does_nothing(self) -> None:
        assert split({"train": table(), "validation": table(4, 50)}, limits={"train": 99}).findings == ()

    def test_the_hold_out_does_not_depend_on_it(self) -> None:
        whole, limited = (
            split(table(100), limits=limits).validation["row"][:] for limits in ({}, {"train": 5})
        )
        assert whole == limited

    def test_labels_do_not_depend_on_it(self) -> None:
        splits = split(table(100, labels="abcdefghij"), limits={"train": 3})
        assert len(splits.labels) == 10
        assert any("labels that the limit leaves without a training row" in one for one in splits.findings)

    def test_one_class_left(self) -> None:
        with pytest.raises(DataError, match=r"the 1 training rows that data\.limits\.train leaves"):
            split(table(100), limits={"train": 1})

    def test_a_split_that_is_not_there(self) -> None:
        with pytest.raises(RecipeError, match=r"data\.limits\.test: there is no test split to limit"):
            split(table(), limits={"test": 5})


class TestFingerprint:
    def test_equal_for_equal_rows_and_settings(self) -> None:
        assert split(table()).fingerprint == split(table()).fingerprint

    @pytest.mark.parametrize(
        "change",
        [{"seed": 1}, {"limits": {"train": 5}}, {"hold_out": {"validation": 0.2}}, {"labels": ["b", "a"]}],
    )
    def test_other_for_other_settings(self, change: dict[str, Any]) -> None:
        assert split(table(), **change).fingerprint != split(table()).fingerprint

    def test_other_for_other_rows(self) -> None:
        assert split(table()).fingerprint != split(table(start=2)).fingerprint


class TestReadSplit:
    def read(
        self, source: Any, columns: dict[str, Column] = TEXT, split: str | None = None, **settings: Any
    ) -> Any:
        data = DataSection(source=source, **settings)
        return read_split(open_source(data), data, columns=columns, labels=("b", "a"), split=split)

    def test_rows_with_the_labels_that_are_known(self) -> None:
        rows, findings = self.read(table(3))
        assert rows.to_list() == [
            {"text": "text 0", "label": 1, "row": 0},
            {"text": "text 1", "label": 0, "row": 1},
            {"text": "text 2", "label": 1, "row": 2},
        ]
        assert findings == ()

    def test_one_class_is_enough(self) -> None:
        assert self.read(table(3, labels="a"))[0]["label"][:] == [1, 1, 1]

    def test_rows_without_labels(self) -> None:
        columns = {"text": Column("text"), "label": Column("class", required=False)}
        rows, _ = self.read([{"text": "a"}], columns)
        assert rows.column_names == ["text", "row"]
        with pytest.raises(DataError, match="has no column `label`"):
            self.read([{"text": "a"}])

    def test_an_unknown_label(self) -> None:
        with pytest.raises(DataError, match=r"1 of 3 rows .* not among those listed: `c`"):
            self.read(table(3, labels="abc"))

    def test_which_split(self) -> None:
        source = {"train": table(3), "test": table(5)}
        assert len(self.read(source, split="test")[0]) == 5
        with pytest.raises(DataError, match="has several splits"):
            self.read(source)
        with pytest.raises(DataError, match="has no split `tset`"):
            self.read(source, split="tset")


def test_a_shuffled_selection_of_a_dataset() -> None:
    rows = datasets.Dataset.from_list(table(40)).shuffle(seed=0).select(range(30))
    splits = split(rows)
    assert [rows[i]["text"] for i in splits.train["row"]] == splits.train["text"][:]


def test_a_dataset_on_disk_is_left_alone(tmp_path: Path) -> None:
    datasets.Dataset.from_list(table(40)).save_to_disk(tmp_path / "saved")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    rows = datasets.load_from_disk(tmp_path / "saved")
    assert split(rows.shuffle(seed=0, keep_in_memory=True)).sizes == {"train": 36, "validation": 4}
    assert split(rows).sizes == {"train": 36, "validation": 4}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_same_from_every_format(tmp_path: Path) -> None:
    frame = pd.DataFrame(table(50))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_csv(tmp_path / "rows.tsv", index=False, sep="\t")
    frame.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "rows.parquet")
    made = [split(str(tmp_path / f"rows.{kind}")) for kind in ("csv", "tsv", "jsonl", "parquet")] + [
        split(frame)
    ]
    for one in made:
        assert one.labels == made[0].labels
        for name in ("train", "validation"):
            assert one.by_name[name].to_list() == made[0].by_name[name].to_list()


def test_bad_input_is_always_an_input_error(tmp_path: Path) -> None:
    """Bytes at random are never more than a DataError away from a clear message."""
    generator = np.random.default_rng(0)
    seen = 0
    for suffix in ("csv", "tsv", "jsonl", "json", "parquet", "csv.gz"):
        for trial in range(20):
            path = tmp_path / f"{trial}.{suffix}"
            noise = generator.integers(0, 128 if trial % 2 else 256, 200, dtype=np.uint8).tobytes()
            path.write_bytes((b"text,label\n" if trial % 3 else b'{"text": "a"}\n') + noise)
            with pytest.raises(InputError):
                split(str(path))
            seen += 1
    assert seen == 120
