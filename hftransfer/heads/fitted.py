"""A learner of scikit-learn as a head: it is fitted once, and asked as a layer is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hftransfer.errors import RunDirectoryError
from hftransfer.heads.options import REGRESSION, SINGLE, Fitted

LEAST = 1e-7
"""The least chance of a label: of trees that all agree, the others' would be 0, and its logarithm no number."""
TRUSTED = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.tree._tree.Tree",
)
"""Types in learners beside those that skops knows to be data: tables of splits, and a label that all rows have."""


class FittedHead(nn.Module):
    """`forward(features)` gives logits: of labels whose softmax (or sigmoid, of several labels) is what the learner
    gives as chances, or its decision values where it gives none; of numbers, the numbers.
    """

    def __init__(self, options: Fitted, outputs: int, problem_type: str) -> None:
        super().__init__()
        self.options = options
        self.outputs = outputs
        self.problem_type = problem_type
        self.learner: Any = None
        # Numbers are learned standardised; this layer gives them their units when that is done (see Task.settle).
        self.units: nn.Linear | None = None
        if problem_type == REGRESSION:
            self.units = nn.Linear(outputs, outputs)
            nn.init.eye_(self.units.weight)
            nn.init.zeros_(self.units.bias)

    def fit(self, features: NDArray[np.float32], targets: NDArray[Any], *, seed: int, balanced: bool) -> None:
        """features: (N, D). targets: (N,) of class numbers, (N, C) of 0 and 1, or (N, T) of numbers.

        balanced: every class counts as much as any other.
        """
        learner = self._learner(seed, "balanced" if balanced else None)
        if self.options.scaled:
            from sklearn.pipeline import make_pipeline
            from sklearn.preprocessing import StandardScaler

            learner = make_pipeline(StandardScaler(), learner)
        one = self.problem_type == REGRESSION and self.outputs == 1
        self.learner = learner.fit(features, targets[:, 0] if one else targets)

    def _learner(self, seed: int, weight: str | None) -> Any:
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.multioutput import MultiOutputRegressor

        if self.problem_type == REGRESSION:
            learner = self.options.regressor(seed)
            return learner if self.outputs == 1 else MultiOutputRegressor(learner)
        learner = self.options.classifier(seed, weight)
        return learner if self.problem_type == SINGLE else OneVsRestClassifier(learner)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C) of features (B, D)."""
        given = self._given(features.detach().float().cpu().numpy())
        logits = torch.from_numpy(np.ascontiguousarray(given, dtype=np.float32)).to(features.device)
        return logits if self.units is None else self.units(logits)

    def _given(self, features: NDArray[np.float32]) -> NDArray[Any]:
        if self.problem_type == REGRESSION:
            numbers: NDArray[Any] = np.asarray(self.learner.predict(features), np.float64)
            return np.expand_dims(numbers, 1) if numbers.ndim == 1 else numbers
        given: NDArray[Any]
        if hasattr(self.options.classifier(0, None), "predict_proba"):
            given = np.clip(self.learner.predict_proba(features), LEAST, 1 - LEAST)
            given = np.log(given) if self.problem_type == SINGLE else np.log(given / (1 - given))
            missing = np.log(LEAST)
        else:
            given = np.asarray(self.learner.decision_function(features))
            missing = given.min() - 1
        if self.problem_type != SINGLE:
            return given.reshape(len(features), -1)[:, -self.outputs :]
        if given.ndim == 1:  # of two classes the second's
            given = np.stack([-given, given], axis=1) / 2
        # A class without a training row is not known to the learner.
        logits = np.full((len(features), self.outputs), missing)
        logits[:, self.learner.classes_] = given
        return logits

    def save(self, file: Path) -> None:
        """Write the learner by skops: as data, no pickle."""
        import skops.io

        skops.io.dump(self.learner, file)

    def load(self, file: Path) -> None:
        """Read what `save` wrote. Raises RunDirectoryError for a file that would load anything else than a learner."""
        import skops.io

        strange = set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED)
        if strange:
            raise RunDirectoryError(f"{file} asks to load {min(strange)}, which is no part of a head")
        self.learner = skops.io.load(file, trusted=TRUSTED)
