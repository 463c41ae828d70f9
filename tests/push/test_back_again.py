"""What was pushed opens everywhere, in another process, from an empty cache, and says what the run's model says."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hub import Corrupt, LoopbackHub, Status
from toy import write_texts

from hftransfer.result import Result

Tiny = Callable[..., Path]
Push = Callable[..., Any]

TEXTS = ["the cat sat", "a red dog", "blue"]
OPEN = """
import json, sys, torch, transformers
name, revision, texts = sys.argv[1], sys.argv[2] or None, json.loads(sys.argv[3])
pipe = transformers.pipeline("text-classification", model=name, revision=revision, top_k=None, device="cpu")
said = [{one["label"]: one["score"] for one in pipe([text])[0]} for text in texts]
model = transformers.AutoModelForSequenceClassification.from_pretrained(name, revision=revision).eval()
tokenizer = transformers.AutoTokenizer.from_pretrained(name, revision=revision)
with torch.inference_mode():
    scores = [model(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0].tolist() for text in texts]
labels = [model.config.id2label[index] for index in range(model.config.num_labels)]
print(json.dumps([said, [dict(zip(labels, row)) for row in scores]]))
"""
ADAPTER = """
import json, sys, torch, transformers, peft
base, texts, labels = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
found = []
for name, where in (("me/desk", {"subfolder": "adapter"}), ("me/adapter", {})):
    model = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(labels))
    model = peft.PeftModel.from_pretrained(model, name, **where).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    with torch.inference_mode():
        rows = [model(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0].tolist() for text in texts]
    found.append([dict(zip(labels, row)) for row in rows])
print(json.dumps(found))
"""
COMMANDS = """
import json, sys
from hftransfer.cli import main
for sys.argv in json.loads(sys.argv[1]):
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    print(flush=True)
"""


def expected(run: Path) -> list[dict[str, float]]:
    return [dict(one.scores) for one in Result.read(run).predict(TEXTS)]  # type: ignore[attr-defined]


def close(one: list[dict[str, float]], other: list[dict[str, float]]) -> bool:
    return all(
        a.keys() == b.keys() and all(abs(a[k] - b[k]) < 1e-5 for k in a)
        for a, b in zip(one, other, strict=True)
    )


def opened(hub: LoopbackHub, home: Path, revision: str = "", **options: Any) -> Any:
    done = hub.python(OPEN, "me/desk", revision, json.dumps(TEXTS), home=home, **options)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else done.stderr


def commands(hub: LoopbackHub, home: Path, *asked: Sequence[str]) -> list[Any]:
    """What `hftransfer ARGUMENTS --json` prints, of one process and its cache."""
    done = hub.python(COMMANDS, json.dumps([["hftransfer", *one] for one in asked]), home=home)
    assert done.returncode == 0, done.stderr
    return [json.loads(said) for said in done.stdout.split("\n\n") if said.strip()]


def test_whatever_opens_it_says_the_same(
    hub: LoopbackHub, client: Push, run_dir: Path, tmp_path: Path
) -> None:
    hub.create_repo("me/desk", {"a.txt": b"a"}, private=True)
    assert client("push", run_dir, "me/desk").returncode == 0
    before, pushed = expected(run_dir), hub.repo("me/desk").head.oid
    shutil.move(run_dir, tmp_path / "elsewhere")  # nothing here is needed any more
    (tmp_path / "empty").mkdir()
    pipe, model = opened(hub, tmp_path / "empty")
    assert close(pipe, before)
    assert close(model, before)
    assert not close(pipe, list(reversed(before)))

    home = tmp_path / "other"
    home.mkdir()
    rows = write_texts(tmp_path / "rows", train=2, other=12) / "test.csv"
    predict = ["predict", "me/desk", *TEXTS, "--top", "9", "--json"]
    said, scored = commands(hub, home, predict, ["evaluate", "me/desk", "--data", str(rows), "--json"])
    assert close([one["scores"] for one in said], before)
    own = Result.read(tmp_path / "elsewhere").evaluate(rows)
    assert scored["metrics"] == pytest.approx(own.metrics)

    # Without the network: what is in the cache, and nobody is asked.
    asked = len(hub.requests)
    code = "import os; os.environ['HF_HUB_OFFLINE'] = '1'; from hftransfer.cli import main; main()"
    offline = hub.run([sys.executable, "-c", code, *predict], home=home)
    assert offline.returncode == 0, offline.stderr
    assert json.loads(offline.stdout) == said
    assert len(hub.requests) == asked

    # A newer commit breaks the model: the pinned one is still what it was.
    hub.add_files(hub.repo("me/desk"), {"config.json": b"{}"})
    (tmp_path / "pinned").mkdir()
    pinned = ["predict", f"me/desk@{pushed}", *TEXTS, "--top", "9", "--json"]
    assert commands(hub, tmp_path / "pinned", pinned) == [said]
    pipe, _ = opened(hub, tmp_path / "pinned", pushed)
    assert close(pipe, before)


def test_a_private_one_is_not_there_for_strangers(
    hub: LoopbackHub, client: Push, run_dir: Path, tmp_path: Path
) -> None:
    assert client("push", run_dir, "me/desk").returncode == 0
    stranger = hub.add_user("you")
    said = opened(hub, tmp_path, token=stranger)
    assert "RepositoryNotFoundError" in said or "not a valid model" in said
    done = client("predict", "me/desk", "a text", token=stranger)
    assert done.returncode == 2
    assert "hf auth login" in done.stderr
    hub.repo("me/desk").private = False
    hub.repo("me/desk").gated = "manual"
    gated = client("predict", "me/desk", "a text", token=stranger)
    assert gated.returncode == 2
    assert "gated" in gated.stderr
    assert client("predict", "me/desk", "a text").returncode == 0
    hub.create_repo("me/other", {"config.json": b"{}"}, private=True)
    foreign = client("predict", "me/other", "a text")
    assert foreign.returncode == 2
    assert "not pushed by hftransfer" in foreign.stderr


def test_from_a_hub_to_a_hub(hub: LoopbackHub, client: Push, tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    """A checkpoint of the hub, an adapter on it, pushed at the end of the run; and the result as a checkpoint again."""
    hub.create_repo("me/base", tiny_checkpoint("bert"), private=True)
    data = write_texts(tmp_path / "data", train=24, other=8)
    recipe = tmp_path / "desk.yaml"
    recipe.write_text(
        f"checkpoint: me/base\ndata: {{source: {data}}}\ntask: text-classification\nstrategy: lora\n"
        "training: {epochs: 1, batch_size: 8}\nhub: {repo: me/desk}\n"
    )
    run = tmp_path / "run"
    done = client("run", recipe, "--output", run)
    assert done.returncode == 0, done.stderr
    repository = hub.repo("me/desk")
    assert {"model.safetensors", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"} <= set(
        repository.files
    )
    assert len(repository.commits) == 2
    before = expected(run)
    (tmp_path / "empty").mkdir()
    pipe, _ = opened(hub, tmp_path / "empty")
    assert close(pipe, before)

    assert client("push", run, "me/adapter", "--weights", "adapter").returncode == 0
    assert "model.safetensors" not in hub.repo("me/adapter").files
    labels = json.dumps(list(Result.read(run).labels))
    (tmp_path / "adapters").mkdir()
    done = hub.python(ADAPTER, "me/base", json.dumps(TEXTS), labels, home=tmp_path / "adapters")
    assert done.returncode == 0, done.stderr
    for scores in json.loads(done.stdout.splitlines()[-1]):
        assert close(scores, before)

    recipe.write_text(recipe.read_text().replace("me/base", "me/desk").replace("hub: {repo: me/desk}\n", ""))
    (tmp_path / "third").mkdir()
    command = [sys.executable, "-m", "hftransfer", "run", str(recipe), "--output", str(tmp_path / "again")]
    done = hub.run(command, home=tmp_path / "third")
    assert done.returncode == 0, done.stderr


def test_rights_are_looked_at_before_the_first_step(
    hub: LoopbackHub, client: Push, tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    data = write_texts(tmp_path / "data", train=24, other=8)
    recipe = tmp_path / "desk.yaml"
    recipe.write_text(
        f"checkpoint: {tiny_checkpoint('bert')}\ndata: {{source: {data}}}\ntask: text-classification\n"
        "training: {epochs: 1, batch_size: 8}\nhub: {repo: you/desk}\n"
    )
    done = client("run", recipe, "--output", tmp_path / "run")
    assert done.returncode == 2
    assert "desk.yaml:5" in done.stderr
    assert "hub.repo" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_download_that_goes_wrong(hub: LoopbackHub, client: Push, run_dir: Path) -> None:
    assert client("push", run_dir, "me/desk").returncode == 0
    hub.plan(Corrupt(), stage="download", method="GET", path="/large/*")
    damaged = client("predict", "me/desk", "a text")
    assert damaged.returncode == 1
    assert "model.safetensors has other bytes" in damaged.stderr
    busy = hub.plan(Status(503), stage="download", method="GET", path="/large/*")
    assert client("predict", "me/desk", "a text").returncode == 0
    assert busy.met == 1
