"""Many heads at once: each is what a run of its own gives, and the best becomes the model's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_runner import hftransfer
from pydantic import ValidationError
from toy import toy_recipe, trained, write_images, write_texts

from hftransfer.errors import InputError, TrainingError
from hftransfer.recipe import dump_recipe
from hftransfer.runner import run
from hftransfer.strategies import Frozen
from hftransfer.training.events import Event, Note

Tiny = Callable[..., Path]
RATES, DECAYS = (5e-3, 5e-2), (0.0, 0.1)
GRID = {"learning_rates": RATES, "weight_decays": DECAYS}
TASKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "focal": {"focal": 2.0, "class_weights": "balanced"},
    "smooth": {"label_smoothing": 0.1, "logit_adjustment": 1.0},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_texts(tmp_path / "data")


def written(run_dir: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((run_dir / "grid.json").read_text())
    return made


def head_of(job: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in job.head.named_parameters()}


@pytest.mark.parametrize(
    ("family", "task"), [("bert", "plain"), ("roberta", "plain"), ("bert", "focal"), ("bert", "smooth")]
)
def test_every_head_is_what_a_training_of_its_own_gives(
    family: str, task: str, data: Path, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    """Rates, decays, the bound on its own gradient (which is small enough to bind) and the loss are all its own."""
    base: dict[str, Any] = {"epochs": 3, "clip_norm": 0.05, "best_metric": "loss"}
    asked = {"name": "text-classification", **TASKS[task]}
    checkpoint = tiny_checkpoint(family)
    recipe = toy_recipe(checkpoint, data, task=asked, strategy={"name": "frozen", "grid": GRID}, **base)
    many, _ = trained(recipe, tmp_path / "grid")
    told = written(tmp_path / "grid")
    heads = told["heads"]
    assert [(one["learning_rate"], one["weight_decay"]) for one in heads] == [
        (r, d) for r in RATES for d in DECAYS
    ]
    for number, one in enumerate(heads):
        own = {**base, "learning_rate": one["learning_rate"]}
        own["optimizer"] = {"name": "adamw", "weight_decay": one["weight_decay"]}
        recipe = toy_recipe(checkpoint, data, task=asked, strategy="frozen", **own)
        alone, best = trained(recipe, tmp_path / str(number))
        assert (one["value"], one["step"]) == (pytest.approx(best.best.value, abs=1e-5), best.best.step)
        if number == told["best"]:
            mine, theirs = head_of(many), head_of(alone)
            assert max((mine[name] - theirs[name]).abs().max() for name in mine) < 1e-5
    values = [one["value"] for one in heads]
    assert len({round(value, 6) for value in values}) == len(values)  # they are not all one
    assert told["best"] == values.index(min(values))


@pytest.mark.parametrize("head", ["linear", {"name": "mlp", "widths": [16]}])
def test_heads_on_several_poolings_and_layers(
    head: Any, data: Path, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    grid = {
        "learning_rates": [1e-2, 1e-3],
        "weight_decays": [0.01],
        "poolings": ["cls", "mean"],
        "layers": [-1, [0, -1]],
    }
    base: dict[str, Any] = {"epochs": 2, "best_metric": "loss"}
    strategy = {"name": "frozen", "head": head, "grid": grid}
    recipe = toy_recipe(tiny_checkpoint("bert"), data, strategy=strategy, **base)
    many, _ = trained(recipe, tmp_path / "grid")
    told = written(tmp_path / "grid")
    readings = [(pooling, layers) for pooling in ("cls", "mean") for layers in ([-1], [0, -1])]
    assert [one["reading"] for one in told["heads"]] == [
        f"{pooling}{' of layers 0, -1' * (len(layers) > 1)}" for pooling, layers in readings for _ in range(2)
    ]
    for number, one in enumerate(told["heads"]):
        pooling, layers = readings[number // 2]
        alone, best = trained(
            toy_recipe(
                tiny_checkpoint("bert"),
                data,
                strategy={"name": "frozen", "head": head, "pooling": pooling, "layers": layers},
                **base,
                learning_rate=one["learning_rate"],
            ),
            tmp_path / str(number),
        )
        assert one["value"] == pytest.approx(best.best.value, abs=1e-5)
        if number == told["best"]:
            assert many.model.reading == alone.model.reading
            mine, theirs = head_of(many), head_of(alone)
            assert max((mine[name] - theirs[name]).abs().max() for name in mine) < 1e-5
    assert len({round(one["value"], 6) for one in told["heads"]}) == 8
    result = run(recipe, output=tmp_path / "run")
    assert result.metrics["validation"]["loss"] == pytest.approx(
        min(one["value"] for one in told["heads"]), abs=1e-5
    )
    assert set(result.reload_check["ways"]) == {"hftransfer", "sentence_transformers"}


def test_seeds_draw_other_heads_and_the_first_is_the_run_s_own(
    data: Path, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    strategy = {"name": "frozen", "grid": {"learning_rates": [1e-2], "weight_decays": [0.0], "seeds": 3}}
    base: dict[str, Any] = {"epochs": 2, "best_metric": "loss"}
    trained(toy_recipe(tiny_checkpoint("bert"), data, strategy=strategy, **base), tmp_path / "grid")
    heads = written(tmp_path / "grid")["heads"]
    values = [one["value"] for one in heads]
    assert [one["seed"] for one in heads] == [0, 1, 2]
    assert len(set(values)) == 3
    own = {**base, "learning_rate": 1e-2, "optimizer": {"name": "adamw", "weight_decay": 0.0}}
    _, alone = trained(
        toy_recipe(tiny_checkpoint("bert"), data, strategy="frozen", **own), tmp_path / "alone"
    )
    assert alone.best.value == pytest.approx(values[0], abs=1e-5)


@pytest.mark.parametrize("kind", ["multi_label_classification", "regression"])
def test_other_kinds_of_problem(kind: str, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    rows = [
        {
            "text": f"the {'cat' if n % 2 else 'dog'} saw a {'red' if n % 3 else 'blue'} cow",
            "label": float(n % 2) * 3 + n % 3,
        }
        for n in range(48)
    ]
    if kind.startswith("multi"):
        rows = [{**row, "label": [w for w in ("cat", "red") if w in str(row["text"])]} for row in rows]
    task = {"name": "text-classification", "problem_type": kind}
    recipe = toy_recipe(
        tiny_checkpoint("bert"), rows, task=task, strategy={"name": "frozen", "grid": GRID}, epochs=2
    )
    result = run(recipe, output=tmp_path / "run")
    told = written(result.run_dir)
    best = told["heads"][told["best"]]
    assert result.metrics["validation"][told["metric"]] == pytest.approx(best["value"], abs=1e-5)


def test_on_two_processes(data: Path, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """Plain SGD: Adam would make a large difference of the smallest rounding."""
    strategy = {"name": "frozen", "grid": {**GRID, "seeds": 2}}
    recipe = toy_recipe(
        tiny_checkpoint("roberta"),
        data,
        strategy=strategy,
        epochs=2,
        best_metric="loss",
        optimizer={"name": "sgd"},
    )
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    run(recipe, output=tmp_path / "1")
    done = hftransfer("run", tmp_path / "recipe.yaml", "--processes", "2", "--output", tmp_path / "2")
    assert done.returncode == 0, done.stderr
    values = [[one["value"] for one in written(tmp_path / count)["heads"]] for count in ("1", "2")]
    assert values[1] == pytest.approx(values[0], abs=1e-5)
    assert len({round(value, 5) for value in values[0]}) > 4


def test_what_is_said(data: Path, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    said: list[Event] = []
    recipe = toy_recipe(tiny_checkpoint("bert"), data, strategy={"name": "frozen", "grid": {}}, epochs=2)
    result = run(recipe, output=tmp_path / "run", watch=said.append)
    notes = [event.message for event in said if isinstance(event, Note)]
    assert (
        sum(
            note.startswith("the best head: on pooler_output, learning_rate")
            and "of all 16 the median is" in note
            for note in notes
        )
        == 1
    )
    told = written(result.run_dir)
    rate = told["heads"][told["best"]]["learning_rate"]
    assert any("learning rate of the grid" in note for note in notes) == (rate in (1e-3, 2e-1))


def test_a_backbone_that_runs_anew_has_no_grid(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    data = write_images(tmp_path / "data")
    task = {"name": "image-classification", "augmentation": {"flip": "horizontal"}}
    recipe = toy_recipe(tiny_checkpoint("vit"), data, task=task, strategy={"name": "frozen", "grid": {}})
    with pytest.raises(InputError, match="here it has to run anew") as caught:
        run(recipe, output=tmp_path / "run")
    assert caught.value.key == "strategy.grid"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "grid", [{"learning_rates": []}, {"learning_rates": [0.0]}, {"weight_decays": [-1.0]}, {"seeds": 0}]
)
def test_settings_that_cannot_be(grid: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Frozen(grid=grid)


def test_seeds_of_a_head_that_is_trained_already(data: Path, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    first = toy_recipe(tiny_checkpoint("bert"), data, strategy="frozen", epochs=1)
    made = run(first, output=tmp_path / "first")
    again = toy_recipe(made.model, data, strategy={"name": "frozen", "grid": {"seeds": 2}}, epochs=1)
    with pytest.raises(InputError, match="head is trained already") as caught:
        trained(again, tmp_path / "again")
    assert caught.value.key == "strategy.grid.seeds"


def test_a_head_that_leaves_the_numbers_ends_it(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    rows = [{"text": f"the {'cat' if n % 2 else 'dog'} saw {n} cows", "label": float(n)} for n in range(48)]
    task = {"name": "text-classification", "problem_type": "regression"}
    grid = {"learning_rates": [1e-2, 1e6], "weight_decays": [0.0]}
    recipe = toy_recipe(
        tiny_checkpoint("bert"),
        rows,
        task=task,
        strategy={"name": "frozen", "grid": grid},
        clip_norm=None,
        optimizer={"name": "sgd"},
        epochs=20,
    )
    with pytest.raises(TrainingError, match="of one head or another the loss") as caught:
        trained(recipe, tmp_path / "run")
    assert "strategy.grid.learning_rates" in str(caught.value.hint)
