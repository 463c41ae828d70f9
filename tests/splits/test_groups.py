"""What is set aside together: copies of a row, and what a column says belongs together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hftransfer.errors import DataError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import Column, OneSplit, Splits, make_splits, read_split

TEXT = {"text": Column("text"), "text_pair": Column("text", required=False), "label": Column("class")}
TAGS = {"tokens": Column("words"), "tags": Column("tags")}
CHOICES = {"question": Column("text"), "choices": Column("choices"), "label": Column("choice")}


def split(source: Any, columns: Any = TEXT, **settings: Any) -> Splits:
    data = DataSection(source=source, **settings)
    return make_splits(open_source(data), data, columns=columns, seed=0)


def sides(splits: Splits, size: int = 2) -> list[set[int]]:
    """Of every split, which of the things it has that stand `size` rows long in the source."""
    return [{row // size for row in rows["row"]} for rows in splits.by_name.values()]


def apart(several: list[set[int]]) -> bool:
    """Whether nothing is in two of them."""
    return sum(map(len, several)) == len(set().union(*several))


class TestCopies:
    @pytest.mark.parametrize(
        ("columns", "one", "again"),
        [
            (TEXT, lambda i: {"text": f"a text, {i}"}, lambda i: {"text": f"A  text {i}!"}),
            (
                TEXT,
                lambda i: {"text": "a", "text_pair": f"b {i}"},
                lambda i: {"text": "A", "text_pair": f"B. {i}"},
            ),
            (TAGS, lambda i: {"tokens": ["Some", str(i)]}, lambda i: {"tokens": ["some", str(i)]}),
            (
                CHOICES,
                lambda i: {"question": f"Which, {i}?", "choices": ["yes", "no"]},
                lambda i: {"question": f"which {i}", "choices": ["Yes", "no."]},
            ),
        ],
    )
    @pytest.mark.parametrize("contradicting", [False, True])
    def test_they_are_on_one_side(self, columns: Any, one: Any, again: Any, contradicting: bool) -> None:
        role = next(role for role, column in columns.items() if column.kind in ("class", "tags", "choice"))
        told = {"label": "ab", "tags": (["O", "O"], ["X", "O"])}[role] if columns is not CHOICES else (0, 1)
        source = [
            {**made(i), role: told[(i + contradicting * other) % 2]}
            for i in range(100)
            for other, made in enumerate((one, again))
        ]
        splits = split(source, columns, hold_out={"validation": 0.2, "test": 0.1})
        assert splits.sizes == {"train": 140, "validation": 40, "test": 20}
        assert apart(sides(splits))
        assert not apart(sides(splits, size=4))
        assert sum("copies of a row together (" in one for one in splits.findings) == 2

    def test_what_is_said(self) -> None:
        source = [{"text": f"text {i % 190}", "label": "ab"[i % 2]} for i in range(200)]
        (said,) = split(source).findings
        assert said == (
            "no validation split: 20 of 200 training rows set aside, stratified by label, copies of a row together "
            "(10 rows repeat another), seed 0"
        )

    def test_numbers_and_lines_of_text(self) -> None:
        source = [{"text": f"text {i // 2}", "label": i / 7} for i in range(200)]
        assert apart(sides(split(source, {"text": Column("text"), "label": Column("numbers")})))
        assert apart(sides(split(source, {"text": Column("text")})))

    def test_images_by_their_bytes(self, tmp_path: Path) -> None:
        draw = np.random.default_rng(0)
        for number in range(40):
            folder = tmp_path / "ab"[number % 2]
            folder.mkdir(exist_ok=True)
            file = folder / f"{number:02}.png"
            Image.fromarray(draw.integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(file)
            (folder / f"{number:02}-again.png").write_bytes(file.read_bytes())
        columns = {"image": Column("image"), "label": Column("class")}
        splits = split(str(tmp_path), columns, hold_out={"validation": 0.3})
        names = [{Path(one["path"]).name[:2] for one in rows["image"]} for rows in splits.by_name.values()]
        assert splits.sizes == {"train": 56, "validation": 24}
        assert not names[0] & names[1]

    @pytest.mark.parametrize("texts", [1, 2])
    def test_too_many_for_one_side(self, texts: int) -> None:
        rows = [{"text": f"text {i % texts}", "label": "ab"[i % 2]} for i in range(40)]
        splits = split(rows)
        assert splits.sizes == {"train": 36, "validation": 4}
        (said,) = splits.findings
        assert f"copies of a row on both sides, of which there are too many ({40 - texts})" in said


class TestColumn:
    def source(self, rows: int = 200) -> list[dict[str, Any]]:
        return [{"text": f"text {i}", "label": "ab"[i % 3 == 0], "patient": i // 5} for i in range(rows)]

    def test_its_values_are_on_one_side(self) -> None:
        splits = split(self.source(), hold_out={"validation": 0.2, "test": 0.1, "group": "patient"})
        assert splits.sizes == {"train": 140, "validation": 40, "test": 20}
        assert apart(sides(splits, size=5))
        assert splits.findings[0].endswith(
            "20 of 200 training rows set aside, stratified by label, each patient wholly, seed 0"
        )
        assert not any("ignored" in one for one in splits.findings)
        assert not apart(sides(split(self.source(), hold_out={"validation": 0.2}), size=5))

    def test_in_proportion_where_groups_have_one_label(self) -> None:
        source = [
            {"text": f"text {i}", "label": "aaab"[i // 5 % 4], "patient": f"p{i // 5}"} for i in range(400)
        ]
        splits = split(source, hold_out={"validation": 0.2, "group": "patient"})
        assert np.bincount(splits.validation["label"][:]).tolist() == [60, 20]

    def test_rows_without_a_value_are_by_themselves(self) -> None:
        source = [
            {**row, "patient": None if i < 100 else row["patient"]} for i, row in enumerate(self.source())
        ]
        splits = split(source, hold_out={"validation": 0.5, "group": "patient"})
        assert "train: 100 rows have no `patient`: each is a group by itself" in splits.findings
        assert not apart(
            [
                {row // 5 for row in one if row < 100}
                for one in (splits.train["row"], splits.validation["row"])
            ]
        )

    def test_splits_that_are_there_are_compared(self) -> None:
        source = {
            "train": self.source(50),
            "validation": self.source(70)[40:],
            "test": [{"text": "t", "label": "a"}],
        }
        splits = split(source, hold_out={"group": "patient"})
        assert "10 of 30 validation rows have the same patient as a row of train" in splits.findings
        assert (
            "test has no column `patient`: not compared with train, and its intervals draw single rows"
            in splits.findings
        )
        del source["test"]
        source["validation"] = source["validation"][10:]
        (drawn,) = split(source, hold_out={"group": "patient"}).findings
        assert drawn.startswith("validation: intervals and comparisons draw whole values of patient (4)")

    def test_contexts_are_compared_beside_it(self) -> None:
        columns = {"text": Column("text", whole=True), "label": Column("class")}
        others = [{**row, "patient": -1} for row in self.source(10)]
        splits = split(
            {"train": self.source(50), "validation": others}, columns, hold_out={"group": "patient"}
        )
        assert splits.findings[0] == "10 of 10 validation rows have the same text as a row of train"
        assert splits.findings[1].endswith("of patient (1), not single rows (10): too few for any")

    def test_what_is_scored_is_drawn_by_it(self) -> None:
        splits = split(self.source(500), hold_out={"validation": 0.2, "group": "patient"})
        values = np.array(splits.validation["row"][:]) // 5
        assert list(splits.groups) == ["validation"]
        assert (splits.groups["validation"] == np.unique(values, return_inverse=True)[1]).all()
        assert splits.findings[-1] == (
            "validation: intervals and comparisons draw whole values of patient (20), not single rows (100)"
        )
        few = split(self.source(), hold_out={"validation": 0.2, "group": "patient"}).findings[-1]
        assert few.endswith("of patient (8), not single rows (40): so few that they are rough")

    def test_of_a_split_that_was_given(self) -> None:
        source = {"train": self.source(50), "test": self.source(70)[50:], "validation": self.source(9)[:1]}
        splits = split(source, hold_out={"group": "patient"})
        assert list(splits.groups) == ["test"]
        assert splits.groups["test"].tolist() == [i // 5 for i in range(20)]
        assert split(source).groups == {}

    def test_of_rows_to_score_a_model_on(self) -> None:
        def scored(source: list[dict[str, Any]]) -> OneSplit:
            data = DataSection(source=source, hold_out={"group": "patient"})
            return read_split(open_source(data), data, columns=TEXT, labels=("a", "b"))

        there = scored(self.source(20))
        assert there.groups is not None
        assert there.groups.tolist() == [i // 5 for i in range(20)]
        assert there.findings == ()
        bare = scored([{key: row[key] for key in ("text", "label")} for row in self.source(20)])
        assert bare.groups is None
        (finding,) = bare.findings
        assert finding.endswith("has no column `patient`, and its intervals draw single rows")

    def test_a_column_that_is_not_there(self) -> None:
        with pytest.raises(
            DataError, match="has no column `patients`; its columns: `text`, `label`, `patient`"
        ) as error:
            split(self.source(), hold_out={"group": "patients"})
        assert error.value.key == "data.hold_out.group"
        assert "did you mean `patient`" in str(error.value.hint)

    def test_a_column_of_lists(self) -> None:
        source = [{**row, "patient": [1]} for row in self.source()]
        with pytest.raises(DataError, match=r"`patient` of .* holds list") as error:
            split(source, hold_out={"group": "patient"})
        assert error.value.key == "data.hold_out.group"

    def test_one_value_alone(self) -> None:
        source = [{**row, "patient": "p"} for row in self.source()]
        with pytest.raises(DataError, match="all of its rows have the same patient"):
            split(source, hold_out={"group": "patient"})

    def test_a_selection_of_a_dataset(self) -> None:
        import datasets

        rows = datasets.Dataset.from_list(self.source()).select(range(199, 99, -1))
        splits = split(rows, hold_out={"validation": 0.2, "group": "patient"})
        assert apart(sides(splits, size=5))
