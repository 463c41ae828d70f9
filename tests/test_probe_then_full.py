"""The head first, then everything: what the second training starts from, and that a kill in either costs nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from cli_runner import hftransfer
from safetensors.torch import load_file
from toy import toy_recipe, trained, write_texts

from hftransfer.errors import RecipeError
from hftransfer.job import Clock, prepare
from hftransfer.probe import probe
from hftransfer.recipe import Recipe, dump_recipe
from hftransfer.run_directory import RunDirectory
from hftransfer.runner import load_data, resolve, run
from hftransfer.training.compute import make_accelerator
from hftransfer.training.events import Begin, Event, Note, Step

Tiny = Callable[..., Path]
LPFT = {"name": "probe-then-full", "probe_epochs": 3, "probe_rate": 5e-2}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_texts(tmp_path / "data")


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    return load_file(run_dir / "model" / "model.safetensors")


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_the_second_training_starts_from_the_first(
    family: str, data: Path, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    """Exactly, to the byte: the model is what a run of `frozen` alone leaves."""
    frozen = toy_recipe(tiny_checkpoint(family), data, strategy="frozen", epochs=3, learning_rate=5e-2)
    expected = weights(run(frozen, output=tmp_path / "frozen").run_dir)
    recipe = toy_recipe(tiny_checkpoint(family), data, strategy=LPFT)
    job = prepare(recipe, load_data(resolve(recipe)), make_accelerator(recipe.training))
    fresh = {name: value.clone() for name, value in job.model.state_dict().items()}
    said: list[Event] = []
    probe(job, RunDirectory(tmp_path / "run"), Clock(said.append))
    state = job.model.state_dict()
    assert set(state) >= set(expected)
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    assert not all(torch.equal(state[name], value) for name, value in fresh.items())
    # ... and everything moves from here on.
    assert all(parameter.requires_grad for parameter in job.model.parameters())
    assert any(isinstance(event, Note) and "on the frozen backbone" in event.message for event in said)


def test_the_first_training_may_be_balanced(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """As a run of `frozen` with balanced sampling; the second training sees the rows as they come."""
    data = write_texts(tmp_path / "data")
    rows = (data / "train.csv").read_text().splitlines()
    rare = rows[1].rpartition(",")[2]
    others = [row for row in rows[1:] if not row.endswith(rare)]
    few = [row for row in rows[1:] if row.endswith(rare)][:6]
    (data / "train.csv").write_text("\n".join([rows[0], *others, *few]) + "\n")
    found = {}
    for name, strategy, sampling in (
        ("frozen", "frozen", "balanced"),
        ("natural", LPFT, "natural"),
        ("balanced", {**LPFT, "probe_sampling": "balanced"}, "natural"),
    ):
        epochs = {"epochs": 3, "learning_rate": 5e-2} if name == "frozen" else {}
        recipe = toy_recipe(tiny_checkpoint("bert"), data, strategy=strategy, sampling=sampling, **epochs)
        if name == "frozen":
            job, _ = trained(recipe, tmp_path / name)
        else:
            job = prepare(recipe, load_data(resolve(recipe)), make_accelerator(recipe.training))
            probe(job, RunDirectory(tmp_path / name), Clock(lambda event: None))
        found[name] = job.model.get_parameter("classifier.weight").detach().clone()
    assert torch.equal(found["balanced"], found["frozen"])
    assert not torch.equal(found["natural"], found["frozen"])


def test_balanced_needs_classes(tmp_path: Path, tiny_checkpoint: Tiny) -> None:
    task = {"name": "text-classification", "problem_type": "regression"}
    rows = [{"text": f"the cat {n}", "label": float(n)} for n in range(20)]
    recipe = toy_recipe(
        tiny_checkpoint("bert"), rows, task=task, strategy={**LPFT, "probe_sampling": "balanced"}
    )
    with pytest.raises(RecipeError, match=r"strategy\.probe_sampling: found balanced"):
        trained(recipe, tmp_path / "run")


def test_a_whole_run(data: Path, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    said: list[Event] = []
    result = run(
        toy_recipe(tiny_checkpoint("bert"), data, strategy=LPFT), output=tmp_path / "run", watch=said.append
    )
    begun = [event for event in said if isinstance(event, Begin)]
    assert [event.epochs for event in begun] == [3, 4]
    assert begun[0].trained_parameters < begun[1].trained_parameters == begun[1].total_parameters
    assert result.strategy == "probe-then-full"
    assert result.metrics["validation"]["accuracy"] > 0.6
    assert {"probe", "features", "train"} <= set(result.seconds)
    start = load_file(tiny_checkpoint("bert") / "model.safetensors")
    assert any(
        not torch.equal(weights(result.run_dir)[f"bert.{name}"], value) for name, value in start.items()
    )


class StopError(Exception):
    """As a kill would."""


@pytest.mark.parametrize(("training", "step"), [(1, 2), (1, 6), (2, 3), (2, 9)])
def test_resumed_it_is_the_same(
    training: int, step: int, data: Path, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    recipe = toy_recipe(tiny_checkpoint("bert"), data, strategy=LPFT, checkpoint_every=3)
    whole, _ = trained(recipe, tmp_path / "whole")
    begun = 0

    def stop(event: Event) -> None:
        nonlocal begun
        begun += isinstance(event, Begin)
        if begun == training and isinstance(event, Step) and event.step == step:
            raise StopError

    with pytest.raises(StopError):
        trained(recipe, tmp_path / "cut", watch=stop)
    again: list[Event] = []
    resumed, _ = trained(recipe, tmp_path / "cut", resume=True, watch=again.append)
    first, second = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    # Once the second has left a checkpoint, the first is not gone through again.
    assert sum(isinstance(event, Begin) for event in again) == (1 if (training, step) == (2, 9) else 2)


def test_on_two_processes(data: Path, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    recipe: Recipe = toy_recipe(
        tiny_checkpoint("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),
        data,
        strategy=LPFT,
    )
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    run(recipe, output=tmp_path / "1")
    done = hftransfer("run", tmp_path / "recipe.yaml", "--processes", "2", "--output", tmp_path / "2")
    assert done.returncode == 0, done.stderr
    states = [weights(tmp_path / count) for count in ("1", "2")]
    assert max((states[0][name] - states[1][name]).abs().max() for name in states[0]) < 1e-4
    assert json.loads((tmp_path / "2" / "result.json").read_text())["strategy"] == "probe-then-full"
