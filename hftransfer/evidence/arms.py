"""The arms that a run is compared with: which fit a recipe, and the recipes of those that are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hftransfer.errors import Problem, RecipeError
from hftransfer.recipe import ARMS, Arm, EvidenceSection, HubSection, Recipe
from hftransfer.strategies import Frozen, Full

if TYPE_CHECKING:
    from hftransfer.resampled import Resampled
    from hftransfer.result import Result

PROBE_EPOCHS = 10
"""Of the head on features, at least."""
WORD_TARGETS = ("class", "classes", "numbers")
"""Kinds of targets that a linear model of words can say."""


@dataclass(frozen=True)
class Scored:
    """An arm, or the run itself, on the validation rows and, where there are any, the test rows.

    metrics, intervals: as in a result. resampled: split -> what comparing takes. seconds: from the checkpoint (words:
    from the texts) to a model that is saved and proven. trained: parameters. peak_memory_bytes: see
    `compute.peak_memory`. run: its folder within the run's own; None where it is no run. improving: whether its weights
    were the best after the last of its steps, so that more of them might have made it better.
    """

    name: str
    metrics: Mapping[str, Mapping[str, Any]]
    intervals: Mapping[str, Mapping[str, Any]]
    resampled: Mapping[str, Resampled]
    seconds: float = 0.0
    trained: int | None = None
    peak_memory_bytes: int | None = None
    run: str | None = None
    improving: bool = False


def why_not(recipe: Recipe, arm: Arm) -> str | None:
    """Why an arm does not fit a recipe; None where it does, as far as the recipe alone can tell."""
    task, strategy = recipe.task, recipe.strategy
    kinds = {task.columns[role].kind for role in task.inputs}
    target = task.columns[task.target].kind if task.target else None
    if arm == "words" and (kinds != {"text"} or target not in WORD_TARGETS):
        return f"it reads texts that have a label, labels or numbers, which is not what {task.name} does"
    if arm in ("random-weights", "frozen") and recipe.checkpoint.random_weights:
        return "the run itself starts from random weights"
    if arm == "frozen" and strategy.name == "frozen":
        return "it is what the run itself is"
    if arm == "random-weights" and task.apart:
        return "pairs that are read apart are for a frozen backbone, and random weights have to be trained"
    return None


def check_arms(recipe: Recipe) -> None:
    """Raises RecipeError where a recipe names an arm that does not fit it. `all` are those that do."""
    named = () if recipe.evidence.arms == "all" else recipe.evidence.arms
    problems = [
        Problem("evidence.arms", f"`{arm}` does not fit: {why}", "leave it out, or write all: those that fit")
        for arm in named
        if (why := why_not(recipe, arm)) is not None
    ]
    if problems:
        raise RecipeError(problems)


def chosen(recipe: Recipe) -> tuple[list[Arm], dict[str, str]]:
    """(the arms that are asked for, the cheapest first; those of `all` that do not fit -> why). Majority is always
    there: it costs nothing."""
    asked = recipe.evidence.arms
    if asked != "all":
        return [arm for arm in ARMS if arm == "majority" or arm in asked], {}
    left_out: dict[str, str] = {arm: why for arm in ARMS if (why := why_not(recipe, arm)) is not None}
    return [arm for arm in ARMS if arm not in left_out], left_out


def arm_recipe(recipe: Recipe, arm: Arm) -> Recipe:
    """The recipe of an arm that is trained by gradients: the run's own but for the strategy, and what that asks for."""
    return _random_weights(_alone(recipe)) if arm == "random-weights" else _frozen(_alone(recipe))


def _random_weights(recipe: Recipe) -> Recipe:
    """All weights have to move. The rate is the recipe's where its strategy is full, and else the usual one of full:
    what moves less learns at rates that are too high for a whole network. BatchNorm statistics that no data have shaped
    are moved, too."""
    strategy = Full(batch_norm="update")
    rate = recipe.training.learning_rate if recipe.strategy.name == "full" else strategy.peak
    return recipe.model_copy(
        update={
            "strategy": strategy,
            "training": recipe.training.model_copy(update={"learning_rate": rate}),
            "checkpoint": recipe.checkpoint.model_copy(update={"random_weights": True}),
        }
    )


def _frozen(recipe: Recipe) -> Recipe:
    """A linear probe: of texts on the mean over tokens, which no checkpoint has to have a pooler for; else on what the
    architecture's head stands on. On features that are asked for once, epochs cost next to nothing, and a few are too
    few."""
    task, training = recipe.task, recipe.training
    kinds = {task.columns[role].kind for role in task.inputs}
    strategy = Frozen(pooling="mean") if task.on_features and kinds == {"text"} else Frozen()
    changed: dict[str, Any] = {"learning_rate": strategy.peak}
    if task.on_features and training.cache_features and not task.augments:
        changed |= {"epochs": max(training.epochs, PROBE_EPOCHS), "steps": None}
    return recipe.model_copy(update={"strategy": strategy, "training": training.model_copy(update=changed)})


def seed_recipe(recipe: Recipe, seed: int) -> Recipe:
    """The run's recipe with another seed, on the same rows."""
    training = recipe.training.model_copy(update={"seed": seed})
    return _alone(recipe).model_copy(update={"training": training})


def _alone(recipe: Recipe) -> Recipe:
    """Compared with nothing, published nowhere, on the rows of the run."""
    data = recipe.data.model_copy(update={"seed": recipe.data_seed})
    return recipe.model_copy(update={"data": data, "evidence": EvidenceSection(), "hub": HubSection()})


def with_what_was(recipe: Recipe, result: Result) -> Recipe:
    """The recipe, asking as well for what the run has been compared with before: it is there, and asking for more takes
    nothing away."""
    asked, there = recipe.evidence, result.evidence
    if not there:
        return recipe
    before = {one["name"] for one in there["arms"][1:]}
    arms = tuple(arm for arm in ARMS if arm in asked.arms or arm in before) if asked.arms != "all" else "all"
    seeds = max(one["seed"] for one in there["seeds"]) - recipe.training.seed + 1
    evidence = EvidenceSection(arms=arms, seeds=max(asked.seeds, seeds))
    return recipe.model_copy(update={"evidence": evidence})


def has_evidence(result: Result, asked: EvidenceSection) -> bool:
    """Whether a finished run holds all that is asked for. What has failed is worth another try."""
    there = result.evidence
    if not asked.asked:
        return True
    if not there or there.get("failed") or len(there["seeds"]) < asked.seeds:
        return False
    known = {"majority", *(one["name"] for one in there["arms"]), *there["left_out"]}
    return set(ARMS if asked.arms == "all" else asked.arms) <= known
