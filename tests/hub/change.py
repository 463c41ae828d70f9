"""What changes a repository: create, delete, settings, branches and tags, and above all commits."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from hub.access import check_namespace, proposable, signed_in, state_of, writable
from hub.blobs import File
from hub.cards import card_problems
from hub.errors import BadRequest, Conflict, EntryNotFound, RepoNotFound
from hub.repository import Repository
from hub.state import State


async def create(request: web.Request) -> web.Response:
    asked, token, state = await request.json(), signed_in(request), state_of(request)
    namespace = asked.get("organization") or token.user
    check_namespace(request, token, namespace)
    type, id = asked.get("type") or "model", f"{namespace}/{asked['name']}"
    if type not in ("model", "dataset"):
        raise BadRequest(f"This hub keeps models and datasets, no {type}.")
    answer = {"url": address(request, type, id), "name": id}
    try:
        private = asked.get("visibility") == "private" or asked.get("private") is True
        made = state.create(type, id, private=private)
    except (
        Conflict
    ) as conflict:  # the client, when told that this is fine, reads the address from the refusal
        return web.json_response({"error": conflict.message, **answer}, status=409, headers=conflict.headers)
    return web.json_response({**answer, "id": made.head.oid[:24]})


async def delete(request: web.Request) -> web.Response:
    asked, token, state = await request.json(), signed_in(request), state_of(request)
    namespace = asked.get("organization") or token.user
    type, id = asked.get("type") or "model", f"{namespace}/{asked['name']}"
    found = state.repository(type, id)
    if found.private and namespace not in state.namespaces(token.user):
        raise RepoNotFound("Repository not found")
    check_namespace(request, token, namespace)
    del state.repositories[type, id.lower()]
    return web.Response(text="OK")


async def settings(request: web.Request) -> web.Response:
    repository = writable(request)
    asked = await request.json()
    if "visibility" in asked:
        repository.private = asked["visibility"] == "private"
    if "private" in asked:
        repository.private = bool(asked["private"])
    if "gated" in asked:
        repository.gated = asked["gated"]
    return web.json_response({"private": repository.private, "gated": repository.gated})


async def make_ref(request: web.Request) -> web.Response:
    """A branch, whose start is in the body, or a tag, whose target is in the path."""
    repository = writable(request)
    asked = await request.json() if request.can_read_body else {}
    if "branch" in request.match_info:
        name, start = f"refs/heads/{request.match_info['branch']}", asked.get("startingPoint", "main")
    else:
        name, start = f"refs/tags/{asked['tag']}", request.match_info["revision"]
    if name in repository.refs and not asked.get("overwrite"):
        raise Conflict(f"Reference already exists: {name}")
    repository.refs[name] = repository.at(start).oid
    return web.json_response({})


async def drop_ref(request: web.Request) -> web.Response:
    repository = writable(request)
    branch = request.match_info.get("branch")
    name = f"refs/heads/{branch}" if branch else f"refs/tags/{request.match_info['revision']}"
    if name == "refs/heads/main":
        raise BadRequest("The default branch cannot be deleted.")
    if repository.refs.pop(name, None) is None:
        raise EntryNotFound(f"Reference does not exist: {name}")
    return web.json_response({})


async def commit(request: web.Request) -> web.Response:
    """One commit from lines of JSON: a header, then files, large files and deletions; all of it or nothing."""
    opens = request.query.get("create_pr") == "1"
    repository = proposable(request) if opens else writable(request)
    token, state, revision = signed_in(request), state_of(request), request.match_info["revision"]
    lines = [json.loads(line) for line in (await request.text()).splitlines() if line.strip()]
    if not lines or lines[0].get("key") != "header":
        raise BadRequest("The first line of a commit must be its header.")
    header = lines[0]["value"]
    repository.check_parent(revision, header.get("parentCommit"))
    if not header.get("summary"):
        raise BadRequest("A commit needs a summary.")
    tree = dict(repository.at(revision).files)
    for line in lines[1:]:
        _apply(state, repository, tree, line["key"], line["value"])
    number = repository.open_pull_request(revision) if opens else None
    made = repository.commit(
        f"refs/pr/{number}" if number else revision,
        tree,
        header["summary"],
        description=header.get("description", ""),
        author=token.user,
    )
    where = address(request, repository.type, repository.id)
    answer = {
        "success": True,
        "commitOid": made.oid,
        "commitUrl": f"{where}/commit/{made.oid}",
        "hookOutput": "",
    }
    if number:
        answer["pullRequestUrl"] = f"{where}/discussions/{number}"
    return web.json_response(answer)


def _apply(
    state: State, repository: Repository, tree: dict[str, File], key: str, value: Mapping[str, Any]
) -> None:
    """One line of a commit, applied to `tree` in place."""
    path = value["path"]
    match key:
        case "file":
            content = (
                base64.b64decode(value["content"])
                if value.get("encoding") == "base64"
                else value["content"].encode()
            )
            if path == "README.md":
                errors, _ = card_problems(content.decode(errors="replace"), repository.type)
                if errors:
                    raise BadRequest("Invalid metadata in README.md.\n" + "\n".join(errors))
            tree[path] = state.blobs.add(content, lfs=False)
        case "lfsFile":
            if value["oid"] not in repository.lfs:
                raise BadRequest(f"LFS pointer pointed to a file that does not exist: {path}")
            tree[path] = state.blobs.lfs_file(value["oid"])
        case "deletedFile":
            if tree.pop(path, None) is None:
                raise EntryNotFound(f"A file with this name doesn't exist: {path}")
        case "deletedFolder":
            inside = list(_under(tree, path.rstrip("/") + "/"))
            if not inside:
                raise EntryNotFound(f"A folder with this name doesn't exist: {path}")
            for name in inside:
                del tree[name]
        case _:
            raise BadRequest(f"Unknown line in a commit: {key}")


def _under(tree: Mapping[str, File], folder: str) -> Iterator[str]:
    return (path for path in tree if path.startswith(folder))


async def validate_card(request: web.Request) -> web.Response:
    """What ModelCard.validate and every commit with a README.md ask first: 400 with the errors, 200 with warnings."""
    asked = await request.json()
    errors, warnings = card_problems(asked["content"], asked.get("repoType") or "model")
    answer = {
        "errors": [{"message": message} for message in errors],
        "warnings": [{"message": message} for message in warnings],
    }
    return web.json_response(answer, status=400 if errors else 200)


def address(request: web.Request, type: str, id: str) -> str:
    prefix = "datasets/" if type == "dataset" else ""
    return f"{request.url.origin()}/{prefix}{id}"
