"""The Hub: what is taken for one of its datasets, and what is said when it cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from hftransfer.errors import DataError, RecipeError
from hftransfer.recipe import DataSection
from hftransfer.sources import open_source
from hftransfer.sources.hub import HubSource


@pytest.mark.parametrize("name", ["nyu-mll/glue", "imdb", "user/data.set-2"])
def test_a_name_that_is_no_path_is_a_hub_dataset(name: str) -> None:
    source = open_source(DataSection(source=name, config="c", revision="r"))
    assert isinstance(source, HubSource)
    assert source.kind is None
    source.check()
    assert source.describe() == f"the Hub dataset {name}, config c, revision r"


@pytest.mark.parametrize("name", ["./imdb", "/imdb", "imdb.csv", "a/b/c", "~/imdb", "a b"])
def test_a_path_is_none(name: str) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_source(DataSection(source=name))


def test_a_folder_that_is_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "train.csv").write_text("text,label\na,b\n")
    monkeypatch.chdir(tmp_path)
    assert open_source(DataSection(source="imdb")).kind == "table"


def test_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reviews").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="the Hub was not reached") as error:
        open_source(DataSection(source="review")).load()
    assert f"there is no file or folder {tmp_path / 'review'}" in error.value.message
    assert "did you mean ./reviews here?" in str(error.value.hint)


def test_a_delimiter_is_not_for_the_hub() -> None:
    with pytest.raises(RecipeError, match=r"data.delimiter"):
        open_source(DataSection(source="imdb", delimiter=";"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset that `datasets.load_dataset` takes from disk as it would from the Hub."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set").mkdir()
    for split in ("train", "test"):
        (tmp_path / "set" / f"{split}.csv").write_text(f"text,label\n{split},x\n")
    return tmp_path / "set"


def test_load(folder: Path) -> None:
    source = HubSource(str(folder))
    assert {split: rows["text"][:] for split, rows in source.load().items()} == {
        "train": ["train"],
        "test": ["test"],
    }
    assert source.fingerprint() == HubSource(str(folder)).fingerprint()


def test_an_unknown_configuration(folder: Path) -> None:
    with pytest.raises(RecipeError, match="has no configuration `defalt`") as error:
        HubSource(str(folder), config="defalt").load()
    assert error.value.problems[0].key == "data.config"
    assert "did you mean `default`?" in str(error.value.problems[0].hint)


def test_a_configuration_that_must_be_chosen(folder: Path) -> None:
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: one\n  data_files: train.csv\n"
        "- config_name: two\n  data_files: test.csv\n---\n"
    )
    with pytest.raises(RecipeError, match="has several configurations") as error:
        HubSource(str(folder)).load()
    assert "one, two" in str(error.value.problems[0].hint)
    assert HubSource(str(folder), config="two").load()["train"]["text"][:] == ["test"]


@pytest.mark.network
def test_the_real_hub() -> None:
    source = open_source(DataSection(source="stanfordnlp/sst2"))
    assert set(source.load()) == {"train", "validation", "test"}
