"""The hub as a server: its routes, and how a request passes through them."""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

from hub import change, download, info, upload
from hub.access import FAULT, SERVER, state_of, token_of
from hub.errors import HubError, RepoNotFound, Unauthorized
from hub.faults import LostAnswer, Redirect, Reset, Status, close, reset, spoil
from hub.state import Seen, State

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_API = "/api/{type:models|datasets}/{namespace}/{name}"
_GIT = "{namespace}/{name}.git/info/lfs/objects"
_FILE = "{namespace}/{name}/resolve/{revision}/{path:.+}"

# stage, methods, path, handler. Types: /datasets/... before /..., which is the models'.
ROUTES: list[tuple[str, str, str, Handler]] = [
    ("whoami", "GET", "/api/whoami-v2", info.whoami),
    ("client", "GET", "/api/agent-harnesses", info.harnesses),
    ("card", "POST", "/api/validate-yaml", change.validate_card),
    ("create", "POST", "/api/repos/create", change.create),
    ("create", "DELETE", "/api/repos/delete", change.delete),
    ("info", "GET", _API, info.repo_info),
    ("info", "GET", f"{_API}/revision/{{revision}}", info.repo_info),
    ("info", "GET", f"{_API}/tree/{{revision}}", info.tree),
    ("info", "GET", f"{_API}/tree/{{revision}}/{{path:.*}}", info.tree),
    ("info", "POST", f"{_API}/paths-info/{{revision}}", info.paths_info),
    ("info", "GET", f"{_API}/commits/{{revision}}", info.commits),
    ("info", "GET", f"{_API}/refs", info.refs),
    ("info", "GET", f"{_API}/auth-check", info.may_read),
    ("info", "GET", f"{_API}/auth-check/write", info.may_write),
    ("settings", "PUT", f"{_API}/settings", change.settings),
    ("settings", "POST", f"{_API}/branch/{{branch}}", change.make_ref),
    ("settings", "DELETE", f"{_API}/branch/{{branch}}", change.drop_ref),
    ("settings", "POST", f"{_API}/tag/{{revision}}", change.make_ref),
    ("settings", "DELETE", f"{_API}/tag/{{revision}}", change.drop_ref),
    ("preupload", "POST", f"{_API}/preupload/{{revision}}", upload.preupload),
    ("upload", "GET", f"{_API}/xet-write-token/{{revision}}", upload.no_xet),
    ("commit", "POST", f"{_API}/commit/{{revision}}", change.commit),
    ("upload", "POST", f"/{{type:datasets}}/{_GIT}/batch", upload.batch),
    ("upload", "POST", f"/{{type:datasets}}/{_GIT}/verify", upload.verify),
    ("upload", "POST", f"/{_GIT}/batch", upload.batch),
    ("upload", "POST", f"/{_GIT}/verify", upload.verify),
    ("upload", "PUT", r"/storage/{key}/{number:\d+}", upload.put),
    ("upload", "POST", "/storage/{key}/complete", upload.complete),
    ("download", "GET HEAD", f"/{{type:datasets}}/{_FILE}", download.resolve),
    ("download", "GET HEAD", f"/{_FILE}", download.resolve),
    ("download", "GET HEAD", "/large/{sha256:[0-9a-f]{64}}", download.large),
]

STAGES = {handler: stage for stage, _, _, handler in ROUTES}

# Repositories without a namespace, of which this hub has none.
_ONE_NAME = re.compile(
    r"/(api/(models|datasets)/[^/]+(/(revision|tree|commits|paths-info)/.*)?|(datasets/)?[^/]+/resolve/.*)"
)


@web.middleware
async def through(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request: noted, met by a planned fault if there is one, and answered with the hub's own refusals."""
    state = state_of(request)
    stage = STAGES.get(request.match_info.handler, "")
    seen = _seen(request, stage)
    state.requests.append(seen)
    meeting = [planned for planned in state.faults if planned.meets(stage, request.method, request.path)]
    fault = meeting[0].fault if meeting else None
    seen.fault = type(fault).__name__ if fault else ""
    if isinstance(fault, Reset | Status | Redirect):
        await request.read()  # a client that still sends may see another error than one that waits
    if isinstance(fault, Reset):
        reset(request)
        return web.Response(status=499)
    if isinstance(fault, Status | Redirect):
        answer = fault.answer()
    else:
        request[FAULT] = fault
        answer = await _answered(request, handler)
    if isinstance(fault, LostAnswer):
        close(request)
        return answer
    seen.status = answer.status
    return await spoil(request, answer, fault) if fault else answer


async def _answered(request: web.Request, handler: Handler) -> web.Response:
    try:
        answer = await handler(request)
    except HubError as error:
        return _refusal(error)
    except web.HTTPException as nothing:  # a part of the API that this hub does not have
        if _ONE_NAME.fullmatch(request.path):
            return _refusal(RepoNotFound("Repository not found"))
        return _refusal(HubError(f"{request.path}: {nothing.reason}", status=nothing.status))
    if not isinstance(answer, web.Response):
        raise TypeError(f"{handler} must answer with a body of bytes")
    return answer


def _refusal(error: HubError) -> web.Response:
    return web.json_response({"error": error.message}, status=error.status, headers=error.headers)


def _seen(request: web.Request, stage: str) -> Seen:
    headers = {
        name: value for name, value in request.headers.items() if name not in ("Authorization", "Cookie")
    }
    seen = Seen(request.method, request.path, request.query_string, headers, stage)
    seen.authorized = "Authorization" in request.headers
    try:
        token = token_of(request)
    except Unauthorized:
        token = None
    seen.user = token.user if token else None
    return seen


class Server:
    """The hub behind two ports of this machine: the hub's own, and the storage's, for it is another origin."""

    def __init__(self, state: State, port: int = 0) -> None:
        self.state = state
        self._sockets = [_listening(port), _listening(0)]
        self.url, self.storage_url = (f"http://127.0.0.1:{found.getsockname()[1]}" for found in self._sockets)

    async def start(self) -> None:
        app = web.Application(middlewares=[through], client_max_size=2**40)
        app[SERVER] = self
        app[download.STORAGE] = self.storage_url
        for _, methods, path, handler in ROUTES:
            for method in methods.split():
                app.router.add_route(method, path, handler)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        for found in self._sockets:
            await web.SockSite(self._runner, found).start()

    async def stop(self) -> None:
        await self._runner.cleanup()


def _listening(port: int) -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", port))
    return found
