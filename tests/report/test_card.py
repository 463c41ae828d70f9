"""The card of real runs: what it says is what the run's files say, and whatever the data hold, it can be read."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from cli_runner import hftransfer
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from nasty import NASTY
from sklearn.metrics import precision_recall_fscore_support
from toy import toy_recipe, write_images, write_pairs, write_texts

from hftransfer.recipe import read_recipe
from hftransfer.report import card
from hftransfer.report.markdown import visible
from hftransfer.result import Result
from hftransfer.runner import load_run, run

READ = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
Checkpoints = Callable[..., Path]


def body(text: str) -> list[Any]:
    """All tokens of the text after the front matter, those within lines among them."""
    return [inner for token in READ.parse(ModelCard(text).text) for inner in (token, *(token.children or ()))]


def fences(text: str) -> list[Any]:
    return [token for token in body(text) if token.type == "fence"]


def tables(text: str) -> list[list[list[str]]]:
    """Every table as rows of cells, as a reader sees them."""
    found: list[list[list[str]]] = []
    inside = False
    for token in READ.parse(ModelCard(text).text):
        if token.type in ("table_open", "table_close"):
            inside = token.type == "table_open"
            found += [[]] * inside
        elif token.type == "tr_open":
            found[-1] = [*found[-1], []]
        elif token.type == "inline" and inside:
            found[-1][-1].append("".join(inner.content for inner in token.children or ()))
    return found


def results(text: str) -> dict[tuple[str, str], Any]:
    data = ModelCard(text).data
    return {(one.metric_name, str(one.dataset_split)): one.metric_value for one in data.eval_results}


@pytest.fixture(scope="module")
def plain(tiny_checkpoint: Checkpoints, tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("plain")
    checkpoint = folder / "my-bert"
    shutil.copytree(tiny_checkpoint("bert"), checkpoint)
    (checkpoint / "README.md").write_text("---\nlicense: apache-2.0\nlanguage: [en, no]\n---\nA card.\n")
    recipe = toy_recipe(checkpoint, write_texts(folder / "desk"), strategy="lora", learning_rate=1e-2)
    return run(recipe, output=folder / "run")


@pytest.fixture(scope="module")
def nasty(tiny_checkpoint: Checkpoints, tmp_path_factory: pytest.TempPathFactory) -> Result:
    labels = [*dict.fromkeys(text.strip() for text in NASTY)]
    rows = [{"text": f"{NASTY[i % len(NASTY)]} {i}", "label": label} for i, label in enumerate(labels * 4)]
    recipe = toy_recipe(tiny_checkpoint("bert"), pd.DataFrame(rows), steps=2)
    return run(recipe, output=tmp_path_factory.mktemp("nasty") / "run")


def test_it_is_written_beside_the_model_and_is_the_same_when_written_again(plain: Result) -> None:
    written = (plain.model / "README.md").read_text(encoding="utf-8")
    assert written == card(plain) == card(load_run(plain.run_dir))
    assert card(plain, repo="me/desk") != written
    assert not [event for event in _events(plain) if "card" in event.get("message", "")]


def test_the_front_matter_is_what_is_known(plain: Result) -> None:
    data = ModelCard(card(plain)).data
    assert data.to_dict().keys() >= {"license", "language", "tags", "metrics", "widget", "model-index"}
    assert (data.license, data.language) == ("apache-2.0", ["en", "no"])
    assert (data.library_name, data.pipeline_tag) == ("transformers", "text-classification")
    assert data.tags == ["hftransfer", "lora"]
    assert data.metrics == ["accuracy", "f1"]
    assert data.base_model is None  # a local folder is nothing on the Hub
    assert data.datasets is None
    told = results(card(plain))
    assert told == {
        (f"{metric} ({split})", split): plain.metrics[split][metric]
        for split in ("validation", "test")
        for metric in ("accuracy", "f1")
    }
    texts = {
        row["text"]
        for row in pd.read_csv(Path(plain.recipe.data.source) / "validation.csv").to_dict("records")
    }
    shown = [one["text"] for one in data.widget]
    assert 2 <= len(shown) <= 3
    assert set(shown) <= texts
    assert ModelCard(card(plain, repo="me/desk")).data.model_name == "desk"


def test_tables_are_the_run_s_numbers(plain: Result) -> None:
    scores, classes, *_ = tables(card(plain))
    by_name = {(row[0], row[2]): row for row in scores[1:]}
    assert scores[0] == ["split", "rows", "metric", "score", "95 % interval", "majority"]
    for split in ("validation", "test"):
        low, high = plain.intervals[split]["accuracy"]
        assert by_name[split, "accuracy"][3:] == [
            f"{plain.metrics[split]['accuracy']:.4f}",
            f"{low:.4f} to {high:.4f}",
            f"{plain.baselines['majority'][split]['accuracy']:.4f}",
        ]
    rows = pd.read_parquet(plain.run_dir / "predictions" / "test.parquet")
    expected = precision_recall_fscore_support(rows["label"], rows["prediction"], labels=list(plain.labels))
    assert {row[0]: row[1:] for row in classes[1:]} == {
        label: [f"{p:.4f}", f"{r:.4f}", f"{f:.4f}", str(n)]
        for label, p, r, f, n in zip(plain.labels, *expected, strict=True)
    }


def test_the_recipe_in_it_is_the_recipe(plain: Result) -> None:
    recipe = fences(card(plain))[-1]
    assert recipe.info == "yaml"
    assert recipe.content == (plain.run_dir / "recipe.yaml").read_text(encoding="utf-8")


def test_its_examples_run(plain: Result, capsys: pytest.CaptureFixture[str]) -> None:
    python, shell = fences(card(plain))[:2]
    exec(compile(python.content, "card", "exec"), {})
    (said,) = eval(capsys.readouterr().out)
    assert said["label"] in plain.labels
    command, *arguments = shlex.split(shell.content)
    assert command == "hftransfer"
    done = hftransfer(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said["label"])


def test_no_folder_of_this_machine_is_named_outside_of_code(plain: Result) -> None:
    prose = "".join(token.content for token in body(card(plain)) if token.type != "fence")
    assert str(plain.run_dir.parent) not in prose
    assert "my-bert" in prose
    assert "desk" in prose
    front = card(plain).split("\n---\n")[0]
    assert str(plain.run_dir.parent) not in front
    on_hub = "".join(token.content for token in fences(card(plain, repo="me/desk"))[:-1])
    assert str(plain.run_dir.parent) not in on_hub
    assert on_hub.count("me/desk") == 2


def test_whatever_the_labels_and_texts_are_it_can_be_read(nasty: Result) -> None:
    text = card(nasty)
    kinds = {token.type for token in body(text)}
    assert not {kind for kind in kinds if kind.startswith(("html", "image", "link", "s_"))}
    headings = [token.content for token in body(text) if token.type == "inline" and token.level == 1]
    assert {"Use", "Scores", "Data", "Training", "Reproduce"} <= {*headings}
    shown = {row[0]: row[-1] for row in tables(text)[1][1:]}
    assert len(nasty.labels) == len(NASTY) > len(shown) == 30
    wanted = {visible(" ".join(label.split())) for label in nasty.labels}
    assert {*shown} <= wanted
    assert {"<script>alert(1)</script>", "{{ 7 * 7 }}", "a|b", "two lines and tabs"} <= wanted
    assert "more labels with" in text
    for one in (*NASTY, "\u202e", "\u200f", "\x07", "\u2066"):
        if visible(one) != one and "\n" not in one:
            assert one not in text
    front = text.split("\n---\n")[0] + "\n---\n"
    matter = ModelCard(text).data.to_dict()
    assert yaml.safe_load(front.strip("-\n")) == matter
    assert all(one["text"].isprintable() for one in matter["widget"])
    assert matter["pipeline_tag"] == "text-classification"
    assert "license" not in matter
    assert "names none" in text
    recipe = yaml.safe_load(fences(text)[-1].content)
    assert recipe == read_recipe(nasty.run_dir / "recipe.yaml").value


def test_control_the_labels_would_break_a_card_that_takes_them_as_they_are(
    nasty: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hftransfer.report.card import ENVIRONMENT
    from hftransfer.report.markdown import Markdown

    monkeypatch.setattr(ENVIRONMENT, "finalize", lambda value: Markdown(value))
    ENVIRONMENT.cache.clear()  # type: ignore[union-attr]
    kinds = {token.type for token in body(card(nasty))}
    ENVIRONMENT.cache.clear()  # type: ignore[union-attr]
    assert {"html_block", "html_inline"} & kinds


def test_a_pair_is_asked_as_a_pair(
    tiny_checkpoint: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(
        toy_recipe(tiny_checkpoint("bert"), write_pairs(tmp_path / "d"), steps=2), output=tmp_path / "r"
    )
    python, shell = fences(card(result))[:2]
    assert "text_pair" in python.content
    exec(compile(python.content, "card", "exec"), {})
    assert "label" in capsys.readouterr().out
    done = hftransfer(*shlex.split(shell.content)[1:])
    assert done.returncode == 0, done.stderr
    assert ModelCard(card(result)).data.get("widget") is None


@pytest.mark.parametrize(
    ("head", "library"), [("linear", "sentence-transformers"), ("logistic-regression", "hftransfer")]
)
def test_another_head_says_which_library_opens_it(
    head: str, library: str, tiny_checkpoint: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sentence_transformers")
    strategy = {"name": "frozen", "pooling": "mean", "head": head}
    recipe = toy_recipe(tiny_checkpoint("bert"), write_texts(tmp_path / "d"), strategy=strategy, epochs=1)
    result = run(recipe, output=tmp_path / "r")
    text = card(result)
    assert ModelCard(text).data.library_name == library
    assert "pipeline(" not in text
    for example in fences(text)[:-1]:
        if example.info == "python":
            exec(compile(example.content, "card", "exec"), {})
            assert "[" in capsys.readouterr().out
        elif head != "linear":
            assert hftransfer(*shlex.split(example.content)[1:]).returncode == 0


def test_names_of_the_hub_are_links_and_metadata(
    plain: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "a" * 40
    cache = tmp_path / "cache"
    for repo, said in (
        ("models--google-bert--bert-tiny", "license: mit"),
        ("datasets--nyu-mll--glue", "language: en\nlicense: other"),
    ):
        snapshot = cache / repo / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "README.md").write_text(f"---\n{said}\n---\n")
        (cache / repo / "refs").mkdir()
        (cache / repo / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    folder = shutil.copytree(plain.run_dir, tmp_path / "run")
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    recipe["checkpoint"]["name"] = "google-bert/bert-tiny"
    recipe["data"] |= {"source": "nyu-mll/glue", "config": "sst2"}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    hub = {"name": "google-bert/bert-tiny", "revision": None, "fingerprint": f"commit:{commit}"}
    result = replace(
        load_run(folder),
        checkpoint=hub,
        findings=("no test split: 24 of 64 training rows set aside, seed 0", "in /elsewhere/x"),
    )
    data = ModelCard(card(result)).data
    assert (data.base_model, data.base_model_relation) == ("google-bert/bert-tiny", "finetune")
    assert (data.license, data.language, data.datasets) == ("mit", "en", ["nyu-mll/glue"])
    assert {(one.dataset_type, one.dataset_config, one.dataset_split) for one in data.eval_results} == {
        ("nyu-mll/glue", "sst2", "validation"),
        ("nyu-mll/glue", "sst2", None),  # there is no such split of it
    }
    assert "test 24 (set aside from train)" in card(result)
    assert "[google-bert/bert-tiny](https://huggingface.co/google-bert/bert-tiny)" in card(result)
    adapter = card(result, repo="me/x", weights="adapter")
    assert ModelCard(adapter).data.base_model_relation == "adapter"
    assert ModelCard(adapter).data.library_name == "peft"
    assert "PeftModel.from_pretrained(base, 'me/x')" in adapter
    assert "pipeline(" not in adapter
    assert "subfolder='adapter'" in card(result, repo="me/x", weights="both")
    # Of a run of our own, the model of the Hub that it came from.
    chained = {
        "name": str(tmp_path / "first"),
        "revision": None,
        "fingerprint": "sha256:0",
        "from": {
            "run": str(tmp_path),
            "task": "fill-mask",
            "strategy": "full",
            "metrics": {},
            "checkpoint": hub,
        },
    }
    text = card(replace(result, checkpoint=chained))
    assert ModelCard(text).data.base_model == "google-bert/bert-tiny"
    assert "That was made by a run of fill-mask with full, from [google-bert/bert-tiny]" in text


def test_older_results_have_no_intervals(plain: Result, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.run_dir, tmp_path / "run")
    facts = json.loads((folder / "result.json").read_text())
    del facts["intervals"]
    (folder / "result.json").write_text(json.dumps(facts))
    old = load_run(folder)
    assert old.intervals == {}
    assert {row[4] for row in tables(card(old))[0][1:]} == {"-"}
    assert load_run(plain.run_dir).intervals == json.loads(json.dumps(plain.intervals))


def test_a_card_that_cannot_be_written_is_said_and_costs_no_run(
    tiny_checkpoint: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(result: Result) -> str:
        raise KeyError("a fact")

    monkeypatch.setattr("hftransfer.one_run.card", broken)
    told: list[Any] = []
    recipe = toy_recipe(tiny_checkpoint("bert"), write_texts(tmp_path / "d"), steps=2)
    result = run(recipe, output=tmp_path / "run", watch=told.append)
    assert load_run(tmp_path / "run").metrics.keys() == result.metrics.keys()
    assert not (result.model / "README.md").exists()
    assert [
        event for event in _events(result) if "could not be written: KeyError" in event.get("message", "")
    ]
    assert [event for event in told if "could not be written" in str(event)]


def test_of_images_it_names_a_file_and_shows_no_rows(tiny_checkpoint: Checkpoints, tmp_path: Path) -> None:
    recipe = toy_recipe(
        tiny_checkpoint("resnet"), write_images(tmp_path / "d"), task="image-classification", steps=2
    )
    text = card(run(recipe, output=tmp_path / "r"))
    assert [token.content.count("photo.jpg") for token in fences(text)] == [1, 1, 0]
    assert "`photo.jpg` stands for a file of yours." in text
    assert ModelCard(text).data.get("widget") is None


def _events(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (result.run_dir / "metrics.jsonl").read_text().splitlines()]


def test_only_what_is_said_is_known_of_licenses(plain: Result, tmp_path: Path) -> None:
    readme = Path(plain.recipe.checkpoint.name) / "README.md"
    before = readme.read_text()
    try:
        for text in ("no front matter", "---\n: : [\n---\n", "---\n- a list\n---\n", ""):
            readme.write_text(text)
            data = ModelCard(card(plain)).data
            assert (data.license, data.language) == (None, None)
        readme.unlink()
        assert not re.search("^license", card(plain), re.MULTILINE)
    finally:
        readme.write_text(before)
