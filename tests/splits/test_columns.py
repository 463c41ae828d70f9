"""Which columns of a source are which of the task's, and what texts have to be."""

from __future__ import annotations

from pathlib import Path

import datasets
import pandas as pd
import pytest
from made import TEXT, split, table, write

from hftransfer.errors import DataError, RecipeError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.splits import check_columns


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
        with pytest.raises(DataError, match=r"(?s)has no column `txt`.* and no column `lbl`"):
            split(table(), columns={"text": "txt", "label": "lbl"})

    def test_a_role_that_nobody_has_mapped_is_not_guessed_from_a_few_letters(self) -> None:
        """`Intent` shares letters with `text`, and is the label."""
        rows = [{"id": i, "Utterance": f"text {i}", "Intent": "ab"[i % 2]} for i in range(20)]
        with pytest.raises(DataError, match="has no column `text` and no column `label`") as error:
            split(rows)
        assert '"columns": {"text": "COLUMN", "label": "COLUMN"}' in str(error.value.hint)
        with pytest.raises(DataError) as error:
            split(rows, columns={"text": "utterance", "label": "intents"})
        assert '"columns": {"text": "Utterance", "label": "Intent"}' in str(error.value.hint)

    def test_rows_are_told_by_the_columns_that_the_table_has(self) -> None:
        rows = [{"said": f"text {i}", "meant": "ab"[i % 2] if i else None} for i in range(20)]
        with pytest.raises(
            DataError, match="1 of 20 rows of the table in memory have no label in `meant`"
        ) as error:
            split(pd.DataFrame(rows), columns={"text": "said", "label": "meant"})
        assert "frame.dropna(subset=['meant'])" in str(error.value.hint)

    def test_a_mapped_column_that_is_not_there(self) -> None:
        with pytest.raises(DataError, match=r"has no column `txt` \(for the task's `text`\)"):
            split(table(), columns={"text": "txt"})

    def test_a_missing_optional_column_that_was_asked_for(self) -> None:
        with pytest.raises(DataError, match="has no column `b`"):
            split(table(), columns={"text_pair": "b"})

    def test_a_column_that_only_train_has(self) -> None:
        rows = [{**row, "text_pair": "p"} for row in table()]
        with pytest.raises(DataError, match=r"`test` in memory has no column `text_pair`") as error:
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
            DataError, match=r"2 of 20 rows of .* have no text in `text`: rows 4, 8 \(counted"
        ):
            split(rows)

    def test_rows_without_a_text_and_without_a_label_are_told_at_once(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.csv", "said,meant\na,x\n,y\nb,\n")
        with pytest.raises(DataError) as error:
            split(path, columns={"text": "said", "label": "meant"})
        first, fill, second, label = str(error.value).splitlines()
        assert "no text in `said`: line 3 of rows.csv" in first
        assert "no label in `meant` (empty): line 4 of rows.csv" in second
        assert fill.startswith("  fill or remove")
        assert label.startswith("  label or remove")
        assert error.value.key == "data.columns.text"

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
