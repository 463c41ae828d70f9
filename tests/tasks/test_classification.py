"""What every classification shares, against the libraries that define it: torch, scikit-learn, scipy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from scipy.special import softmax
from sklearn.utils.class_weight import compute_class_weight

from hftransfer.registry import TASKS
from hftransfer.tasks.base import LABELS, rows_of
from hftransfer.tasks.classification import Classification, pooled
from hftransfer.tasks.label_predictions import Label
from hftransfer.tasks.losses import CrossEntropy
from hftransfer.tasks.pretrained import Pretrained

NAMES = ("rare", "common", "middling")
TRAIN = datasets.Dataset.from_dict({"label": [0] * 3 + [1] * 50 + [2] * 11})


@pytest.fixture(params=[name for name in TASKS.names() if issubclass(TASKS.get(name), Classification)])
def task_class(request: pytest.FixtureRequest) -> type[Classification]:
    found: type[Classification] = TASKS.get(request.param)
    return found


def test_the_tasks_that_share_it() -> None:
    """Control: the tests below run over something."""
    shared = {name for name in TASKS.names() if issubclass(TASKS.get(name), Classification)}
    assert shared >= {"text-classification", "image-classification"}


@pytest.fixture
def logits() -> torch.Tensor:
    return 3 * torch.randn(40, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def targets() -> torch.Tensor:
    return torch.randint(0, 3, (40,), generator=torch.Generator().manual_seed(1))


def pretrained(labels: tuple[str, ...] = NAMES) -> Pretrained:
    return Pretrained(None, transformers.PreTrainedConfig(id2label=dict(enumerate(labels))), None)


def output(logits: torch.Tensor) -> Any:
    return SimpleNamespace(logits=logits)


def loss_of(task: Classification, labels: tuple[str, ...] = NAMES) -> CrossEntropy:
    loss = task.make_loss(TRAIN, labels, pretrained(labels))
    assert isinstance(loss, CrossEntropy)
    return loss


def examples_of(count: int, rows: list[int] | None = None) -> Any:
    """As far as `decode` looks at them."""

    class Some(list[int]):
        pass

    some = Some(range(count))
    some.rows = None if rows is None else np.array(rows)  # type: ignore[attr-defined]
    return some


def decode(task: Classification, logits: np.ndarray) -> Any:
    rows = datasets.Dataset.from_dict({"row": list(range(len(logits)))})
    return task.decode(list(logits), examples_of(len(logits)), rows, pretrained())


def test_balanced_weights_are_scikit_learns(task_class: type[Classification]) -> None:
    expected = compute_class_weight("balanced", classes=np.arange(3), y=np.array(TRAIN["label"]))
    assert loss_of(task_class(class_weights="balanced")).class_weights.numpy() == pytest.approx(expected)
    assert loss_of(task_class()).class_weights is None


def test_a_label_without_rows_gets_a_finite_weight(task_class: type[Classification]) -> None:
    loss = loss_of(task_class(class_weights="balanced", logit_adjustment=1), (*NAMES, "never seen"))
    for values in (loss.class_weights, loss.log_prior):
        assert values is not None
        assert torch.isfinite(values).all()
        assert len(values) == 4


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_the_loss_is_torchs(
    task_class: type[Classification],
    class_weights: str,
    label_smoothing: float,
    logits: torch.Tensor,
    targets: torch.Tensor,
) -> None:
    loss = loss_of(task_class(class_weights=class_weights, label_smoothing=label_smoothing))
    batch = {LABELS: targets}
    reference = torch.nn.CrossEntropyLoss(weight=loss.class_weights, label_smoothing=label_smoothing)
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    value = loss.sum(output(ours), batch) / loss.weight(batch)
    expected = reference(theirs, targets)
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    value.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    # In parts, as micro-batches see it: sums over parts and weights over parts make the same mean.
    parts = [(output(logits[part]), {LABELS: targets[part]}) for part in (slice(0, 7), slice(7, 40))]
    summed = sum(loss.sum(*part) for part in parts) / sum(loss.weight(part[1]) for part in parts)
    assert summed.item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_options_change_the_loss(
    task_class: type[Classification], logits: torch.Tensor, targets: torch.Tensor
) -> None:
    """The control: the comparison above can tell them apart."""
    values = set()
    options: list[dict[str, Any]] = [
        {},
        {"label_smoothing": 0.1},
        {"class_weights": "balanced"},
        {"focal": 2},
        {"logit_adjustment": 1},
        {"logit_adjustment": 0.5},
    ]
    for option in options:
        loss, batch = loss_of(task_class(**option)), {LABELS: targets}
        values.add(round((loss.sum(output(logits), batch) / loss.weight(batch)).item(), 4))
    assert len(values) == len(options)


def test_half_precision_logits_are_summed_in_single(
    task_class: type[Classification], logits: torch.Tensor, targets: torch.Tensor
) -> None:
    loss, batch = loss_of(task_class()), {LABELS: targets}
    halved = logits.to(torch.bfloat16)
    assert loss.sum(output(halved), batch).dtype == torch.float32
    assert loss.sum(output(halved), batch) == loss.sum(output(halved.float()), batch)


def test_scores_are_scipys_softmax(task_class: type[Classification], logits: torch.Tensor) -> None:
    predictions = decode(task_class(), logits.numpy())
    np.testing.assert_allclose(
        predictions.scores, softmax(logits.numpy().astype(np.float64), axis=1), rtol=1e-6
    )
    assert predictions.values.tolist() == logits.argmax(dim=1).tolist()
    assert predictions.values.dtype == np.int64
    assert predictions.scores.dtype == np.float64


def test_scores_of_huge_logits_are_finite(task_class: type[Classification]) -> None:
    huge = np.array([[1e4, -1e4, 0.0], [3e38, -3e38, 0.0]], dtype=np.float32)
    np.testing.assert_array_equal(decode(task_class(), huge).scores, [[1, 0, 0], [1, 0, 0]])


def test_an_answer_is_the_likeliest_label_and_all_scores(task_class: type[Classification]) -> None:
    task = task_class()
    answers = decode(task, np.log(np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]]))).answers
    assert isinstance(answers[0], Label)
    assert [one.label for one in answers] == ["common", "rare"]
    assert [one.score for one in answers] == pytest.approx([0.5, 0.7])
    assert list(answers[0].scores) == ["common", "middling", "rare"]
    assert answers[-1] == answers[1]
    assert answers[:1] == [answers[0]]
    with pytest.raises(IndexError):
        answers[2]
    assert answers[0].columns() == {"prediction": "common", "score": pytest.approx(0.5)}
    assert answers[0].record() == {"label": "common", "score": pytest.approx(0.5)}
    assert list(answers[0].record(2)["scores"]) == ["common", "middling"]
    assert answers[0].line(2) == "common 0.5000, middling 0.3000"
    assert task.expected(answers[0], NAMES) == pytest.approx({"rare": 0.2, "common": 0.5, "middling": 0.3})


def test_examples_of_a_row_are_put_together_by_their_mean() -> None:
    logits = [np.array([1.0, 0.0]), np.array([3.0, 2.0]), np.array([5.0, 7.0])]
    windows = examples_of(3, [0, 0, 1])
    assert pooled(logits, windows, 2).tolist() == [[2.0, 1.0], [5.0, 7.0]]
    assert rows_of(windows).tolist() == [0, 0, 1]
    # Control: without rows, example i is row i.
    assert pooled(logits, examples_of(3), 3).tolist() == [one.tolist() for one in logits]
    assert rows_of(examples_of(3)).tolist() == [0, 1, 2]


def test_the_baseline_is_the_commonest_training_label(task_class: type[Classification]) -> None:
    rows = datasets.Dataset.from_dict({"label": [0, 2]})
    guess = task_class().baseline(TRAIN, rows, NAMES)
    assert guess is not None
    assert guess.values.tolist() == [1, 1]
    assert guess.scores == pytest.approx(np.tile([3 / 64, 50 / 64, 11 / 64], (2, 1)))
    assert task_class().baseline_name == "majority"


def test_the_targets_are_told_by_name(task_class: type[Classification]) -> None:
    rows = datasets.Dataset.from_dict({"label": [2, 0]})
    assert task_class().told(rows, NAMES) == ["middling", "rare"]
    assert task_class().references(rows, NAMES).tolist() == [2, 0]


def test_the_config_names_the_labels(task_class: type[Classification]) -> None:
    config = task_class().head_config(NAMES)
    assert config["num_labels"] == 3
    assert config["id2label"] == {0: "rare", 1: "common", 2: "middling"}
    assert config["label2id"] == {"rare": 0, "common": 1, "middling": 2}
    assert config["problem_type"] == "single_label_classification"


@pytest.mark.parametrize(
    ("problem_type", "option"),
    [
        ("regression", {"focal": 2.0}),
        ("regression", {"class_weights": "balanced"}),
        ("multi_label_classification", {"logit_adjustment": 1.0}),
        ("single_label_classification", {"threshold": 0.3}),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(
    task_class: type[Classification], problem_type: Any, option: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(option))}` means nothing with problem_type"):
        task_class(problem_type=problem_type, **option)
    task_class(problem_type=problem_type)  # the control
    other = {"threshold": "multi_label_classification"}.get(next(iter(option)), "single_label_classification")
    task_class(problem_type=other, **option)
