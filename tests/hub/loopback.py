"""The hub for tests: a server in a thread, its state within reach, and the surroundings of a client process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from hub.blobs import Blobs
from hub.faults import Fault, Planned
from hub.repository import Repository
from hub.server import Server
from hub.state import Seen, State

USER = "me"


class LoopbackHub:
    """`url` is what HF_ENDPOINT names, `token` a write token of the user "me".

    with LoopbackHub() as hub:
        hub.create_repo("me/x", {"config.json": b"{}"})
        hub.plan(Status(503), stage="download", times=2)
        done = hub.python("from huggingface_hub import ...", home=tmp_path)
        assert len(hub.repo("me/x").commits) == 2
    """

    def __init__(self, port: int = 0) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="loopback-hub-")
        self._server = Server(self._fresh(), port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loopback-hub", daemon=True)

    def __enter__(self) -> LoopbackHub:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(timeout=10)
        self.clear()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()
        self._folder.cleanup()

    def clear(self) -> None:
        """As new: no repositories, no requests, no faults, one user with other tokens than before."""
        self._server.state = self._fresh()
        self.token = self.state.add_token(USER)
        self.read_token = self.state.add_token(USER, "read")

    def _fresh(self) -> State:
        return State(Blobs(Path(tempfile.mkdtemp(dir=self._folder.name))))

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def state(self) -> State:
        return self._server.state

    @property
    def requests(self) -> list[Seen]:
        return self.state.requests

    def seen(self, *, stage: str | None = None, method: str | None = None) -> list[Seen]:
        """The requests so far, in order, of one stage or one method."""
        return [one for one in self.requests if stage in (None, one.stage) and method in (None, one.method)]

    def add_user(self, name: str, role: str = "write") -> str:
        """A token of this user."""
        return self.state.add_token(name, role)

    def add_organisation(self, name: str, *members: str) -> None:
        self.state.organisations[name] = set(members)

    def create_repo(
        self,
        id: str,
        files: Mapping[str, bytes] | Path | None = None,
        *,
        type: str = "model",
        private: bool = False,
        gated: str | bool = False,
    ) -> Repository:
        """Its main has the hub's own first commit and, with `files` (a folder, or path -> content), one more."""
        made = self.state.create(type, id, private=private, gated=gated)
        if files is not None:
            self.add_files(made, files)
        return made

    def add_files(
        self,
        repository: Repository,
        files: Mapping[str, bytes] | Path,
        *,
        title: str = "Add files",
        revision: str = "main",
    ) -> str:
        """One more commit; its hash."""
        return self.state.add_files(repository, files, title=title, revision=revision)

    def repo(self, id: str, *, type: str = "model") -> Repository:
        return self.state.repository(type, id)

    def content(self, id: str, path: str, *, type: str = "model", revision: str = "main") -> bytes:
        _, file = self.repo(id, type=type).file(revision, path)
        return self.state.content(file)

    def plan(
        self,
        fault: Fault,
        *,
        stage: str | None = None,
        method: str | None = None,
        path: str | None = None,
        first: int = 1,
        times: int | None = 1,
    ) -> Planned:
        """`fault` for the `first` matching request and the following, `times` in all; see Planned."""
        planned = Planned(fault, stage, method, path, first, times)
        self.state.faults.append(planned)
        return planned

    def environment(self, home: Path, *, token: str | None = "", xet: bool = False) -> dict[str, str]:
        """The variables of a client process that knows this hub only, with `home` as its HF_HOME.

        token: "" is the hub's own write token, None is none at all. xet: leave hf_xet on, with which large files
        cannot be uploaded here.
        """
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HF_", "HUGGING_FACE_", "HUGGINGFACE_", "TRANSFORMERS_"))
            and not name.lower().endswith("_proxy")
        }
        given = self.token if token == "" else token
        return {
            **kept,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            **({"HF_TOKEN": given} if given else {}),
            **({} if xet else {"HF_HUB_DISABLE_XET": "1"}),
        }

    def python(
        self,
        code: str,
        *arguments: object,
        home: Path,
        token: str | None = "",
        xet: bool = False,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """`python -c code arguments...` as a client of this hub, in the folder `home`."""
        return self.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            home=home,
            token=token,
            xet=xet,
            timeout=timeout,
        )

    def run(
        self,
        command: Sequence[str],
        *,
        home: Path,
        token: str | None = "",
        xet: bool = False,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        environment = self.environment(home, token=token, xet=xet)
        return subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
