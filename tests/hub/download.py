"""Files: small ones from the hub itself, large ones by a redirect to storage under another origin, as a CDN is."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from hub.access import readable, state_of
from hub.errors import HubError

STORAGE = web.AppKey("storage", str)  # the origin of the large files: http://127.0.0.1:PORT


async def resolve(request: web.Request) -> web.Response:
    """HEAD and GET of a file at a revision: ETag, X-Repo-Commit, and X-Linked-* with the redirect for large ones."""
    repository = readable(request, files=True)
    path = request.match_info["path"]
    commit, file = repository.file(request.match_info["revision"], path)
    headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
    if not file.lfs:
        return content(request, state_of(request).content(file), headers)
    name = path.rpartition("/")[2]
    headers |= {
        "Location": f"{request.app[STORAGE]}/large/{file.sha256}?filename={quote(name)}",
        "X-Linked-Size": str(file.size),
        "X-Linked-ETag": f'"{file.sha256}"',
    }
    return web.Response(status=302, headers=headers)


async def large(request: web.Request) -> web.Response:
    """The storage's side: whoever has the address, gets the content. The hub's token has no business here."""
    sha256 = request.match_info["sha256"]
    blobs = state_of(request).blobs
    if not blobs.path(sha256).is_file():
        raise HubError("NoSuchKey", status=404)
    name = request.query.get("filename", sha256)
    headers = {
        "ETag": f'"{sha256}"',
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'inline; filename="{name}";',
    }
    return content(request, blobs.read(sha256), headers)


def content(request: web.Request, body: bytes, headers: dict[str, str]) -> web.Response:
    """`body`, or the one range of it that was asked for (RFC 9110, section 14)."""
    headers = {"Content-Type": "application/octet-stream", **headers}
    try:
        wanted = request.http_range
    except ValueError:
        wanted = slice(None)  # an unreadable Range is to be ignored
    if wanted.start is None and wanted.stop is None:
        return web.Response(body=body, headers=headers)
    start, stop, _ = wanted.indices(len(body))
    if start >= stop:
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{len(body)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
    return web.Response(status=206, body=body[start:stop], headers=headers)
