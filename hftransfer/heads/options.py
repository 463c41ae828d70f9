"""The heads that a recipe may name, and their options. Those of scikit-learn are called as it calls them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from hftransfer.registry import Options

Pooling = Literal["cls", "mean", "max", "last"]
Width = Annotated[int, Field(gt=0)]
SINGLE, REGRESSION = "single_label_classification", "regression"


class Linear(Options):
    """One linear layer: linear probing."""

    name: Literal["linear"] = "linear"


class MLP(Options):
    """Linear layers with an activation between them: `{name: mlp, widths: [1024]}` is a Dense(1024, relu)."""

    name: Literal["mlp"] = "mlp"
    widths: tuple[Width, ...] = Field((1024,), min_length=1, description="outputs of every hidden layer")
    activation: Literal["relu", "gelu", "tanh"] = Field("relu", description="after every hidden layer")
    dropout: float = Field(0.0, ge=0, lt=1, description="after every activation, in training")


class Fitted(Options):
    """Base of scikit-learn's learners, which are fitted once, on the features of all training rows."""

    name: str
    weighted: ClassVar[bool] = True
    """Whether classes can count the same (`task.class_weights: balanced`)."""
    scaled: ClassVar[bool] = True
    """Whether it takes features that are standardised first, as its penalty or its distances want."""
    regresses: ClassVar[bool] = True
    """Whether it can say numbers, too."""

    @abstractmethod
    def classifier(self, seed: int, weight: str | None) -> Any:
        """The learner of labels, not fitted. weight: "balanced" for classes that count the same, or None."""

    @abstractmethod
    def regressor(self, seed: int) -> Any:
        """The learner of one number, not fitted."""


class LogisticRegression(Fitted):
    """Multinomial logistic regression with an L2 penalty."""

    regresses: ClassVar[bool] = False
    scaled: ClassVar[bool] = False

    name: Literal["logistic-regression"] = "logistic-regression"
    C: float = Field(1.0, gt=0, description="inverse of the penalty")

    def classifier(self, seed: int, weight: str | None) -> Any:
        from sklearn.linear_model import LogisticRegression as Learner

        return Learner(C=self.C, max_iter=2000, random_state=seed, class_weight=weight)

    def regressor(self, seed: int) -> Any:
        raise NotImplementedError


class SVM(Fitted):
    """Support vector machines, one class against the rest; scores are distances to the plane, no probabilities."""

    name: Literal["svm"] = "svm"
    kernel: Literal["linear", "rbf"] = "linear"
    C: float = Field(0.01, gt=0, description="inverse of the penalty")

    def classifier(self, seed: int, weight: str | None) -> Any:
        from sklearn.svm import SVC, LinearSVC

        if self.kernel == "rbf":
            return SVC(C=self.C, class_weight=weight)
        return LinearSVC(C=self.C, random_state=seed, class_weight=weight)

    def regressor(self, seed: int) -> Any:
        from sklearn.svm import SVR, LinearSVR

        return LinearSVR(C=self.C, random_state=seed) if self.kernel == "linear" else SVR(C=self.C)


class KNN(Fitted):
    """The labels of the nearest training rows, near ones counting more."""

    weighted: ClassVar[bool] = False
    scaled: ClassVar[bool] = False

    name: Literal["knn"] = "knn"
    neighbors: int = Field(20, gt=0, description="rows that are looked at")
    metric: Literal["cosine", "euclidean"] = "cosine"

    def classifier(self, seed: int, weight: str | None) -> Any:
        from sklearn.neighbors import KNeighborsClassifier

        return KNeighborsClassifier(self.neighbors, weights="distance", metric=self.metric)

    def regressor(self, seed: int) -> Any:
        from sklearn.neighbors import KNeighborsRegressor

        return KNeighborsRegressor(self.neighbors, weights="distance", metric=self.metric)


class RandomForest(Fitted):
    """Trees on rows and features drawn at random, which vote."""

    scaled: ClassVar[bool] = False

    name: Literal["random-forest"] = "random-forest"
    trees: int = Field(300, gt=0)
    depth: int | None = Field(None, gt=0, description="of a tree at most; by default as deep as it grows")

    def classifier(self, seed: int, weight: str | None) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(
            self.trees, max_depth=self.depth, random_state=seed, class_weight=weight, n_jobs=-1
        )

    def regressor(self, seed: int) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        return RandomForestRegressor(self.trees, max_depth=self.depth, random_state=seed, n_jobs=-1)


class GradientBoosting(Fitted):
    """Small trees, each of which mends what those before it got wrong (by histograms, as LightGBM)."""

    scaled: ClassVar[bool] = False

    name: Literal["gradient-boosting"] = "gradient-boosting"
    rounds: int = Field(100, gt=0, description="trees, of every class one")
    learning_rate: float = Field(0.1, gt=0)

    def classifier(self, seed: int, weight: str | None) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.rounds,
            early_stopping=False,
            class_weight=weight,
            random_state=seed,
        )

    def regressor(self, seed: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(
            learning_rate=self.learning_rate,
            max_iter=self.rounds,
            early_stopping=False,
            random_state=seed,
        )


class Ridge(Fitted):
    """Least squares with an L2 penalty, of labels on targets of -1 and 1; scores are no probabilities."""

    name: Literal["ridge"] = "ridge"
    alpha: float = Field(1.0, gt=0, description="the penalty")

    def classifier(self, seed: int, weight: str | None) -> Any:
        from sklearn.linear_model import RidgeClassifier

        return RidgeClassifier(alpha=self.alpha, random_state=seed, class_weight=weight)

    def regressor(self, seed: int) -> Any:
        from sklearn.linear_model import Ridge as Learner

        return Learner(alpha=self.alpha, random_state=seed)


def _named(value: Any) -> Any:
    """`mlp` as `{name: mlp}`."""
    if isinstance(value, str):
        return {"name": value}
    return {"name": "linear", **value} if isinstance(value, Mapping) else value


Head = Annotated[
    Linear | MLP | LogisticRegression | SVM | KNN | RandomForest | GradientBoosting | Ridge,
    Field(discriminator="name"),
    BeforeValidator(_named),
]
