"""Finished runs without the training: the files that a report reads, written by hand in a moment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hftransfer.recipe import Recipe, dump_recipe
from hftransfer.result import Result
from hftransfer.sources import open_source
from hftransfer.splits import make_splits


def write_run(
    folder: Path,
    predictions: pa.Table,
    labels: Sequence[str],
    *,
    task: Any = "text-classification",
    metrics: Mapping[str, Any] | None = None,
    inputs: Sequence[str] = ("text",),
    lint: Any = None,
    source: Any = None,
    data: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Result:
    """A run whose test split has these predictions. data: that section of its recipe. facts: more of data.json."""
    (folder / "predictions").mkdir(parents=True)
    recipe = Recipe(
        checkpoint="some/model",
        data={"source": pd.DataFrame() if source is None else source, **(data or {})},
        task=task,
        strategy="full",
    )
    (folder / "recipe.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    pq.write_table(predictions, folder / "predictions" / "test.parquet")
    rows = predictions.num_rows
    steps = [
        {"event": "step", "step": n, "epoch": 0, "loss": 2 / n, "learning_rate": 1e-3} for n in range(1, 21)
    ]
    scored = [
        {
            "event": "evaluation",
            "step": n,
            "epoch": 0,
            "metrics": {"loss": 1 / n, "accuracy": n / 20},
            "best": True,
        }
        for n in (10, 20)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in steps + scored))
    written = {"fingerprint": "abc", "examples": {"test": rows}, "labels": [*labels], "findings": []}
    written |= {**({} if lint is None else {"lint": lint}), **(facts or {})}
    (folder / "data.json").write_text(json.dumps(written))
    result = Result(
        run_dir=folder,
        task=recipe.task.name,
        strategy="full",
        checkpoint={"name": "some/model", "revision": None, "fingerprint": ""},
        inputs=tuple(inputs),
        labels=tuple(labels),
        metrics={"test": metrics or {"loss": 0.3, "accuracy": 0.5}},
        baselines={"majority": {"test": {"accuracy": 0.1}}},
        parameters={"total": 10, "trained": 5},
        examples={"train": 10, "test": rows},
        steps=20,
        best_step=20,
        best_metric="loss",
        seconds={"train": 1.0, "total": 2.0},
        peak_memory_bytes=2**30,
        reload_check={"max_difference": 0.0, "rows": 4, "ways": ["pipeline"]},
        max_length=128,
        findings=("2 texts were cut",),
        intervals={"test": {"accuracy": (0.4, 0.6)}},
    )
    (folder / "result.json").write_text(json.dumps(result.to_dict()))
    return Result.read(folder)


def of_its_rows(result: Result) -> Result:
    """The same, which has written down the fingerprint of the rows that its recipe names."""
    recipe = result.recipe
    splits = make_splits(
        open_source(recipe.data), recipe.data, columns=recipe.task.columns, seed=recipe.training.seed
    )
    file = result.run_dir / "data.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "fingerprint": splits.fingerprint}))
    return result


def write_heard(folder: Path) -> Result:
    """A run of toy sounds, which lie in folder/data."""
    from tiny_audio import TONES, write_sounds

    for seed, split in enumerate(("train", "validation", "test")):
        write_sounds(folder / "data" / split, 12, seed=seed)
    rows = labelled(sorted(TONES), 36).drop_columns(["text"])
    options: Any = {"task": "audio-classification", "inputs": ("audio",), "source": str(folder / "data")}
    return of_its_rows(write_run(folder / "run", rows, sorted(TONES), **options))


def labelled(
    labels: Sequence[str], rows: int, *, seed: int = 0, texts: Sequence[str] = ("some words of a text",)
) -> pa.Table:
    """Predictions of one label a row, most of them right, sure where they are right."""
    import numpy as np

    random = np.random.default_rng(seed)
    size = len(labels)
    given = random.integers(size, size=rows)
    logits = random.normal(size=(rows, size))
    logits[np.arange(rows), given] += 2.0
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    said = scores.argmax(axis=1)
    flat = pa.array(scores.ravel())
    return pa.table(
        {
            "row": pa.array(np.arange(rows)),
            "text": pa.array([texts[n % len(texts)] for n in range(rows)]),
            "label": pa.array([labels[n] for n in given]),
            "prediction": pa.array([labels[n] for n in said]),
            "score": pa.array(scores.max(axis=1)),
            "scores": pa.ListArray.from_arrays(pa.array(np.arange(rows + 1) * size, pa.int32()), flat),
        }
    )
