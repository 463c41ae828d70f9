"""Every planned fault, as the real huggingface_hub lives through it, and what the hub holds afterwards."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hub import (
    ClosedMidway,
    Corrupt,
    LoopbackHub,
    LostAnswer,
    Redirect,
    Reset,
    ResetMidway,
    Slow,
    Status,
    WrongSize,
)
from hub.faults import Fault, Planned

COMMIT = """
from huggingface_hub import upload_file
upload_file(repo_id="me/x", path_or_fileobj=b"a", path_in_repo="a.txt")
"""
UPLOAD = COMMIT.replace('b"a"', 'b"weights"').replace("a.txt", "w.bin")
DOWNLOAD = """
import hashlib
from huggingface_hub import hf_hub_download
print(hashlib.sha256(open(hf_hub_download('me/x', 'model.safetensors'), 'rb').read()).hexdigest())
"""
WEIGHTS = bytes(range(256)) * 4000  # 1 MB


REFUSALS: list[tuple[Fault, str]] = [
    (Status(401, "Invalid credentials in Authorization header"), "HfHubHTTPError 401"),
    (Status(403, "No"), "HfHubHTTPError 403"),
    (Status(404, code="RepoNotFound"), "RepositoryNotFoundError 404"),
    (Status(404, code="RevisionNotFound"), "RevisionNotFoundError 404"),
    (Status(403, code="GatedRepo"), "GatedRepoError 403"),
    (Status(412), "HfHubHTTPError 412"),
    (Status(429, retry_after=1), "HfHubHTTPError 429"),
    (Status(503), "HfHubHTTPError 503"),
    (Reset(), "ReadError"),
]


def test_a_commit_that_is_refused_or_cut_is_not_made(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x")
    for number, (fault, _) in enumerate(REFUSALS, start=1):
        hub.plan(fault, stage="commit", first=number)
    code = f"""
from huggingface_hub import upload_file
for _ in range({len(REFUSALS) + 1}):
    try:
        upload_file(repo_id="me/x", path_or_fileobj=b"a", path_in_repo="a.txt")
        print("made")
    except Exception as error:
        print(type(error).__name__, *([error.response.status_code] if hasattr(error, "response") else []))
"""
    done = hub.python(code, home=tmp_path)
    assert done.stdout.splitlines() == [*(said for _, said in REFUSALS), "made"]
    assert [one.fault for one in hub.seen(stage="commit")] == [
        *(type(fault).__name__ for fault, _ in REFUSALS),
        "",
    ]
    assert [one.status for one in hub.seen(stage="commit")] == [
        401,
        403,
        404,
        404,
        403,
        412,
        429,
        503,
        None,
        200,
    ]
    assert len(hub.repo("me/x").commits) == 2


def test_a_commit_whose_answer_is_lost_was_made(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x")
    hub.plan(LostAnswer(), stage="commit")
    done = hub.python(COMMIT, home=tmp_path)
    assert "Server disconnected without sending a response" in done.stderr
    assert len(hub.repo("me/x").commits) == 2
    assert hub.content("me/x", "a.txt") == b"a"


@pytest.mark.parametrize("fault", [Status(503), Status(429, retry_after=0), Reset(), LostAnswer()])
def test_large_files_are_sent_again(hub: LoopbackHub, tmp_path: Path, fault: Fault) -> None:
    hub.create_repo("me/x")
    planned = hub.plan(fault, method="PUT")
    done = hub.python(UPLOAD, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert planned.met == 1
    assert len(hub.seen(method="PUT")) == 2
    assert hub.content("me/x", "w.bin") == b"weights"
    assert len(hub.repo("me/x").commits) == 2


def test_a_large_file_that_arrives_corrupted_is_refused(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x")
    hub.plan(Corrupt(), method="PUT")
    done = hub.python(UPLOAD, home=tmp_path)
    assert "Uploaded content has sha256" in done.stderr
    assert set(hub.repo("me/x").files) == {".gitattributes"}


def download(hub: LoopbackHub, home: Path, *planned: Planned) -> tuple[str, str]:
    """What the client printed, and what it complained of."""
    done = hub.python(DOWNLOAD, home=home)
    assert all(one.met for one in planned)
    return done.stdout.strip(), done.stderr


def test_a_download_that_is_cut_is_taken_up_where_it_was(hub: LoopbackHub, tmp_path: Path) -> None:
    weights = WEIGHTS * 20  # the client keeps what has arrived in pieces of 10 MiB
    sha256 = hub.create_repo("me/x", {"model.safetensors": weights}).files["model.safetensors"].sha256
    hub.plan(ClosedMidway(0.75), path="/large/*")
    said, _ = download(hub, tmp_path)
    assert said == sha256
    ranges = [one.headers.get("Range") for one in hub.requests if one.path.startswith("/large/")]
    assert ranges == [None, f"bytes={10 * 2**20}-"]


def test_a_download_that_is_reset_is_given_up_by_the_client(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x", {"model.safetensors": WEIGHTS})
    said, complaint = download(hub, tmp_path, hub.plan(ResetMidway(0.25), path="/large/*"))
    assert not said
    assert "httpx2.ReadError" in complaint
    assert download(hub, tmp_path)[0] == hub.repo("me/x").files["model.safetensors"].sha256


def test_a_download_of_the_wrong_size_is_refused(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x", {"model.safetensors": WEIGHTS})
    planned = hub.plan(WrongSize(10), path="/large/*", times=None)
    said, complaint = download(hub, tmp_path, planned)
    assert not said
    assert "Consistency check failed" in complaint


def test_a_corrupted_download_goes_unnoticed_by_the_client(hub: LoopbackHub, tmp_path: Path) -> None:
    file = hub.create_repo("me/x", {"model.safetensors": WEIGHTS}).files["model.safetensors"]
    said, _ = download(hub, tmp_path, hub.plan(Corrupt(), path="/large/*"))
    assert len(said) == 64
    assert said != file.sha256


def test_slow_bytes_arrive(hub: LoopbackHub, tmp_path: Path) -> None:
    sha256 = hub.create_repo("me/x", {"model.safetensors": WEIGHTS}).files["model.safetensors"].sha256
    started = time.monotonic()
    said, _ = download(hub, tmp_path, hub.plan(Slow(pause=0.5, pieces=4), path="/large/*"))
    assert said == sha256
    assert time.monotonic() - started > 2


def test_a_redirect_elsewhere_is_followed_without_the_token(hub: LoopbackHub, tmp_path: Path) -> None:
    sha256 = hub.create_repo("me/x", {"model.safetensors": WEIGHTS}).files["model.safetensors"].sha256
    elsewhere = f"{hub.url.replace('127.0.0.1', 'localhost')}/large/{sha256}"
    said, _ = download(hub, tmp_path, hub.plan(Redirect(elsewhere), method="GET", path="/large/*"))
    assert said == sha256
    assert [one.status for one in hub.requests if one.path.startswith("/large/")] == [302, 200]
    assert not any(one.authorized for one in hub.requests if one.path.startswith("/large/"))


def test_faults_meet_the_nth_request_and_as_many_as_planned(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x")
    planned = hub.plan(Status(404, code="RepoNotFound"), stage="info", path="/api/models/*", first=2, times=2)
    code = """
from huggingface_hub import HfApi
for _ in range(5):
    try:
        HfApi().model_info("me/x")
        print("there")
    except Exception as error:
        print(type(error).__name__)
"""
    done = hub.python(code, home=tmp_path)
    assert done.stdout.split() == ["there", *["RepositoryNotFoundError"] * 2, "there", "there"]
    assert planned.met == 2


def test_nothing_of_a_test_is_there_in_the_next(hub: LoopbackHub) -> None:
    hub.create_repo("me/x")
    hub.plan(Reset())
    hub.clear()
    assert not hub.requests
    assert not hub.state.repositories
    assert not hub.state.faults
