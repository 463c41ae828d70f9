"""Which arms fit a recipe, and that those that are trained are recipes of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy import toy_recipe

from hftransfer.errors import RecipeError
from hftransfer.evidence.arms import arm_recipe, check_arms, chosen, seed_recipe, why_not
from hftransfer.recipe import ARMS, Recipe, dump_recipe, load_recipe

NUMBERS = {"name": "text-classification", "problem_type": "regression"}


def recipe(tmp_path: Path, evidence: Any, **options: Any) -> Recipe:
    made = toy_recipe(tmp_path / "checkpoint", tmp_path / "data", **options)
    return made.model_copy(update={"evidence": type(made.evidence)(**evidence)})


def test_all_are_those_that_fit(tmp_path: Path) -> None:
    everything = recipe(tmp_path, {"arms": "all"})
    assert chosen(everything) == ([*ARMS], {})
    assert chosen(recipe(tmp_path, {"arms": "all"}, task=NUMBERS)) == ([*ARMS], {})
    arms, left_out = chosen(recipe(tmp_path, {"arms": "all"}, strategy="frozen"))
    assert arms == ["majority", "words", "random-weights"]
    assert left_out == {"frozen": "it is what the run itself is"}
    for task in ("image-classification", "token-classification", "question-answering", "fill-mask"):
        arms, left_out = chosen(recipe(tmp_path, {"arms": "all"}, task=task))
        assert arms == ["majority", "random-weights", "frozen"]
        assert task in left_out["words"]


def test_a_named_one_has_to_fit(tmp_path: Path) -> None:
    check_arms(recipe(tmp_path, {"arms": ["words"]}))
    check_arms(recipe(tmp_path, {"arms": "all"}, task="image-classification"))
    with pytest.raises(RecipeError, match=r"evidence.arms: `words` does not fit: .* image-classification"):
        check_arms(recipe(tmp_path, {"arms": ["words"]}, task="image-classification"))
    assert chosen(recipe(tmp_path, {"arms": ["words"]}))[0] == ["majority", "words"]
    assert chosen(recipe(tmp_path, {"seeds": 2}))[0] == ["majority"]


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        ({"arms": ["wrds"]}, "did you mean `words`"),
        ({"arms": "words"}, "`all` or a list of"),
        ({"seeds": 0}, "evidence.seeds"),
        ({"sedes": 3}, "did you mean `seeds`"),
    ],
)
def test_the_section_is_closed(tmp_path: Path, evidence: Any, told: str) -> None:
    plain = toy_recipe(tmp_path / "checkpoint", tmp_path / "data")
    (tmp_path / "plain.yaml").write_text(dump_recipe(plain))
    name, value = next(iter(evidence.items()))
    with pytest.raises(RecipeError, match=told):
        load_recipe(tmp_path / "plain.yaml", f"evidence.{name}={value}")


@pytest.mark.parametrize("strategy", ["full", "lora"])
@pytest.mark.parametrize("name", ["random-weights", "frozen"])
def test_an_arm_is_a_recipe(tmp_path: Path, name: Any, strategy: str) -> None:
    asked = recipe(tmp_path, {"arms": "all", "seeds": 3}, strategy=strategy, seed=5)
    arm = arm_recipe(asked, name)
    assert not arm.evidence.asked
    (tmp_path / "arm.yaml").write_text(dump_recipe(arm))
    assert load_recipe(tmp_path / "arm.yaml") == arm
    assert (arm.data_seed, arm.training.seed, arm.data.source) == (5, 5, asked.data.source)
    if name == "frozen":
        assert (arm.strategy.name, arm.training.epochs, arm.training.learning_rate) == ("frozen", 10, 2e-2)
    else:
        rate = 3e-3 if strategy == "full" else 5e-5
        assert (arm.strategy.name, arm.training.epochs, arm.training.learning_rate) == ("full", 4, rate)
        assert arm.checkpoint.random_weights
        assert why_not(arm, "random-weights") is not None


def test_another_seed_has_the_same_rows(tmp_path: Path) -> None:
    other = seed_recipe(recipe(tmp_path, {"seeds": 3}, seed=5), 6)
    assert (other.training.seed, other.data_seed) == (6, 5)


def test_random_weights_are_for_what_trains_them_all(tmp_path: Path) -> None:
    plain = toy_recipe(tmp_path / "checkpoint", tmp_path / "data", strategy="lora")
    (tmp_path / "plain.yaml").write_text(dump_recipe(plain))
    with pytest.raises(RecipeError, match=r"checkpoint.random_weights: found true, and strategy lora"):
        load_recipe(tmp_path / "plain.yaml", "checkpoint.random_weights=true")
