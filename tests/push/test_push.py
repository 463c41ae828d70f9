"""One commit, there whole or not at all, whatever the hub and the line to it do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub import LoopbackHub, Slow
from same import ours, same_bytes

Push = Callable[..., Any]


def test_a_push(hub: LoopbackHub, client: Push, run_dir: Path) -> None:
    done = client("push", run_dir, "me/desk", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    repository = hub.repo("me/desk")
    assert repository.private
    assert len(ours(hub)) == 1
    assert told["commit"] == repository.head.oid
    assert told == json.loads((run_dir / "pushed.json").read_text()) | {"removed": []}
    assert same_bytes(hub, run_dir)
    assert b"me/desk" in hub.content("me/desk", "README.md")
    assert {"recipe.yaml", "result.json", "data.json"} <= set(repository.files)
    large = repository.files["model.safetensors"]
    assert large.lfs
    assert (
        hub.content("me/desk", "model.safetensors") == (run_dir / "model" / "model.safetensors").read_bytes()
    )
    hidden = [hub.token, "HF_TOKEN"]
    written = [path.read_bytes() for path in run_dir.rglob("*") if path.is_file()]
    assert not any(word.encode() in text for word in hidden for text in (*written, done.stdout.encode()))


def test_again_changes_nothing(hub: LoopbackHub, client: Push, run_dir: Path) -> None:
    assert client("push", run_dir, "me/desk").returncode == 0
    commit, before = hub.repo("me/desk").head.oid, len(hub.seen(stage="upload"))
    again = client("push", run_dir, "me/desk")
    assert again.returncode == 0, again.stderr
    assert "unchanged" in again.stdout
    assert hub.repo("me/desk").head.oid == commit
    assert len(hub.seen(stage="upload")) == before
    # Something else to say makes a second commit, without sending the weights again.
    (run_dir / "model" / "config.json").write_text((run_dir / "model" / "config.json").read_text() + "\n")
    assert client("push", run_dir, "me/desk").returncode == 0
    assert len(ours(hub)) == 2
    assert len(hub.seen(stage="upload")) == before


def test_weights_of_an_older_model_go_in_the_same_commit(
    hub: LoopbackHub, client: Push, run_dir: Path
) -> None:
    old = {
        "pytorch_model.bin": b"old",
        "model.safetensors.index.json": b"{}",
        "adapter_config.json": b"{}",
        "notes.txt": b"mine",
    }
    hub.create_repo("me/desk", old, private=True)
    done = client("push", run_dir, "me/desk")
    assert done.returncode == 0, done.stderr
    files = set(hub.repo("me/desk").files)
    assert not files & {"pytorch_model.bin", "model.safetensors.index.json", "adapter_config.json"}
    assert "notes.txt" in files
    assert len(ours(hub)) == 2  # theirs and ours
    assert "removed  pytorch_model.bin" in done.stdout


def test_public_is_said(hub: LoopbackHub, client: Push, run_dir: Path) -> None:
    hub.create_repo("me/open", {"a.txt": b"a"})
    refused = client("push", run_dir, "me/open")
    assert refused.returncode == 2
    assert "--public" in refused.stderr
    assert client("push", run_dir, "me/open", "--public").returncode == 0
    assert client("push", run_dir, "me/new", "--public").returncode == 0
    assert not hub.repo("me/new").private


def test_rights_come_first(hub: LoopbackHub, client: Push, run_dir: Path) -> None:
    hub.create_repo("you/theirs", {"a.txt": b"a"})
    hub.add_organisation("team", "me")
    for repo, options, told in (
        ("you/new", {}, "write one of these owners: me, team"),
        ("you/theirs", {}, "may not"),
        ("me/new", {"token": hub.read_token}, "may only read"),
        ("me/new", {"token": "hf_wrong"}, "does not know this token"),
        ("me/new", {"token": None}, "hf auth login"),
        ("me/new--x", {}, "OWNER/NAME"),
        ("new", {}, "write me/new"),
    ):
        done = client("push", run_dir, repo, **options)
        assert done.returncode == 2, (repo, done.stderr)
        assert told in done.stderr, (repo, done.stderr)
    assert not hub.seen(stage="create")
    assert not hub.seen(stage="upload")
    assert client("push", run_dir, "team/desk").returncode == 0


def test_a_card_that_the_hub_cannot_read_is_found_first(
    hub: LoopbackHub, client: Push, run_dir: Path
) -> None:
    (run_dir / "model" / "README.md").write_text("---\nlicense: [unclosed\n---\n")
    done = client("push", run_dir, "me/desk")
    assert done.returncode == 2, done.stderr
    assert "card" in done.stderr
    assert not hub.seen(stage="create")


def test_somebody_else_came_between(hub: LoopbackHub, client: Push, run_dir: Path) -> None:
    hub.create_repo("me/desk", {"a.txt": b"a"}, private=True)
    hub.plan(Slow(pause=1.0, pieces=2), stage="preupload")
    import threading

    def theirs() -> None:
        while not hub.seen(stage="preupload"):
            time.sleep(0.02)
        hub.add_files(hub.repo("me/desk"), {"b.txt": b"theirs"})

    thread = threading.Thread(target=theirs)
    thread.start()
    done = client("push", run_dir, "me/desk")
    thread.join()
    assert done.returncode == 1, done.stderr
    assert "somebody else's commit came between" in done.stderr
    assert "hftransfer push" in done.stderr
    assert "model.safetensors" not in hub.repo("me/desk").files
    assert not (run_dir / "pushed.json").exists()
    assert client("push", run_dir, "me/desk").returncode == 0  # on top of theirs
    assert "b.txt" in hub.repo("me/desk").files
