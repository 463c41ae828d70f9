"""Plays a run on this process's terminal: events and a result as a run gives them, without the run."""

from __future__ import annotations

import time
from pathlib import Path

from hftransfer.cli.console import err
from hftransfer.cli.facts import print_facts
from hftransfer.cli.progress import ProgressView
from hftransfer.cli.run import show
from hftransfer.result import Result
from hftransfer.training.events import Begin, Evaluation, Extraction, Loaded, Note, Stage, Step

LABELS = tuple(f"a label that is long {number}" for number in range(8))
MATRIX = [[5 if row == column else (row + column) % 3 for column in range(8)] for row in range(8)]
FOLDER = "/tmp/a folder/with-a-name/that-goes-on/and-on"
SCORES = {"loss": 0.5, "accuracy": 0.9, "precision_macro": 0.88, "confusion_matrix": MATRIX}
PAUSE = 0.6
"""Seconds: a block is drawn twice in one."""


def main() -> None:
    print_facts(err, [("recipe", "mine"), ("strategy", "full " * 30)])
    with ProgressView("accuracy") as view:
        view(Stage("data", "loading the data"))
        view(Loaded({"train": 160, "validation": 150, "test": 250}, 10))
        view(Note("texts are longer than a line of a terminal, " * 4))
        view(Stage("features", "asking the frozen backbone about every row, once"))
        view(Extraction(10, 100))
        time.sleep(0.02)
        view(Extraction(50, 100))
        time.sleep(PAUSE)
        view(Extraction(100, 100))
        view(Stage("train", "training"))
        view(Begin(20, 2, 0, 160, 22_717_066, 1_234_567))
        for step in range(1, 21):
            view(Step(step, (step - 1) // 10, step % 10 == 0, step * 16, 0.4, 1e-4, 1.0))
            if step in (10, 11):
                view(Evaluation(step, 0, {"loss": 0.5, "accuracy": 0.9 if step == 10 else 0.8}, step == 10))
            time.sleep(PAUSE if step == 12 else 0.002)
    show(result(), "mine.yaml")


def result() -> Result:
    """Of a classification with more than a terminal has room for."""
    splits = ("validation", "test")
    return Result(
        run_dir=Path(FOLDER),
        task="text-classification",
        strategy="full",
        checkpoint={"name": "tiny"},
        inputs=("text",),
        labels=LABELS,
        metrics=dict.fromkeys(splits, SCORES),
        baselines={"the first sentence": {split: {"accuracy": 0.125} for split in splits}},
        parameters={"total": 22_717_066, "trained": 1_234_567},
        examples={"train": 160, "validation": 150, "test": 250},
        steps=20,
        best_step=10,
        best_metric="accuracy",
        seconds={"total": 171.0, "train": 150.0},
        peak_memory_bytes=2**30,
        reload_check={
            "ways": {"AutoModelForSequenceClassification": 0, "pipeline": 0, "PeftModel": 0},
            "rows": 16,
        }
        | {"max_difference": 1e-8},
        max_length=512,
        findings=(),
        intervals={split: {"accuracy": (0.85, 0.95)} for split in splits},
    )


if __name__ == "__main__":
    main()
