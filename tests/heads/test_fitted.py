"""Learners of scikit-learn as heads: what they say, and what is kept of them on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import skops.io
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from hftransfer.errors import RunDirectoryError
from hftransfer.heads import Fitted, Head
from hftransfer.heads.fitted import FittedHead
from hftransfer.heads.options import KNN, REGRESSION, SINGLE

SEVERAL = "multi_label_classification"
KINDS = [one for one in get_args(get_args(Head)[0]) if issubclass(one, Fitted)]
QUICK: dict[str, dict[str, Any]] = {"random-forest": {"trees": 20}, "gradient-boosting": {"rounds": 10}}
NUMBERS = np.random.default_rng(0).normal(size=(120, 6)).astype(np.float32)
CLASSES = (NUMBERS[:, 0] > 0).astype(int) + (NUMBERS[:, 1] > 0)
CASES = [(kind, SINGLE) for kind in KINDS]
CASES += [(kind, SEVERAL) for kind in KINDS] + [(kind, REGRESSION) for kind in KINDS if kind.regresses]


def options(kind: Any) -> Any:
    return kind(**QUICK.get(kind.model_fields["name"].default, {}))


def targets(problem: str) -> Any:
    if problem == SINGLE:
        return CLASSES
    if problem == SEVERAL:
        return (NUMBERS[:, :3] > 0).astype(int)
    return NUMBERS[:, :2] * 2


def fitted(kind: Any, problem: str, **more: Any) -> FittedHead:
    head = FittedHead(options(kind), 3 if problem != REGRESSION else 2, problem)
    head.fit(NUMBERS, targets(problem), **{"seed": 0, "balanced": False, **more})
    return head


def name(one: Any) -> str:
    return str(one.model_fields["name"].default) if isinstance(one, type) else str(one)


def test_all_are_here() -> None:
    assert len(KINDS) == 6


@pytest.mark.parametrize(("kind", "problem"), CASES, ids=name)
def test_it_learns_and_is_the_same_when_it_is_loaded(kind: Any, problem: str, tmp_path: Path) -> None:
    head = fitted(kind, problem)
    given = head(torch.from_numpy(NUMBERS)).detach()
    assert given.dtype == torch.float32
    wanted = targets(problem)
    if problem == SINGLE:
        assert (given.argmax(1).numpy() == wanted).mean() > 0.7
    elif problem == SEVERAL:
        assert ((given > 0).numpy() == wanted).mean() > 0.7
    else:
        assert np.abs(given.numpy() - wanted).mean() < 0.7 * np.abs(wanted).mean()
    head.save(tmp_path / "head.skops")
    again = FittedHead(head.options, head.outputs, problem)
    again.load(tmp_path / "head.skops")
    assert torch.equal(again(torch.from_numpy(NUMBERS)), given)
    assert not torch.equal(again(torch.from_numpy(-NUMBERS)), given)


def test_logits_are_what_it_gives_as_chances() -> None:
    head = fitted(KINDS[0], SINGLE)
    direct = LogisticRegression(C=1.0, max_iter=2000).fit(NUMBERS, CLASSES).predict_proba(NUMBERS)
    given = head(torch.from_numpy(NUMBERS)).softmax(1).numpy()
    assert np.abs(given - direct).max() < 1e-5
    assert np.abs(given - direct[:, ::-1]).max() > 0.1


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_a_label_without_a_training_row_is_never_said(kind: Any) -> None:
    head = FittedHead(options(kind), 4, SINGLE)
    head.fit(NUMBERS, np.where(CLASSES == 0, 3, CLASSES), seed=0, balanced=False)
    given = head(torch.from_numpy(NUMBERS))
    assert given.shape == (120, 4)
    assert set(given.argmax(1).tolist()) == {1, 2, 3}
    assert given.isfinite().all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.weighted], ids=name)
def test_balanced_classes_help_the_rare_one(kind: Any) -> None:
    rare = (NUMBERS[:, 0] + 0.8 * np.random.default_rng(1).normal(size=120) > 1.7).astype(int)
    assert 0 < rare.sum() < 20
    said = []
    for balanced in (False, True):
        head = FittedHead(kind(), 2, SINGLE)
        head.fit(NUMBERS, rare, seed=0, balanced=balanced)
        said.append(head(torch.from_numpy(NUMBERS)).softmax(1)[:, 1].mean())
    assert said[0] != said[1]
    if not name(kind).endswith(("forest", "boosting")):  # trees learn so few rows by heart either way
        assert said[1] > said[0]


def test_what_is_no_learner_is_not_loaded(tmp_path: Path) -> None:
    """A file that would call a function of another package when it is loaded."""
    skops.io.dump(FunctionTransformer(func=torch.nn.functional.relu), tmp_path / "head.skops")
    with pytest.raises(RunDirectoryError, match="is no part of a head"):
        FittedHead(KNN(), 2, SINGLE).load(tmp_path / "head.skops")


def test_numbers_get_their_units_at_the_end() -> None:
    head = fitted(KNN, REGRESSION)
    given = head(torch.from_numpy(NUMBERS)).detach()
    assert head.units is not None
    with torch.no_grad():
        head.units.weight.mul_(3)
        head.units.bias.add_(1)
    assert torch.allclose(head(torch.from_numpy(NUMBERS)), 3 * given + 1)


@pytest.mark.filterwarnings("ignore:Label:UserWarning")
@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_a_label_that_no_row_has_or_every_row(kind: Any, tmp_path: Path) -> None:
    wanted = np.stack([np.zeros(120, int), np.ones(120, int), (NUMBERS[:, 0] > 0).astype(int)], axis=1)
    head = FittedHead(options(kind), 3, SEVERAL)
    head.fit(NUMBERS, wanted, seed=0, balanced=False)
    given = head(torch.from_numpy(NUMBERS))
    assert (given[:, 0] <= 0).all()
    assert (given[:, 1] >= 0).all()
    head.save(tmp_path / "head.skops")
    again = FittedHead(head.options, 3, SEVERAL)
    again.load(tmp_path / "head.skops")
    assert torch.equal(again(torch.from_numpy(NUMBERS)), given)


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_one_label_that_may_be_there_or_not(kind: Any) -> None:
    head = FittedHead(options(kind), 1, SEVERAL)
    head.fit(NUMBERS, (NUMBERS[:, :1] > 0).astype(int), seed=0, balanced=False)
    given = head(torch.from_numpy(NUMBERS))
    assert given.shape == (120, 1)
    assert ((given[:, 0] > 0).numpy() == (NUMBERS[:, 0] > 0)).mean() > 0.7


def test_a_missing_class_is_a_little_below_the_others() -> None:
    head = FittedHead(KINDS[1](), 4, SINGLE)
    head.fit(NUMBERS, np.where(CLASSES == 0, 3, CLASSES), seed=0, balanced=False)
    given = head(torch.from_numpy(NUMBERS))
    assert given.abs().max() < 100
    assert (given[:, 0] < given[:, 1:].min()).all()


def test_boosting_sees_all_rows() -> None:
    """Of many rows scikit-learn would put some aside, and stop early by them."""
    learner = next(kind for kind in KINDS if name(kind) == "gradient-boosting")()
    assert learner.classifier(0, None).early_stopping is False
    assert learner.regressor(0).early_stopping is False
