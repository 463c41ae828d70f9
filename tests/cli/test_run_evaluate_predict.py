"""A model from the first command to the last: interrupted, resumed, scored, asked. Processes as a user starts them."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pandas as pd
import pytest
import yaml
from cli_runner import hftransfer
from toy import toy_recipe, write_images, write_pairs, write_texts
from typer.testing import CliRunner
from typer.testing import Result as Invoked

from hftransfer.cli import app
from hftransfer.result import Result
from hftransfer.runner import load_run, run

ANIMAL, COLOUR = "[/b] animal", ":apple: [red]colour"
"""Labels that look like markup: they are shown as they are."""


@dataclass(frozen=True)
class Session:
    """What a user did: began a run, stopped it with Ctrl-C, went on with it, and asked for it once more."""

    folder: Path
    recipe: Path
    interrupted: CompletedProcess[str]
    resumed: CompletedProcess[str]
    again: Invoked

    @property
    def run_dir(self) -> Path:
        return self.folder / "runs" / "toy"


@pytest.fixture(scope="module")
def session(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("session")
    for file in write_texts(folder / "texts", train=64, other=12).iterdir():
        table = pd.read_csv(file).rename(columns={"text": "words", "label": "kind"})
        table["kind"] = table["kind"].map({"animal": ANIMAL, "colour": COLOUR})
        table.to_csv(file, index=False)
    recipe = folder / "toy.yaml"
    settings = {
        "checkpoint": str(tiny_checkpoint("bert")),
        "data": {"source": "texts", "columns": {"text": "words", "label": "kind"}},
        "task": "text-classification",
        "training": {"epochs": 10, "batch_size": 4, "learning_rate": 1e-3, "checkpoint_every": 5},
        "metrics": ["accuracy", "f1", "confusion_matrix"],
    }
    recipe.write_text(yaml.safe_dump(settings))
    interrupted = interrupt(["run", "toy.yaml"], folder, folder / "runs" / "toy" / "metrics.jsonl")
    resumed = hftransfer("run", "toy.yaml", "--resume", "--json", cwd=folder)
    with contextlib.chdir(folder):
        again = invoke("run", "toy.yaml", "--output", "runs/toy", "--resume")
    return Session(folder, recipe, interrupted, resumed, again)


def interrupt(arguments: Sequence[str], cwd: Path, metrics: Path) -> CompletedProcess[str]:
    """Start, wait until a dozen events are written, press Ctrl-C."""
    command = [sys.executable, "-m", "hftransfer", *arguments]
    environment = {**os.environ, "COLUMNS": "200"}
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Where the tests run in the background of a shell, Ctrl-C is ignored, and whatever they start ignores it, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.monotonic() + 90
    while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") >= 12):
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    return CompletedProcess(command, process.returncode, out, err)


def invoke(*arguments: str | Path, stdin: str | bytes | None = None) -> Invoked:
    """The same program in this process: where another process would show nothing more."""
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, words, input=stdin, env={"COLUMNS": "200"})


def refused(done: CompletedProcess[str] | Invoked, *messages: str) -> None:
    code = done.returncode if isinstance(done, CompletedProcess) else done.exit_code
    assert code == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for message in messages:
        assert message in done.stderr


# --- run -------------------------------------------------------------------------------------------------------


def test_ctrl_c_says_how_to_go_on(session: Session) -> None:
    done = session.interrupted
    assert done.returncode == 130, done.stderr
    assert done.stdout == ""
    assert "to go on: add  --output runs/toy --resume" in done.stderr
    assert done.stderr.endswith("interrupted\n")
    assert "Traceback" not in done.stderr


def test_json_is_one_object_and_nothing_else(session: Session) -> None:
    assert session.resumed.returncode == 0, session.resumed.stderr
    facts = json.loads(session.resumed.stdout)
    assert facts["schema"] == 1
    assert facts["run_dir"] == "runs/toy"
    assert facts["labels"] == sorted([COLOUR, ANIMAL])
    assert {**facts, "run_dir": 0} == {
        **json.loads((session.run_dir / "result.json").read_text()),
        "run_dir": 0,
    }


def test_no_library_shows_progress_of_its_own(session: Session) -> None:
    for done in (session.interrupted, session.resumed):
        assert "epoch" in done.stderr
        assert "%|" not in done.stderr
        assert "\x1b" not in done.stderr
        assert "\r" not in done.stderr


def test_it_went_on_where_it_was_stopped(session: Session) -> None:
    assert "going on after step " in session.resumed.stderr
    events = [json.loads(line) for line in (session.run_dir / "metrics.jsonl").read_text().splitlines()]
    steps = [event["step"] for event in events if event["event"] == "step"]
    assert steps == list(range(1, 10 * 16 + 1))
    (begin,) = [event for event in events if event["event"] == "begin"]
    assert begin["step"] >= 5
    assert begin["step"] % 5 == 0 or begin["step"] % 16 == 0
    assert [path.name for path in (session.folder / "runs").iterdir()] == ["toy"]


def test_the_end_of_a_run_is_a_table_with_the_baseline(session: Session) -> None:
    done = session.again
    assert done.exit_code == 0, done.stderr
    assert "finished already" in done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["validation", "(12)", "majority", "test", "(12)", "majority"] in lines
    accuracy = next(line for line in lines if line[:1] == ["accuracy"])
    result = load_run(session.run_dir)
    assert [float(value) for value in accuracy[1:]] == pytest.approx(
        [result.metrics["validation"]["accuracy"], 0.5, result.metrics["test"]["accuracy"], 0.5], abs=1e-4
    )
    for shown in ("confusion, test", "proof    loaded afresh by", "model    runs/toy/model", "cost     "):
        assert shown in done.stdout
    assert 'hftransfer predict runs/toy "your text here"' in done.stdout
    assert "hftransfer evaluate runs/toy --split validation" in done.stdout


def test_labels_are_shown_as_they_are(session: Session) -> None:
    assert ANIMAL in session.again.stdout
    assert COLOUR in session.again.stdout


def test_a_taken_output_and_a_changed_recipe_are_refused(session: Session) -> None:
    before = (session.run_dir / "result.json").read_bytes()
    refused(invoke("run", session.recipe, "--output", session.run_dir), "holds a run already", "--resume")
    refused(
        invoke("run", session.recipe, "training.seed=3", "--output", session.run_dir, "--resume"),
        "started with another recipe: seed: 3",
    )
    assert (session.run_dir / "result.json").read_bytes() == before


# --- evaluate --------------------------------------------------------------------------------------------------


def test_evaluate_on_the_runs_own_rows(session: Session) -> None:
    done = hftransfer("evaluate", session.run_dir, "--json")
    assert done.returncode == 0, done.stderr
    scored = json.loads(done.stdout)
    result = load_run(session.run_dir)
    assert (scored["run"], scored["data"], scored["rows"]) == (str(session.run_dir), "test", 12)
    assert scored["metrics"]["accuracy"] == result.metrics["test"]["accuracy"]
    assert scored["intervals"] == result.to_dict()["intervals"]["test"]
    assert scored["metrics"]["confusion_matrix"] == result.metrics["test"]["confusion_matrix"]
    assert done.stderr == ""


def test_evaluate_on_a_file(session: Session) -> None:
    rows = pd.read_csv(session.folder / "texts" / "test.csv").head(5)
    rows.assign(more=1).to_csv(session.folder / "rows[b].csv", index=False)
    done = invoke("evaluate", session.run_dir, "--data", session.folder / "rows[b].csv")
    assert done.exit_code == 0, done.stderr
    header, *lines = [line.split() for line in done.stdout.splitlines()]
    assert header[:3] == ["rows[b].csv", "(5", "rows)"]
    assert "confusion, rows[b].csv" in done.stdout
    predicted = load_run(session.run_dir).predict(rows["words"].tolist())
    right = sum(one.label == label for one, label in zip(predicted, rows["kind"], strict=True)) / 5
    (accuracy,) = [line for line in lines if line[:1] == ["accuracy"]]
    assert accuracy[1] == f"{right:.4f}"
    assert "columns ignored: `more`" in done.stderr


def test_evaluate_refuses(session: Session) -> None:
    refused(hftransfer("evaluate", session.run_dir, "--split", "tets"), "no split `tets`", "`test`")
    refused(invoke("evaluate", session.run_dir, "--split", "dev"), "did you mean `validation`?")
    refused(invoke("evaluate", session.run_dir, "--data", session.folder / "no.csv"), "no such file")
    refused(invoke("evaluate", session.run_dir, "--data", session.folder / "texts"), "several splits")
    (session.folder / "plants.csv").write_text("words,kind\nthe rose,plant\n")
    refused(
        invoke("evaluate", session.run_dir, "--data", session.folder / "plants.csv"),
        "`plant` (line 2 of plants.csv)",
    )
    refused(invoke("evaluate", session.folder), "there is no run in")
    done = invoke("evaluate", session.run_dir, "--split", "validation")
    assert done.exit_code == 0
    assert "validation (12 rows)" in done.stdout


# --- predict ---------------------------------------------------------------------------------------------------


def test_predict_texts(session: Session) -> None:
    texts = ["the cat and the dog", "a :smile: [b] red"]
    done = hftransfer("predict", session.run_dir, *texts)
    assert done.returncode == 0, done.stderr
    predicted = load_run(session.run_dir).predict(texts)
    assert done.stdout.splitlines() == [
        f"{one.label} {one.score:.4f}  {text}" for one, text in zip(predicted, texts, strict=True)
    ]
    assert done.stderr == ""


def test_predict_refuses_a_blank_text_as_it_does_in_a_file(session: Session) -> None:
    done = invoke("predict", session.run_dir, "the cat", "  ")
    assert done.exit_code == 2
    assert "input 2 is empty" in done.stderr


def test_columns_of_other_names(session: Session, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(f"body,kind\nmy cat and dog,{ANIMAL}\nmy red and blue,{COLOUR}\n")
    done = invoke(
        "evaluate",
        session.run_dir,
        "--data",
        other,
        "--column",
        "text=body",
        "--column",
        "label=kind",
        "--json",
    )
    assert json.loads(done.stdout)["rows"] == 2
    assert "--column ROLE=NAME" not in done.stderr
    done = invoke("predict", session.run_dir, "--file", other, "--column", "text=body", "--json")
    assert len(json.loads(done.stdout)) == 2
    assert invoke("predict", session.run_dir, "--file", other, "--column", "text").exit_code == 2


def test_predict_as_json_with_all_labels(session: Session) -> None:
    done = invoke("predict", session.run_dir, "my red", "--top", "5", "--json")
    (record,) = json.loads(done.stdout)
    assert record["input"] == "my red"
    assert set(record["scores"]) == {ANIMAL, COLOUR}
    assert next(iter(record["scores"].values())) == record["score"] >= 0.5
    assert sum(record["scores"].values()) == pytest.approx(1)


def test_predict_says_when_it_cuts_a_text(session: Session) -> None:
    done = invoke("predict", session.run_dir, "cat " * 100, "cat")
    assert done.exit_code == 0
    assert "note  inputs: 1 of 2 texts are longer than 64 tokens and were cut" in done.stderr


# --- pipes ------------------------------------------------------------------------------------------------------


TEXTS = ["the cat and the dog", "my red and blue", '{"text": "so very {}"}', "zebra"]


def test_lines_of_standard_input_are_answered_in_order(session: Session) -> None:
    """In a process with a real pipe; long and short texts, which are scored in another order."""
    piped = "\r\n".join([*TEXTS, "a cat " * 20]) + "\n\n"
    done = hftransfer("predict", session.run_dir, "-", stdin=piped)
    assert done.returncode == 0, done.stderr
    given = [*TEXTS, ("a cat " * 20).rstrip()]
    predicted = load_run(session.run_dir).predict(given)
    assert done.stdout.splitlines() == [
        f"{one.label} {one.score:.4f}  {text}" for one, text in zip(predicted, given, strict=True)
    ]
    assert len({one.score for one in predicted}) == len(
        given
    )  # so that another order would be another output


def test_json_of_piped_lines_is_one_value_and_output_dash_is_a_line_each(session: Session) -> None:
    piped = "\n".join(TEXTS)
    whole = json.loads(invoke("predict", session.run_dir, "-", "--json", stdin=piped).stdout)
    assert [record["input"] for record in whole] == TEXTS
    done = invoke("predict", session.run_dir, "-", "--output", "-", stdin=piped)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["text"] for line in lines] == TEXTS
    assert [line["prediction"] for line in lines] == [record["label"] for record in whole]
    assert [line["score"] for line in lines] == pytest.approx([record["score"] for record in whole], abs=1e-6)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_inputs_are_written_to_a_file_too(session: Session, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    done = invoke("predict", session.run_dir, *TEXTS, "--output", output)
    assert done.stdout == f"wrote {output}: 4 rows with prediction and score\n"
    read = {"csv": pd.read_csv, "jsonl": partial(pd.read_json, lines=True), "parquet": pd.read_parquet}[
        suffix
    ]
    table = read(output)
    assert table["text"].tolist() == TEXTS
    assert table["prediction"].tolist() == [one.label for one in load_run(session.run_dir).predict(TEXTS)]
    refused(invoke("predict", session.run_dir, *TEXTS, "--output", output), "exists already")


@pytest.mark.parametrize("form", ["jsonl", "csv", "tsv", "parquet"])
def test_rows_of_standard_input(session: Session, form: str) -> None:
    table = pd.DataFrame({"id": ["007", "8"], "words": TEXTS[:2], "kind": [ANIMAL, COLOUR]})
    piped: str | bytes = {
        "jsonl": table.to_json(orient="records", lines=True),
        "csv": table.to_csv(index=False),
        "tsv": table.to_csv(index=False, sep="\t"),
        "parquet": table.to_parquet(),
    }[form]
    done = invoke("predict", session.run_dir, "--file", "-", "--output", "-", stdin=piped)
    assert done.exit_code == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    predicted = load_run(session.run_dir).predict(TEXTS[:2])
    assert [line["id"] for line in lines] == ["007", "8"]
    assert [line["prediction"] for line in lines] == [one.label for one in predicted]
    scored = json.loads(invoke("evaluate", session.run_dir, "--data", "-", "--json", stdin=piped).stdout)
    right = [one.label == label for one, label in zip(predicted, table["kind"], strict=True)]
    assert (scored["data"], scored["rows"]) == ("standard input", 2)
    assert scored["metrics"]["accuracy"] == sum(right) / 2


def test_a_pipe_that_brings_nothing_usable_is_refused(session: Session) -> None:
    model = session.run_dir
    refused(hftransfer("predict", model, "-", stdin=""), "there is nothing on standard input")
    for arguments in (
        ["predict", model, "-"],
        ["predict", model, "--file", "-"],
        ["evaluate", model, "--data", "-"],
    ):
        refused(invoke(*arguments, stdin=" \n\n"), "there is nothing on standard input")
    refused(invoke("predict", model, "-", stdin="a cat\n \na dog\n"), "line 2 of standard input is blank")
    refused(invoke("predict", model, "-", stdin=b"a cat\n\xff\n"), "line 2 of standard input is not UTF-8")
    refused(
        invoke("predict", model, "--file", "-", stdin='{"words": "a"}\n{"words": \n'),
        "error: standard input: line 2 is not JSON",
    )
    refused(
        invoke("predict", model, "--file", "-", stdin="text,id\na,1\n"),
        "standard input has no column `words`",
    )


@pytest.fixture
def rows(session: Session, tmp_path: Path) -> Path:
    """A file with columns of its own, which a careless reader would change."""
    file = tmp_path / "new.csv"
    file.write_text('id,words,note\n007,the cat,"a, ""b"""\n1.0,my red,\n03,"line\nbreak",None\n')
    return file


def test_predict_a_file_into_a_file(session: Session, rows: Path) -> None:
    output = rows.with_name("out.csv")
    done = invoke("predict", session.run_dir, "--file", rows, "--output", output)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"wrote {output}: 3 rows with prediction and score\n"
    with output.open(newline="", encoding="utf-8") as stream:
        written = list(csv.DictReader(stream))
    with rows.open(newline="", encoding="utf-8") as stream:
        given = list(csv.DictReader(stream))
    assert [{name: row[name] for name in given[0]} for row in written] == given
    predicted = load_run(session.run_dir).predict([row["words"] for row in given])
    assert [row["prediction"] for row in written] == [one.label for one in predicted]
    assert [float(row["score"]) for row in written] == pytest.approx([one.score for one in predicted])
    assert sorted(path.name for path in rows.parent.iterdir()) == ["new.csv", "out.csv"]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "tsv", "csv"])
def test_predict_keeps_values_and_types(session: Session, tmp_path: Path, suffix: str) -> None:
    rows = pd.DataFrame(
        {
            "words": ["the cat", "my red"],
            "count": pd.array([3, None], dtype="Int64"),
            "when": pd.to_datetime(["2020-01-01 00:00", "2021-02-03 04:05"]),
            "tags": [["a"], ["b", "ü"]],
            "small": [0.1, 1e-17],
        }
    )
    rows.to_parquet(tmp_path / "rows.parquet")
    output = tmp_path / f"out.{suffix}"
    done = invoke("predict", session.run_dir, "--file", tmp_path / "rows.parquet", "--output", output)
    assert done.exit_code == 0, done.stderr
    if suffix == "parquet":
        read = pd.read_parquet(output, dtype_backend="numpy_nullable")
        assert read["count"].dtype == "Int64"
        assert read["when"].tolist() == rows["when"].tolist()
        assert [list(tags) for tags in read["tags"]] == rows["tags"].tolist()
    elif suffix == "jsonl":
        lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
        assert [line["count"] for line in lines] == [3, None]
        assert [line["tags"] for line in lines] == rows["tags"].tolist()
        assert [line["small"] for line in lines] == [0.1, 1e-17]
        assert lines[1]["when"] == "2021-02-03 04:05:00"
    else:
        read = pd.read_csv(output, sep="\t" if suffix == "tsv" else ",", dtype=str, keep_default_na=False)
        assert read["count"].tolist() == ["3", ""]
        assert [json.loads(tags) for tags in read["tags"]] == rows["tags"].tolist()
        assert [float(small) for small in read["small"]] == [0.1, 1e-17]
        assert read["when"].tolist() == ["2020-01-01 00:00:00", "2021-02-03 04:05:00"]


def test_predict_refuses(session: Session, rows: Path) -> None:
    model = session.run_dir
    before = sorted(rows.parent.iterdir())
    refused(hftransfer("predict", model), "give either inputs or --file")
    refused(invoke("predict", model, "a text", "--file", rows), "give either inputs or --file")
    refused(invoke("predict", model, "a text", "--column", "text=words"), "--column names columns of --file")
    refused(invoke("predict", model, "a text", "--json", "--output", "-"), "both print")
    refused(invoke("predict", model, "--file", rows, "--output", rows), "exists already; nothing was written")
    refused(
        invoke("predict", model, "--file", rows, "--output", rows.with_suffix(".xlsx")),
        ".xlsx",
        "known: .csv",
    )
    refused(invoke("predict", model, "--file", rows, "--output", rows.parent / "no" / "x.csv"), "no folder")
    refused(invoke("predict", model, "--file", rows.with_name("nwe.csv")), "no such file", "`new.csv`")
    other = rows.with_name("other.csv")
    other.write_text("sentence,id\nthe cat,1\n")
    refused(invoke("predict", model, "--file", other), "no column `words`", "`sentence`")
    other.write_text("words,score\nthe cat,1\n")
    refused(
        invoke("predict", model, "--file", other, "--output", rows.with_name("x.csv")),
        "a column `score` already",
    )
    other.unlink()
    assert sorted(rows.parent.iterdir()) == before


def test_a_run_may_be_moved(session: Session, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    subprocess.run(["cp", "-r", session.run_dir, moved], check=True)
    done = invoke("predict", moved, "the cat", "--json")
    assert json.loads(done.stdout) == json.loads(
        invoke("predict", session.run_dir, "the cat", "--json").stdout
    )


# --- other kinds of input --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs_run(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("pairs")
    data = write_pairs(folder / "data", train=16, other=4)
    return run(toy_recipe(tiny_checkpoint("bert"), data, epochs=1), output=folder / "run")


@pytest.fixture(scope="module")
def images_run(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("images")
    data = write_images(folder / "data")
    recipe = toy_recipe(tiny_checkpoint("resnet"), data, task="image-classification", epochs=1)
    return run(recipe, output=folder / "run")


def test_predict_pairs(pairs_run: Result) -> None:
    pair = {"text": "the cat", "text_pair": "my red"}
    for given in (json.dumps(pair), json.dumps(list(pair.values()))):
        done = invoke("predict", pairs_run.run_dir, given, "--json")
        assert done.exit_code == 0, done.stderr
        (record,) = json.loads(done.stdout)
        assert record["score"] == pytest.approx(pairs_run.predict([pair])[0].score, abs=1e-6)
    both = json.dumps(pair) + "\n" + json.dumps(list(pair.values())) + "\n"
    done = invoke("predict", pairs_run.run_dir, "-", "--json", stdin=both)
    assert [one["score"] for one in json.loads(done.stdout)] == pytest.approx([record["score"]] * 2, abs=1e-6)
    refused(
        invoke("predict", pairs_run.run_dir, "-", stdin=json.dumps(pair) + "\nthe cat\n"),
        "takes text and text_pair; input 2 is 'the cat'",
    )
    refused(invoke("predict", pairs_run.run_dir, "the cat"), "takes text and text_pair", '"text_pair": "..."')
    refused(invoke("predict", pairs_run.run_dir, '{"text": "x"}'), "input 1 has 1 of the 2 parts")
    refused(
        invoke("predict", pairs_run.run_dir, json.dumps(pair), '{"text": "x", "txt_pair": "y"}'),
        "input 2 has `txt_pair`",
        "did you mean `text_pair`",
    )
    refused(invoke("predict", pairs_run.run_dir, '["x", 3]'), "`text_pair` is a int, not a text")


def test_predict_images(images_run: Result, tmp_path: Path) -> None:
    folder = images_run.run_dir.parent / "data" / "validation"
    images = [folder / "red" / "0.png", folder / "blue" / "1.png"]
    done = invoke("predict", images_run.run_dir, *images)
    assert done.exit_code == 0, done.stderr
    predicted = images_run.predict(images)
    assert done.stdout.splitlines() == [
        f"{one.label} {one.score:.4f}  {path}" for one, path in zip(predicted, images, strict=True)
    ]
    (tmp_path / "notes.png").write_text("not an image")
    refused(
        invoke("predict", images_run.run_dir, images[0], tmp_path / "notes.png"),
        f"{tmp_path / 'notes.png'}: not an image",
    )
    with pytest.raises(Exception, match="input 2: expected an image"):
        images_run.predict([images[0], None])


def test_a_missing_image_is_found_before_the_model_is_loaded(images_run: Result) -> None:
    start = time.perf_counter()
    refused(
        hftransfer("predict", images_run.run_dir, "nowhere.png", anew=True),
        "nowhere.png: there is no such file",
    )
    assert time.perf_counter() - start < 5


def test_predict_a_folder_of_images_into_a_file(images_run: Result, tmp_path: Path) -> None:
    folder = images_run.run_dir.parent / "data" / "validation"
    done = invoke("predict", images_run.run_dir, "--file", folder, "--output", tmp_path / "out.csv")
    assert done.exit_code == 0, done.stderr
    written = pd.read_csv(tmp_path / "out.csv")
    assert sorted(written["image"]) == sorted(str(path) for path in folder.rglob("*.png"))
    assert set(written.columns) == {"image", "label", "prediction", "score"}
