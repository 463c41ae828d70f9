"""A real notebook kernel, asked cell by cell; what it shows is read as a front end would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client import BlockingKernelClient
from jupyter_core.utils import run_sync
from nbclient import NotebookClient

LONGEST = 240
"""Seconds that a cell may take."""


@dataclass
class Shown:
    """What a cell has shown: the last state of everything that was replaced, in order of appearance."""

    status: str
    texts: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    error: str = ""
    changes: int = 0

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


class Kernel:
    """A kernel in `folder`, in which `notebook` (empty, where there is none) has been run by nbclient already."""

    def __init__(self, folder: Path, notebook: Path | None = None) -> None:
        self.notebook = (
            nbformat.v4.new_notebook() if notebook is None else nbformat.read(notebook, as_version=4)
        )
        self._client = NotebookClient(
            self.notebook,
            timeout=LONGEST,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        )
        self._client.execute(cleanup_kc=False)
        self._asked = BlockingKernelClient(connection_file=self._client.km.connection_file)
        self._asked.load_connection_file()
        self._asked.start_channels()

    @property
    def process(self) -> int:
        return int(self._client.km.provisioner.process.pid)

    def interrupt(self) -> None:
        """As a front end's stop button."""
        run_sync(self._client.km.interrupt_kernel)()

    def close(self) -> None:
        self._asked.stop_channels()
        run_sync(self._client._async_cleanup_kernel)()

    def __call__(self, code: str, *, seen: Callable[[str], None] = lambda text: None) -> Shown:
        """Run a cell and wait for it. seen: is called with every plain text, as it comes."""
        places: dict[str, tuple[str, str]] = {}
        shown = Shown("")

        def take(message: dict[str, Any]) -> None:
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                places[str(len(places))] = (content["text"], "")
                seen(content["text"])
            elif kind == "error":
                shown.error = "\n".join(content["traceback"])
            elif "data" in content:
                data = content["data"]
                place = content.get("transient", {}).get("display_id", str(len(places)))
                shown.changes += kind == "update_display_data"
                places[place] = (data.get("text/plain", ""), data.get("text/html", ""))
                seen(data.get("text/plain", ""))

        reply = self._asked.execute_interactive(code, output_hook=take, timeout=LONGEST)
        shown.status = reply["content"]["status"]
        shown.texts = [text for text, _ in places.values()]
        shown.html = [html for _, html in places.values() if html]
        return shown
