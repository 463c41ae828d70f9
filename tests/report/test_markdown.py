"""What others wrote comes out of Markdown as itself, whatever it is."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from nasty import NASTY

from hftransfer.report.front_matter import as_yaml
from hftransfer.report.markdown import Markdown, escaped, fenced, visible

READ = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def read(text: str) -> tuple[str, set[str]]:
    """(the text that a reader sees, the kinds of tokens that it came from)."""
    tokens = [
        inner for token in READ.parse(text) for inner in (token, *(token.children or ())) if inner.content
    ]
    inline = [token for token in tokens if token.type != "inline"]
    return "".join(token.content for token in inline), {token.type for token in inline}


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("frame", ["{}", "- {}", "| a |\n|---|\n| {} |", "Said of it: {}, and more."])
def test_it_reads_as_it_was(text: str, frame: str) -> None:
    found, kinds = read(frame.replace("{}", escaped(text)))
    wanted = visible(" ".join(text.split()))
    before = read(frame.replace("{}", "X"))[0]
    assert found == before.replace("X", wanted)
    assert kinds == {"text"}


def test_control_without_escaping_hardly_anything_does() -> None:
    apart = [text for text in NASTY if read(text) != (visible(" ".join(text.split())), {"text"})]
    assert len(apart) >= 15
    markup = set().union(*(read(text)[1] for text in NASTY))
    assert {"html_inline", "html_block", "code_inline"} <= markup


def test_jinja_s_own_marks_stay() -> None:
    assert escaped("{{ 7 * 7 }} {% raw %}") == "{{ 7 \\* 7 }} {% raw %}"


def test_what_turns_direction_is_spelled_out_and_other_scripts_are_not_touched() -> None:
    assert escaped("a\u202eb\u2066c\x07d") == "a\\\\u202eb\\\\u2066c\\\\u0007d"
    for text in ("שלום עולם", "中文", "👩\u200d🚀"):
        assert escaped(text) == text


def test_long_text_is_cut_and_says_so() -> None:
    assert escaped("x" * 1001) == "x" * 999 + "…"
    assert escaped("x" * 1000) == "x" * 1000
    assert escaped(Markdown("**is Markdown already**")) == "**is Markdown already**"


@pytest.mark.parametrize("text", ["plain", "a ``` b", "````\n```yaml\nx\n```\n````", "`" * 9])
def test_no_text_ends_its_fence(text: str) -> None:
    (token,) = READ.parse(fenced(text, "yaml"))
    assert (token.type, token.info, token.content) == ("fence", "yaml", f"{text}\n")


@pytest.mark.parametrize("text", NASTY)
def test_front_matter_reads_back(text: str) -> None:
    value: dict[str, Any] = {
        "widget": [{"text": text}, {"text": f"a\n{text}\nb"}],
        "model-index": None,
        text: 1,
    }
    written = as_yaml(value)
    assert yaml.safe_load(written) == value
    assert visible(written.replace("\n", "")) == written.replace("\n", "")
    assert ModelCard(f"---\n{written}\n---\n\nbody").data.to_dict()["widget"] == value["widget"]
