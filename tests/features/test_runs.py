"""Runs on features: what a run without them gives, from one pass of the backbone, which a second run need not make."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_runner import hftransfer
from safetensors.torch import load_file
from toy import toy_recipe, trained, write_images, write_texts

from hftransfer.runner import run
from hftransfer.training.events import Event, Extraction, Note, Step

Tiny = Callable[..., Path]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HFTRANSFER_CACHE", str(tmp_path / "cache"))


def told(recipe: Any, output: Path) -> tuple[Any, list[Event]]:
    events: list[Event] = []
    return run(recipe, output=output, watch=events.append), events


def said(recipe: Any, output: Path) -> list[Event]:
    """The events of a run up to the end of its training."""
    events: list[Event] = []
    trained(recipe, output, watch=events.append)
    return events


def notes(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Note)]


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_a_run_gives_what_it_gives_without(family: str, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    data = write_texts(tmp_path / "data")
    results = []
    for cached in (True, False):
        recipe = toy_recipe(
            tiny_checkpoint(family), data, strategy="frozen", cache_features=cached, learning_rate=5e-2
        )
        result, events = told(recipe, tmp_path / str(cached))
        results.append(result)
        assert any(isinstance(event, Extraction) for event in events) == cached
        why = "the frozen backbone runs anew in every epoch: training.cache_features is false"
        assert (why in notes(events)) == (not cached)
    weights = [load_file(result.run_dir / "model" / "model.safetensors") for result in results]
    start = load_file(tiny_checkpoint(family) / "model.safetensors")
    assert max((weights[0][name] - weights[1][name]).abs().max() for name in weights[0]) < 1e-5
    # The backbone, to the byte.
    assert all(torch.equal(weights[0][f"{family}.{name}"], value) for name, value in start.items())
    for split in ("validation", "test"):
        first, second = (result.metrics[split] for result in results)
        assert first == pytest.approx(second, abs=1e-5)


def test_a_second_run_asks_nothing(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    recipe = toy_recipe(tiny_checkpoint("bert"), write_texts(tmp_path / "data"), strategy="frozen")
    first, events = told(recipe, tmp_path / "first")
    again, later = told(recipe, tmp_path / "again")
    assert (
        sum(event.total for event in events if isinstance(event, Extraction) and event.rows == event.total)
        > 60
    )
    assert not any(isinstance(event, Extraction) for event in later)
    assert any(note.endswith("rows was kept from before") for note in notes(later))
    assert not any("kept from before" in note for note in notes(events))
    assert again.metrics == first.metrics
    files = [(result.run_dir / "model" / "model.safetensors").read_bytes() for result in (first, again)]
    assert files[0] == files[1]


def test_resumed_it_is_the_same(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    recipe = toy_recipe(tiny_checkpoint("bert"), write_texts(tmp_path / "data"), strategy="frozen")
    whole, _ = trained(recipe, tmp_path / "whole")

    def stop(event: Event) -> None:
        if isinstance(event, Step) and event.step == 6:
            raise StopError

    with pytest.raises(StopError):
        trained(recipe, tmp_path / "cut", watch=stop)
    resumed, _ = trained(recipe, tmp_path / "cut", resume=True)
    first, second = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("augmentation", "expected"),
    [({"flip": "horizontal"}, "augmentation shows it other images every time"), (None, None)],
)
def test_augmentation_switches_it_off(
    augmentation: Any, expected: str | None, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    task = {"name": "image-classification", "augmentation": augmentation}
    data = write_images(tmp_path / "data")
    recipe = toy_recipe(tiny_checkpoint("vit"), data, task=task, strategy="frozen", epochs=2)
    events = said(recipe, tmp_path / "run")
    anew = [note for note in notes(events) if "runs anew in every epoch" in note]
    assert anew == ([f"the frozen backbone runs anew in every epoch: {expected}"] if expected else [])


def test_a_backbone_that_moves_is_not_asked(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    data = write_texts(tmp_path / "data")
    events = said(toy_recipe(tiny_checkpoint("bert"), data, epochs=1), tmp_path / "run")
    assert not any(isinstance(event, Extraction) for event in events)


def test_windows_are_rows_of_their_own(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    data = write_texts(tmp_path / "data", train=32, other=16)
    task = {"name": "text-classification", "max_length": 6, "long_texts": "windows"}
    scores = []
    for cached in (True, False):
        recipe = toy_recipe(
            tiny_checkpoint("bert"),
            data,
            task=task,
            strategy="frozen",
            cache_features=cached,
            epochs=2,
            best_metric="loss",
        )
        scores.append(trained(recipe, tmp_path / str(cached))[1].best.value)
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_the_command(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    assert "0.0 MB" in hftransfer("cache").stdout
    recipe = toy_recipe(tiny_checkpoint("bert"), write_texts(tmp_path / "data"), strategy="frozen")
    run(recipe, output=tmp_path / "run")
    listed = json.loads(hftransfer("cache", "list", "--json").stdout)
    (store,) = listed["stores"]
    assert store["backbone"] == "BertModel"
    assert store["reads"] == "pooler_output"
    assert store["rows"] > 60
    assert listed["bytes"] == store["bytes"] > 0
    assert json.loads(hftransfer("cache", "size", "--json").stdout)["bytes"] == listed["bytes"]
    assert "BertModel" in hftransfer("cache").stdout
    wrong = hftransfer("cache", "cleer")
    assert wrong.returncode == 2
    assert "did you mean `clear`" in wrong.stderr
    assert json.loads(hftransfer("cache", "clear", "--json").stdout)["removed_bytes"] == listed["bytes"]
    assert json.loads(hftransfer("cache", "list", "--json").stdout)["stores"] == []
