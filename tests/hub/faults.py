"""Things that go wrong on purpose: which requests they meet, and what happens to them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from aiohttp import web


@dataclass(frozen=True)
class Status:
    """This status instead of any work. `code` is the X-Error-Code, which clients choose their exception by."""

    status: int
    message: str = "planned fault"
    code: str | None = None
    retry_after: int | None = None  # seconds

    def answer(self) -> web.Response:
        headers = {"X-Error-Message": self.message}
        if self.code:
            headers["X-Error-Code"] = self.code
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return web.json_response({"error": self.message}, status=self.status, headers=headers)


@dataclass(frozen=True)
class Redirect:
    """Another address instead of any work."""

    location: str
    status: int = 302

    def answer(self) -> web.Response:
        return web.Response(status=self.status, headers={"Location": self.location})


@dataclass(frozen=True)
class Reset:
    """The connection is reset before anything is done or answered."""


@dataclass(frozen=True)
class LostAnswer:
    """The work is done, and the connection is closed instead of the answer."""


@dataclass(frozen=True)
class ResetMidway:
    """The connection is reset after `share` of the body."""

    share: float = 0.5


@dataclass(frozen=True)
class ClosedMidway:
    """The connection is closed, in good order but too early, after `share` of the body."""

    share: float = 0.5


@dataclass(frozen=True)
class Slow:
    """The body comes in `pieces`, with `pause` seconds before each."""

    pause: float = 0.1
    pieces: int = 5


@dataclass(frozen=True)
class WrongSize:
    """The body lacks its last `missing` bytes, and its Content-Length agrees with what is there."""

    missing: int = 1


@dataclass(frozen=True)
class Corrupt:
    """One byte of the body is another: on its way down, or on its way up to the large files' storage."""


Fault = Status | Redirect | Reset | LostAnswer | ResetMidway | ClosedMidway | Slow | WrongSize | Corrupt


@dataclass
class Planned:
    """`fault` for the matching requests `first` to `first + times - 1`, counted from 1; times=None: and all after.

    A request matches by its stage (whoami, info, download, card, create, settings, preupload, upload, commit), its
    method and its path, an fnmatch pattern; None matches everything. Of two faults the one planned first happens.
    """

    fault: Fault
    stage: str | None = None
    method: str | None = None
    path: str | None = None
    first: int = 1
    times: int | None = 1
    matched: int = field(default=0, init=False)  # requests so far

    def meets(self, stage: str, method: str, path: str) -> bool:
        """Whether this request, which is counted, meets the fault."""
        fits = (
            self.stage in (None, stage)
            and self.method in (None, method)
            and (self.path is None or fnmatchcase(path, self.path))
        )
        if fits:
            self.matched += 1
        return (
            fits
            and self.first <= self.matched
            and (self.times is None or self.matched < self.first + self.times)
        )

    @property
    def met(self) -> int:
        """How many requests met it."""
        past = max(0, self.matched - self.first + 1)
        return past if self.times is None else min(past, self.times)


async def spoil(request: web.Request, answer: web.Response, fault: Fault) -> web.StreamResponse:
    """What the client gets of `answer`; its body is bytes, as all of this hub's are."""
    body = answer.body if isinstance(answer.body, bytes) else b""
    match fault:
        case LostAnswer():
            close(request)
        case WrongSize(missing):
            return _with_body(answer, body[: len(body) - missing])
        case Corrupt() if body:
            return _with_body(answer, flipped(body))
        case ResetMidway(share) | ClosedMidway(share):
            stream = await _started(request, answer)
            await stream.write(body[: int(len(body) * share)])
            await asyncio.sleep(0.05)  # a reset overtakes what was sent just before
            (reset if isinstance(fault, ResetMidway) else close)(request)
            return stream
        case Slow(pause, pieces):
            stream = await _started(request, answer)
            step = -(-len(body) // pieces) or 1
            for start in range(0, len(body), step):
                await asyncio.sleep(pause)
                await stream.write(body[start : start + step])
            await stream.write_eof()
            return stream
    return answer


def reset(request: web.Request) -> None:
    """Cut the connection so that the other side sees a reset, not an end."""
    transport = request.transport
    if transport is not None:
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


def close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def flipped(body: bytes) -> bytes:
    """`body` with its middle byte changed."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]


def _with_body(answer: web.Response, body: bytes) -> web.Response:
    return web.Response(body=body, status=answer.status, headers=_headers(answer))


async def _started(request: web.Request, answer: web.Response) -> web.StreamResponse:
    stream = web.StreamResponse(status=answer.status, headers=_headers(answer))
    stream.content_length = len(answer.body) if isinstance(answer.body, bytes) else 0
    await stream.prepare(request)
    return stream


def _headers(answer: web.Response) -> Mapping[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "Content-Length"}
