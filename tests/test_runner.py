"""From recipe to result: what a run leaves, and that it is what it says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, f1_score
from tiny import make_rows
from toy import toy_recipe, write_pairs, write_texts

from hftransfer.errors import CheckpointError, DataError, InputError, RecipeError, RunDirectoryError
from hftransfer.recipe import Recipe, dump_recipe
from hftransfer.result import Result
from hftransfer.runner import check, load_run, run, run_folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("texts"))


@pytest.fixture(scope="module")
def result(
    tiny_checkpoint: Callable[..., Path], data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Result:
    recipe = toy_recipe(tiny_checkpoint("bert"), data, strategy="lora", epochs=16, learning_rate=1e-2)
    return run(recipe, output=tmp_path_factory.mktemp("runs") / "run")


def test_the_run_directory_is_as_documented(result: Result) -> None:
    files = {
        path.relative_to(result.run_dir).as_posix() for path in result.run_dir.rglob("*") if path.is_file()
    }
    assert files >= {
        "recipe.yaml",
        "environment.json",
        "data.json",
        "metrics.jsonl",
        "result.json",
        "model/README.md",
        "model/config.json",
        "model/model.safetensors",
        "model/tokenizer.json",
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "predictions/validation.parquet",
        "predictions/test.parquet",
        "checkpoints/best/manifest.json",
        "checkpoints/last/manifest.json",
    }
    # Nothing half-written, and nothing that has to be unpickled.
    assert not [name for name in files if name.split("/")[-1].startswith(".")]
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl", ".pth"))]


def test_what_lint_finds_is_written_down(result: Result) -> None:
    found = json.loads((result.run_dir / "data.json").read_text())["lint"]
    told = [one for one in found if one["severity"] == "warning"]
    assert {one["message"] for one in told} <= set(result.findings)
    assert {"check", "severity", "splits", "rows", "share", "message", "advice", "examples"} == {*found[0]}


def test_what_the_splits_are_made_of_is_written_down(result: Result) -> None:
    facts = json.loads((result.run_dir / "data.json").read_text())
    assert {name: one["texts"] for name, one in facts["tokens"]["splits"].items()} == result.examples
    assert {name: sum(of) for name, of in facts["balance"]["splits"].items()} == result.examples
    table = pd.read_parquet(result.run_dir / "predictions" / "test.parquet")
    told = [(table["label"] == label).sum() for label in result.labels]
    assert facts["balance"]["splits"]["test"] == told


def test_the_numbers_are_those_of_the_predictions(result: Result) -> None:
    for split in ("validation", "test"):
        table = pd.read_parquet(result.run_dir / "predictions" / f"{split}.parquet")
        assert len(table) == result.examples[split] == 24
        assert result.metrics[split]["accuracy"] == accuracy_score(table["label"], table["prediction"])
        macro = f1_score(table["label"], table["prediction"], average="macro")
        assert result.metrics[split]["f1"] == pytest.approx(macro)
        assert result.baselines["majority"][split]["accuracy"] == 0.5
        scores = np.stack(table["scores"])
        assert scores.sum(axis=1) == pytest.approx(1)
        assert [result.labels[i] for i in scores.argmax(axis=1)] == table["prediction"].tolist()
    assert result.metrics["test"]["accuracy"] > 0.7


def test_predictions_on_disk_are_those_of_the_saved_model(result: Result) -> None:
    table = pd.read_parquet(result.run_dir / "predictions" / "test.parquet")
    again = load_run(result.run_dir).predict(table["text"].tolist())
    assert [one.label for one in again] == table["prediction"].tolist()
    assert [one.score for one in again] == pytest.approx(table["score"].tolist(), abs=1e-5)
    assert list(again[0].scores) == sorted(again[0].scores, key=lambda label: -again[0].scores[label])


def test_evaluate_gives_the_run_its_own_numbers_again(result: Result) -> None:
    scored = load_run(result.run_dir).evaluate()
    assert scored.data == "test"
    assert scored.metrics["accuracy"] == result.metrics["test"]["accuracy"]
    assert scored.intervals
    for name, bounds in scored.intervals.items():
        assert bounds == pytest.approx(result.intervals["test"][name], abs=1e-5)
    assert load_run(result.run_dir).evaluate(split="validation").rows == 24
    with pytest.raises(DataError, match="no split `tets`"):
        load_run(result.run_dir).evaluate(split="tets")


def test_the_saved_model_knows_its_labels(result: Result) -> None:
    from transformers import pipeline

    config = json.loads((result.model / "config.json").read_text())
    assert config["id2label"] == {"0": "animal", "1": "colour"}
    said = pipeline("text-classification", model=str(result.model))("my cat is near that dog")
    assert said[0]["label"] in result.labels


def test_result_json_reads_back_equal(result: Result) -> None:
    again = load_run(result.run_dir)
    assert again.to_dict() == json.loads((result.run_dir / "result.json").read_text()) | {
        key: tuple(value) for key, value in again.to_dict().items() if isinstance(value, tuple)
    }
    assert again.recipe == result.recipe


def test_a_place_that_is_taken_is_refused(result: Result, tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="holds a run already"):
        run(result.recipe, output=result.run_dir)
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(RunDirectoryError, match="is not empty"):
        run(result.recipe, output=tmp_path)
    with pytest.raises(RunDirectoryError, match="is a file"):
        run(result.recipe, output=tmp_path / "note.txt")
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_resume_refuses_another_recipe_and_returns_a_finished_run(
    result: Result, tiny_checkpoint: Callable[..., Path], data: Path, tmp_path: Path
) -> None:
    again = run(result.recipe, output=result.run_dir, resume=True)
    assert again.metrics == load_run(result.run_dir).metrics
    other = toy_recipe(tiny_checkpoint("bert"), data, strategy="lora", epochs=16, learning_rate=1e-2, seed=5)
    with pytest.raises(RunDirectoryError, match="another recipe: seed: 5"):
        run(other, output=result.run_dir, resume=True)
    with pytest.raises(RunDirectoryError, match="no run in"):
        run(other, output=tmp_path / "nothing", resume=True)


def test_run_folder_counts_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunDirectoryError):
        run_folder("x", resume=True)
    for wanted in ("x", "x-2", "x-3"):
        folder = run_folder("x", resume=False)
        assert folder.as_posix() == f"runs/{wanted}"
        folder.mkdir(parents=True)
        assert run_folder("x", resume=True) == folder


def test_rows_in_memory(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    texts, labels = make_rows(60)
    frame = pd.DataFrame({"words": texts, "kind": labels})
    columns = {"text": "words", "label": "kind"}
    recipe = toy_recipe(tiny_checkpoint("bert"), frame, columns=columns, epochs=1)
    result = run(recipe, output=tmp_path / "run")
    assert any("training rows set aside" in finding for finding in result.findings)
    assert "test" not in result.metrics
    again = load_run(tmp_path / "run")
    assert len(again.predict(["the cat", "the red"])) == 2
    assert again.evaluate(frame).rows == 60
    with pytest.raises(DataError, match="in memory"):
        again.evaluate()


def test_pairs_are_seen_as_pairs(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    """The label depends on the second text alone: a model that did not see it could only guess."""
    data = write_pairs(tmp_path / "data", train=160)
    result = run(toy_recipe(tiny_checkpoint("bert"), data, epochs=12), output=tmp_path / "run")
    assert result.inputs == ("text", "text_pair")
    assert result.metrics["test"]["accuracy"] > 0.8
    one, other = result.predict([("the red", "my cat and dog"), ("the red", "my blue and green")])
    assert (one.label, other.label) == ("animal", "colour")
    assert result.predict([{"text": "the red", "text_pair": "my cat and dog"}])[0].score == pytest.approx(
        one.score
    )
    with pytest.raises(DataError, match="1 of the 2 parts"):
        result.predict(["the red"])


def test_killed_at_any_instant_it_resumes_to_the_same_bytes(
    tiny_checkpoint: Callable[..., Path], data: Path, tmp_path: Path
) -> None:
    """A real process, killed with SIGKILL several times while it trains; the model is that of an undisturbed run."""
    recipe = tmp_path / "recipe.yaml"
    settings = {"epochs": 6, "checkpoint_every": 2}
    recipe.write_text(dump_recipe(toy_recipe(tiny_checkpoint("bert"), data, **settings)))
    whole = run(toy_recipe(tiny_checkpoint("bert"), data, **settings), output=tmp_path / "whole")
    command = [sys.executable, "-m", "hftransfer", "run", str(recipe), "--output", str(tmp_path / "killed")]
    for lines in (4, 14):
        process = subprocess.Popen([*command, *(["--resume"] if lines > 4 else [])], stderr=subprocess.PIPE)
        wait_for_lines(tmp_path / "killed" / "metrics.jsonl", lines, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not (tmp_path / "killed" / "result.json").exists()
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    models = [load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "killed")]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])
    assert load_run(tmp_path / "killed").metrics == json.loads(json.dumps(whole.metrics))


def wait_for_lines(file: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 90
    while not file.exists() or file.read_text().count("\n") < count:
        assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
        assert time.monotonic() < until
        time.sleep(0.005)


def test_relative_paths_in_python_start_at_the_current_folder(
    tiny_checkpoint: Callable[..., Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data)
    recipe = toy_recipe(tiny_checkpoint("bert"), "train.csv", epochs=1)
    assert recipe.data.source == str(data / "train.csv")
    rows = [{"text": "train.csv", "label": "./a"}, {"text": ".", "label": "b"}]
    assert toy_recipe(tiny_checkpoint("bert"), rows).data.source == rows  # rows are no paths
    run(recipe, output=tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert len(load_run("run").predict(["my red"])) == 1


def test_a_best_metric_that_is_not_defined_is_refused(
    tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    texts, labels = make_rows(12)
    rows = {
        "train": pd.DataFrame({"text": texts, "label": labels}),
        "validation": [{"text": "x", "label": "animal"}],
    }
    recipe = toy_recipe(tiny_checkpoint("bert"), rows)
    auroc = Recipe(**{**dict(recipe), "metrics": ["auroc"], "training": {"best_metric": "auroc"}})
    with pytest.raises(
        DataError, match=r"auroc.* is not defined on the validation rows: none has the label colour"
    ):
        run(auroc, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_two_processes_equal_one_however_they_are_started(
    tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    """70 rows in batches of 16 on two processes: the last step has fewer rows, and every rank must agree."""
    data = write_texts(tmp_path / "data", train=69)
    checkpoint = tiny_checkpoint("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    settings = {"epochs": 2, "optimizer": "sgd", "learning_rate": 0.05, "best_metric": "loss"}

    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(dump_recipe(toy_recipe(checkpoint, data, **settings)))

    def weights(name: str) -> tuple[dict[str, torch.Tensor], Result]:
        return load_file(tmp_path / name / "model" / "model.safetensors"), load_run(tmp_path / name)

    def launched(name: str, *launcher: str, options: tuple[str, ...] = ()) -> Any:
        command = [*launcher, "-m", "hftransfer", "run", str(recipe), "--output", str(tmp_path / name)]
        done = subprocess.run(
            [sys.executable, *command, *options], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return weights(name)

    def difference(these: dict[str, torch.Tensor]) -> float:
        return max(float((one[name] - these[name]).abs().max()) for name in one)

    run(toy_recipe(checkpoint, data, **settings), output=tmp_path / "one")
    one, result_of_one = weights("one")
    ways = {
        "two": launched("two", options=("--processes", "2")),
        "torchrun": launched("torchrun", "-m", "torch.distributed.run", "--nproc_per_node", "2"),
    }
    for name, (two, result_of_two) in ways.items():
        assert json.loads((tmp_path / name / "environment.json").read_text())["processes"] == 2
        assert difference(two) < 1e-5
        assert result_of_two.examples == result_of_one.examples
        for split in ("validation", "test"):
            assert result_of_two.metrics[split] == pytest.approx(dict(result_of_one.metrics[split]), abs=1e-5)
    # On CPUs, accelerate launch starts several processes only through MPI; with one it is a launcher all the same.
    alone, _ = launched("accelerate", "-m", "accelerate.commands.launch", *ACCELERATE)
    assert difference(alone) == 0
    run(toy_recipe(checkpoint, data, **settings, seed=1), output=tmp_path / "other")
    other, _ = weights("other")
    assert difference(other) > 1e-2


ACCELERATE = (
    *("--cpu", "--num_processes", "1", "--num_machines", "1"),
    *("--mixed_precision", "no", "--dynamo_backend", "no"),
)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"checkpoint": "/nowhere/bert"}, CheckpointError, "no such folder"),
        ({"checkpoint": "package:not_installed/model"}, CheckpointError, "no package named"),
        ({"data": "/nowhere/train.csv"}, InputError, "nowhere"),
        ({"data": {"source": "DATA", "columns": {"text": "sentence"}}}, DataError, "no column `sentence`"),
        ({"training": {"warmup": 500}}, RecipeError, "a warm-up of 500 steps leaves nothing"),
        ({"strategy": {"name": "lora", "targets": ["qurey"]}}, InputError, "did you mean `query`"),
        ({"task": {"name": "text-classification", "max_length": 4000}}, CheckpointError, "at most 64 tokens"),
    ],
)
def test_bad_input_leaves_nothing(
    change: dict[str, object],
    error: type[Exception],
    message: str,
    tiny_checkpoint: Callable[..., Path],
    data: Path,
    tmp_path: Path,
) -> None:
    settings: dict[str, object] = {
        "checkpoint": str(tiny_checkpoint("bert")),
        "data": str(data),
        "task": "text-classification",
        **change,
    }
    if isinstance(settings["data"], dict):
        settings["data"] = {**settings["data"], "source": str(data)}
    with pytest.raises(error, match=message):
        run(Recipe(**settings), output=tmp_path / "run")
    with pytest.raises(error, match=message):
        check(Recipe(**settings))
    assert list(tmp_path.iterdir()) == []


def test_check_says_what_will_be_done(
    tiny_checkpoint: Callable[..., Path], data: Path, tmp_path: Path
) -> None:
    seen = check(toy_recipe(tiny_checkpoint("bert"), data, strategy="frozen"))
    assert seen.examples == {"train": 64, "validation": 24, "test": 24}
    assert seen.steps == 16
    assert 0 < seen.parameters["trained"] < seen.parameters["total"]
    assert seen.unchecked == ()


def test_what_lies_on_the_hub_is_named_as_not_checked(data: Path) -> None:
    seen = check(Recipe(checkpoint="google-bert/bert-base-cased", data=str(data), task="text-classification"))
    assert seen.unchecked == ("checkpoint google-bert/bert-base-cased",)
    assert seen.examples["train"] == 64
