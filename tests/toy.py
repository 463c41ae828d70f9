"""Recipes over toy data and tiny checkpoints, for tests that run the whole line."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from tiny import make_images, make_pairs, make_rows

from hftransfer.recipe import Recipe


def write_texts(folder: Path, *, train: int = 64, other: int = 24) -> Path:
    """train.csv, validation.csv and test.csv with columns text and label; the label can be read off the words."""
    return _write(folder, {"train": train, "validation": other, "test": other}, pairs=False)


def write_pairs(folder: Path, *, train: int = 64, other: int = 24) -> Path:
    """The same with columns text, text_pair and label; the label depends on the second text."""
    return _write(folder, {"train": train, "validation": other, "test": other}, pairs=True)


def _write(folder: Path, sizes: dict[str, int], *, pairs: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (split, count) in enumerate(sizes.items()):
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "text_pair", "label"] if pairs else ["text", "label"])
            rows, labels = make_pairs(count, seed=seed) if pairs else make_rows(count, seed=seed)
            writer.writerows(
                [*((row,) if isinstance(row, str) else row), label]
                for row, label in zip(rows, labels, strict=True)
            )
    return folder


def write_images(folder: Path) -> Path:
    """train and validation folders of class folders."""
    make_images(folder / "train", 12, 32, seed=0)
    make_images(folder / "validation", 6, 32, seed=1)
    return folder


def toy_recipe(
    checkpoint: Path,
    data: Any,
    *,
    task: Any = "text-classification",
    strategy: Any = "full",
    columns: Any = None,
    **training: Any,
) -> Recipe:
    """A recipe that learns toy data in a few dozen quick steps."""
    settings = {"epochs": 4, "batch_size": 16, "learning_rate": 3e-3, **training}
    if isinstance(strategy, dict) and "grid" in strategy:
        del settings["learning_rate"]  # it has its own
    return Recipe(
        checkpoint=str(checkpoint),
        # Of so few words the same sentences come again.
        data={
            "source": data if not isinstance(data, Path) else str(data),
            "columns": columns or {},
            "accept_leakage": 1,
        },
        task=task,
        strategy=strategy,
        training=settings,
    )


def train_only(recipe: Recipe, folder: Path, watch: Any = lambda event: None) -> dict[str, Any]:
    """The weights after the last step (not the best), without scoring, saving and proving: name -> tensor."""
    from hftransfer import stages
    from hftransfer.job import Clock, prepare
    from hftransfer.run_directory import RunDirectory
    from hftransfer.runner import load_data, resolve
    from hftransfer.training.compute import make_accelerator

    splits = load_data(resolve(recipe))
    job = prepare(recipe, splits, make_accelerator(recipe.training))
    stages.train(job, RunDirectory(folder), Clock(watch))
    return kept_weights(folder, "last")


def trained(
    recipe: Recipe, folder: Path, *, resume: bool = False, watch: Any = lambda event: None
) -> tuple[Any, Any]:
    """(the job with the best weights in place, `Trained`) of a run up to the end of its training: nothing is saved as a
    model or proven, which takes seconds."""
    from hftransfer.frozen_backbone import on_features
    from hftransfer.job import Clock, prepare
    from hftransfer.one_run import train
    from hftransfer.other_head import with_other_head
    from hftransfer.probe import probe
    from hftransfer.recipe import dump_recipe
    from hftransfer.run_directory import RunDirectory
    from hftransfer.runner import load_data, resolve
    from hftransfer.training.compute import make_accelerator

    run_dir = RunDirectory.open(folder, dump_recipe(recipe), resume=resume)
    clock = Clock(watch)
    job = prepare(recipe, load_data(resolve(recipe)), make_accelerator(recipe.training))
    job = with_other_head(job)
    probe(job, run_dir, clock)
    job = on_features(job, clock)
    return job, train(job, run_dir, clock)


def kept_weights(folder: Path, kind: Any) -> dict[str, Any]:
    """The weights in a run's checkpoint "last" or "best"."""
    from hftransfer.run_directory import RunDirectory

    kept = RunDirectory(folder).load_checkpoint(kind)
    assert kept is not None
    return kept[0]["model"]
