"""Uploads by the real huggingface_hub: what they ask, and what is there afterwards."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hub import LoopbackHub
from hub.cards import card_problems
from hub.state import GITATTRIBUTES

LARGE = bytes(range(256)) * 45_000  # 11.5 MB

PUSH = """
from huggingface_hub import HfApi
api = HfApi()
url = api.create_repo("me/x", private=True)
assert url.repo_id == "me/x", url
done = api.upload_folder(repo_id="me/x", folder_path="up", commit_message="The model", commit_description="of today")
print(done.oid)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """home/up with a card, a configuration, a small binary and a file too large for git."""
    up = tmp_path / "up"
    (up / "adapter").mkdir(parents=True)
    (up / "README.md").write_text("---\nlicense: mit\n---\n# Model\n")
    (up / "adapter" / "config.json").write_text('{"r": 8}')
    (up / "tiny.safetensors").write_bytes(b"weights")
    (up / "large.txt").write_bytes(LARGE)
    return tmp_path


def lines(hub: LoopbackHub, code: str, home: Path, **options: object) -> list[str]:
    done = hub.python(code, home=home, **options)  # type: ignore[arg-type]
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def fails(hub: LoopbackHub, code: str, home: Path, **options: object) -> str:
    done = hub.python(code, home=home, **options)  # type: ignore[arg-type]
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_a_folder_becomes_one_commit(hub: LoopbackHub, folder: Path) -> None:
    (oid,) = lines(hub, PUSH, folder)
    repository = hub.repo("me/x")
    assert [commit.title for commit in repository.commits] == ["The model", "initial commit"]
    assert (repository.head.oid, repository.head.description, repository.head.author) == (
        oid,
        "of today",
        "me",
    )
    assert repository.private
    assert set(repository.files) == {
        *(".gitattributes", "README.md", "adapter/config.json", "tiny.safetensors", "large.txt"),
    }
    assert {path for path, file in repository.files.items() if file.lfs} == {"tiny.safetensors", "large.txt"}
    assert hub.content("me/x", "large.txt") == LARGE
    assert repository.files["large.txt"].sha256 == hashlib.sha256(LARGE).hexdigest()
    assert hub.content("me/x", ".gitattributes") == GITATTRIBUTES
    assert len(hub.seen(stage="commit")) == 1
    assert {one.stage for one in hub.requests} - {"client"} == {
        *("create", "card", "preupload", "upload", "commit"),
    }
    storage = [one for one in hub.requests if one.path.startswith("/storage/")]
    assert [one.authorized for one in storage] == [False, False]  # the token goes to the hub alone
    assert not any("Authorization" in one.headers or hub.token in str(one) for one in hub.requests)


def test_the_same_folder_again_is_no_commit_and_no_upload(hub: LoopbackHub, folder: Path) -> None:
    again = PUSH.replace("private=True", "private=True, exist_ok=True")
    first = lines(hub, again, folder)
    before = len(hub.seen(method="PUT"))
    assert lines(hub, again, folder) == first
    assert len(hub.seen(method="PUT")) == before
    assert len(hub.repo("me/x").commits) == 2
    (folder / "up" / "adapter" / "config.json").write_text('{"r": 16}')
    assert lines(hub, again, folder) != first
    assert len(hub.repo("me/x").commits) == 3


def test_a_large_file_goes_in_parts_where_the_hub_says_so(hub: LoopbackHub, folder: Path) -> None:
    hub.state.part_size = 4 * 2**20
    lines(hub, PUSH, folder)
    parts = hub.seen(method="PUT", stage="upload")
    assert len(parts) == 3 + 1  # 11.5 MB by 4 MiB, and the small one
    assert [one.status for one in hub.seen(method="POST") if one.path.endswith("/complete")] == [200]
    assert hub.content("me/x", "large.txt") == LARGE


def test_a_commit_made_for_an_older_head_is_refused(hub: LoopbackHub, tmp_path: Path) -> None:
    repository = hub.create_repo("me/x")
    stale = repository.head.oid
    commit = """
import sys
from huggingface_hub import CommitOperationAdd, HfApi
operation = CommitOperationAdd("a.txt", b"a")
HfApi().create_commit("me/x", [operation], commit_message="mine", parent_commit=sys.argv[1])
"""
    hub.add_files(repository, {"b.txt": b"b"}, title="theirs")
    done = hub.python(commit, stale, home=tmp_path)
    assert "412" in done.stderr
    assert "A commit has happened since" in done.stderr
    assert [one.title for one in repository.commits] == ["theirs", "initial commit"]
    assert hub.python(commit, repository.head.oid, home=tmp_path).returncode == 0
    assert [one.title for one in repository.commits] == ["mine", "theirs", "initial commit"]
    assert set(repository.files) == {".gitattributes", "a.txt", "b.txt"}


def test_a_pull_request_leaves_main_alone(hub: LoopbackHub, tmp_path: Path) -> None:
    repository = hub.create_repo("other/x", {"old.txt": b"old"})
    head = repository.head
    printed = lines(
        hub,
        """
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
api = HfApi()
operations = [CommitOperationAdd("a.txt", b"a"), CommitOperationDelete("old.txt")]
done = api.create_commit("other/x", operations, commit_message="Mine", create_pr=True)
print(done.pr_revision, done.oid)
api.upload_file(repo_id="other/x", path_or_fileobj=b"weights", path_in_repo="b.bin", create_pr=True)
print([ref.ref for ref in api.list_repo_refs("other/x", include_pull_requests=True).pull_requests])
print(sorted(api.list_repo_files("other/x", revision="refs/pr/1")))
print([one.title for one in api.list_repo_commits("other/x", revision="refs/pr/1")])
""",
        tmp_path,
    )
    oid = repository.refs["refs/pr/1"]
    assert printed == [
        f"refs/pr/1 {oid}",
        "['refs/pr/1', 'refs/pr/2']",
        "['.gitattributes', 'a.txt']",
        "['Mine', 'Add files', 'initial commit']",
    ]
    assert repository.head == head


def test_deletions_folders_branches_and_tags(hub: LoopbackHub, tmp_path: Path) -> None:
    repository = hub.create_repo("me/x", {"a/1.txt": b"1", "a/2.txt": b"2", "b.txt": b"b"})
    lines(
        hub,
        """
from huggingface_hub import HfApi
api = HfApi()
api.create_tag("me/x", tag="v1")
api.delete_folder("a", "me/x")
api.create_branch("me/x", branch="feature/one")
api.delete_file("b.txt", "me/x", revision="feature/one")
api.update_repo_settings("me/x", private=True, gated="manual")
""",
        tmp_path,
    )
    assert set(repository.at("v1").files) == {".gitattributes", "a/1.txt", "a/2.txt", "b.txt"}
    assert set(repository.at("main").files) == {".gitattributes", "b.txt"}
    assert set(repository.at("feature/one").files) == {".gitattributes"}
    assert (repository.private, repository.gated) == (True, "manual")
    said = fails(hub, "from huggingface_hub import HfApi; HfApi().delete_file('none.txt', 'me/x')", tmp_path)
    assert "EntryNotFoundError" in said
    lines(hub, "from huggingface_hub import HfApi; HfApi().delete_repo('me/x')", tmp_path)
    assert not hub.state.repositories


def test_who_may_not_write_is_told(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x")
    hub.create_repo("other/x")
    hub.add_organisation("group", "me")
    push = "from huggingface_hub import *; upload_file(repo_id='{}', path_or_fileobj=b'a', path_in_repo='a')"
    assert "403 Forbidden" in fails(hub, push.format("me/x"), tmp_path, token=hub.read_token)
    assert "403 Forbidden" in fails(hub, push.format("other/x"), tmp_path)
    assert "RepositoryNotFoundError" in fails(hub, push.format("me/none"), tmp_path)
    create = "from huggingface_hub import HfApi; HfApi().create_repo('{}')"
    assert "under the namespace" in fails(hub, create.format("other/y"), tmp_path)
    assert "Invalid user token" in fails(
        hub, "from huggingface_hub import HfApi; HfApi().whoami()", tmp_path, token="hf_wrong"
    )
    lines(hub, create.format("group/y"), tmp_path)
    assert hub.repo("group/y").commits[0].title == "initial commit"
    assert len(hub.repo("me/x").commits) == len(hub.repo("other/x").commits) == 1


def test_a_large_file_that_was_never_uploaded_cannot_be_committed(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x")
    said = fails(
        hub,
        """
from huggingface_hub import CommitOperationAdd, HfApi
operation = CommitOperationAdd("w.bin", b"weights")
operation._upload_mode, operation._should_ignore, operation._is_uploaded = "lfs", False, True
HfApi().create_commit("me/x", [operation], commit_message="Without the content")
""",
        tmp_path,
    )
    assert "LFS pointer pointed to a file that does not exist" in said
    assert len(hub.repo("me/x").commits) == 1


def test_a_client_with_xet_uploads_small_files_and_buffers(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x")
    upload = (
        "import io; from huggingface_hub import *; "
        "upload_file(repo_id='me/x', path_in_repo={}, path_or_fileobj={})"
    )
    lines(hub, upload.format("'a.txt'", "b'a'"), tmp_path, xet=True)
    lines(
        hub, upload.format("'w.bin'", "io.BytesIO(b'weights')"), tmp_path, xet=True
    )  # LFS: xet takes no buffers
    assert hub.content("me/x", "w.bin") == b"weights"
    said = fails(hub, upload.format("'v.bin'", "b'other weights'"), tmp_path, xet=True)
    assert "xet-write-token" in said
    assert "v.bin" not in hub.repo("me/x").files


def test_gitignore_of_the_repository_and_of_the_upload(hub: LoopbackHub, tmp_path: Path) -> None:
    repository = hub.create_repo("me/x", {".gitignore": b"*.log\n"})
    (tmp_path / "up").mkdir()
    for name in ("a.txt", "b.log"):
        (tmp_path / "up" / name).write_text(name)
    upload = "from huggingface_hub import HfApi; HfApi().upload_folder(repo_id='me/x', folder_path='up')"
    lines(hub, upload, tmp_path)
    assert set(repository.files) == {".gitattributes", ".gitignore", "a.txt"}
    (tmp_path / "up" / ".gitignore").write_text("*.tmp\n")
    lines(hub, upload, tmp_path)
    assert "b.log" in repository.files


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ("license: mit", None),
        ("license: [mit", "YAML Metadata Error"),
        ("license: mine", '"license" must be one of'),
        ("tags: one", '"tags" must be an array of strings'),
        ("pipeline_tag: [text-classification]", '"pipeline_tag" must be a string'),
        ("base_model: [a/b, c/d]\nbase_model_relation: finetune", None),
        ("base_model_relation: child", '"base_model_relation" must be one of'),
        ("model-index: {name: x}", '"model-index" must be an array'),
        ("model-index: [{name: x}]", '"model-index[0].results" must be an array'),
        (
            "model-index: [{name: x, results: [{task: {type: t}, metrics: [{type: f1}]}]}]",
            '"model-index[0].results[0].metrics[0].value" is required',
        ),
        ("model-index: [{name: x, results: [{task: {type: t}, metrics: [{type: f1, value: 1}]}]}]", None),
    ],
)
def test_what_is_wrong_with_a_card(metadata: str, found: str | None) -> None:
    errors, warnings = card_problems(f"---\n{metadata}\n---\n# Model\n", "model")
    assert not warnings
    assert (errors == []) if found is None else any(found in error for error in errors)


def test_cards_are_validated_where_clients_ask(hub: LoopbackHub, folder: Path) -> None:
    said = lines(
        hub,
        """
from huggingface_hub import ModelCard
ModelCard("---\\nlicense: mit\\n---\\n# good").validate()
try:
    ModelCard("---\\nlicense: mine\\n---\\n# bad").validate()
except ValueError as error:
    print(str(error)[:60])
""",
        folder,
    )
    assert len(said) == 1
    assert "license" in said[0]
    (folder / "up" / "README.md").write_text("---\ntags: {a: 1}\n---\n")
    assert 'Invalid metadata in README.md.\n- "tags" must be an array of strings' in fails(hub, PUSH, folder)
    assert len(hub.repo("me/x").commits) == 1
