"""Downloads and questions by the real huggingface_hub, and its own exceptions where it is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from hub import LoopbackHub

FILES = {"config.json": b"{}", "deep/er/a.txt": b"a", "model.safetensors": bytes(range(256)) * 100}


def answers(hub: LoopbackHub, code: str, home: Path, **options: object) -> object:
    """What `code`, with an `api` at hand, puts into `said`, through JSON."""
    head = "import json\nfrom huggingface_hub import *\nfrom pathlib import Path\napi = HfApi()\n"
    done = hub.python(f"{head}{code}\nprint(json.dumps(said))", home=home, **options)  # type: ignore[arg-type]
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def folder(path: object) -> Mapping[str, bytes]:
    root = Path(str(path))
    return {
        found.relative_to(root).as_posix(): found.read_bytes() for found in root.rglob("*") if found.is_file()
    }


@pytest.mark.parametrize("xet", [False, True])
def test_a_snapshot_is_what_the_repository_holds(hub: LoopbackHub, tmp_path: Path, xet: bool) -> None:
    hub.create_repo("me/x", FILES)
    said = answers(hub, "said = snapshot_download('me/x')", tmp_path, token=None, xet=xet)
    found = dict(folder(said))
    assert found.pop(".gitattributes")
    assert found == FILES
    assert Path(str(said)).name == hub.repo("me/x").head.oid
    (large,) = [one for one in hub.requests if one.path.startswith("/large/")]
    assert not large.authorized
    before = len(hub.requests)
    answers(hub, "said = snapshot_download('me/x')", tmp_path, token=None, xet=xet)
    assert [one.path for one in hub.requests[before:]] == ["/api/models/me/x/revision/main"]


def test_a_file_at_a_revision(hub: LoopbackHub, tmp_path: Path) -> None:
    repository = hub.create_repo("me/d", {"a.txt": b"old"}, type="dataset")
    old = repository.head.oid
    repository.refs["refs/tags/v1"] = old
    hub.add_files(repository, {"a.txt": b"new"})
    hub.state.repositories["dataset", "me/d"].refs["refs/heads/a/b"] = old
    code = f"""
said = {{}}
for revision in ("main", "v1", "{old}", "a/b", "refs/heads/main"):
    path = hf_hub_download("me/d", "a.txt", repo_type="dataset", revision=revision)
    said[revision] = Path(path).read_text()
"""
    said = answers(hub, code, tmp_path)
    assert said == {"main": "new", "v1": "old", old: "old", "a/b": "old", "refs/heads/main": "new"}


def test_questions_about_a_repository(hub: LoopbackHub, tmp_path: Path) -> None:
    card = (
        b"---\nlicense: mit\npipeline_tag: text-classification\nlibrary_name: transformers\n"
        b"tags: [a]\ndate: 2024-01-01\n---\n"
    )
    repository = hub.create_repo("me/x", {**FILES, "README.md": card})
    hub.state.page = 2
    said = answers(
        hub,
        """
info = api.model_info("me/x", files_metadata=True)
said = {
    "sha": info.sha, "task": info.pipeline_tag, "tags": info.tags,
    "expanded": api.model_info("me/x", expand=["sha"]).siblings,
    "large": [one.rfilename for one in info.siblings if one.lfs],
    "sizes": {one.rfilename: one.size for one in info.siblings},
    "tree": [one.path for one in api.list_repo_tree("me/x", recursive=True)],
    "top": [one.path for one in api.list_repo_tree("me/x")],
    "below": [one.path for one in api.list_repo_tree("me/x", path_in_repo="deep/er")],
    "paths": [one.path for one in api.get_paths_info("me/x", ["deep", "none", "config.json"])],
    "last": [one.last_commit.title for one in api.get_paths_info("me/x", ["config.json"], expand=True)],
    "commits": [one.title for one in api.list_repo_commits("me/x")],
    "exists": [api.repo_exists("me/x"), api.repo_exists("me/y"), api.file_exists("me/x", "none")],
    "branches": [one.name for one in api.list_repo_refs("me/x").branches],
    "url": hf_hub_url("me/x", "config.json"),
}
""",
        tmp_path,
    )
    assert isinstance(said, dict)
    names = [".gitattributes", "README.md", "config.json", "deep/er/a.txt", "model.safetensors"]
    assert said == {
        "sha": repository.head.oid,
        "task": "text-classification",
        "tags": ["transformers", "text-classification", "a", "license:mit"],
        "expanded": None,
        "large": ["model.safetensors"],
        "sizes": {name: repository.files[name].size for name in names},
        "tree": sorted([*names, "deep", "deep/er"]),
        "top": [".gitattributes", "README.md", "config.json", "deep", "model.safetensors"],
        "below": ["deep/er/a.txt"],
        "paths": ["deep", "config.json"],
        "last": ["Add files"],
        "commits": ["Add files", "initial commit"],
        "exists": [True, False, False],
        "branches": ["main"],
        "url": f"{hub.url}/me/x/resolve/main/config.json",
    }
    pages = [one for one in hub.requests if "/tree/" in one.path and "recursive=true" in one.query]
    assert len(pages) == 4  # seven rows, two in each


def test_a_part_of_a_file(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x", FILES)
    said = answers(
        hub,
        """
fs = HfFileSystem()
said = [list(fs.cat_file("me/x/model.safetensors", start=250, end=260)), fs.ls("me/x/deep", detail=False)]
""",
        tmp_path,
    )
    assert said == [list(FILES["model.safetensors"][250:260]), ["me/x/deep/er"]]
    assert 206 in [one.status for one in hub.requests]


REFUSED = """
import json, sys
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
said = []
for call in (lambda: HfApi().model_info("me/x"), lambda: hf_hub_download("me/x", "config.json"),
             lambda: snapshot_download("me/x")):
    try:
        call()
        said.append(None)
    except Exception as error:
        said.append(type(error).__name__)
print(json.dumps(said))
"""


def refused(hub: LoopbackHub, home: Path, token: str | None) -> object:
    done = hub.python(REFUSED, home=home, token=token)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_private_repository_does_not_exist_for_others(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x", FILES, private=True)
    (tmp_path / "mine").mkdir()
    assert refused(hub, tmp_path, None) == ["RepositoryNotFoundError"] * 3
    assert refused(hub, tmp_path, hub.add_user("other")) == ["RepositoryNotFoundError"] * 3
    assert refused(hub, tmp_path, "hf_wrong") == ["HfHubHTTPError"] * 3
    assert refused(hub, tmp_path / "mine", hub.read_token) == [None] * 3


def test_a_gated_repository_shows_itself_and_keeps_its_files(hub: LoopbackHub, tmp_path: Path) -> None:
    repository = hub.create_repo("me/x", FILES, gated="manual")
    other = hub.add_user("other")
    assert refused(hub, tmp_path, None) == [None, "GatedRepoError", "GatedRepoError"]
    assert refused(hub, tmp_path, other) == [None, "GatedRepoError", "GatedRepoError"]
    repository.granted.add("other")
    assert refused(hub, tmp_path, other) == [None] * 3


def test_what_is_not_there_is_told_apart(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/x", FILES)
    hub.create_repo("me/off", FILES).disabled = True
    said = answers(
        hub,
        """
said = []
for id, name, revision in (("me/none", "a", "main"), ("alone", "a", "main"), ("me/x", "none.txt", "main"),
                           ("me/x", "config.json", "other"), ("me/off", "config.json", "main")):
    try:
        hf_hub_download(id, name, revision=revision)
    except Exception as error:
        said.append(type(error.__cause__ or error).__name__ if id == "me/off" else type(error).__name__)
""",
        tmp_path,
    )
    assert said == [
        "RepositoryNotFoundError",
        "RepositoryNotFoundError",
        "RemoteEntryNotFoundError",
        "RevisionNotFoundError",
        "DisabledRepoError",
    ]
