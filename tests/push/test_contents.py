"""Which files of a run leave the house."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_runner import hftransfer
from toy import toy_recipe, write_texts

from hftransfer.errors import InputError
from hftransfer.hub import File, chosen, contents
from hftransfer.hub.contents import is_stale
from hftransfer.recipe import Weights
from hftransfer.run_directory import RunDirectory
from hftransfer.runner import run as train

Tiny = Callable[..., Path]


@pytest.fixture(scope="module")
def run(tiny_checkpoint: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contents")
    data = write_texts(folder / "data", train=24, other=8)
    train(toy_recipe(tiny_checkpoint("bert"), data, strategy="lora", epochs=1), output=folder / "run")
    return folder / "run"


def published(run: Path, weights: Weights | None = None) -> tuple[list[File], list[str]]:
    run_dir = RunDirectory(run)
    return contents(run_dir, chosen(run_dir, weights))


def paths(run: Path, weights: Weights | None = None) -> set[str]:
    return {file.path for file in published(run, weights)[0]}


def test_a_model_and_what_it_was_made_by(run: Path) -> None:
    assert {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "recipe.yaml",
        "data.json",
        "result.json",
    } <= paths(run)
    assert not any(path.startswith(("checkpoints", "predictions", "adapter")) for path in paths(run))
    assert "metrics.jsonl" not in paths(run)


def test_rows_that_lint_shows_stay(run: Path) -> None:
    data = run / "data.json"
    kept = data.read_text()
    facts = json.loads(kept)
    shown = {"split": "train", "row": 3, "where": "line 5 of train.csv", "text": "a secret text"}
    one = {"check": "duplicates", "severity": "info", "splits": ["train"], "rows": 1, "examples": [shown]}
    data.write_text(json.dumps({**facts, "lint": [one]}))
    try:
        (file,) = (file for file in published(run)[0] if file.path == "data.json")
        sent = json.loads(file.open().read())
    finally:
        data.write_text(kept)
    assert sent["lint"] == [{key: value for key, value in one.items() if key != "examples"}]
    assert sent["fingerprint"] == facts["fingerprint"]


def test_what_lies_beside_a_model_stays(run: Path, tmp_path: Path) -> None:
    model = run / "model"
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    planted = [
        model / ".env",
        model / "training_args.bin",
        model / "link.json",
        model / ".git" / "config.json",
    ]
    (model / ".git").mkdir()
    for path in planted:
        path.symlink_to(secret) if path.name == "link.json" else path.write_text("{}")
    try:
        files, left = published(run)
    finally:
        for path in planted:
            path.unlink()
        (model / ".git").rmdir()
    assert {file.path for file in files} == paths(run)
    told = " ".join(left)
    assert all(
        word in told
        for word in (".env: hidden", "training_args.bin: not a file of a model", "link.json: a link")
    )


def test_an_adapter_goes_along_where_others_have_its_base(run: Path) -> None:
    """Here its base is a folder: nobody else could load it."""
    files, left = published(run)
    assert "adapter/adapter_config.json" not in {file.path for file in files}
    assert "on this machine alone" in " ".join(left)
    with pytest.raises(InputError, match="on this machine alone"):
        published(run, "adapter")
    config = run / "adapter" / "adapter_config.json"
    before = config.read_text()
    config.write_text(json.dumps({**json.loads(before), "base_model_name_or_path": "me/base"}))
    try:
        both, alone = paths(run), paths(run, "adapter")
        assert {
            "adapter/adapter_config.json",
            "adapter/adapter_model.safetensors",
            "model.safetensors",
        } <= both
        assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= alone
        assert not {"model.safetensors", "config.json"} & alone
        assert "adapter/adapter_config.json" not in paths(run, "merged")
    finally:
        config.write_text(before)


def test_digests_are_those_of_git_and_of_large_files(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"some bytes")
    git = subprocess.run(
        ["git", "hash-object", str(path)], capture_output=True, text=True, check=True
    ).stdout.strip()
    for file in (File("a.json", path), File("a.json", text="some bytes")):
        assert (file.blob, file.sha256, file.size) == (git, hashlib.sha256(b"some bytes").hexdigest(), 10)
    assert File("a.json", text="other bytes").blob != git


@pytest.mark.parametrize(
    ("path", "stale"),
    [
        ("pytorch_model.bin", True),
        ("model-00001-of-00002.safetensors", True),
        ("model.safetensors.index.json", True),
        ("1_Dense/model.safetensors", True),
        ("adapter_config.json", True),
        ("model.safetensors", False),  # among the new
        ("training_log.txt", False),
        ("README.md", False),
    ],
)
def test_what_of_an_older_model_would_be_loaded(path: str, stale: bool) -> None:
    assert is_stale(path, {"model.safetensors", "config.json"}) == stale


def test_a_dry_run_asks_nobody(run: Path) -> None:
    done = hftransfer(
        "push", run, "me/desk", "--dry-run", "--json", HF_ENDPOINT="http://127.0.0.1:1", HF_HUB_OFFLINE="0"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {one["path"] for one in told["files"]} == paths(run)
    assert "not pushed: adapter: " in done.stderr
    assert "on this machine alone" in done.stderr
    assert told["bytes"] == sum(one["bytes"] for one in told["files"]) > 1000


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere", "me/desk"], "there is no run"),
        (["RUN", "me/desk", "--weights", "merge"], "did you mean `merged`"),
        (["RUN", "me/desk", "--weights", "adapter"], "leave --weights out"),
        (["RUN", "me/desk"], "hf auth login"),  # no token
        (["RUN", "me/a/b"], "OWNER/NAME"),
        (["RUN", "me/de sk"], "OWNER/NAME"),
        (["RUN"], "REPO"),
    ],
)
def test_mistakes(arguments: list[str], told: str, run: Path, tmp_path: Path) -> None:
    given = [str(run) if one == "RUN" else one for one in arguments]
    done = hftransfer(
        "push", *given, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0", HF_ENDPOINT="http://127.0.0.1:1"
    )
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert not (run / "pushed.json").exists()
