"""What the hub says of users and repositories: whoami, info, tree, paths-info, commits, refs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import pairwise

from aiohttp import web

from hub.access import readable, signed_in, state_of, writable
from hub.blobs import File, pointer
from hub.errors import EntryNotFound
from hub.repository import Commit, Repository


async def whoami(request: web.Request) -> web.Response:
    token, state = signed_in(request), state_of(request)
    organisations = [name for name, members in state.organisations.items() if token.user in members]
    return web.json_response(
        {
            "type": "user",
            "id": token.user,
            "name": token.user,
            "fullname": token.user,
            "isPro": False,
            "canPay": False,
            "orgs": [{"type": "org", "id": name, "name": name, "fullname": name} for name in organisations],
            "auth": {"type": "access_token", "accessToken": {"displayName": "loopback", "role": token.role}},
        }
    )


async def harnesses(request: web.Request) -> web.Response:
    """Which programs drive clients, for their User-Agent: clients ask once a day, and learn of none here."""
    return web.json_response({"harnesses": {}, "standardEnvVars": []})


async def may_read(request: web.Request) -> web.Response:
    readable(request, files=True)
    return web.json_response({})


async def may_write(request: web.Request) -> web.Response:
    writable(request)
    return web.json_response({})


async def repo_info(request: web.Request) -> web.Response:
    """model_info and dataset_info, at a revision or at main; `blobs` adds sizes, `expand` chooses the keys."""
    repository = readable(request)
    commit = repository.at(request.match_info.get("revision", "main"))
    facts = _facts(request, repository, commit, blobs="blobs" in request.query)
    chosen = {*request.query.getall("expand", []), *request.query.getall("expand[]", [])}
    if chosen:
        facts = {key: value for key, value in facts.items() if key in {*chosen, "id", "_id"}}
    return web.json_response(facts, dumps=partial(json.dumps, default=str))  # YAML knows dates


def _facts(request: web.Request, repository: Repository, commit: Commit, *, blobs: bool) -> dict[str, object]:
    card = state_of(request).card(repository, commit.oid)
    tags = [card.get("library_name"), card.get("pipeline_tag"), *_list(card.get("tags"))]
    tags += [f"license:{name}" for name in _list(card.get("license"))]
    facts: dict[str, object] = {
        "_id": repository.history[commit.oid].oid[:24],
        "id": repository.id,
        "author": repository.namespace,
        "sha": commit.oid,
        "lastModified": stamp(commit.date),
        "createdAt": stamp(repository.created),
        "private": repository.private,
        "gated": repository.gated,
        "disabled": repository.disabled,
        "downloads": 0,
        "likes": 0,
        "tags": [tag for tag in tags if tag],
        "cardData": card,
        "siblings": [_sibling(path, file, blobs) for path, file in sorted(commit.files.items())],
        "usedStorage": sum(file.size for file in commit.files.values()),
    }
    if repository.type == "model":
        facts["modelId"] = repository.id
        facts |= {key: card[key] for key in ("library_name", "pipeline_tag", "model-index") if key in card}
    return facts


def _sibling(path: str, file: File, blobs: bool) -> dict[str, object]:
    if not blobs:
        return {"rfilename": path}
    sibling: dict[str, object] = {"rfilename": path, "size": file.size, "blobId": file.oid}
    if file.lfs:
        sibling["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": _pointer_size(file)}
    return sibling


async def tree(request: web.Request) -> web.Response:
    """A folder's files and folders, or with `recursive` everything under it."""
    repository = readable(request)
    commit = repository.at(request.match_info["revision"])
    folder = request.match_info.get("path", "").strip("/")
    if folder not in commit.folders:
        raise EntryNotFound(
            f"{folder} does not exist on {request.match_info['revision']!r}", commit=commit.oid
        )
    recursive, expand = _flag(request, "recursive"), _flag(request, "expand")
    prefix = f"{folder}/" if folder else ""
    paths = [path for path in {**commit.folders, **commit.files} if path and path.startswith(prefix)]
    rows = [path for path in sorted(paths) if recursive or "/" not in path.removeprefix(prefix)]
    entries = [_entry(repository, commit, path, expand=expand) for path in rows]
    return page(request, entries, state_of(request).page)


async def paths_info(request: web.Request) -> web.Response:
    """The files and folders of a list of paths, those that exist."""
    repository = readable(request)
    commit = repository.at(request.match_info["revision"])
    form = await request.post()
    known = {**commit.folders, **commit.files}
    paths = [str(path).strip("/") for path in form.getall("paths", [])]
    expand = str(form.get("expand", "")).lower() == "true"
    return web.json_response(
        [_entry(repository, commit, path, expand=expand) for path in paths if path and path in known]
    )


def _entry(repository: Repository, commit: Commit, path: str, *, expand: bool) -> dict[str, object]:
    file = commit.files.get(path)
    if file is None:
        entry: dict[str, object] = {"type": "directory", "oid": commit.folders[path], "size": 0, "path": path}
    else:
        entry = {"type": "file", "oid": file.oid, "size": file.size, "path": path}
        if file.lfs:
            entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": _pointer_size(file)}
    if expand:
        last = _last_change(repository, commit, path)
        entry["lastCommit"] = {"id": last.oid, "title": last.title, "date": stamp(last.date)}
    return entry


def _last_change(repository: Repository, commit: Commit, path: str) -> Commit:
    def oid(at: Commit) -> str | None:
        return at.files[path].oid if path in at.files else at.folders.get(path)

    log = repository.log(commit.oid)
    return next((new for new, old in pairwise(log) if oid(new) != oid(old)), log[-1])


async def commits(request: web.Request) -> web.Response:
    repository = readable(request)
    rows: list[Mapping[str, object]] = [
        {
            "id": commit.oid,
            "title": commit.title,
            "message": commit.description,
            "authors": [{"user": commit.author, "avatar": ""}],
            "date": stamp(commit.date),
            "formatted": {"title": commit.title, "message": commit.description},
        }
        for commit in repository.log(request.match_info["revision"])
    ]
    return page(request, rows, min(50, state_of(request).page))


async def refs(request: web.Request) -> web.Response:
    repository = readable(request)

    def under(prefix: str) -> list[dict[str, str]]:
        return [
            {"name": name.removeprefix(prefix), "ref": name, "targetCommit": oid}
            for name, oid in sorted(repository.refs.items())
            if name.startswith(prefix)
        ]

    answer = {"branches": under("refs/heads/"), "tags": under("refs/tags/"), "converts": []}
    if "include_prs" in request.query:
        answer["pullRequests"] = [{**row, "name": row["ref"]} for row in under("refs/pr/")]
    return web.json_response(answer)


def page(request: web.Request, rows: Sequence[Mapping[str, object]], size: int) -> web.Response:
    """The rows from `cursor` on, at most `size`, and where the others are: a Link header, as the hub gives it."""
    start = int(request.query.get("cursor", "0"))
    headers = {}
    if start + size < len(rows):
        following = request.url.update_query(cursor=str(start + size))
        headers["Link"] = f'<{following}>; rel="next"'
    return web.json_response(rows[start : start + size], headers=headers)


def stamp(date: datetime) -> str:
    """2024-05-01T12:00:00.000Z, the one form that clients parse."""
    return f"{date:%Y-%m-%dT%H:%M:%S}.{date.microsecond // 1000:03d}Z"


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in ("1", "true")


def _pointer_size(file: File) -> int:
    return len(pointer(file.sha256, file.size))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]
