"""Runs whose lower blocks are frozen: what a run without kept hidden states gives, from one pass through them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_runner import hftransfer
from safetensors.numpy import load_file
from toy import kept_weights, toy_recipe, trained, write_images, write_texts
from toys import toy

from hftransfer.features.states import KeptStates
from hftransfer.features.store import FeatureStore, stores
from hftransfer.runner import run
from hftransfer.strategies import structure
from hftransfer.training.events import Event, Extraction, Note, Step

Tiny = Callable[..., Path]
TOP = {"name": "partial", "blocks": 1}
RUNS: dict[str, tuple[str, str, Any]] = {
    "text-partial": ("bert", "text-classification", TOP),
    "text-lora": ("roberta", "text-classification", {"name": "lora", "layers": 1, "dropout": 0.0}),
    "text-ia3": ("distilbert", "text-classification", {"name": "ia3", "layers": 1}),
    "images": ("vit", "image-classification", TOP),
    "maps": ("resnet", "image-classification", TOP),
    "tags": ("bert", "token-classification", TOP),
    "tags-frozen": ("bert", "token-classification", "frozen"),
    "answers": ("bert", "question-answering", TOP),
}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HFTRANSFER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def still(tiny_checkpoint: Tiny) -> Callable[[str], Path]:
    """Checkpoints that drop nothing in training."""
    names = {"distilbert": ("dropout", "attention_dropout"), "resnet": ()}
    usual = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    return lambda family: tiny_checkpoint(family, **dict.fromkeys(names.get(family, usual), 0.0))


def data_of(task: str, folder: Path) -> Path:
    if task == "text-classification":
        return write_texts(folder)
    folder.mkdir()
    return write_images(folder) if task == "image-classification" else toy(task).write(folder)


def said(recipe: Any, folder: Path, **options: Any) -> tuple[Any, list[Event]]:
    """(the job, the events) of a run up to the end of its training."""
    events: list[Event] = []
    job, _ = trained(recipe, folder, watch=events.append, **options)
    return job, events


def notes(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Note)]


CUT = {"text-partial", "text-lora", "text-ia3", "images"}
"""Their heads read one position alone: no more of the last block is computed."""
WITHOUT_EFFECT = ("key.bias", "k_lin.bias", "k_proj.bias")
"""Softmax takes away what they add to every key: their gradient is rounding alone, and AdamW makes steps of any."""
OF_ANSWERS = ("qa_outputs.bias", "layer.1.output.LayerNorm.bias")
"""The same, where the softmax is over the tokens of a context."""


def gap(first: dict[str, Any], second: dict[str, Any]) -> float:
    """The largest difference of weights that do anything."""
    assert first.keys() == second.keys()
    aside = (*WITHOUT_EFFECT, *(OF_ANSWERS if "qa_outputs.bias" in first else ()))
    names = [name for name in first if not name.endswith(aside)]
    assert len(names) > 1
    return max(float((first[name].float() - second[name].float()).abs().max()) for name in names)


def has_cut(module: torch.nn.Module) -> bool:
    return any(type(one).__name__ == "_OfFirst" for one in module.modules())


@pytest.mark.parametrize("name", RUNS)
def test_a_run_gives_what_it_gives_without(name: str, still: Callable[[str], Path], tmp_path: Path) -> None:
    family, task, strategy = RUNS[name]
    data = data_of(task, tmp_path / "data")
    found, scores = [], []
    for number, (cached, seed) in enumerate([(True, 0), (False, 0), (True, 1)]):
        recipe = toy_recipe(
            still(family), data, task=task, strategy=strategy, epochs=3, cache_features=cached, seed=seed
        )
        job, events = said(recipe, tmp_path / str(number))
        assert (job.upper is not None) == cached, notes(events)
        assert has_cut(job.module) == (cached and name in CUT)
        assert not has_cut(job.model)
        found.append(kept_weights(tmp_path / str(number), "last"))
        scores.append([event.loss for event in events if isinstance(event, Step)])
    assert gap(found[0], found[1]) < 1e-5
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert gap(found[0], found[2]) > 1e-3


@contextmanager
def counted() -> Iterator[Counter[int]]:
    """By the id of a module, how many rows it was given."""
    rows: Counter[int] = Counter()

    def count(module: Any, given: Any, output: Any) -> None:
        if given and isinstance(given[0], torch.Tensor):
            rows[id(module)] += len(given[0])

    hook = torch.nn.modules.module.register_module_forward_hook(count)
    try:
        yield rows
    finally:
        hook.remove()


def test_lower_blocks_run_once_a_row_and_never_again(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    data = write_texts(tmp_path / "data")
    recipe = toy_recipe(tiny_checkpoint("bert"), data, strategy=TOP, epochs=3)
    asked, jobs = [], []
    for name in ("cold", "warm"):
        with counted() as rows:
            job, events = said(recipe, tmp_path / name)
        jobs.append((job, events))
        lower, upper = (job.model.get_submodule(block) for block in structure.blocks(job.model))
        asked.append(rows[id(lower.attention.self.key)])
        assert rows[id(upper.attention.self.key)] > 3 * 64
    distinct = {tuple(one["input_ids"]) for examples in job.examples.values() for one in [*examples]}
    # What both ask are the few rows that everything is tried on.
    assert asked[0] - asked[1] == len(distinct) > 60
    assert asked[1] < 60
    cold, warm = (sum(isinstance(event, Extraction) for event in events) for _, events in jobs)
    assert cold > warm == 0
    assert notes(jobs[1][1]) == ["what they gave for 112 of 112 rows was kept from before"]
    assert gap(kept_weights(tmp_path / "cold", "last"), kept_weights(tmp_path / "warm", "last")) == 0


def test_a_whole_run(still: Callable[[str], Path], tmp_path: Path) -> None:
    """Scored, saved and proven: the weights that were trained are the model's."""
    data = write_texts(tmp_path / "data")
    results = [
        run(
            toy_recipe(still("bert"), data, strategy=TOP, epochs=2, cache_features=cached),
            output=tmp_path / str(cached),
        )
        for cached in (True, False)
    ]
    for split in ("validation", "test"):
        assert results[0].metrics[split] == pytest.approx(results[1].metrics[split], abs=1e-5)
    assert results[0].reload_check["max_difference"] < 1e-5
    assert "features" in results[0].seconds
    listed = hftransfer("cache").stdout
    assert "states after 1 blocks" in listed
    assert "BertModel" in listed


class StopError(Exception):
    """The run is cut off."""


@pytest.mark.parametrize("strategy", [TOP, {"name": "lora", "layers": 1}])
def test_resumed_it_is_the_same(strategy: Any, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    recipe = toy_recipe(
        tiny_checkpoint("bert"),
        write_texts(tmp_path / "data"),
        strategy=strategy,
        epochs=3,
        checkpoint_every=2,
    )
    said(recipe, tmp_path / "whole")

    def stop(event: Event) -> None:
        if isinstance(event, Step) and event.step == 7:
            raise StopError

    with pytest.raises(StopError):
        trained(recipe, tmp_path / "cut", watch=stop)
    trained(recipe, tmp_path / "cut", resume=True)
    assert gap(kept_weights(tmp_path / "whole", "last"), kept_weights(tmp_path / "cut", "last")) == 0


def extracted(events: list[Event]) -> int:
    """Rows whose hidden states were computed."""
    return sum(event.total for event in events if isinstance(event, Extraction) and event.rows == event.total)


def kept_states(store: FeatureStore) -> dict[bytes, Any]:
    """The hidden states in a store, by the keys of rows."""
    found = KeptStates(store)
    files = [load_file(file)["keys"] for file in store.files()]
    assert found.find([key.tobytes() for keys in files for key in keys]) == ()
    return found.places


class TestKept:
    def recipe(self, tiny_checkpoint: Tiny, folder: Path, **options: Any) -> Any:
        data = folder if folder.exists() else write_texts(folder)
        return toy_recipe(tiny_checkpoint("bert"), data, **{"strategy": TOP, "epochs": 1, **options})

    def test_only_rows_that_are_new_are_run(self, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
        _, first = said(self.recipe(tiny_checkpoint, tmp_path / "data"), tmp_path / "first")
        with (tmp_path / "data" / "train.csv").open("a") as stream:
            stream.write("you want red now\nthe black otter saw a teal pig\n".replace("\n", ",animal\n"))
        _, more = said(self.recipe(tiny_checkpoint, tmp_path / "data"), tmp_path / "more")
        assert extracted(first) > 60
        assert extracted(more) == 2
        # Another head, other strategy, the same blocks below.
        lora = {"name": "lora", "layers": 1}
        recipe = self.recipe(tiny_checkpoint, tmp_path / "data", strategy=lora, seed=3)
        assert extracted(said(recipe, tmp_path / "lora")[1]) == 0

    def test_a_weight_below_makes_them_others(self, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
        recipe = self.recipe(tiny_checkpoint, tmp_path / "data")
        count = extracted(said(recipe, tmp_path / "first")[1])
        recipe = recipe.model_copy(
            update={
                "checkpoint": recipe.checkpoint.model_copy(update={"name": str(self.other(recipe, tmp_path))})
            }
        )
        assert extracted(said(recipe, tmp_path / "other")[1]) == count

    def other(self, recipe: Any, folder: Path) -> Path:
        import transformers

        model = transformers.AutoModel.from_pretrained(recipe.checkpoint.name)
        with torch.no_grad():
            model.embeddings.word_embeddings.weight[5, 5] += 1e-3
        made = folder / "checkpoint"
        model.save_pretrained(made)
        transformers.AutoTokenizer.from_pretrained(recipe.checkpoint.name).save_pretrained(made)
        return made

    @pytest.mark.parametrize("harm", ["flip", "cut", "empty"])
    def test_a_damaged_file_is_said(self, harm: str, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
        recipe = self.recipe(tiny_checkpoint, tmp_path / "data")
        said(recipe, tmp_path / "first")
        (store,) = stores()
        file = max(store.files(), key=lambda one: one.stat().st_size)
        content = bytearray(file.read_bytes())
        content[-3] ^= 255
        file.write_bytes({"flip": bytes(content), "cut": bytes(content[:-5]), "empty": b""}[harm])
        _, events = said(recipe, tmp_path / "again")
        assert any(file.name in note and "damaged" in note for note in notes(events))
        assert extracted(events) > 30
        assert gap(kept_weights(tmp_path / "first", "last"), kept_weights(tmp_path / "again", "last")) < 1e-5

    def test_a_kill_costs_what_was_not_written(
        self, tiny_checkpoint: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = write_texts(tmp_path / "data")
        command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[1])]
        command += [str(tiny_checkpoint("bert")), str(data), str(tmp_path / "killed")]
        ended = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, check=False)
        assert ended.returncode == -9, ended.stderr
        (store,) = stores()
        assert 0 < store.rows < 64
        recipe = self.recipe(tiny_checkpoint, data)
        before = store.rows
        _, events = said(recipe, tmp_path / "again")
        assert extracted(events) == store.rows - before
        monkeypatch.setenv("HFTRANSFER_CACHE", str(tmp_path / "another"))
        _, whole = said(recipe, tmp_path / "whole")
        assert extracted(whole) == store.rows
        (undisturbed,) = stores()
        first, second = kept_states(store), kept_states(undisturbed)
        assert first.keys() == second.keys()
        assert max(abs(first[key] - second[key]).max() for key in first) < 1e-5

    def test_two_runs_at_once(self, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
        data = write_texts(tmp_path / "data")
        start = [
            sys.executable,
            "-c",
            TWICE,
            str(Path(__file__).parents[1]),
            str(tiny_checkpoint("bert")),
            str(data),
        ]
        running = [subprocess.Popen([*start, str(tmp_path / name)], env={**os.environ}) for name in "ab"]
        assert [process.wait() for process in running] == [0, 0]
        weights = [kept_weights(tmp_path / name, "last") for name in "ab"]
        assert gap(*weights) < 1e-5
        recipe = self.recipe(tiny_checkpoint, data)
        assert extracted(said(recipe, tmp_path / "c")[1]) == 0


KILLED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from toy import toy_recipe, trained
from hftransfer.features import rows, states
from hftransfer.training.events import Extraction

states.KEEP_EVERY, rows.TOKENS = 10_000, 100

def stop(event):
    if isinstance(event, Extraction) and event.rows > 30:
        os.kill(os.getpid(), 9)

recipe = toy_recipe(Path(sys.argv[2]), Path(sys.argv[3]), strategy={"name": "partial", "blocks": 1}, epochs=1)
trained(recipe, Path(sys.argv[4]), watch=stop)
"""
TWICE = KILLED.replace("os.kill(os.getpid(), 9)", "pass")


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("off", "the frozen blocks (1 of 2) run anew in every epoch: training.cache_features is false"),
        (
            "augmented",
            "the frozen blocks (1 of 2) run anew in every epoch: augmentation shows it other images",
        ),
        ("room", "its hidden states take 0.0 GB, and at most 1e-06 are kept ($HFTRANSFER_CACHE_GB)"),
        ("masked", "fill-mask asks its model for more than one answer to a batch"),
        ("used", "what moves is used below them, too"),
    ],
)
def test_why_they_run(
    case: str, why: str, tiny_checkpoint: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, task, options = "bert", "text-classification", {}
    match case:
        case "off":
            options = {"cache_features": False}
        case "augmented":
            family = "vit"
            task = {"name": "image-classification", "augmentation": {"flip": "horizontal"}}
        case "room":
            monkeypatch.setenv("HFTRANSFER_CACHE_GB", "1e-6")
        case "masked":
            family, task = "bert-mlm", "fill-mask"
        case "used":
            family = "deberta-v2"
    data = data_of(task if isinstance(task, str) else task["name"], tmp_path / "data")
    recipe = toy_recipe(tiny_checkpoint(family), data, task=task, strategy=TOP, epochs=1, **options)
    job, events = said(recipe, tmp_path / "run")
    assert job.upper is None
    assert any(why in note for note in notes(events)), notes(events)
    assert not any(isinstance(event, Extraction) for event in events)


@pytest.mark.parametrize("strategy", ["full", "lora", "bitfit", "gradual"])
def test_nothing_is_said_where_nothing_is_frozen_below(
    strategy: str, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    recipe = toy_recipe(tiny_checkpoint("bert"), write_texts(tmp_path / "data"), strategy=strategy, epochs=3)
    job, events = said(recipe, tmp_path / "run")
    assert job.upper is None
    assert not any("anew" in note for note in notes(events))


def test_a_head_of_several_vectors(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """It looks at all tokens: the last block's states are kept, and nothing below the last norm runs."""
    folder = shutil.copytree(tiny_checkpoint("modernbert"), tmp_path / "checkpoint")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "classifier_pooling": "mean"}))
    recipe = toy_recipe(folder, write_texts(tmp_path / "data"), strategy="frozen", epochs=2)
    job, events = said(recipe, tmp_path / "run")
    assert job.head is None
    assert job.upper is not None
    assert 100 < extracted(events) <= 112  # what stands there twice runs once
