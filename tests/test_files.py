"""Written beside and renamed: the old or the new, whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hftransfer.files import replacing, write_json, write_text


def test_an_error_while_writing_leaves_the_old_folder(tmp_path: Path) -> None:
    final = tmp_path / "model"
    with replacing(final) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(FileNotFoundError), replacing(final) as folder:
        (folder / "a").write_text((tmp_path / "not there").read_text())
    assert (final / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_finished_folder_replaces_the_old_one_wholly(tmp_path: Path) -> None:
    final = tmp_path / "model"
    for name in ("a", "b"):
        with replacing(final) as folder:
            (folder / name).write_text(name)
    assert [path.name for path in final.iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "f.txt"
    write_text(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(file, "\ud800")
    assert file.read_text() == "old"


def test_json_holds_no_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": float("nan"), "b": (1, 2.5), 3: Path("p")})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None, "b": [1, 2.5], "3": "p"}
