"""One commit, there whole or not at all, whatever the hub and the line to it do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub import Corrupt, LoopbackHub, LostAnswer, Reset, ResetMidway, Slow, Status

from hftransfer.files import sha256

Push = Callable[..., Any]


def ours(hub: LoopbackHub, repo: str = "me/desk") -> list[Any]:
    """The commits but the hub's own first."""
    return hub.repo(repo).commits[:-1]


def same_bytes(hub: LoopbackHub, run: Path, repo: str = "me/desk") -> bool:
    model = {
        path.relative_to(run / "model").as_posix(): path
        for path in (run / "model").rglob("*")
        if path.is_file()
    }
    there = set(hub.repo(repo).files)
    return set(model) <= there and all(
        hub.content(repo, name) == path.read_bytes() for name, path in model.items() if name != "README.md"
    )


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


STAGES = (
    pytest.param("info", marks=pytest.mark.long),
    pytest.param("preupload", marks=pytest.mark.long),
    "upload",
    "commit",
)
PASSING = {
    "429": Status(429, retry_after=1),
    "500": Status(500),
    "503": Status(503),
    "reset": Reset(),
    "lost": LostAnswer(),
    "slow": Slow(pause=0.3, pieces=3),
    "midway": ResetMidway(),
}
LASTING = {"401": Status(401), "403": Status(403), "404": Status(404)}
LONGEST = 60.0


@pytest.mark.parametrize(
    "xet", [True, pytest.param(False, marks=pytest.mark.long)], ids=["hf_xet", "no_hf_xet"]
)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_what_passes_is_waited_for(
    fault: str, stage: str, xet: bool, hub: LoopbackHub, client: Push, run_dir: Path
) -> None:
    planned = hub.plan(PASSING[fault], stage=stage, times=1)
    start = time.monotonic()
    done = client("push", run_dir, "me/desk", "--json", xet=xet)
    assert done.returncode == 0, done.stderr
    assert planned.met == 1
    assert time.monotonic() - start < LONGEST
    assert len(ours(hub)) == 1
    assert json.loads(done.stdout)["commit"] == hub.repo("me/desk").head.oid
    assert same_bytes(hub, run_dir)


@pytest.mark.parametrize(
    "xet", [True, pytest.param(False, marks=pytest.mark.long)], ids=["hf_xet", "no_hf_xet"]
)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fault", LASTING, ids=str)
def test_what_lasts_is_told(
    fault: str, stage: str, xet: bool, hub: LoopbackHub, client: Push, run_dir: Path
) -> None:
    planned = hub.plan(LASTING[fault], stage=stage, times=None)
    before = sorted((path, sha256(path)) for path in run_dir.rglob("*") if path.is_file())
    start = time.monotonic()
    done = client("push", run_dir, "me/desk", xet=xet)
    assert planned.met > 0
    assert done.returncode in (1, 2), done.stderr
    assert "hftransfer push" in done.stderr or "hf auth login" in done.stderr or "https://" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - start < LONGEST
    assert sorted((path, sha256(path)) for path in run_dir.rglob("*") if path.is_file()) == before
    repositories = [repo for repo in hub.state.repositories.values() if repo.id == "me/desk"]
    assert all("model.safetensors" not in repo.files for repo in repositories)
    hub.state.faults.clear()
    assert client("push", run_dir, "me/desk").returncode == 0
    assert len(ours(hub)) == 1


def test_bytes_that_changed_on_the_way_are_not_committed(
    hub: LoopbackHub, client: Push, run_dir: Path
) -> None:
    hub.plan(Corrupt(), stage="upload", method="PUT", times=1)
    done = client("push", run_dir, "me/desk")
    assert done.returncode == 0, done.stderr
    assert same_bytes(hub, run_dir)
    assert len(ours(hub)) == 1
