"""A run with everything that it can be compared with: what is written down, and that nothing is trained twice."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from cli_runner import hftransfer
from hub import LoopbackHub
from toy import toy_recipe, write_images, write_texts

from hftransfer import stages
from hftransfer.errors import CheckpointError, DataError, RunDirectoryError, TrainingError
from hftransfer.evidence import gather
from hftransfer.evidence.arms import arm_recipe
from hftransfer.job import Clock
from hftransfer.proof import FreshProcess
from hftransfer.recipe import Recipe, dump_recipe
from hftransfer.report import card
from hftransfer.report.parts import Say, Table
from hftransfer.report.verdict import arms
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory
from hftransfer.runner import run
from hftransfer.training.events import Begin, Event, Note, Stage, Step

Tiny = Callable[..., Path]
ARMS = ["majority", "words", "random-weights", "frozen"]


def asking(recipe: Recipe, **evidence: Any) -> Recipe:
    return recipe.model_copy(update={"evidence": type(recipe.evidence)(**evidence)})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("texts") / "data")


@pytest.fixture(scope="module")
def recipe(tiny_checkpoint: Tiny, data: Path) -> Recipe:
    return toy_recipe(tiny_checkpoint("bert"), data, strategy="full")


@pytest.fixture(scope="module")
def told() -> list[Event]:
    """What the run below has told."""
    return []


@pytest.fixture(scope="module")
def proven(recipe: Recipe, told: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run(asking(recipe, arms="all"), output=tmp_path_factory.mktemp("runs") / "run", watch=told.append)


def test_the_evidence_is_as_documented(proven: Result) -> None:
    evidence = proven.evidence
    assert Result.read(proven.run_dir).evidence == json.loads(json.dumps(evidence))
    assert (evidence["metric"], evidence["split"], evidence["rows"]) == ("accuracy", "test", 24)
    assert [one["name"] for one in evidence["arms"]] == ["full", *ARMS]
    assert [one["arm"] for one in evidence["comparisons"]] == ARMS
    assert evidence["failed"] == evidence["left_out"] == {}
    ours = proven.metrics["test"]["accuracy"]
    for arm, one in zip(evidence["arms"][1:], evidence["comparisons"], strict=True):
        assert one["difference"] == pytest.approx(ours - arm["metrics"]["test"]["accuracy"])
        assert proven.baselines[arm["name"]] == arm["metrics"]
        assert one["verdict"] in ("better", "worse", "undetermined")
        assert one["p"] is not None
    words = evidence["arms"][2]
    assert words["run"] is None
    assert words["metrics"]["test"]["accuracy"] > 0.9
    assert next(iter(proven.baselines)) == "majority"
    assert [(one["seed"], one["value"], one["run"]) for one in evidence["seeds"]] == [(0, ours, ".")]
    names = [one["name"] for one in evidence["arms"]]
    assert evidence["cheapest_within_noise"] in names


def test_every_stage_says_what_it_is_part_of(proven: Result, told: list[Event]) -> None:
    stages = [one for one in told if isinstance(one, Stage)]
    within = list(dict.fromkeys(one.within for one in stages))
    assert within == ["", "words (1 of 3)", "random-weights (2 of 3)", "frozen (3 of 3)"]
    assert [one.within for one in stages if one.name == "train"] == [
        "",
        *within[2:],
    ]  # words trains in one stage


def test_every_arm_is_a_run_of_its_own(proven: Result) -> None:
    trained = {"random-weights": "full", "frozen": "frozen"}
    for name, strategy in trained.items():
        (told,) = [one for one in proven.evidence["arms"] if one["name"] == name]
        arm = Result.read(proven.run_dir / told["run"])
        assert arm.strategy == strategy
        assert arm.metrics == told["metrics"]
        assert arm.parameters["trained"] == told["trained"]
        assert told["seconds"] > 0
        assert told["peak_memory_bytes"] > 1e7
        assert not (arm.run_dir / "checkpoints").exists()
        assert arm.predict(["the red and the blue"])
    scratch = Result.read(proven.run_dir / "evidence" / "random-weights")
    assert scratch.recipe.checkpoint.random_weights
    assert scratch.parameters == proven.parameters
    assert "every weight starts from random" in " ".join(scratch.findings)
    rows = [row_numbers(one) for one in (proven, scratch)]
    assert rows[0].equals(rows[1])


def row_numbers(result: Result) -> Any:
    return pd.read_parquet(result.run_dir / "predictions" / "test.parquet")["row"]


def test_the_card_says_it(proven: Result) -> None:
    text = RunDirectory(proven.run_dir).card.read_text()
    assert text == card(proven)
    assert "## Evidence" in text
    for arm in ARMS:
        assert f"| {arm} |" in text
    assert "McNemar" in text
    assert (
        "| split | rows | metric | score | 95 % interval | majority |\n" in text
    )  # a trained arm is no guess
    scratch = Result.read(proven.run_dir / "evidence" / "random-weights")
    assert "random weights in the architecture of" in card(scratch)


def test_the_page_says_it(proven: Result, tmp_path: Path) -> None:
    table, *said = arms(proven)
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["full", *ARMS]
    for row, one in zip(table.rows[1:], proven.evidence["comparisons"], strict=True):
        assert (row[3], row[6]) == (one["difference"], one["verdict"])
        assert row[5] == (one["p"] if one["p"] >= 1e-4 else "< 0.0001")
    texts = [part.text for part in said if isinstance(part, Say)]
    assert len(texts) == len(said)  # no table of seeds
    assert "McNemar" in texts[0]
    page = proven.report(tmp_path / "page").read_text(encoding="utf-8")
    assert proven.evidence["verdict"] in unescape(page)
    assert texts[0] in unescape(page)


def test_what_is_there_is_not_trained_again(recipe: Recipe, proven: Result, tmp_path: Path) -> None:
    """As after a kill before the last of it, another seed: the arms are there, result.json without evidence."""
    copy = shutil.copytree(proven.run_dir, tmp_path / "run")
    facts = json.loads((copy / "result.json").read_text())
    facts["evidence"], facts["baselines"] = {}, {"majority": facts["baselines"]["majority"]}
    (copy / "result.json").write_text(json.dumps(facts))
    before = {one: one.stat().st_mtime_ns for one in copy.rglob("model.safetensors")}
    events: list[Event] = []
    again = run(asking(recipe, arms="all", seeds=2), output=copy, resume=True, watch=events.append)
    assert before == {one: one.stat().st_mtime_ns for one in before}
    assert [one.name for one in events if isinstance(one, Stage)].count("train") == 1
    for one, other in zip(again.evidence["arms"], proven.evidence["arms"], strict=True):
        assert (one["name"], one["metrics"]) == (other["name"], other["metrics"])
    first, second = again.evidence["seeds"]
    assert (first["seed"], second["seed"], second["run"]) == (0, 1, "evidence/seed-1")
    assert again.evidence["mean"] == pytest.approx((first["value"] + second["value"]) / 2)
    assert "mean of 2 seeds" in again.evidence["verdict"]
    assert [one["title"] for one in again.evidence["arms"]] == ["mean of 2 seeds", *ARMS]
    for arm, one in zip(again.evidence["arms"][1:], again.evidence["comparisons"], strict=True):
        assert one["difference"] == pytest.approx(again.evidence["mean"] - arm["value"])
    table, *_, every = arms(again)
    assert isinstance(table, Table)
    assert isinstance(every, Table)
    assert table.rows[0][:2] == ["mean of 2 seeds", again.evidence["mean"]]
    assert [row[:2] for row in every.rows] == [[one["seed"], one["value"]] for one in (first, second)]
    card = RunDirectory(copy).card.read_text()
    assert "| mean of 2 seeds |" in card
    assert "McNemar" not in card
    other = Result.read(copy / second["run"])
    assert (other.recipe.training.seed, other.recipe.data_seed) == (1, 0)
    assert row_numbers(other).equals(row_numbers(proven))
    events.clear()
    run(asking(recipe, arms="all", seeds=2), output=copy, resume=True, watch=events.append)
    assert [one.message for one in events if isinstance(one, Note)] == [
        f"the run in {copy} is finished already"
    ]


def test_a_finished_run_can_be_asked_for_more(recipe: Recipe, proven: Result, tmp_path: Path) -> None:
    """But not for what would make it another run; nor on other rows."""
    copy = shutil.copytree(proven.run_dir, tmp_path / "run")
    shutil.rmtree(copy / "evidence")
    plain = json.loads((copy / "result.json").read_text())
    plain["evidence"] = {}
    (copy / "result.json").write_text(json.dumps(plain))
    (copy / "model" / "README.md").write_text("mine")
    more = run(asking(recipe, arms=["words"]), output=copy, resume=True)
    assert [one["name"] for one in more.evidence["arms"]] == ["full", "majority", "words"]
    assert more.recipe.evidence.arms == ("words",)
    assert (copy / "model" / "README.md").read_text() == "mine"
    longer = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 9})})
    with pytest.raises(RunDirectoryError, match="another recipe: epochs: 9"):
        run(asking(longer, arms=["words"]), output=copy, resume=True)
    facts = json.loads((copy / "data.json").read_text())
    (copy / "data.json").write_text(json.dumps({**facts, "fingerprint": "other"}))
    with pytest.raises(DataError, match="nothing can be compared"):
        run(asking(recipe, arms=["frozen"]), output=copy, resume=True)


def test_rows_that_belong_together_are_compared_together(
    tiny_checkpoint: Tiny, data: Path, tmp_path: Path
) -> None:
    """Every test row five times, each five by one writer: as sure as of 24 rows, and not as of 120."""
    tables = {split: pd.read_csv(data / f"{split}.csv") for split in ("train", "validation", "test")}
    tables["train"]["writer"] = range(100, 164)
    tables["test"] = pd.concat([tables["test"].assign(writer=range(24))] * 5)
    for split, table in tables.items():
        table.to_csv(tmp_path / f"{split}.csv", index=False)
    widths, ps = {}, {}
    for group in (None, "writer"):
        recipe = toy_recipe(
            tiny_checkpoint("bert"), tmp_path, strategy={"name": "frozen", "pooling": "mean"}, epochs=1
        )
        held = recipe.data.hold_out.model_copy(update={"group": group})
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"hold_out": held})})
        result = run(asking(recipe, arms=["majority", "words"]), output=tmp_path / str(group))
        evidence, units = result.evidence, "whole values of writer" if group else "rows"
        assert f"the intervals are over {units}, and" in evidence["verdict"]
        card = (result.model / "README.md").read_text()
        assert f"bootstraps over {units if group else 'the rows'} (1,000" in card
        ps[group] = [one["p"] for one in evidence["comparisons"]]
        widths[group] = [float(one["interval"][1] - one["interval"][0]) for one in evidence["comparisons"]]
    assert all(one is not None for one in ps[None])
    assert ps["writer"] == [None, None]
    for alone, together in zip(widths[None], widths["writer"], strict=True):
        assert together / alone == pytest.approx(5**0.5, rel=0.25)


def test_what_the_rows_are_made_of_is_known_of_every_arm(proven: Result) -> None:
    """It is counted once: of masks that takes a while."""
    parts = (".", "evidence/random-weights", "evidence/frozen")
    own, *theirs = (json.loads((proven.run_dir / one / "data.json").read_text())["balance"] for one in parts)
    assert {name: sum(counts) for name, counts in own["splits"].items()} == proven.examples
    assert theirs == [own, own]


def test_an_arm_that_fails_costs_nothing_else(recipe: Recipe, proven: Result, tmp_path: Path) -> None:
    """A file where the arm's folder should be."""
    copy = shutil.copytree(proven.run_dir, tmp_path / "run")
    shutil.rmtree(copy / "evidence" / "frozen")
    (copy / "evidence" / "frozen").write_text("in the way")
    facts = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps({**facts, "evidence": {}}))
    events: list[Event] = []
    told = run(asking(recipe, arms="all"), output=copy, resume=True, watch=events.append)
    assert [one["name"] for one in told.evidence["arms"]] == ["full", "majority", "words", "random-weights"]
    assert "is a file" in told.evidence["failed"]["frozen"]
    assert any("not compared with frozen" in one.message for one in events if isinstance(one, Note))
    assert "frozen failed: " in RunDirectory(copy).card.read_text()


def bare(proven: Result, folder: Path, *without: str) -> Path:
    """A copy as after a kill before the evidence was written, without some of what it is compared with."""
    copy = shutil.copytree(proven.run_dir, folder)
    for name in without:
        shutil.rmtree(copy / "evidence" / name)
    facts = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps({**facts, "evidence": {}}))
    return copy


class Killed(BaseException):
    """What nothing on the way catches."""


@pytest.fixture
def unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here loads what is saved, and a fresh process takes seconds."""
    monkeypatch.setattr(
        "hftransfer.stages.saving.prove", lambda *_: {"max_difference": 0.0, "rows": 0, "ways": {}}
    )
    monkeypatch.setattr(FreshProcess, "start", lambda self: None)


@pytest.mark.usefixtures("unproven")
def test_killed_in_every_arm_it_goes_on(recipe: Recipe, proven: Result, tmp_path: Path) -> None:
    """Before an arm, in the midst of its training, and as it is saved: the evidence is in the end what it had been."""
    copy = bare(proven, tmp_path / "run", "words", "random-weights", "frozen")
    seen: list[Event] = []
    deadly: list[Callable[[Event], bool]] = [
        lambda event: isinstance(event, Stage) and event.name == "evidence words",
        lambda event: isinstance(event, Step) and event.step == 9,
        lambda event: isinstance(event, Stage) and event.name == "save",
        lambda event: isinstance(event, Stage) and event.name == "evidence frozen",
    ]

    def watch(event: Event) -> None:
        seen.append(event)
        if deadly and deadly[0](event):
            deadly.pop(0)
            raise Killed

    asked = asking(recipe, arms="all")
    for _ in range(4):
        with pytest.raises(Killed):
            run(asked, output=copy, resume=True, watch=watch)
        assert Result.read(copy).evidence == {}
    again = run(asked, output=copy, resume=True, watch=watch)
    for one, other in zip(again.evidence["arms"], proven.evidence["arms"], strict=True):
        assert (one["name"], one["metrics"]) == (other["name"], other["metrics"])
    assert again.evidence["failed"] == {}
    # The second of these went on from where the first had been killed.
    assert [one.step for one in seen if isinstance(one, Begin)][:3] == [0, 8, 16]


@pytest.mark.usefixtures("unproven")
def test_an_arm_that_diverges_and_one_that_does_not_fit(
    recipe: Recipe, proven: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = bare(proven, tmp_path / "run", "random-weights", "frozen")
    told = arm_recipe(recipe, "random-weights")
    wild = told.model_copy(update={"training": told.training.model_copy(update={"learning_rate": 1e30})})
    arms = {"random-weights": wild, "frozen": arm_recipe(recipe, "frozen")}
    monkeypatch.setattr(gather, "arm_recipe", lambda _, name: arms[name])

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nand much more")

    monkeypatch.setattr(stages, "score", full)
    events: list[Event] = []
    result = run(asking(recipe, arms="all"), output=copy, resume=True, watch=events.append)
    assert result.metrics == proven.metrics
    assert [one["name"] for one in result.evidence["arms"]] == ["full", "majority", "words"]
    failed = result.evidence["failed"]
    assert "is not a finite number" in failed["random-weights"]
    assert failed["frozen"] == "OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB."
    notes = " ".join(one.message for one in events if isinstance(one, Note))
    assert f"not compared with frozen, which failed: {failed['frozen']}" in notes
    assert Result.read(copy).evidence["failed"] == failed


@pytest.mark.parametrize(
    ("name", "error", "goes_on"),
    [
        ("frozen", TrainingError("the loss of step 3 is not a finite number"), True),
        ("frozen", CheckpointError("not to be had"), False),
        ("frozen", ValueError("odd"), False),
        ("words", ValueError("empty vocabulary"), True),  # no other process takes part in it
    ],
)
def test_what_one_of_several_processes_fails_at_ends_all(
    name: str, error: Exception, goes_on: bool, proven: Result
) -> None:
    """It alone would go on with the next arm, and the others wait for it for ever."""
    several: Any = SimpleNamespace(num_processes=2)
    nothing: Any = None
    at = RunDirectory(proven.run_dir)
    work = gather._Work(proven, proven.recipe, nothing, at, several, Clock(lambda event: None))

    def fail() -> Any:
        raise error

    if goes_on:
        assert work._attempt(name, name, fail) is None
        assert str(error).strip() in work.failed[name]
    else:
        with pytest.raises(TrainingError, match=f"evidence frozen failed: .*{error}") as caught:
            work._attempt(name, name, fail)
        assert str(proven.run_dir) in str(caught.value.hint)
    # One process alone goes on whatever it is.
    several.num_processes = 1
    assert work._attempt(name, name, fail) is None


@pytest.mark.long
def test_a_private_checkpoint_on_several_processes(
    recipe: Recipe, hub: LoopbackHub, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    """All but the main one have forgotten their tokens when the first arm begins."""
    hub.create_repo("me/base", tiny_checkpoint("bert"), private=True)
    commit = hub.repo("me/base").head.oid
    text = dump_recipe(recipe).replace(str(tiny_checkpoint("bert")), "me/base")
    (tmp_path / "recipe.yaml").write_text(text)
    command = [sys.executable, "-m", "hftransfer", "run", "recipe.yaml", "--prove", "--processes", "2"]
    done = hub.run([*command, "--output", "run"], home=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    result = Result.read(tmp_path / "run")
    assert [one["name"] for one in result.evidence["arms"]] == ["full", *ARMS]
    assert result.evidence["failed"] == {}
    assert result.checkpoint["fingerprint"] == f"commit:{commit}"
    assert Result.read(tmp_path / "run" / "evidence" / "frozen").recipe.checkpoint.revision == commit


@pytest.mark.long
def test_several_processes_train_the_arms_together(recipe: Recipe, proven: Result, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    asked = ("run", tmp_path / "recipe.yaml", "evidence.seeds=2", "--prove", "--processes", "2")
    done = hftransfer(*asked, "--output", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    evidence = Result.read(tmp_path / "run").evidence
    assert [one["name"] for one in evidence["arms"]] == ["full", *ARMS]
    assert (len(evidence["seeds"]), evidence["failed"]) == (2, {})
    assert evidence["verdict"] in " ".join(done.stdout.split())
    environment = json.loads((tmp_path / "run" / "evidence" / "frozen" / "environment.json").read_text())
    assert environment["processes"] == 2


@pytest.mark.long
@pytest.mark.parametrize("family", ["resnet", "vit"])
def test_images(tiny_checkpoint: Tiny, family: str, tmp_path: Path) -> None:
    images = toy_recipe(
        tiny_checkpoint(family), write_images(tmp_path / "images"), task="image-classification"
    )
    evidence = run(asking(images, arms="all"), output=tmp_path / "run").evidence
    assert [one["name"] for one in evidence["arms"]] == ["full", "majority", "random-weights", "frozen"]
    assert evidence["failed"] == {}
    assert "image-classification" in evidence["left_out"]["words"]
