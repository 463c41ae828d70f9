"""What a hub and the line to it do wrong, in every stage of a push and of a fetch: it is lived through, or told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub import ClosedMidway, Corrupt, LoopbackHub, LostAnswer, Reset, ResetMidway, Slow, Status, WrongSize
from hub.faults import Fault
from long_lived import Client
from same import ours, same_bytes

from hftransfer.files import sha256

PUSHING = ("info", "preupload", "upload", "commit")
PASSING: dict[str, Fault] = {
    "429": Status(429, retry_after=1),
    "500": Status(500),
    "503": Status(503),
    "reset": Reset(),
    "lost": LostAnswer(),
    "slow": Slow(pause=0.2, pieces=3),
    "midway": ResetMidway(),
    "closed": ClosedMidway(),
}
LASTING: dict[str, Fault] = {"401": Status(401), "403": Status(403), "404": Status(404), "412": Status(412)}
LONGEST = 60.0
XET = pytest.mark.parametrize(
    "client",
    [True, pytest.param(False, marks=pytest.mark.long)],
    ids=["hf_xet", "no_hf_xet"],
    indirect=True,
)


@pytest.fixture(scope="module")
def client(
    request: pytest.FixtureRequest, hub_server: LoopbackHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """With hf_xet as it is installed, or told not to use it."""
    home = tmp_path_factory.mktemp("home")
    hub_server.clear()
    environment = hub_server.environment(home, token=hub_server.token, xet=request.param)
    with Client(environment, home) as started:
        yield started


@pytest.fixture
def hub(hub_server: LoopbackHub) -> Iterator[LoopbackHub]:
    """As it is when nobody has pushed: the client that stays keeps its token."""
    yield hub_server
    hub_server.state.repositories.clear()
    hub_server.state.faults.clear()


@XET
@pytest.mark.parametrize("stage", PUSHING)
@pytest.mark.parametrize("fault", PASSING)
def test_a_push_outlives_what_passes(
    fault: str, stage: str, client: Client, hub: LoopbackHub, run_dir: Path
) -> None:
    planned = hub.plan(PASSING[fault], stage=stage, times=1)
    start = time.monotonic()
    said = client.push(run_dir, "me/desk")
    assert "done" in said, said
    assert planned.met == 1
    assert time.monotonic() - start < LONGEST
    assert len(ours(hub)) == 1
    assert said["done"]["commit"] == hub.repo("me/desk").head.oid
    assert same_bytes(hub, run_dir)


@XET
@pytest.mark.parametrize("stage", PUSHING)
@pytest.mark.parametrize("fault", LASTING)
def test_a_push_tells_what_lasts(
    fault: str, stage: str, client: Client, hub: LoopbackHub, run_dir: Path
) -> None:
    planned = hub.plan(LASTING[fault], stage=stage, times=None)
    before = sorted((path, sha256(path)) for path in run_dir.rglob("*") if path.is_file())
    start = time.monotonic()
    said = client.push(run_dir, "me/desk")
    assert planned.met > 0
    assert said.get("exit_code") in (1, 2), said
    assert any(word in said["hint"] for word in ("hftransfer push", "hf auth login", "https://")), said
    assert time.monotonic() - start < LONGEST
    assert sorted((path, sha256(path)) for path in run_dir.rglob("*") if path.is_file()) == before
    repositories = [repo for repo in hub.state.repositories.values() if repo.id == "me/desk"]
    assert all("model.safetensors" not in repo.files for repo in repositories)
    hub.state.faults.clear()
    assert "done" in client.push(run_dir, "me/desk")
    assert len(ours(hub)) == 1


@XET
@pytest.mark.parametrize("stage", ["info", "preupload", "commit"])
@pytest.mark.parametrize("fault", [WrongSize(), Corrupt()], ids=["wrong size", "other bytes"])
def test_an_answer_that_nobody_can_read(
    fault: Fault, stage: str, client: Client, hub: LoopbackHub, run_dir: Path
) -> None:
    """It is told, or asked for again; a commit is made at most once, and what lies there is what was sent."""
    hub.plan(fault, stage=stage, times=1)
    said = client.push(run_dir, "me/desk")
    assert "done" in said or said.get("exit_code") == 1, said
    assert "done" in said or "hftransfer push" in said["hint"], said
    assert "done" in client.push(run_dir, "me/desk")
    assert len(ours(hub)) == 1
    assert same_bytes(hub, run_dir)


@XET
def test_bytes_that_changed_on_the_way_are_not_committed(
    client: Client, hub: LoopbackHub, run_dir: Path
) -> None:
    planned = hub.plan(Corrupt(), stage="upload", method="PUT", times=1)
    assert "done" in client.push(run_dir, "me/desk")
    assert planned.met == 1
    assert same_bytes(hub, run_dir)
    assert len(ours(hub)) == 1


@XET
@pytest.mark.parametrize("path", ["/api/*", "/large/*"])
@pytest.mark.parametrize("fault", PASSING)
def test_a_fetch_outlives_what_passes(
    fault: str, path: str, client: Client, hub: LoopbackHub, run_dir: Path
) -> None:
    assert "done" in client.push(run_dir, "me/desk")
    planned = hub.plan(PASSING[fault], method="GET", path=path, times=1)
    said = client.fetch("me/desk")
    assert "done" in said, said
    assert planned.met == 1
    there, here = Path(said["done"]), run_dir / "model"
    assert (there / "model.safetensors").read_bytes() == (here / "model.safetensors").read_bytes()


@XET
@pytest.mark.parametrize("path", ["/api/*", "/large/*"])
@pytest.mark.parametrize("fault", LASTING)
def test_a_fetch_tells_what_lasts(
    fault: str, path: str, client: Client, hub: LoopbackHub, run_dir: Path
) -> None:
    assert "done" in client.push(run_dir, "me/desk")
    hub.plan(LASTING[fault], method="GET", path=path, times=None)
    start = time.monotonic()
    said = client.fetch("me/desk")
    assert said.get("exit_code") in (1, 2), said
    assert "me/desk" in said["error"]
    assert time.monotonic() - start < LONGEST


@XET
@pytest.mark.parametrize("fault", [WrongSize(), Corrupt()], ids=["wrong size", "other bytes"])
def test_a_fetch_of_other_bytes_is_told(
    fault: Fault, client: Client, hub: LoopbackHub, run_dir: Path
) -> None:
    assert "done" in client.push(run_dir, "me/desk")
    hub.plan(fault, method="GET", path="/large/*", times=1)
    said = client.fetch("me/desk")
    assert said.get("exit_code") == 1, said
    assert "model.safetensors" in said["error"]
    assert "done" in client.fetch("me/desk")
