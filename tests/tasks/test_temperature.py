"""The temperature is the one that scikit-learn and a grid find; where rows cannot say, it is 1."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pytest
import transformers
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression

from hftransfer.errors import RecipeError
from hftransfer.recipe import Recipe
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.temperature import HIGHEST, LOWEST, as_before, at_temperature, fit
from hftransfer.tasks.text_classification import TextClassification


def single(seed: int, *, sharper: float, rows: int = 400, classes: int = 4) -> tuple[Any, Any]:
    """(logits (N, C), classes (N,)): logits that were calibrated, made so many times as sharp."""
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(rows, classes))
    drawn = (random.random(rows)[:, None] > softmax(logits, axis=1).cumsum(axis=1)).sum(axis=1)
    return logits * sharper, drawn


def several(seed: int, *, sharper: float, rows: int = 400) -> tuple[Any, Any]:
    """The same of 4 labels, each with or without (N, 4)."""
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(rows, 4)) - 1
    return logits * sharper, (random.random((rows, 4)) < expit(logits)).astype(np.int64)


def likelihood(logits: Any, truth: Any, temperature: float) -> float:
    if truth.ndim == 2:
        return float(-log_expit(np.where(truth == 1, logits, -logits) / temperature).mean())
    return float(-log_softmax(logits / temperature, axis=1)[np.arange(len(truth)), truth].mean())


@pytest.mark.parametrize("sharper", [0.3, 1.6, 4.0])
def test_equals_scikit_learn(sharper: float) -> None:
    pytest.importorskip("sklearn", minversion="1.8")  # the first to know temperature
    from sklearn.frozen import FrozenEstimator

    logits, truth = single(0, sharper=sharper)
    same = LogisticRegression()  # whose decision values are the logits themselves
    same.classes_, same.coef_, same.intercept_ = np.arange(4), np.eye(4), np.zeros(4)
    theirs = CalibratedClassifierCV(FrozenEstimator(same), method="temperature", ensemble=False)
    theirs.fit(logits, truth)
    found = fit(logits, truth).value
    assert theirs.predict_proba(logits) == pytest.approx(softmax(logits / found, axis=1), abs=1e-3)
    assert theirs.predict_proba(logits) != pytest.approx(softmax(logits, axis=1), abs=2e-2)  # control


@pytest.mark.parametrize("case", [single, several])
@pytest.mark.parametrize("sharper", [0.3, 1.6, 4.0])
def test_no_other_of_a_grid_is_likelier(case: Any, sharper: float) -> None:
    logits, truth = case(1, sharper=sharper)
    found = fit(logits, truth)
    assert found.why == ""
    assert found.value == pytest.approx(sharper, rel=0.2)
    grid = np.geomspace(LOWEST, HIGHEST, 500)
    values = [likelihood(logits, truth, one) for one in grid]
    assert likelihood(logits, truth, found.value) <= min(values)
    assert found.value == pytest.approx(grid[np.argmin(values)], rel=0.02)


@pytest.mark.parametrize("case", [single, several])
def test_where_nothing_is_to_be_mended_it_is_1_nineteen_times_in_twenty(case: Any) -> None:
    moved = sum(fit(*case(seed, sharper=1, rows=150)).value != 1 for seed in range(400))
    assert 6 <= moved <= 33  # of 400 at 5 %: binomial around 20
    assert fit(*case(0, sharper=1)).why == "400 validation rows show no other to be better"


def test_few_rows_do_not_decide() -> None:
    logits, truth = single(2, sharper=4, rows=400)
    assert fit(logits, truth).value == pytest.approx(4, rel=0.2)
    # Three right ones and one that is wrong for certain: all that is known of that is one row.
    few = np.array([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [9.0, 0.0]])
    assert fit(few, np.array([0, 0, 0, 1])).value == 1


def test_rows_that_are_all_right_call_for_no_bound() -> None:
    logits, _ = single(3, sharper=1)
    found = fit(logits, logits.argmax(axis=1))
    assert found.value == 1
    assert "the surer the better" in found.why
    # And where what it says has nothing to do with what is.
    random = np.random.default_rng(0)
    noise = fit(20 * logits, random.integers(0, 4, len(logits)))
    assert noise.value == 1
    assert "the less sure the better" in noise.why


def test_no_logits_are_no_number() -> None:
    assert fit(np.full((30, 2), np.nan), np.zeros(30, dtype=np.int64)).value == 1
    assert fit(np.zeros((30, 2)), np.zeros(30, dtype=np.int64)).value == 1


@pytest.mark.parametrize("case", [single, several])
def test_scores_tell_what_they_were_before(case: Any) -> None:
    logits, truth = case(4, sharper=3)
    score = expit if truth.ndim == 2 else lambda one: softmax(one, axis=1)
    before = as_before(score(logits / 2.5), 2.5, several=truth.ndim == 2)
    assert before == pytest.approx(score(logits), abs=1e-9)
    assert before != pytest.approx(score(logits / 2.5), abs=1e-2)  # control


# --- the task --------------------------------------------------------------------------------------------------------


def known(**settings: Any) -> Pretrained:
    config = transformers.PreTrainedConfig(id2label=dict(enumerate("abcd")))
    made = Pretrained(None, config, None)
    made.remember(settings)
    return made


def decode(logits: Any, pretrained: Pretrained, **options: Any) -> Any:
    examples = SimpleNamespace(rows=None)
    return TextClassification(**options).decode(list(logits), examples, range(len(logits)), pretrained)


def test_decoding_divides_and_no_class_changes() -> None:
    logits, _ = single(5, sharper=3)
    before, after = decode(logits, known()), decode(logits, known(temperature=2.0))
    assert (before.values == after.values).all()
    assert after.scores == pytest.approx(softmax(logits / 2, axis=1))
    assert after.scores != pytest.approx(before.scores, abs=1e-2)
    # A pipeline applies the model alone.
    piped = TextClassification().as_piped(known(temperature=2.0))
    assert decode(logits, piped).scores == pytest.approx(before.scores)


def test_thresholds_move_with_the_scores() -> None:
    logits, _ = several(6, sharper=3)
    options = {"problem_type": "multi_label_classification"}
    settings = {"thresholds": [0.0, 0.2, 0.5, 1.0]}
    before = decode(logits, known(**settings), **options)
    after = decode(logits, known(**at_temperature(settings, 2.0)), **options)
    assert (before.values == after.values).all()
    assert after.scores == pytest.approx(expit(logits / 2))
    # Control: thresholds that stay where they were say other labels.
    assert (decode(logits, known(**settings, temperature=2.0), **options).values != before.values).any()


def test_windows_of_a_row_count_once() -> None:
    logits, truth = single(7, sharper=3)
    noise = np.random.default_rng(0).normal(size=logits.shape)
    windows = [one for pair in zip(logits - noise, logits + noise, strict=True) for one in pair]
    rows = datasets.Dataset.from_dict({"label": truth.tolist()})
    twice = SimpleNamespace(rows=np.repeat(np.arange(len(truth)), 2))
    found = TextClassification().calibrate(windows, twice, rows, known())
    assert found is not None
    assert found.value == pytest.approx(fit(logits, truth).value, rel=1e-4)


def test_none_where_it_is_not_asked_for_or_scores_are_no_chances() -> None:
    logits, truth = single(8, sharper=3)
    rows = datasets.Dataset.from_dict({"label": truth.tolist()})
    one = SimpleNamespace(rows=None)
    assert TextClassification(calibration="none").calibrate(list(logits), one, rows, known()) is None
    assert TextClassification(problem_type="regression").calibrate(list(logits), one, rows, known()) is None
    assert TextClassification().calibrate(list(logits), one, rows, known()) is not None
    with pytest.raises(RecipeError, match="`calibration` means nothing with problem_type: regression"):
        Recipe(
            checkpoint="c",
            data={"source": "d"},
            task={"name": "text-classification", "problem_type": "regression", "calibration": "none"},
            strategy="full",
        )
