"""How well each class is told, by scikit-learn from the predictions that a run has written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq

from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory

SHOWN = 30


@dataclass(frozen=True)
class ClassScore:
    """support: rows of the class."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ClassTable:
    """The classes of a split, those with most rows first. left_out: how many more there are, with how many rows."""

    split: str
    classes: Sequence[ClassScore]
    left_out: tuple[int, int]


def class_table(result: Result) -> ClassTable | None:
    """Of the last split that was scored; None for tasks without one label a row."""
    from sklearn.metrics import precision_recall_fscore_support

    task = result.recipe.task
    split = list(result.metrics)[-1]
    file = RunDirectory(result.run_dir).predictions(split)
    if task.target is None or task.columns[task.target].kind != "class" or not file.is_file():
        return None
    rows = pq.read_table(file, columns=[task.target, "prediction"])
    there, said = (rows[name].to_pylist() for name in rows.column_names)
    values = precision_recall_fscore_support(there, said, labels=list(result.labels), zero_division=0)
    classes = [
        ClassScore(label, float(precision), float(recall), float(f1), int(support))
        for label, precision, recall, f1, support in zip(result.labels, *values, strict=True)
    ]
    classes.sort(key=lambda one: -one.support)
    rest = classes[SHOWN:]
    return ClassTable(split, classes[:SHOWN], (len(rest), sum(one.support for one in rest)))
