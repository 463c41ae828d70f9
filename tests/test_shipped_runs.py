"""Every shipped recipe as a user types it, through a hub that holds what it names: trained, saved, proven and pushed.

Only the hub's content stands in for the real one; of the recipe nothing is changed but how long it takes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub import LoopbackHub
from stand_ins import client, missing, serve

from hftransfer.recipe import load_recipe, shipped_recipes

RECIPES = shipped_recipes()
FOLDER = Path(__file__).parent.parent / "recipes"
COUNT = 68
QUICK = ("training.steps=2", "training.workers=0")

ALWAYS = (
    "audio-classification/commands-wav2vec2-lora",
    "fill-mask/imdb-distilbert-full",
    "image-classification/gtsrb-convnext-layer-decay",
    "image-segmentation/sidewalk-mit-full",
    "multiple-choice/swag-roberta-lora",
    "question-answering/squad_v2-bert-full",
    "summarization/xsum-t5-lora",
    "text-classification/banking77-minilm-frozen",
    "text-classification/mrpc-deberta-probe-then-full",
    "token-classification/wnut_17-roberta-layer-decay",
    "translation/opus_books-t5-full",
)
"""One recipe of every task and every strategy; the others with --long."""

Type = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def shipped_hub() -> Iterator[LoopbackHub]:
    """One for all recipes: what a second one names, the first one may have brought."""
    with LoopbackHub() as server:
        yield server


@pytest.fixture(scope="module")
def hftransfer(shipped_hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Type]:
    """hftransfer(*arguments) -> {"code", "stdout", "stderr"}: always the same process, which knows this hub only."""
    home = tmp_path_factory.mktemp("home")
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(client.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=shipped_hub.environment(home) | {"PYTHONPATH": str(FOLDER.parent), "COLUMNS": "200"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    writes, reads = process.stdin, process.stdout

    def type_in(*arguments: object) -> dict[str, Any]:
        writes.write(json.dumps([str(one) for one in arguments]) + "\n")
        writes.flush()
        answer: dict[str, Any] = json.loads(reads.readline())
        return answer

    with process:
        yield type_in
        writes.close()


def test_every_recipe_is_covered() -> None:
    files = {path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.yaml")}
    assert files == set(RECIPES)
    assert len(files) == COUNT
    assert [problem for name in RECIPES for problem in missing(load_recipe(name))] == []


def test_a_recipe_without_stand_ins_says_which_table_to_extend() -> None:
    there = load_recipe("text-classification/sst2-bert-full")
    assert missing(there) == []
    data = there.data.model_copy(update={"config": "wnli"})
    checkpoint = there.checkpoint.model_copy(update={"name": "me/bert"})
    told = missing(there.model_copy(update={"data": data, "checkpoint": checkpoint}))
    assert len(told) == 2
    assert "nyu-mll/glue, config wnli: extend DATA_SETS" in told[0]
    assert "me/bert: extend CHECKPOINTS" in told[1]


def test_every_task_and_every_strategy_always_runs() -> None:
    recipes = {name: load_recipe(name) for name in RECIPES}
    for of in (lambda recipe: recipe.task.name, lambda recipe: recipe.strategy.name):
        assert {of(recipes[name]) for name in ALWAYS} == {of(recipe) for recipe in recipes.values()}


@pytest.mark.parametrize(
    "name",
    [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.long) for name in RECIPES],
)
def test_it_runs_as_it_is_shipped(
    name: str, hftransfer: Type, shipped_hub: LoopbackHub, tmp_path: Path
) -> None:
    recipe = load_recipe(name)
    assert missing(recipe) == []
    serve(recipe, shipped_hub, tmp_path)
    repo = f"me/{name.replace('/', '-')}"
    run = tmp_path / "run"
    done = hftransfer("--debug", "run", name, *QUICK, f"hub.repo={repo}", "--output", run)
    assert done["code"] == 0, done["stderr"]
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["checkpoint"]["name"] == recipe.checkpoint.name
    assert set(recipe.metrics) <= set(result["metrics"]["validation"])
    assert result["reload_check"]["rows"] > 0
    assert result["reload_check"]["ways"]
    pushed = shipped_hub.repo(repo)
    assert len(pushed.commits) == 2, "the hub's own, and ours"
    weights = run / "model" / "model.safetensors"
    assert shipped_hub.content(repo, "model.safetensors") == weights.read_bytes()
    assert not [one.path for one in shipped_hub.requests if not one.stage], (
        "asked for, and unknown to this hub"
    )


def test_what_is_not_there_is_not_made_up_for(
    hftransfer: Type, shipped_hub: LoopbackHub, tmp_path: Path
) -> None:
    """Negative control: of a wrong column, configuration or revision nothing comes."""
    for name, override, told in (
        ("text-classification/sst2-bert-full", "data.columns.text=text", "sentence"),
        ("text-classification/sst2-bert-full", "data.config=wnli", "data.config"),
        ("audio-classification/commands-wav2vec2-full", "checkpoint.revision=main", "checkpoint"),
    ):
        serve(load_recipe(name), shipped_hub, tmp_path)
        done = hftransfer("run", name, *QUICK, override, "hub.repo=me/nothing", "--output", tmp_path / "run")
        assert done["code"] == 2, (override, done)
        assert told in done["stderr"], override
        assert not (tmp_path / "run" / "result.json").exists()
    assert ("model", "me/nothing") not in shipped_hub.state.repositories
