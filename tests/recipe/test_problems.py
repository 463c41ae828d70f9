"""Broken recipes: every one is told with its key, its line, what was found and what to write instead."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hftransfer.errors import Problem, RecipeError
from hftransfer.recipe import Recipe, load_recipe
from hftransfer.recipe.foreign import FOREIGN, METRICS
from hftransfer.recipe.unknown import keys
from hftransfer.registry import METRICS as METRIC_TABLE

HEAD = "checkpoint: some/model\ndata: some/data\ntask: text-classification\n"  # three lines


def problems_of(tmp_path: Path, text: str, *overrides: str) -> list[Problem]:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, *overrides)
    assert caught.value.exit_code == 2
    assert caught.value.source == str(path)
    return list(caught.value.problems)


# text, key, line, words of the message, words of the hint
BROKEN: list[tuple[str, str, int | None, str, str | None]] = [
    # keys
    (
        "checkpoint: some/model\ndata: {train: a.csv, columns: {text: said}}\ntask: text-classification\n",
        "data.train",
        2,
        "unknown key `train`",
        "{source: {train: ...}, columns: ...}",
    ),
    (f"{HEAD}epochs: 3\n", "epochs", 4, "unknown key `epochs`", "`epochs` belongs in `training`"),
    (f"{HEAD}rank: 3\n", "rank", 4, "unknown key", "is an option of the strategy `lora`"),
    (
        f"{HEAD}strategy: {{name: full, rank: 8}}\n",
        "strategy.rank",
        4,
        "unknown key",
        "of the strategy `lora`",
    ),
    (
        f"{HEAD}training:\n  lr: 2e-5\n",
        "training.lr",
        5,
        "unknown key `lr`",
        "is called `learning_rate` here",
    ),
    (
        f"{HEAD}training:\n  num_train_epochs: 3\n",
        "training.num_train_epochs",
        5,
        "unknown",
        "called `epochs`",
    ),
    (
        f"{HEAD}training:\n  per_device_train_batch_size: 8\n",
        "training.per_device_train_batch_size",
        5,
        "unknown key",
        "is called `batch_size` here: it counts the examples of one optimizer step over all processes",
    ),
    (f"{HEAD}lr: 1\n", "lr", 4, "unknown key `lr`", "is called `training.learning_rate` here"),
    (
        f"{HEAD}training:\n  weight_decay: 0.1\n",
        "training.weight_decay",
        5,
        "unknown",
        "in `training.optimizer`",
    ),
    (
        f"{HEAD}training:\n  momentum: 0.9\n",
        "training.momentum",
        5,
        "unknown",
        "optimizer `sgd` and `rmsprop`",
    ),
    (f"{HEAD}dropout: 0.1\n", "dropout", 4, "unknown key", "an option of the strategy `frozen` and `lora`"),
    (f"{HEAD}epoch: 3\n", "epoch", 4, "unknown key", "did you mean `epochs`? `epochs` belongs in `training`"),
    (f"{HEAD}output_dir: runs\n", "output_dir", 4, "unknown key", "--output DIR"),
    (f"{HEAD}trust_remote_code: true\n", "trust_remote_code", 4, "unknown key", "cannot ask for code"),
    (f"{HEAD}trainning:\n  epochs: 3\n", "trainning", 4, "unknown key", "did you mean `training`?"),
    (f"{HEAD}training:\n  epoch: 3\n", "training.epoch", 5, "unknown key", "did you mean `epochs`?"),
    (
        f"{HEAD}zzz: 3\n",
        "zzz",
        4,
        "unknown key",
        "known here: checkpoint, data, task, strategy, training, metrics",
    ),
    (f"{HEAD}revision: main\n", "revision", 4, "unknown key", "belongs in `checkpoint` or belongs in `data`"),
    ("model: a/b\ndata: x/y\ntask: text-classification\n", "model", 1, "unknown key", "called `checkpoint`"),
    (
        "checkpoint: a/b\ndataset: x/y\ntask: text-classification\n",
        "dataset",
        2,
        "unknown key",
        "called `data`",
    ),
    ("chekpoint: a/b\ndata: x/y\ntask: text-classification\n", "chekpoint", 1, "unknown", "`checkpoint`"),
    ("checkpoint: a/b\ndata: x/y\n", "task", None, "required and not there", "task: text-classification"),
    (
        "checkpoint:\n  revision: main\ndata: x/y\ntask: text-classification\n",
        "checkpoint.name",
        1,
        "required and not there",
        None,
    ),
    # names of parts
    (
        "checkpoint: a/b\ndata: x\ntask: text-clasification\n",
        "task",
        3,
        "no task is named",
        "`text-classification`",
    ),
    (f"{HEAD}strategy: lorra\n", "strategy", 4, "no strategy is named `lorra`", "did you mean `lora`?"),
    (f"{HEAD}strategy:\n  rank: 8\n", "strategy", 4, "the strategy has no name", "write `name: lora`"),
    (f"{HEAD}strategy: [lora]\n", "strategy", 4, "expected the name of a strategy", "known: "),
    (f"{HEAD}strategy:\n", "strategy", 4, "found nothing (null)", "known: "),
    (
        f"{HEAD}training:\n  optimizer: adamm\n",
        "training.optimizer.name",
        5,
        "no optimizer is named `adamm`",
        "did you mean `adam`?",
    ),
    # types
    (
        f"{HEAD}training:\n  epochs: three\n",
        "training.epochs",
        5,
        "a whole number above 0, found `three`",
        None,
    ),
    (f"{HEAD}training:\n  epochs: 0\n", "training.epochs", 5, "a whole number above 0, found `0`", None),
    (f"{HEAD}training:\n  epochs: 2.5\n", "training.epochs", 5, "a whole number above 0, found `2.5`", None),
    (
        f"{HEAD}training:\n  epochs: true\n",
        "training.epochs",
        5,
        "a whole number above 0, found `true`",
        None,
    ),
    (f"{HEAD}training:\n  epochs:\n", "training.epochs", 5, "found nothing (null)", "leave the key out"),
    (f"{HEAD}training:\n  epochs: [3]\n", "training.epochs", 5, "found the list [3]", None),
    (
        f"{HEAD}training:\n  learning_rate: 2e-5x\n",
        "training.learning_rate",
        5,
        "a number above 0 or null",
        None,
    ),
    (
        f"{HEAD}training:\n  learning_rate: .nan\n",
        "training.learning_rate",
        5,
        "finite number, found `.nan`",
        None,
    ),
    (f"{HEAD}training:\n  clip_norm: None\n", "training.clip_norm", 5, "found `None`", "write null"),
    (f"{HEAD}training:\n  schedule: cosin\n", "training.schedule", 5, "`linear`, `cosine`", "mean `cosine`?"),
    (
        f"{HEAD}training:\n  precision:\n",
        "training.precision",
        5,
        "`auto`, `fp32` or `bf16`",
        "leave the key out",
    ),
    (
        f"{HEAD}training:\n  group_by_length: 3\n",
        "training.group_by_length",
        5,
        "true or false, found `3`",
        None,
    ),
    (f"{HEAD}training: 5\n", "training", 4, "expected a section with keys of its own", None),
    (f"{HEAD}training:\n", "training", 4, "expected a section", "leave the key out"),
    (f"{HEAD}training:\n  epochs:3\n", "training", 4, "found `epochs:3`", "`epochs: 3`"),
    (f"{HEAD}metrics: accuracy\n", "metrics", 4, "expected a list of names", "write a list: [accuracy]"),
    (f"{HEAD}metrics: [1]\n", "metrics.0", 4, "expected text, found `1`", '"1"'),
    (
        f"{HEAD}training:\n  optimizer:\n    name: adam\n    betas: [0.9, 1.5]\n",
        "training.optimizer.betas.1",
        7,
        "a number from 0 and below 1, found `1.5`",
        None,
    ),
    (
        f"{HEAD}training:\n  optimizer: {{name: adam, betas: 0.9}}\n",
        "training.optimizer.betas",
        5,
        "expected a list of 2 numbers",
        None,
    ),
    (
        f"{HEAD}training:\n  optimizer: {{name: adam, momentum: 0.9}}\n",
        "training.optimizer.momentum",
        5,
        "unknown key",
        "optimizer `sgd` and `rmsprop`",
    ),
    (
        f"{HEAD}strategy: {{name: lora, rank: x}}\n",
        "strategy.rank",
        4,
        "a whole number above 0, found `x`",
        None,
    ),
    (
        f"{HEAD}strategy: {{name: lora, targets: [1]}}\n",
        "strategy.targets.0",
        4,
        "expected text, found `1`",
        None,
    ),
    (
        f"{HEAD}strategy: {{name: lora, targets: 5}}\n",
        "strategy.targets",
        4,
        "expected `auto` or a list",
        None,
    ),
    (
        "checkpoint: {name: a/b, revision: 1234567}\ndata: x\ntask: text-classification\n",
        "checkpoint.revision",
        1,
        "expected text or null, found `1234567`",
        'in quotes: "1234567"',
    ),
    ("checkpoint: ''\ndata: x\ntask: text-classification\n", "checkpoint", 1, "found an empty text", None),
    ("checkpoint:\ndata: x\ntask: text-classification\n", "checkpoint", 1, "found nothing (null)", None),
    # data
    ("checkpoint: a/b\ndata: []\ntask: text-classification\n", "data", 2, "found an empty list", None),
    ("checkpoint: a/b\ndata: 5\ntask: text-classification\n", "data", 2, "expected a file", None),
    ("checkpoint: a/b\ndata: [a.csv, 5]\ntask: text-classification\n", "data", 2, "one of them is `5`", None),
    ("checkpoint: a/b\ndata:\n  config: x\ntask: text-classification\n", "data.source", 2, "required", None),
    (
        "checkpoint: a/b\ndata:\n  train: a.csv\n  dev: b.csv\ntask: text-classification\n",
        "data.dev",
        4,
        "`dev` is not the name of a split",
        "write `validation`",
    ),
    (
        "checkpoint: a/b\ndata:\n  source: x\n  limits: {trian: 5}\ntask: text-classification\n",
        "data.limits.trian",
        4,
        "`trian`",
        "did you mean `train`?",
    ),
    (
        "checkpoint: a/b\ndata:\n  source: x\n  limits: {train: -5}\ntask: text-classification\n",
        "data.limits.train",
        4,
        "a whole number above 0, found `-5`",
        None,
    ),
    (
        "checkpoint: a/b\ndata: {source: x, labels: [only]}\ntask: text-classification\n",
        "data.labels",
        2,
        "at least 2 names",
        None,
    ),
    (
        "checkpoint: a/b\ndata: {source: x, delimiter: \\t}\ntask: text-classification\n",
        "data.delimiter",
        2,
        "one character",
        'in double quotes: "\\t"',
    ),
    # contradictions
    (f"{HEAD}metrics: [acc]\n", "metrics.0", 4, "no metric is named `acc`", "did you mean `accuracy`?"),
    (f"{HEAD}metrics: [f1_macro]\n", "metrics.0", 4, "no metric is named", "did you mean `f1`?"),
    (f"{HEAD}metrics: [f1, f1]\n", "metrics", 4, "`f1` is named twice", "keep one"),
    (f"{HEAD}training: {{best_metric: mcc}}\n", "training.best_metric", 4, "not a single number", "add it"),
    (
        f"{HEAD}training: {{best_metric: acuracy}}\n",
        "training.best_metric",
        4,
        "no metric is named",
        "`accuracy`",
    ),
    (
        f"{HEAD}metrics: [f1, confusion_matrix]\ntraining: {{best_metric: confusion_matrix}}\n",
        "training.best_metric",
        5,
        "`confusion_matrix` is not a single number",
        "one of: f1, loss",
    ),
    (
        f"{HEAD}training: {{warmup: 20, steps: 10}}\n",
        "training.warmup",
        4,
        "the warm-up takes 20 steps",
        "0.06",
    ),
    (
        f"{HEAD}training: {{warmup: 2.5}}\n",
        "training.warmup",
        4,
        "or a whole number of steps, found `2.5`",
        None,
    ),
    (
        f"{HEAD}training: {{micro_batch_size: 64}}\n",
        "training.micro_batch_size",
        4,
        "more than",
        "32 or less",
    ),
    (
        f"{HEAD}strategy: gradual\ntraining: {{epochs: 1}}\n",
        "training.epochs",
        5,
        "strategy gradual needs 2 at least",
        "training.epochs: 3",
    ),
    (
        f"{HEAD}strategy: {{name: frozen, grid: {{}}}}\ntraining: {{cache_features: false}}\n",
        "training.cache_features",
        5,
        "once",
        "leave strategy.grid out",
    ),
    (
        f"{HEAD}strategy: {{name: frozen, grid: {{}}}}\ntraining: {{learning_rate: 1e-3}}\n",
        "training.learning_rate",
        5,
        "tries learning rates of its own",
        "strategy.grid.learning_rates",
    ),
    (
        f"{HEAD}training: {{optimizer: {{name: sgd, momentum: 0, nesterov: yes}}}}\n",
        "training.optimizer.nesterov",
        4,
        "nesterov needs a momentum",
        "momentum: 0.9",
    ),
    (
        "checkpoint: a/b\ndata: {source: x, columns: {sentence: text}}\ntask: text-classification\n",
        "data.columns.sentence",
        2,
        "has no column `sentence`",
        "`text: sentence`",
    ),
    (
        "checkpoint: a/b\ndata: {source: x, columns: {text: a}}\ntask: image-classification\n",
        "data.columns.text",
        2,
        "the task image-classification has no column `text`",
        "known: image, label",
    ),
    (
        "checkpoint: a/b\ndata: {source: x, columns: {text: a, label: a}}\ntask: text-classification\n",
        "data.columns",
        2,
        "`text` and `label` are both `a`",
        None,
    ),
    (
        "checkpoint: a/b\ndata: {source: x, splits: {validation: test, test: test}}\ntask: text-classification\n",
        "data.splits",
        2,
        "`validation` and `test` are both `test`",
        None,
    ),
    (
        "checkpoint: a/b\ndata:\n  source: x\n  hold_out: {validation: 0.5, test: 0.5}\ntask: text-classification\n",
        "data.hold_out",
        4,
        "leave no training rows",
        "below 1",
    ),
    (
        "checkpoint: a/b\ndata: {source: x, labels: [a, b, a]}\ntask: text-classification\n",
        "data.labels",
        2,
        "`a` is listed twice",
        None,
    ),
    (
        "checkpoint: a/b\ndata: {source: x, labels: [a, b, c]}\ntask: text-classification\nmetrics: [f1_binary]\n",
        "metrics.0",
        4,
        "defined for 2 labels",
        "write `f1`",
    ),
    (
        "checkpoint: a/b\ndata: 'memory: 120 rows'\ntask: text-classification\n",
        "data",
        2,
        "made in Python, from data in memory (120 rows)",
        "give the data again",
    ),
    # the text
    (f"{HEAD}task: x\n", "task", 4, "stands here a second time; the first is in line 3", "keep one"),
    (f"{HEAD}metrics: !!python/name:os.system\n", "metrics", 4, "the tag", "plain data"),
    (f"{HEAD}training: {{1: 2}}\n", "training", 4, "a key is a name; found `1`", "quotes"),
]


@pytest.mark.parametrize(("text", "key", "line", "message", "hint"), BROKEN, ids=range(len(BROKEN)))
def test_a_mistake_is_told_once_and_well(
    tmp_path: Path, text: str, key: str, line: int | None, message: str, hint: str | None
) -> None:
    problems = problems_of(tmp_path, text)
    assert [(problem.key, problem.line) for problem in problems] == [(key, line)]
    assert message in problems[0].message
    assert hint is None or hint in str(problems[0].hint)


def test_there_are_many() -> None:
    assert len(BROKEN) > 80
    assert len({key for _, key, *_ in BROKEN}) > 40


MANY = """\
model: google-bert/bert-base-uncased
data:
  source: nyu-mll/glue
  cofig: sst2
  columns: {txt: sentence, label: label}
  limits: {trian: 100, test: -1}
  hold_out: {validation: 0.7, test: 0.7}
task: text-clasification
strategy: {name: lora, rank: three, epochs: 3, lora_alpha: 16}
epochs: 3
training:
  epochs: 0
  epochs: 1
  lr: 2e-5
  batch_size: true
  warmup: 20
  steps: 10
  optimizer: {name: adamw, betas: [0.9, 1.5], momentum: 0.9}
  schedule: cosin
  clip_norm: None
  best_metric: acuracy
  precision:
  seed: .inf
metrics: [acuracy, f1, f1]
"""


def test_everything_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, MANY)
    lines = [problem.line or 0 for problem in problems]
    assert lines == sorted(lines)
    keys_told = [problem.key for problem in problems]
    assert sorted(keys_told) == sorted(
        [
            "model",
            "data.cofig",
            "data.limits.trian",
            "data.limits.test",
            "data.hold_out",
            "task",
            "strategy.rank",
            "strategy.epochs",
            "strategy.lora_alpha",
            "epochs",
            "training.epochs",
            "training.lr",
            "training.batch_size",
            "training.warmup",
            "training.optimizer.betas.1",
            "training.optimizer.momentum",
            "training.schedule",
            "training.clip_norm",
            "training.best_metric",
            "training.precision",
            "training.seed",
            "metrics.0",
            "metrics",
        ]
    )


def test_a_metric_is_checked_though_another_section_is_wrong(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, f"{HEAD}training: {{epochs: x, best_metric: nope}}\nmetrics: [nope]\n")
    assert [problem.key for problem in problems] == ["training.epochs", "training.best_metric", "metrics.0"]


def test_the_message_reads_file_line_key_found_expected(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"{HEAD}training:\n  epochs: three\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert str(caught.value) == (f"{path}:5: training.epochs: expected a whole number above 0, found `three`")


def test_long_values_are_cut_in_messages(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"{HEAD}training: {{epochs: {'x' * 5000}}}\n")
    assert len(problem.message) < 200


def test_every_foreign_name_leads_to_a_key_that_is_there() -> None:
    known = {re.sub(r"\(.*\)", "", key) for key in keys(Recipe)}
    known |= {
        f"data.{section}.{name}" for section in ("columns", "limits") for name in ("text", "label", "train")
    }
    wanted = {ours.key for ours in FOREIGN.values() if ours.key is not None}
    assert len(wanted) > 25
    assert wanted <= known
    assert "training.no_such_key" not in known
    assert set(METRICS.values()) <= set(METRIC_TABLE.names())


CHECK = """
import json, sys, time
start = time.perf_counter()
from hftransfer.errors import RecipeError
from hftransfer.recipe import load_recipe
try:
    load_recipe(sys.argv[1])
except RecipeError as error:
    count = len(error.problems)
heavy = [name for name in ("torch", "transformers", "datasets", "evaluate", "peft", "sklearn") if name in sys.modules]
print(json.dumps({"seconds": time.perf_counter() - start, "count": count, "heavy": heavy}))
"""


def test_twenty_mistakes_are_found_fast_and_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(MANY)
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(path)], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert told["count"] >= 20
    assert told["heavy"] == []
    start = time.perf_counter()
    problems_of(tmp_path, MANY)
    assert time.perf_counter() - start < 2
    assert told["seconds"] < 10  # with imports, on a machine that is busy
