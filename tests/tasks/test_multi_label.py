"""Several labels a row: thresholds that are the best there are on validation, kept with the model, and used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from scipy.special import expit
from sklearn.metrics import f1_score
from tiny import load_classifier

from hftransfer.registry import STRATEGIES
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.label_predictions import Labels
from hftransfer.tasks.losses import BinaryCrossEntropy
from hftransfer.tasks.pretrained import SETTINGS, Pretrained
from hftransfer.tasks.text_classification import TextClassification

NAMES = ("a", "b", "c", "d")
TASK = TextClassification(problem_type="multi_label_classification")


def pretrained() -> Pretrained:
    return Pretrained(None, transformers.PreTrainedConfig(id2label=dict(enumerate(NAMES))), None)


def rows(targets: np.ndarray) -> Any:
    return datasets.Dataset.from_dict(
        {"label": [np.flatnonzero(row).tolist() for row in targets]},
        features=datasets.Features({"label": datasets.List(datasets.Value("int64"))}),
    )


def one_each(count: int) -> Any:
    return SimpleNamespace(rows=None, __len__=lambda: count)


def case(seed: int, *, ties: bool = False, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """(targets (N, 4), logits (N, 4)): some labels rare, their scores low, some of no use."""
    random = np.random.default_rng(seed)
    targets = (random.random((count, 4)) < [0.5, 0.1, 0.3, 0.9]).astype(np.int64)
    logits = random.normal(size=(count, 4)) + 1.5 * targets * [1, 1, 0, 2] + [0, -3, -1, 1]
    return targets, (logits.round() if ties else logits).astype(np.float32)


def tuned(targets: np.ndarray, logits: np.ndarray, task: TextClassification = TASK) -> Pretrained:
    known = pretrained()
    known.remember(task.tune(list(logits), one_each(len(logits)), rows(targets), known))
    return known


def decode(logits: np.ndarray, known: Pretrained, task: TextClassification = TASK) -> Any:
    return task.decode(list(logits), one_each(len(logits)), range(len(logits)), known)


def f1s(targets: np.ndarray, values: np.ndarray) -> Any:
    return f1_score(targets, values, average=None, zero_division=0)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_tuned_thresholds_give_the_best_f1_of_every_label(seed: int, ties: bool) -> None:
    targets, logits = case(seed, ties=ties)
    found = f1s(targets, decode(logits, tuned(targets, logits)).values)
    for label in range(4):
        cuts = [*np.unique(logits[:, label]), np.inf]
        best = max(f1_score(targets[:, label], logits[:, label] >= cut, zero_division=0) for cut in cuts)
        assert found[label] == pytest.approx(best)
    # Control: one half for all is worse.
    assert (found > f1s(targets, logits >= 0)).any()


@pytest.mark.parametrize("seed", range(5))
def test_no_row_lies_on_a_threshold(seed: int) -> None:
    """The last bits of a score depend on the batch that it is computed in: they must decide nothing."""
    targets, logits = case(seed)
    known = tuned(targets, logits)
    distances = np.abs(expit(logits.astype(np.float64)) - known.settings["thresholds"])
    assert distances.min() > 1e-5
    everyone = tuned(np.ones_like(targets), logits)
    assert (decode(logits, everyone).values == 1).all()
    assert (np.array(everyone.settings["thresholds"]) < 0.9 * expit(logits).min(axis=0)).all()


def test_a_label_that_no_validation_row_has_keeps_one_half() -> None:
    targets, logits = case(0)
    targets[:, 2] = 0
    thresholds = tuned(targets, logits).settings["thresholds"]
    assert thresholds[2] == 0.5
    assert 0.5 not in (thresholds[0], thresholds[1], thresholds[3])


def test_thresholds_are_of_rows_and_not_of_their_windows() -> None:
    targets, logits = case(1)
    noise = np.random.default_rng(0).normal(size=logits.shape).astype(np.float32)
    # Two windows a row, whose mean is the row's logits.
    windows = [one for low, high in zip(logits - noise, logits + noise, strict=True) for one in (low, high)]
    examples = SimpleNamespace(rows=np.repeat(np.arange(60), 2))
    settings = TASK.tune(windows, examples, rows(targets), pretrained())
    assert settings["thresholds"] == pytest.approx(tuned(targets, logits).settings["thresholds"], abs=1e-5)


def test_what_is_remembered_is_saved_with_the_model(tmp_path: Path) -> None:
    targets, logits = case(0)
    known = tuned(targets, logits)
    known.config.save_pretrained(tmp_path)
    config = transformers.PreTrainedConfig.from_pretrained(tmp_path)
    assert getattr(config, SETTINGS) == known.settings
    again = Pretrained(None, config, None)
    assert again.settings["thresholds"] == known.settings["thresholds"]
    assert decode(logits, again).values.tolist() == decode(logits, known).values.tolist()
    # Control: whoever has forgotten them says something else.
    again.remember({})
    assert again.settings == {}
    assert not hasattr(config, SETTINGS)
    assert decode(logits, again).values.tolist() != decode(logits, known).values.tolist()
    config.save_pretrained(tmp_path)
    assert SETTINGS not in (tmp_path / "config.json").read_text()


def test_the_thresholds_decide_what_is_called() -> None:
    logits = np.log(np.array([[0.6, 0.3, 0.2, 0.05]]) / np.array([[0.4, 0.7, 0.8, 0.95]]))
    known = pretrained()
    assert decode(logits, known).values.tolist() == [[1, 0, 0, 0]]
    known.remember({"thresholds": [0.7, 0.25, 0.1, 0.5]})
    predictions = decode(logits, known)
    assert predictions.values.tolist() == [[0, 1, 1, 0]]
    assert predictions.scores == pytest.approx(np.array([[0.6, 0.3, 0.2, 0.05]]))
    (answer,) = predictions.answers
    assert isinstance(answer, Labels)
    assert answer.labels == ("b", "c")
    assert answer.columns() == {"prediction": ["b", "c"], "scores": pytest.approx([0.3, 0.2])}
    assert answer.record() == {"labels": ["b", "c"], "scores": pytest.approx({"b": 0.3, "c": 0.2})}
    assert list(answer.record(3)["scores"]) == ["a", "b", "c"]
    assert answer.line() == "b 0.3000, c 0.2000"
    assert answer.line(2) == "a 0.6000, b 0.3000"
    assert TASK.expected(answer, NAMES) == pytest.approx(dict(zip(NAMES, (0.6, 0.3, 0.2, 0.05), strict=True)))


def test_no_label_at_all() -> None:
    (answer,) = decode(np.full((1, 4), -5.0), pretrained()).answers
    assert answer.columns() == {"prediction": [], "scores": []}
    assert answer.record() == {"labels": [], "scores": {}}
    assert answer.line() == "none"


def test_a_fixed_threshold_is_not_tuned() -> None:
    targets, logits = case(0)
    fixed = TextClassification(problem_type="multi_label_classification", threshold=0.25)
    known = tuned(targets, logits, fixed)
    assert known.settings == {}
    assert decode(logits, known, fixed).values.tolist() == (expit(logits) >= 0.25).astype(int).tolist()
    assert decode(logits, known, fixed).values.tolist() != (logits >= 0).astype(int).tolist()
    # One class a row has no thresholds, either.
    single = TextClassification()
    assert single.tune(list(logits), one_each(60), rows(targets), pretrained()) == {}


def test_the_baseline_calls_the_commonest_label_everywhere() -> None:
    targets = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    guess = TASK.baseline(rows(targets), rows(targets[:2]), NAMES)
    assert guess is not None
    assert guess.values.tolist() == [[0, 1, 0, 0]] * 2
    assert guess.scores.tolist() == [[0.25, 0.75, 0.25, 0.0]] * 2


def test_targets_are_tables_of_0_and_1() -> None:
    targets = np.array([[1, 0, 0, 1], [0, 0, 0, 0]])
    table = rows(targets)
    assert TASK.references(table, NAMES).tolist() == targets.tolist()
    assert TASK.told(table, NAMES) == [["a", "d"], []]
    batch = TASK.targets([{LABELS: one} for one in table["label"]], pretrained())
    assert batch[LABELS].tolist() == targets.tolist()
    assert TASK.targets([{"input_ids": [1]}], pretrained()) == {}
    right = TASK.perfect(table, NAMES)
    assert right is not None
    assert right.values.tolist() == right.scores.tolist() == targets.tolist()


def test_balanced_weights_are_rows_without_by_rows_with() -> None:
    targets = np.array([[1, 0, 1, 0]] * 3 + [[0, 0, 1, 0]] * 5 + [[0, 1, 1, 0]] * 2)
    balanced = TextClassification(problem_type="multi_label_classification", class_weights="balanced")
    loss = balanced.make_loss(rows(targets), NAMES, pretrained())
    assert isinstance(loss, BinaryCrossEntropy)
    assert loss.positive_weights is not None
    # The last has no row at all: any finite weight will do.
    assert loss.positive_weights.tolist() == pytest.approx([7 / 3, 8 / 2, 0, 10])
    bare = TASK.make_loss(rows(targets), NAMES, pretrained())
    assert isinstance(bare, BinaryCrossEntropy)
    assert bare.positive_weights is None
    smooth = TextClassification(
        problem_type="multi_label_classification", label_smoothing=0.1, focal=2
    ).make_loss(rows(targets), NAMES, pretrained())
    assert smooth == BinaryCrossEntropy(None, 0.1, 2)


def test_the_model_is_told_what_it_is() -> None:
    assert TASK.head_config(NAMES)["problem_type"] == "multi_label_classification"
    assert TASK.activation == {}
    model = SimpleNamespace(logits=torch.tensor([[0.5, -1.0]], dtype=torch.bfloat16))
    (kept,) = TASK.outputs(model, {})
    assert kept.dtype == np.float32
    assert kept.tolist() == [0.5, -1.0]


@pytest.mark.parametrize("strategy", ["full", "frozen", "lora"])
def test_a_fresh_head_starts_from_how_often_its_labels_are_there(
    strategy: str, tiny_checkpoint: Callable[..., Path]
) -> None:
    model, fresh = load_classifier(tiny_checkpoint("roberta"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    targets = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 0], [0, 0, 0]])
    TASK.begin(model, fresh, rows(targets), ("a", "b", "c"))
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"classifier.out_proj.bias"}
    # Half a row is added on either side: a label that is never there has no log-odds.
    assert model.classifier.out_proj.bias.tolist() == pytest.approx(
        [np.log(3.5 / 1.5), np.log(0.5 / 4.5), np.log(1.5 / 3.5)]
    )
    trained = STRATEGIES.get(strategy)().apply(model, fresh)
    assert any(torch.equal(value, model.classifier.out_proj.bias) for value in trained.parameters())


def test_a_head_that_is_balanced_or_was_trained_starts_as_it_is(tiny_checkpoint: Callable[..., Path]) -> None:
    model, fresh = load_classifier(tiny_checkpoint("bert"))
    before = model.classifier.bias.tolist()
    balanced = TextClassification(problem_type="multi_label_classification", class_weights="balanced")
    targets = np.array([[1, 0, 0], [1, 0, 1]])
    balanced.begin(model, fresh, rows(targets), ("a", "b", "c"))
    TASK.begin(model, set(), rows(targets), ("a", "b", "c"))
    assert model.classifier.bias.tolist() == before
    TASK.begin(model, fresh, rows(targets), ("a", "b", "c"))
    assert model.classifier.bias.tolist() != before
