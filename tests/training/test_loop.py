"""The loop: the same steps whatever the micro-batch, whenever it was stopped; nothing after a number is not finite."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import make_rows
from toy import kept_weights, toy_recipe, train_only, write_images, write_texts

from hftransfer.errors import TrainingError
from hftransfer.tasks.base import Loss
from hftransfer.training.events import Evaluation, Event, Step
from hftransfer.training.loaders import MicroBatch
from hftransfer.training.loop import forward

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("texts"), train=70)


def largest_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def same_bytes(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_micro_batches_change_nothing(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    """With weights for rare classes the micro-batches of a step count differently: a mean of means is wrong."""
    texts, labels = make_rows(70)
    rare = [row for row in zip(texts, labels, strict=True) if row[1] == "animal"][:12]
    rows = [
        {"text": text, "label": label} for text, label in zip(texts, labels, strict=True) if label != "animal"
    ]
    rows += [{"text": text, "label": label} for text, label in rare]
    task = {"name": "text-classification", "class_weights": "balanced", "label_smoothing": 0.1}
    checkpoint = tiny_checkpoint("bert", **NO_DROPOUT)

    def weights(size: int, name: str = "") -> dict[str, torch.Tensor]:
        # Plain SGD: Adam would make a large difference of the smallest rounding.
        recipe = toy_recipe(
            checkpoint,
            {"train": rows, "validation": rows},
            task=task,
            epochs=2,
            micro_batch_size=size,
            optimizer="sgd",
            learning_rate=0.05,
        )
        return train_only(recipe, tmp_path / f"{size}{name}")

    whole = weights(16)
    assert largest_difference(whole, weights(5)) < 1e-5
    assert largest_difference(whole, weights(1)) < 1e-5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hftransfer.training.loop.accumulate", mean_of_means)
        assert largest_difference(whole, weights(1, "mean of means")) > 1e-3


def mean_of_means(model: Any, micros: list[MicroBatch], loss: Loss, compute: Any, augment: Any) -> float:
    """The negative control: what a loop does that averages the mean losses of its micro-batches."""
    values = []
    for micro in micros:
        value = (
            loss.sum(forward(model, micro.tensors), micro.tensors) / loss.weight(micro.tensors) / len(micros)
        )
        value.backward()
        values.append(value.item())
    return sum(values)


@pytest.mark.parametrize("strategy", ["full", "frozen", "lora"])
def test_same_recipe_same_bytes(
    tiny_checkpoint: Callable[..., Path], data: Path, tmp_path: Path, strategy: str
) -> None:
    checkpoint = tiny_checkpoint("bert")

    def weights(name: str, seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(len(name))  # what was drawn before must not matter
        recipe = toy_recipe(checkpoint, data, strategy=strategy, epochs=1, seed=seed)
        return train_only(recipe, tmp_path / name)

    first = weights("first", 0)
    assert same_bytes(first, weights("and again", 0))
    assert not same_bytes(first, weights("other", 1))


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "rmsprop"])
@pytest.mark.parametrize("stop", [3, 5, 10])  # inside the first epoch, at its end, at the end of the second
def test_resumed_equals_uninterrupted(
    tiny_checkpoint: Callable[..., Path], data: Path, tmp_path: Path, stop: int, optimizer: str
) -> None:
    recipe = toy_recipe(
        tiny_checkpoint("bert"),
        data,
        epochs=3,
        checkpoint_every=1,
        patience=5,
        optimizer=optimizer,
        learning_rate=1e-3,
    )

    def crash(event: Event) -> None:
        # The checkpoint of a step is written after the step is told: this loses the step `stop`, too.
        if isinstance(event, Step) and event.step == stop + 1:
            raise KeyboardInterrupt

    whole = train_only(recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_only(recipe, tmp_path / "stopped", crash)
    told: list[Event] = []
    resumed = train_only(recipe, tmp_path / "stopped", told.append)
    assert next(event.step for event in told if isinstance(event, Step)) == stop + 1
    assert same_bytes(whole, resumed)
    assert facts(tmp_path / "whole") == facts(tmp_path / "stopped")


def facts(run_dir: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without how long things took and where the process began."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{**line, "seconds": None} for line in lines if line["event"] != "begin"]


@pytest.mark.parametrize("strategy", ["frozen", "lora"])
def test_resumed_equals_uninterrupted_for_every_strategy(
    tiny_checkpoint: Callable[..., Path], data: Path, tmp_path: Path, strategy: str
) -> None:
    """With dropout, stopped at the end of an epoch, where an evaluation has left other modes behind."""
    recipe = toy_recipe(tiny_checkpoint("bert"), data, strategy=strategy, epochs=2)

    def crash(event: Event) -> None:
        if isinstance(event, Step) and event.step == 6:
            raise KeyboardInterrupt

    whole = train_only(recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_only(recipe, tmp_path / "stopped", crash)
    assert same_bytes(whole, train_only(recipe, tmp_path / "stopped"))


def test_resuming_without_the_optimizer_would_differ(
    tiny_checkpoint: Callable[..., Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the test above: it can tell a resume that forgets something."""
    recipe = toy_recipe(tiny_checkpoint("bert"), data, epochs=2)

    def crash(event: Event) -> None:
        if isinstance(event, Step) and event.step == 6:
            raise KeyboardInterrupt

    whole = train_only(recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_only(recipe, tmp_path / "stopped", crash)
    monkeypatch.setattr("hftransfer.stages.resuming.load_optimizer_tensors", lambda *_: None)
    assert not same_bytes(whole, train_only(recipe, tmp_path / "stopped"))


def test_a_loss_that_is_not_finite_stops_before_the_update(
    tiny_checkpoint: Callable[..., Path], data: Path, tmp_path: Path
) -> None:
    recipe = toy_recipe(
        tiny_checkpoint("bert"), data, learning_rate=1e30, optimizer={"name": "sgd"}, warmup=0, clip_norm=None
    )
    told: list[Event] = []
    with pytest.raises(TrainingError, match=r"of step \d+ is not a finite number \(training rows"):
        train_only(recipe, tmp_path / "run", told.append)
    assert all(event.loss == event.loss for event in told if isinstance(event, Step))


def test_patience_stops_and_the_best_weights_are_kept(
    tiny_checkpoint: Callable[..., Path], data: Path, tmp_path: Path
) -> None:
    # A rate so high that later epochs are worse.
    recipe = toy_recipe(
        tiny_checkpoint("bert"),
        data,
        epochs=30,
        patience=2,
        learning_rate=3e-2,
        schedule="constant",
        best_metric="loss",
    )
    told: list[Event] = []
    last = train_only(recipe, tmp_path / "run", told.append)
    evaluations = [event for event in told if isinstance(event, Evaluation)]
    losses = [event.metrics["loss"] for event in evaluations]
    best = losses.index(min(losses))
    assert len(losses) == best + 3 < 30
    assert [event.best for event in evaluations][best:] == [True, False, False]
    kept = kept_weights(tmp_path / "run", "best")
    assert not same_bytes(kept, last)
    # The weights kept are those of that step: a run that ends there has them as its last.
    until = toy_recipe(
        tiny_checkpoint("bert"),
        data,
        epochs=30,
        patience=2,
        learning_rate=3e-2,
        schedule="constant",
        best_metric="loss",
    )

    def stop(event: Event) -> None:
        if isinstance(event, Step) and event.step == evaluations[best].step + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_only(until, tmp_path / "until", stop)
    assert same_bytes(kept, kept_weights(tmp_path / "until", "last"))


def test_steps_end_training_inside_an_epoch(
    tiny_checkpoint: Callable[..., Path], data: Path, tmp_path: Path
) -> None:
    told: list[Event] = []
    train_only(toy_recipe(tiny_checkpoint("bert"), data, steps=7, warmup=1), tmp_path / "run", told.append)
    assert [event.step for event in told if isinstance(event, Step)] == list(range(1, 8))
    assert [event.step for event in told if isinstance(event, Evaluation)] == [5, 7]


def test_workers_change_nothing(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")

    def weights(workers: int) -> dict[str, torch.Tensor]:
        recipe = toy_recipe(
            tiny_checkpoint("vit"), images, task="image-classification", epochs=1, workers=workers
        )
        return train_only(recipe, tmp_path / f"run{workers}")

    assert same_bytes(weights(0), weights(2))
