"""What comes before a commit: preupload says which files are large, LFS takes those (basic and in parts).

There is no xet storage here. Downloads never point to one, so clients take plain HTTP whether or not hf_xet is
installed. Uploads are another matter: huggingface_hub 2 with hf_xet installed sends every large file of a path there
and asks nobody, so such a client needs HF_HUB_DISABLE_XET=1; without it, it is told so.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

from aiohttp import web

from hub.access import FAULT, proposable, state_of, token_of, writable
from hub.errors import BadRequest, EntryNotFound
from hub.faults import Corrupt, flipped
from hub.large import is_ignored, is_large
from hub.repository import Repository
from hub.state import Upload


async def preupload(request: web.Request) -> web.Response:
    """For every file: regular or lfs, whether .gitignore leaves it out, and what is there now under its path."""
    repository = proposable(request) if request.query.get("create_pr") == "1" else writable(request)
    revision, state = request.match_info["revision"], state_of(request)
    commit = repository.at(revision)
    asked = await request.json()
    answers = []
    for file in asked["files"]:
        path, sample = file["path"], base64.b64decode(file["sample"])
        large = is_large(state, repository, revision, path, file["size"], sample)
        present = commit.files.get(path)
        answers.append(
            {
                "path": path,
                "uploadMode": "lfs" if large else "regular",
                "shouldIgnore": is_ignored(state, repository, revision, path, asked.get("gitIgnore")),
                "oid": present.etag if present and present.lfs == large else None,
            }
        )
    return web.json_response({"files": answers, "commitOid": commit.oid})


async def batch(request: web.Request) -> web.Response:
    """Git LFS batch API: where each large file goes to, nothing for those that are here."""
    repository = proposable(request)
    asked = await request.json()
    if asked.get("operation") != "upload":
        raise BadRequest("This hub answers LFS batches of uploads only; files come from /resolve/.")
    parts = state_of(request).part_size
    in_parts = parts is not None and "multipart" in asked.get("transfers", [])
    objects = [
        _actions(request, repository, item["oid"], item["size"], parts if in_parts else None)
        for item in asked["objects"]
    ]
    return web.json_response({"transfer": "multipart" if in_parts else "basic", "objects": objects})


def _actions(
    request: web.Request, repository: Repository, sha256: str, size: int, part_size: int | None
) -> dict[str, object]:
    if sha256 in repository.lfs:
        return {"oid": sha256, "size": size}
    key = secrets.token_hex(16)
    state_of(request).uploads[key] = Upload(repository, sha256, size)
    origin = request.url.origin()
    upload: dict[str, object] = {"href": f"{origin}/storage/{key}/1", "header": {}}
    if part_size is not None and size > part_size:
        count = -(-size // part_size)
        addresses = {f"{number:05d}": f"{origin}/storage/{key}/{number}" for number in range(1, count + 1)}
        upload = {
            "href": f"{origin}/storage/{key}/complete",
            "header": {"chunk_size": str(part_size), **addresses},
        }
    prefix = "datasets/" if repository.type == "dataset" else ""
    verify = {"href": f"{origin}/{prefix}{repository.id}.git/info/lfs/objects/verify", "header": {}}
    return {
        "oid": sha256,
        "size": size,
        "authenticated": True,
        "actions": {"upload": upload, "verify": verify},
    }


async def put(request: web.Request) -> web.Response:
    """A large file, or one part of it, at the secret address that the batch named; nothing is checked here yet."""
    body = await request.read()
    if isinstance(request.get(FAULT), Corrupt):
        body = flipped(body)
    _upload(request).parts[int(request.match_info["number"])] = body
    return web.Response(headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})


async def complete(request: web.Request) -> web.Response:
    """All parts are there: each is named with the ETag its upload was answered with."""
    parts = (await request.json())["parts"]
    held = _upload(request).parts
    expected = [{"partNumber": n, "etag": f'"{hashlib.md5(held[n]).hexdigest()}"'} for n in sorted(held)]
    if parts != expected:
        raise BadRequest(f"InvalidPart: {parts} instead of {expected}")
    return web.json_response({})


def _upload(request: web.Request) -> Upload:
    found = state_of(request).uploads.get(request.match_info["key"])
    if found is None:
        raise EntryNotFound("NoSuchUpload")
    return found


async def verify(request: web.Request) -> web.Response:
    """The client says that it is done: from here on the content is the repository's, if it is the one announced."""
    repository = proposable(request)
    asked = await request.json()
    uploads = state_of(request).uploads
    for key, upload in list(uploads.items()):
        if upload.repository is repository and upload.sha256 == asked["oid"]:
            del uploads[key]  # whatever is wrong with it: the next attempt is another upload
            found = hashlib.sha256(upload.content).hexdigest()
            if found != upload.sha256 or len(upload.content) != asked["size"]:
                raise BadRequest(f"Uploaded content has sha256 {found}, not {upload.sha256}")
            repository.lfs.add(state_of(request).blobs.add(upload.content, lfs=True).sha256)
    if asked["oid"] not in repository.lfs:
        raise EntryNotFound("Object does not exist on the server")
    return web.json_response({})


async def no_xet(request: web.Request) -> web.Response:
    token_of(request)
    raise BadRequest("This hub has no xet storage. Set HF_HUB_DISABLE_XET=1 to upload large files by LFS.")
