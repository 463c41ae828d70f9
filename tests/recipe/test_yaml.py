"""YAML as people mean it, and every way in which a text is not the YAML we read."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hftransfer.recipe.yaml import Place, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-5", 2e-5),
        ("1E-4", 1e-4),
        (".5", 0.5),
        ("+.5", 0.5),
        ("1.", 1.0),
        ("1.e5", 1e5),
        ("1e5", 1e5),
        ("2.0e-4", 2e-4),
        ("010", 10),
        ("+5", 5),
        ("-0", 0),
        ("0x10", 16),
        ("0o10", 8),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01T10:00:00Z", "2020-01-01T10:00:00Z"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("'2e-5'", "2e-5"),
        ('"true"', "true"),
        (".", "."),
        ("=", "="),
        ("[a, 010, no]", ["a", 10, "no"]),
        ("{b: 1e-3}", {"b": 1e-3}),
    ],
)
def test_plain_scalars(text: str, value: Any) -> None:
    tree = parse(f"a: {text}\n")
    assert tree.problems == []
    assert tree.value == {"a": value}
    assert type(tree.value["a"]) is type(value)


def test_keys_are_text_that_yaml_1_1_would_read_otherwise() -> None:
    assert parse("on: 1\nno: 2\n2020-01-01: 3\n'<<': 4\n").value == {
        "on": 1,
        "no": 2,
        "2020-01-01": 3,
        "<<": 4,
    }


def test_ordinary_anchors_and_aliases() -> None:
    assert parse("a: &x [1, {b: c}]\nd: *x\n").value == {"a": [1, {"b": "c"}], "d": [1, {"b": "c"}]}


def test_byte_order_mark_and_windows_lines() -> None:
    tree = parse("\ufeffa:\r\n  b: 3\r\nc: 4\r\n")
    assert tree.value == {"a": {"b": 3}, "c": 4}
    assert tree.places[("c",)].line == 3


def test_places() -> None:
    text = "# head\na: 'x y'\nb:\n  - c\n  - {d: 010}\n"
    places = parse(text).places
    assert set(places) == {("a",), ("b",), ("b", 0), ("b", 1), ("b", 1, "d")}
    assert places[("a",)] == Place(2, 1, text.index("'x"), text.index("y'") + 2, "x y")
    assert text[places[("a",)].start : places[("a",)].end] == "'x y'"
    assert (places[("b",)].line, places[("b",)].start) == (3, None)
    assert (places[("b", 1, "d")].line, places[("b", 1, "d")].column) == (5, 6)
    assert places[("b", 1, "d")].written == "010"


BROKEN: list[tuple[str, int, str, str | None]] = [
    # text, line, words of the message, words of the hint
    ("a:\n\tb: 1\n", 2, "indented with a tab", "two spaces"),
    ("a: \tb\n", 1, "a tab stands between", "a space"),
    ("a: 1\nb: 2\na: 3\n", 3, "the key `a` stands here a second time; the first is in line 1", "keep one"),
    ("a:\n  b: 1\n  b: 1\n", 3, "the first is in line 2", "keep one"),
    (
        "a: !!python/object/apply:os.system [ls]\n",
        1,
        "the tag `!!python/object/apply:os.system`",
        "plain data",
    ),
    ("a: !!python/name:os.system\n", 1, "the tag `!!python/name:os.system`", "plain data"),
    ("a: !custom x\n", 1, "the tag `!custom`", "quotes"),
    ("a: !!int abc\n", 1, "the tag `!!int`", "plain data"),
    ("!!str a: 1\n", 1, "the tag `!!str`", "leave the tag out"),
    ("a: !x!y z\n", 1, "tags", "quotes"),
    ("a: 1\n---\nb: 2\n", 2, "a second document", "keep one"),
    ("1: x\n", 1, "found `1`, which YAML reads as a number", 'in quotes: "1"'),
    ("true: x\n", 1, "which YAML reads as true or false", 'in quotes: "true"'),
    ("a:\n  null: x\n", 2, "which YAML reads as nothing", "in quotes"),
    ("? [a, b]\n: c\n", 1, "found a list or a section as a key", None),
    ("<<: {a: 1}\n", 1, "`<<`", "write the keys out"),
    ("a: .nan\n", 1, "expected a finite number, found `.nan`", None),
    ("a: [1, -.inf]\n", 1, "expected a finite number, found `-.inf`", None),
    ("a: 1e999\n", 1, "expected a finite number", None),
    (f"a: {'9' * 5000}\n", 1, "a number of 5000 characters", None),
    ("[" * 200, 1, "nested more than", None),
    ("a: &x [*x]\n", 1, "inside its own anchor", None),
    ("a: *nowhere\n", 1, "an alias (`*name`) without an anchor", "needs quotes"),
    ("a: [1, 2\nb: 3\n", 2, "not closed", None),
    ("a: {b: 1\n", 1, "starts with `{` is not closed", "}"),
    ("z: 1\na: 'x\nb: 1\n", 2, "a text in quotes is not closed", "closing quote"),
    ("a: [1,\n  2\nb: 3\n", 3, "not closed, or a `,` is missing; it starts in line 1", "`]`"),
    ("a: 'it's'\n", 1, "goes on after its closing quote", "twice"),
    ("a: b: c\n", 1, "a `:` does not fit here", "indentation"),
    ("a:\n  b: 1\n c: 2\n", 3, "not indented like", "same column"),
    ("a\nb: 1\n", 2, "a `:` does not fit here", "the one above"),
    ("a: @x\n", 1, "may not start with `@`", '"@x"'),
    ("a: %x\n", 1, "may not start with `%`", '"%x"'),
    ('a: "\\q"\n', 1, "unknown escape", "single quotes"),
    ("a: \x01\n", 1, "control character (U+0001)", None),
    ("x: 1\na: >b\n", 2, "may not start with `>`", "quotes"),
    ("a: -\n", 1, "a list item", "below its key"),
    ("a: &x 1\nb: &x 2\n", 2, "an anchor (`&name`) stands here a second time", "another name"),
    ("a: & 1\n", 1, "a `&` without a name", "quotes"),
    ("a: * 1\n", 1, "a `*` without a name", "quotes"),
    ("% x\nc: 1\n", 1, "a line may not start with `%`", "quotes"),
    ("a: 1\n  \n- b\n", 3, "not indented like", None),
    ("[a]\nb: 1\n", 2, "does not go on with", "first column"),
    (": x\n", 1, "no key before `:`", None),
    ("a: ]\n", 1, "a value is missing", None),
]


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"), BROKEN, ids=[repr(one[0][:20]) for one in BROKEN]
)
def test_broken_text_is_told_with_its_line(text: str, line: int, message: str, hint: str | None) -> None:
    problems = parse(text).problems
    assert len(problems) == 1
    assert message in problems[0].message
    assert problems[0].line == line
    assert problems[0].column is not None
    assert hint is None or hint in str(problems[0].hint)


def test_syntax_errors_show_the_line() -> None:
    (problem,) = parse("a: 1\nb: [1, 2\nc: 3\n").problems
    assert "3 | c: 3" in problem.message


def test_all_mistakes_of_a_readable_text_are_told_at_once() -> None:
    tree = parse("a: 1\na: 2\nb: !x 1\n1: c\nd: .inf\n")
    assert [problem.line for problem in tree.problems] == [2, 3, 4, 5]
    assert [problem.key for problem in tree.problems] == ["a", "b", "", "d"]


def _bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join(lines)


def test_an_alias_bomb_ends_at_once() -> None:
    start = time.perf_counter()
    (problem,) = parse(_bomb(9)).problems
    assert "aliases" in problem.message
    assert time.perf_counter() - start < 2
    assert parse(_bomb(3)).problems == []  # the same shape, of a harmless size


def test_a_text_of_too_many_values_is_refused_before_it_is_read_whole() -> None:
    many = "a:\n" + "- x\n" * 200_000
    start = time.perf_counter()
    (problem,) = parse(many).problems
    assert "25,000 values" in problem.message
    assert time.perf_counter() - start < 5
    assert len(parse("a:\n" + "- x\n" * 20_000).value["a"]) == 20_000


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\n\n"])
def test_nothing_is_empty(text: str) -> None:
    assert parse(text).empty
    assert not parse("a: 1").empty
