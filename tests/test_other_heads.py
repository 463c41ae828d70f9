"""Runs whose head is another than the architecture's: on poolings and layers, an mlp, learners of scikit-learn."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import hftransfer
from safetensors.torch import load_file, save_file
from tiny import make_rows
from toy import toy_recipe, trained, write_images, write_pairs, write_texts

from hftransfer.errors import DataError, InputError, RecipeError
from hftransfer.heads.pairs import SECOND, sides
from hftransfer.registry import STRATEGIES
from hftransfer.runner import check, load_run, run
from hftransfer.training.events import Extraction

Tiny = Callable[..., Path]
MEAN = {"name": "frozen", "pooling": "mean"}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HFTRANSFER_CACHE", str(tmp_path / "cache"))


def backbone_is_untouched(result: Any, checkpoint: Path) -> bool:
    start, end = (load_file(folder / "model.safetensors") for folder in (checkpoint, result.model))
    return all((end[name] == value).all() for name, value in start.items() if name in end)


def learned(result: Any) -> bool:
    """Whether it fits its training rows: a random backbone gives nothing that would hold for others."""
    lines = [json.loads(line) for line in (result.run_dir / "metrics.jsonl").read_text().splitlines()]
    losses = [one["loss"] for one in lines if one["event"] == "step"]
    if losses:
        return bool(np.mean(losses[-4:]) < np.mean(losses[:4]))
    guess: float = result.baselines["majority"]["validation"]["accuracy"]
    return bool(result.evaluate(split="train").metrics["accuracy"] > guess + 0.1)


def test_a_linear_head_on_the_mean(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    data, checkpoint = write_texts(tmp_path / "data"), tiny_checkpoint("bert")
    results = []
    for cached in (True, False):
        recipe = toy_recipe(
            checkpoint, data, strategy=MEAN, cache_features=cached, learning_rate=5e-2, epochs=6
        )
        results.append(run(recipe, output=tmp_path / str(cached)))
    first, second = results
    assert first.metrics["validation"]["loss"] == pytest.approx(
        second.metrics["validation"]["loss"], abs=1e-5
    )
    assert learned(first)
    assert first.parameters["trained"] == 33 * 2
    assert set(first.reload_check["ways"]) == {"hftransfer", "sentence_transformers"}
    assert first.reload_check["max_difference"] < 1e-5
    assert backbone_is_untouched(first, checkpoint)
    assert "the head is linear on mean, in place of the architecture's" in first.findings
    assert not any("start from random" in finding for finding in first.findings)
    # As it was scored, it answers.
    again = load_run(first.run_dir)
    assert again.evaluate(split="validation").metrics["accuracy"] == first.metrics["validation"]["accuracy"]
    texts = make_rows(4)[0]
    assert [one.label for one in again.predict(texts)] == [one.label for one in second.predict(texts)]


def test_what_a_head_was_trained_in_stays_with_the_training(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    recipe = toy_recipe(
        tiny_checkpoint("bert"), write_texts(tmp_path / "data"), strategy=MEAN, precision="bf16", epochs=1
    )
    assert run(recipe, output=tmp_path / "run").reload_check["max_difference"] < 1e-5


@pytest.mark.parametrize(
    ("family", "strategy", "task"),
    [
        ("roberta", {**MEAN, "head": {"name": "mlp", "widths": [64]}}, "text-classification"),
        ("bert", {"name": "frozen", "head": "mlp"}, "text-classification"),
        (
            "bert",
            {"name": "frozen", "pooling": "max", "layers": [1, -1], "head": "logistic-regression"},
            "text-classification",
        ),
        ("modernbert", {**MEAN, "head": "random-forest"}, "text-classification"),
        ("resnet", {"name": "frozen", "head": "knn"}, "image-classification"),
        ("vit", {"name": "frozen", "head": "svm", "pooling": "mean"}, "image-classification"),
        ("dinov2", {"name": "frozen", "head": "mlp", "pooling": "cls"}, "image-classification"),
    ],
)
def test_heads_of_all_kinds(
    family: str, strategy: dict[str, Any], task: str, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    write = write_texts if task.startswith("text") else write_images
    recipe = toy_recipe(
        tiny_checkpoint(family),
        write(tmp_path / "data"),
        task=task,
        strategy=strategy,
        learning_rate=1e-2,
        epochs=6,
    )
    result = run(recipe, output=tmp_path / "run")
    assert learned(result)
    assert backbone_is_untouched(result, tiny_checkpoint(family))
    assert result.reload_check["max_difference"] < 1e-4
    texts = task.startswith("text") and "pooling" in strategy
    assert ("sentence_transformers" in result.reload_check["ways"]) == texts
    again = load_run(result.run_dir)
    assert again.evaluate(split="validation").metrics == pytest.approx(
        {name: one for name, one in result.metrics["validation"].items() if name != "loss"}
    )
    fitted = result.steps == 0
    assert fitted == (result.model / "head.skops").is_file()


def write_numbers(folder: Path, kind: str) -> dict[str, Any]:
    """Rows whose numbers, or labels, can be read off the words; the data section of a recipe."""
    folder.mkdir()
    for seed, (split, count) in enumerate({"train": 80, "validation": 24}.items()):
        texts, labels = make_rows(count, seed=seed)
        with (folder / f"{split}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "a", "b"])
            for text, label in zip(texts, labels, strict=True):
                there = label == labels[0] if seed == 0 else label == sorted(set(labels))[0]
                writer.writerow(
                    [text, 100 + 7 * there, -there]
                    if kind == "regression"
                    else [text, int(there), int(not there)]
                )
    return {"label": ["a", "b"]}


def run_on_numbers(head: Any, tiny_checkpoint: Tiny, folder: Path, options: dict[str, Any]) -> Any:
    """A run on `write_numbers`'s rows. options: of the task."""
    columns = write_numbers(folder / "data", options["problem_type"])
    recipe = toy_recipe(
        tiny_checkpoint("bert"),
        folder / "data",
        task={"name": "text-classification", **options},
        strategy={**MEAN, "head": head},
        columns=columns,
    )
    return run(recipe, output=folder / "run")


@pytest.mark.parametrize("head", ["gradient-boosting", {"name": "svm", "kernel": "rbf"}])
def test_numbers_are_told_in_their_own_units(head: Any, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    result = run_on_numbers(head, tiny_checkpoint, tmp_path, {"problem_type": "regression"})
    assert result.reload_check["max_difference"] < 1e-4
    values = [one.values["a"] for one in result.predict(make_rows(6)[0])]
    assert all(95 < value < 112 for value in values)


@pytest.mark.parametrize("head", ["logistic-regression", "ridge"])
def test_several_labels(head: str, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    options = {"problem_type": "multi_label_classification", "class_weights": "balanced"}
    result = run_on_numbers(head, tiny_checkpoint, tmp_path, options)
    assert result.metrics["validation"]["f1"] > 0.5
    assert result.reload_check["max_difference"] < 1e-4


class TestPairs:
    def test_the_texts_of_a_pair_are_read_apart(self, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
        task = {"name": "text-classification", "pairs": "apart"}
        data = write_pairs(tmp_path / "data")
        recipe = toy_recipe(
            tiny_checkpoint("bert"), data, task=task, strategy=MEAN, epochs=8, learning_rate=2e-2
        )
        asked = []
        job, _ = trained(recipe, tmp_path / "probe", watch=asked.append)
        assert job.examples["train"].features.shape == (64, 3 * 32)
        u, v, apart = np.split(job.examples["train"].features, 3, axis=1)
        assert np.allclose(apart, np.abs(u - v))
        assert not np.allclose(u, v)
        # Of both texts of every row; a text that stands there twice is asked about once.
        assert 0 < max(one.rows for one in asked if isinstance(one, Extraction)) <= 64
        result = run(recipe, output=tmp_path / "run")
        assert (
            result.metrics["validation"]["accuracy"] > result.baselines["majority"]["validation"]["accuracy"]
        )
        assert set(result.reload_check["ways"]) == {"hftransfer", "sentence_transformers"}
        (said,) = load_run(result.run_dir).predict([("the cat sat", "a red dog")])
        (other,) = load_run(result.run_dir).predict([("a red dog", "the cat sat")])
        assert said.scores != other.scores  # type: ignore[attr-defined]

    def test_without_the_cache_it_is_the_same(self, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
        task = {"name": "text-classification", "pairs": "apart"}
        data = write_pairs(tmp_path / "data")
        values = []
        for cached in (True, False):
            recipe = toy_recipe(
                tiny_checkpoint("bert"), data, task=task, strategy=MEAN, cache_features=cached
            )
            values.append(trained(recipe, tmp_path / str(cached))[1].best.value)
        assert values[0] == pytest.approx(values[1], abs=1e-5)

    def test_sides_of_a_batch(self) -> None:
        assert sides({"a": 1, f"{SECOND}a": 2, "b": 3}) == [{"a": 1, "b": 3}, {"a": 2}]
        assert sides({"a": 1}) == [{"a": 1}]

    def test_rows_without_a_second_text(self, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
        task = {"name": "text-classification", "pairs": "apart"}
        recipe = toy_recipe(tiny_checkpoint("bert"), write_texts(tmp_path / "data"), task=task, strategy=MEAN)
        with pytest.raises(DataError, match="have no second text"):
            check(recipe)


CONTRADICTIONS: list[tuple[Any, Any, dict[str, Any], str]] = [
    ("token-classification", MEAN, {}, "strategy.pooling: another head says something of a whole row"),
    ({"name": "text-classification", "pairs": "apart"}, "full", {}, "task.pairs: found apart"),
    (
        {"name": "text-classification", "focal": 2},
        {**MEAN, "head": "svm"},
        {},
        "task.focal: found 2.0, but strategy.head",
    ),
    (
        {"name": "text-classification", "class_weights": "balanced"},
        {**MEAN, "head": "knn"},
        {},
        "task.class_weights",
    ),
    (
        "text-classification",
        {**MEAN, "head": "knn"},
        {"sampling": "balanced"},
        "training.sampling: found balanced",
    ),
    (
        {"name": "text-classification", "problem_type": "regression"},
        {**MEAN, "head": "logistic-regression"},
        {},
        "strategy.head: logistic-regression says labels",
    ),
    ("text-classification", {"name": "frozen", "layers": [-2]}, {}, "have to be pooled"),
    ("text-classification", {**MEAN, "head": "knn", "grid": {}}, {}, "a grid is of heads that are trained"),
    ("text-classification", {**MEAN, "dropout": True}, {}, "dropout is of the architecture's own head"),
    ("text-classification", {**MEAN, "grid": {"poolings": ["cls"]}}, {}, "two ways to say the same"),
    ("text-classification", {**MEAN, "head": "mpl"}, {}, "no head is named `mpl`"),
]


@pytest.mark.parametrize(("task", "strategy", "training", "expected"), CONTRADICTIONS)
def test_what_does_not_go_together_is_found_in_the_recipe(
    task: Any, strategy: Any, training: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError) as caught:
        toy_recipe(tmp_path / "checkpoint", tmp_path / "data", task=task, strategy=strategy, **training)
    assert expected in str(caught.value)


def test_what_the_backbone_does_not_have(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    texts = write_texts(tmp_path / "texts")
    for family, data, strategy, expected in (
        ("bert", texts, {**MEAN, "layers": [7]}, "layer 7 is not one of the backbone's 2"),
        ("resnet", images, {"name": "frozen", "pooling": "cls"}, "gives maps of features"),
        ("dinov2", images, {"name": "frozen", "head": "knn"}, "is more than one vector of a row"),
    ):
        task = "image-classification" if data == images else "text-classification"
        with pytest.raises(InputError, match=expected) as caught:
            check(toy_recipe(tiny_checkpoint(family), data, task=task, strategy=strategy))
        assert caught.value.key in ("strategy.layers", "strategy.pooling")


def test_a_learner_needs_features_once(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    task = {"name": "image-classification", "augmentation": {"flip": "horizontal"}}
    strategy = {"name": "frozen", "head": "knn"}
    recipe = toy_recipe(tiny_checkpoint("vit"), write_images(tmp_path / "data"), task=task, strategy=strategy)
    with pytest.raises(InputError, match="needs what the backbone says of every row, once"):
        run(recipe, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_learner_that_the_rows_are_too_few_for(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    data = write_texts(tmp_path / "data")
    strategy = {**MEAN, "head": {"name": "knn", "neighbors": 65}}
    with pytest.raises(InputError, match="looks at 65 training rows, and there are 64") as caught:
        trained(toy_recipe(tiny_checkpoint("bert"), data, strategy=strategy), tmp_path / "run")
    assert caught.value.key == "strategy.head.neighbors"


def test_settings_of_steps_are_told_to_be_of_no_use(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    data = write_texts(tmp_path / "data")
    strategy = {**MEAN, "head": "ridge"}
    found = check(toy_recipe(tiny_checkpoint("bert"), data, strategy=strategy, warmup=10, steps=12)).findings
    (told,) = [one for one in found if one.startswith("not used")]
    assert (
        "training.epochs, training.steps, training.batch_size, training.warmup, training.learning_rate"
        in told
    )
    linear = check(toy_recipe(tiny_checkpoint("bert"), data, strategy=MEAN)).findings
    assert not any(one.startswith("not used") for one in linear)


def test_a_head_on_weights_that_start_from_random(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """A pooler that the checkpoint lacks is no matter to the mean; a block is."""
    data = write_texts(tmp_path / "data")
    for gone, strategy, refused in (
        ("pooler", MEAN, False),
        ("pooler", {"name": "frozen", "head": "knn"}, True),
        ("encoder.layer.1.output.", MEAN, True),
    ):
        folder = shutil.copytree(tiny_checkpoint("bert"), tmp_path / f"{gone}{refused}")
        weights = {
            key: one for key, one in load_file(folder / "model.safetensors").items() if gone not in key
        }
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        recipe = toy_recipe(folder, data, strategy=strategy)
        if refused:
            with pytest.raises(InputError, match="depends on weights that start from random"):
                check(recipe)
        else:
            assert check(recipe).parameters["trained"] == 33 * 2


def test_layers_of_stages(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    for strategy, key in (
        ({**MEAN, "layers": [1, -1]}, "strategy.layers"),
        ({"name": "frozen", "grid": {"poolings": ["mean"], "layers": [1, -1]}}, "strategy.grid.layers"),
    ):
        recipe = toy_recipe(tiny_checkpoint("resnet"), images, task="image-classification", strategy=strategy)
        with pytest.raises(InputError) as caught:
            check(recipe)
        assert caught.value.key == key


def test_a_learner_without_the_cache(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    strategy = {**MEAN, "head": "ridge"}
    recipe = toy_recipe(
        tiny_checkpoint("bert"), write_texts(tmp_path / "data"), strategy=strategy, cache_features=False
    )
    trained(recipe, tmp_path / "run")
    assert not (tmp_path / "cache").exists()


def test_a_chain_starts_from_the_backbone(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    data = write_texts(tmp_path / "data")
    first = run(toy_recipe(tiny_checkpoint("bert"), data, strategy=MEAN), output=tmp_path / "first")
    job, _ = trained(toy_recipe(first.run_dir, data), tmp_path / "second")
    assert {"classifier.weight", "classifier.bias"} <= job.checkpoint.fresh
    assert not any(name.startswith("bert.encoder") for name in job.checkpoint.fresh)
    assert any("head stands on features" in finding for finding in job.checkpoint.findings)


def test_the_command_line_tells_it(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    data = write_texts(tmp_path / "data")
    (tmp_path / "recipe.yaml").write_text(
        f"checkpoint: {tiny_checkpoint('bert')}\ndata: {data}\ntask: text-classification\n"
        "strategy: {name: frozen, pooling: mean, head: {name: knn, neighbors: 3}}\n"
    )
    done = hftransfer("run", str(tmp_path / "recipe.yaml"), "--output", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert "loaded afresh by hftransfer, sentence_transformers" in " ".join(done.stdout.split())
    assert "fitted once" in done.stdout
    assert "64 examples, all at once" in done.stderr
    kept = json.loads((tmp_path / "run" / "model" / "head.json").read_text())
    assert kept["head"] == {"name": "knn", "neighbors": 3, "metric": "cosine"}
    said = hftransfer("predict", str(tmp_path / "run"), "the cat sat", "--json")
    assert said.returncode == 0, said.stderr


def test_only_frozen_has_other_heads() -> None:
    assert [one.model_fields["name"].default for one in STRATEGIES if "head" in one.model_fields] == [
        "frozen"
    ]
