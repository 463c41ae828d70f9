"""csv and tsv: cells stay text, rows know their line, and what is broken is named by line."""

from __future__ import annotations

import codecs
import csv
import gzip
from pathlib import Path

import pytest

from hftransfer.errors import DataError
from hftransfer.sources.delimited import read_delimited


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def read(tmp_path: Path):
    def read_content(content: str | bytes, name: str = "rows.csv", delimiter: str | None = None):
        return read_delimited(write(tmp_path / name, content), delimiter)

    return read_content


def test_cells_are_the_text_that_they_are(read) -> None:
    rows = read("text,label\nNA,007\nnull,1e5\nNone,true\nnan,2020-01-01\n")
    assert rows.table.to_pydict() == {
        "text": ["NA", "null", "None", "nan"],
        "label": ["007", "1e5", "true", "2020-01-01"],
    }


def test_an_empty_cell_is_null_and_a_space_is_not(read) -> None:
    assert read("text,label\n,a\n ,b\n").table["text"].to_pylist() == [None, " "]


def test_byte_order_mark_is_not_part_of_the_first_name(read) -> None:
    assert read(codecs.BOM_UTF8 + b"text,label\na,b\n").table.column_names == ["text", "label"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(read, end: str) -> None:
    rows = read(end.join(["text,label", "a,x", "b,y", ""]))
    assert rows.table.to_pydict() == {"text": ["a", "b"], "label": ["x", "y"]}
    assert rows.lines.tolist() == [2, 3]


def test_lines_count_cells_of_several_lines_and_blank_lines(read) -> None:
    rows = read('text,label\n"one\ntwo",a\nb,x\n\n\nc,y\n\n\n')
    assert rows.lines.tolist() == [2, 4, 7]
    assert rows.table["text"].to_pylist() == ["one\ntwo", "b", "c"]
    assert rows.findings == ("rows.csv: 2 blank lines skipped",)


def test_unicode_line_separators_are_no_line_ends(read) -> None:
    rows = read("text,label\na\u2028b\x85c,x\nd,y\n")
    assert rows.table["text"].to_pylist() == ["a\u2028b\x85c", "d"]
    assert rows.lines.tolist() == [2, 3]


@pytest.mark.parametrize(("delimiter", "word"), [(";", "`;`"), ("\t", "tab"), ("|", "`|`")])
def test_the_delimiter_is_found_and_said(read, delimiter: str, word: str) -> None:
    rows = read(f"text{delimiter}label\none, two, three{delimiter}a\nfour{delimiter}b\n")
    assert rows.table["text"].to_pylist() == ["one, two, three", "four"]
    assert rows.findings == (f"rows.csv: columns are separated by {word}",)


def test_the_usual_delimiter_is_no_news(read) -> None:
    assert read("text,label\na;b;c,x\nd|e,y\n").findings == ()
    assert read("text\tlabel\na,b\tx\n", "rows.tsv").findings == ()


def test_the_delimiter_that_fits_all_rows_wins(read) -> None:
    rows = read('"a,b";label\nx;y\nz;w\n')
    assert rows.table.column_names == ["a,b", "label"]


def test_a_given_delimiter_overrides(read) -> None:
    assert read("text,label\na,b\n", delimiter=";").table.column_names == ["text,label"]
    assert read("text:label\na,b:c\n", delimiter=":").table["text"].to_pylist() == ["a,b"]


def test_a_single_column(read) -> None:
    rows = read('text\nhello\n"a, b"\nwhat; now\n')
    assert rows.table.to_pydict() == {"text": ["hello", "a, b", "what; now"]}


def test_more_rows_than_a_chunk(read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hftransfer.sources.delimited.CHUNK", 3)
    rows = read("text,label\n" + "".join(f"t{i},{i % 2}\n" for i in range(10)))
    assert rows.table["text"].to_pylist() == [f"t{i}" for i in range(10)]
    assert rows.lines.tolist() == list(range(2, 12))


def test_gzip(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv.gz", gzip.compress(b"text,label\na,b\n"))
    assert read_delimited(path).table.to_pydict() == {"text": ["a"], "label": ["b"]}
    with pytest.raises(DataError, match="not a whole gzip file"):
        read_delimited(write(tmp_path / "bad.csv.gz", gzip.compress(b"text,label\n" * 99)[:-9]))


def test_a_cell_longer_than_the_csv_module_allows(read) -> None:
    before = csv.field_size_limit()
    assert len(read("text,label\n" + "x" * 200_000 + ",a\n").table["text"][0].as_py()) == 200_000
    assert csv.field_size_limit() == before


class TestTabs:
    def test_quoted_cells(self, read) -> None:
        rows = read('text\tlabel\n"say ""hi"""\tx\n', "rows.tsv")
        assert rows.table["text"].to_pylist() == ['say "hi"']
        assert rows.findings == ()

    def test_quotes_that_are_text(self, read) -> None:
        rows = read('text\tlabel\n"Yes," he said.\tx\n5" wide\ty\n', "rows.tsv")
        assert rows.table["text"].to_pylist() == ['"Yes," he said.', '5" wide']
        assert rows.findings == ("rows.tsv: double quotes are taken as ordinary characters",)

    def test_a_quote_does_not_swallow_rows(self, read) -> None:
        rows = read('text\tlabel\n"open\tx\nb\ty\nclosed"\tz\n', "rows.tsv")
        assert rows.table.to_pydict() == {"text": ['"open', "b", 'closed"'], "label": ["x", "y", "z"]}

    def test_a_true_cell_of_several_lines(self, read) -> None:
        rows = read('text\tlabel\n"one\ntwo"\tx\nb\ty\n', "rows.tsv")
        assert rows.table["text"].to_pylist() == ["one\ntwo", "b"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n\n  \n", "is empty"),
        (codecs.BOM_UTF8, "is empty"),
        ("text,label\n", r"holds a header \(text, label\) and no rows"),
        ("text,label,text\na,b,c\n", "line 1 names more than one column `text`"),
        ("\ntext,text\na,b\n", "line 2 names more than one column `text`"),
        (
            "text,label\na,b\nc\nd,e,f\n",
            r"2 rows do not fit the header's 2 columns \(text, label\): line 3 has 1, line 4 has 3",
        ),
        ("text,label\na,b,c\n", "1 row does not fit"),
        ("text\nhello, world\n", r"does not fit the header's 1 column \(text\): line 2 has 2"),
        ('text,label\na,b\n"open,c\nd,e\n', "the row that starts in line 3 cannot be read"),
        ('text,label\n"a" b,c\n', "the row that starts in line 2 cannot be read"),
        ("text,label\na,b\nc\0,d\n", "NUL byte in line 3"),
        ("text,label\na,b\ncafé,d\n".encode("latin-1"), "not UTF-8: byte 0xe9 in line 3"),
        ("text,label\na,b\n".encode("utf-16"), "is UTF-16, not UTF-8"),
    ],
)
def test_broken_files(read, content: str | bytes, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        read(content)
    assert "rows.csv" in error.value.message


def test_many_ragged_rows_are_counted(read) -> None:
    with pytest.raises(DataError, match=r"20 rows do not fit.*line 6 has 1 and 15 more"):
        read("text,label\n" + "x\n" * 20)
