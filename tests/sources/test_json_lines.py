"""jsonl: types as written, a lacking key is null, what is broken is named by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hftransfer.errors import DataError
from hftransfer.sources.json_lines import read_json_lines


@pytest.fixture
def read(tmp_path: Path):
    def read_content(content: str, wanted=None):
        path = tmp_path / "rows.jsonl"
        path.write_text(content, encoding="utf-8", newline="")
        return read_json_lines(path, wanted)

    return read_content


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_types_are_kept(read) -> None:
    rows = read(lines({"text": "NA", "label": 1}, {"text": "007", "label": 2}))
    assert rows.table.to_pydict() == {"text": ["NA", "007"], "label": [1, 2]}


def test_a_lacking_key_is_null(read) -> None:
    rows = read(lines({"text": "a"}, {"label": "x", "text": "b"}))
    assert rows.table.to_pydict() == {"text": ["a", "b"], "label": [None, "x"]}


def test_dates_stay_text(read) -> None:
    assert read(lines({"text": "2020-01-01T00:00:00"})).table["text"].to_pylist() == ["2020-01-01T00:00:00"]


def test_lines_with_windows_ends_and_blank_lines(read) -> None:
    rows = read('{"a": 1}\r\n\r\n{"a": 2}\r\n\r\n')
    assert rows.lines.tolist() == [1, 3]
    assert rows.findings == ("rows.jsonl: 1 blank lines skipped",)


def test_a_line_separator_inside_a_text(read) -> None:
    assert read('{"a": "x\u2028y"}\n{"a": "z"}\n').table["a"].to_pylist() == ["x\u2028y", "z"]


def test_one_list_of_objects(read) -> None:
    rows = read(json.dumps([{"a": 1}, {"a": 2}], indent=1))
    assert rows.table["a"].to_pylist() == [1, 2]
    assert rows.lines is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ('{"a": 1}\n{"a": 2\n', "line 2 is not JSON"),
        ("{'a': 1}\n", "line 1 is not JSON"),
        ('{"a": 1}\n"text"\n', "line 2 is not a JSON object"),
        ("3\n", "line 1 is not a JSON object"),
        ("{}\n{}\n", "has rows but no columns"),
        ("[]", "empty list"),
        ('[{"a": 1}, 3]', "row 2 of the list is not a JSON object"),
        ('[{"a": 1}', "starts as a JSON list and is not one"),
        (lines({"a": "x"}, {"a": "y"}, {"a": 3}), r"`a` mixes text \(line 1\), whole numbers \(line 3\)"),
        (lines({"a": True}, {"a": 0}), r"mixes true/false \(line 1\), whole numbers \(line 2\)"),
        (lines({"a": 2**70}), r"the column `a` \(whole numbers\) cannot be read"),
        ('{"a": ' + "[" * 100_000 + "\n", "line 1 is not JSON"),
    ],
)
def test_broken_files(read, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        read(content)
    assert "rows.jsonl" in error.value.message


def test_a_mixed_column_matters_only_where_it_is_used(read) -> None:
    content = lines({"text": "a", "meta": 1}, {"text": "b", "meta": "x"})
    assert read(content, {"text"}).table.column_names == ["text"]
    with pytest.raises(DataError, match="`meta` mixes"):
        read(content, {"text", "meta"})
    with pytest.raises(DataError, match="`meta` mixes"):
        read(content)
