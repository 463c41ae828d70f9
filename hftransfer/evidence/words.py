"""The arm `words`: TF-IDF of words and pairs of words, and a linear model on it (Wang & Manning 2012, P12-2018, for
how far that goes)."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hftransfer.evidence.arms import Scored
from hftransfer.files import write_json
from hftransfer.predictions import write_predictions
from hftransfer.resampled import on_resamples, read_resampled, write_resampled
from hftransfer.tasks.predictions import Predictions
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.training.compute import forget_peak_memory, peak_memory
from hftransfer.training.evaluation import score_predictions

if TYPE_CHECKING:
    from hftransfer.recipe import Recipe
    from hftransfer.run_directory import RunDirectory
    from hftransfer.splits import Splits

PAIRS_OF_WORDS = (1, 2)
WEIGHTS = 4_000_000
"""Words and pairs of words times labels: of more, the commonest are kept. The solver holds two dozen times as many
numbers (0.8 GB)."""
INVERSE_PENALTY = 10.0
"""C of the logistic regression: TF-IDF vectors have length 1, for which scikit-learn's 1 is too strong a penalty."""
LEAST = 1e-7
"""The least chance of a label."""
STEPS = 1000


def words_arm(recipe: Recipe, splits: Splits, at: RunDirectory) -> Scored:
    """Fit on the training rows, score on the others; thresholds of several labels are tuned as the task does it.

    at: where predictions and facts are kept; what is there is not fitted again.
    """
    if at.arm.is_file():
        facts = json.loads(at.arm.read_text(encoding="utf-8"))
        return Scored(name="words", resampled=read_resampled(at.resampled), **facts)
    can_tell, start = forget_peak_memory(), time.perf_counter()
    model = Words.fit(recipe, splits)
    said = _said(model, recipe, splits)
    seconds, peak = time.perf_counter() - start, peak_memory()
    task, labels = recipe.task, splits.labels
    rows = {name: splits.by_name[name] for name in said}
    references = {name: task.references(rows[name], labels) for name in said}
    scored = Scored(
        name="words",
        metrics={
            name: score_predictions(recipe.metrics, one, references[name], labels)
            for name, one in said.items()
        },
        intervals={},
        resampled={
            name: on_resamples(recipe.metrics, one, references[name], labels, splits.groups.get(name))
            for name, one in said.items()
        },
        seconds=round(seconds, 3),
        trained=model.weights,
        peak_memory_bytes=peak if can_tell else None,
    )
    scored = replace(scored, intervals={name: one.intervals for name, one in scored.resampled.items()})
    for name, one in said.items():
        write_predictions(at.predictions(name), rows[name], task, one, labels)
    write_resampled(at.resampled, scored.resampled)
    kept = ("metrics", "intervals", "seconds", "trained", "peak_memory_bytes")
    write_json(at.arm, {key: getattr(scored, key) for key in kept})
    return scored


@dataclass(frozen=True)
class Words:
    """vectorizers: role -> its TF-IDF; of a pair, each text has words of its own. learner: on all of them."""

    vectorizers: Mapping[str, Any]
    learner: Any
    classes: int

    @classmethod
    def fit(cls, recipe: Recipe, splits: Splits) -> Words:
        from scipy.sparse import hstack
        from sklearn.feature_extraction.text import TfidfVectorizer

        train, outputs = splits.train, max(1, len(splits.labels))
        roles = [role for role in recipe.task.inputs if role in train.column_names]
        most = max(1, WEIGHTS // outputs // len(roles))
        vectorizers = {
            role: TfidfVectorizer(
                ngram_range=PAIRS_OF_WORDS, sublinear_tf=True, max_features=most, dtype=np.float64
            )
            for role in roles
        }
        features = hstack([one.fit_transform(train[role]) for role, one in vectorizers.items()], format="csr")
        targets = recipe.task.references(train, splits.labels)
        with warnings.catch_warnings():
            # A label that no row or every row has is said where the rows are read.
            warnings.filterwarnings("ignore", message="Label not .* is present in all training examples")
            return cls(vectorizers, _learner(recipe, targets).fit(features, targets), len(splits.labels))

    def logits(self, rows: Any) -> NDArray[np.float64]:
        """(N, C) of N rows: of labels whose softmax, or sigmoid, are their chances; of numbers, the numbers."""
        from scipy.sparse import hstack

        features = hstack([one.transform(rows[role]) for role, one in self.vectorizers.items()], format="csr")
        if not hasattr(self.learner, "predict_proba"):
            return np.asarray(self.learner.predict(features), np.float64).reshape(len(rows), -1)
        chances = np.clip(self.learner.predict_proba(features), LEAST, 1 - LEAST)
        if self.learner.__class__.__name__ == "OneVsRestClassifier":
            several: NDArray[np.float64] = np.log(chances / (1 - chances))[:, -self.classes :]
            return several
        # A class without a training row is not known to the learner.
        logits = np.full((len(rows), self.classes), np.log(LEAST))
        logits[:, self.learner.classes_] = np.log(chances)
        return logits

    @property
    def weights(self) -> int:
        """How many numbers were fitted."""
        each = getattr(self.learner, "estimators_", None) or [self.learner]
        return sum(int(np.size(one.coef_) + np.size(one.intercept_)) for one in each if hasattr(one, "coef_"))


def _learner(recipe: Recipe, targets: NDArray[Any]) -> Any:
    """Ridge for numbers, logistic regression for labels; classes count as much as the recipe's own training has it."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier

    if targets.dtype.kind == "f":
        return Ridge()
    task = recipe.task
    balanced = getattr(task, "class_weights", None) == "balanced" or recipe.training.sampling == "balanced"
    one = LogisticRegression(C=INVERSE_PENALTY, max_iter=STEPS, class_weight="balanced" if balanced else None)
    return one if targets.ndim == 1 else OneVsRestClassifier(one)


@dataclass(frozen=True)
class _Rows:
    """Rows of which each is one example, as a task decodes them."""

    count: int
    lengths: None = None
    rows: None = None
    findings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        raise IndexError(index)


def _said(model: Words, recipe: Recipe, splits: Splits) -> dict[str, Predictions]:
    """Split -> predictions, as the task makes them of a network's outputs."""
    pretrained = Pretrained(None, SimpleNamespace(id2label=dict(enumerate(splits.labels))), None)
    said: dict[str, Predictions] = {}
    for name in ("validation", "test"):
        if name in splits.by_name:
            rows = splits.by_name[name]
            outputs: Sequence[NDArray[Any]] = list(model.logits(rows))
            examples = _Rows(len(rows))
            if name == "validation":
                pretrained.remember(recipe.task.tune(outputs, examples, rows, pretrained))
            said[name] = recipe.task.decode(outputs, examples, rows, pretrained)
    return said
