"""From a source to splits: which rows, and everything that was noticed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
from made import TEXT, split, table

from hftransfer.errors import DataError, InputError, RecipeError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Column, read_split


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
        read = self.read(table(3))
        assert read.rows.to_list() == [
            {"text": "text 0", "label": 1, "row": 0},
            {"text": "text 1", "label": 0, "row": 1},
            {"text": "text 2", "label": 1, "row": 2},
        ]
        assert read.findings == ()
        assert read.groups is None

    def test_one_class_is_enough(self) -> None:
        assert self.read(table(3, labels="a")).rows["label"][:] == [1, 1, 1]

    def test_groups_where_rows_share_one(self) -> None:
        hold_out = {"group": "writer"}
        rows = [{**row, "writer": writer} for row, writer in zip(table(4), "abba", strict=True)]
        read = self.read(rows, hold_out=hold_out)
        assert read.groups.tolist() == [0, 1, 1, 0]
        assert read.findings == ()
        assert self.read(rows[:2], hold_out=hold_out).groups is None
        assert self.read(table(4), hold_out=hold_out).groups is None  # it may be unknown here

    def test_rows_without_labels(self) -> None:
        columns = {"text": Column("text"), "label": Column("class", required=False)}
        rows = self.read([{"text": "a"}], columns).rows
        assert rows.column_names == ["text", "row"]
        with pytest.raises(DataError, match="has no column `label`"):
            self.read([{"text": "a"}])

    def test_an_unknown_label(self) -> None:
        with pytest.raises(DataError, match=r"1 of 3 rows .* not among those the model knows: `c`"):
            self.read(table(3, labels="abc"))

    def test_which_split(self) -> None:
        source = {"train": table(3), "test": table(5)}
        assert len(self.read(source, split="test").rows) == 5
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
