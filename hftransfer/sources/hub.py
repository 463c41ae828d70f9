"""Datasets of the Hugging Face Hub, through `datasets.load_dataset`. No code of a dataset is ever run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from hftransfer.errors import DataError, Problem, RecipeError, did_you_mean, nearest
from hftransfer.sources.base import OF_PLAIN_TEXT, Source

if TYPE_CHECKING:
    import datasets

COMMIT = re.compile(r"@([0-9a-f]{40})/")


class HubSource(Source):
    """One configuration of a Hub dataset, cached where `datasets` caches."""

    kind = None
    remote = True
    foreign_settings = {"delimiter": "only csv and tsv files on disk have one", **OF_PLAIN_TEXT}

    def __init__(self, name: str, *, config: str | None = None, revision: str | None = None) -> None:
        """name: `owner/dataset`. config: one of its configurations. revision: branch, tag or commit."""
        super().__init__()
        self.name = name
        self.config = config
        self.revision = revision
        self._loaded: dict[str, datasets.Dataset] | None = None

    def describe(self) -> str:
        """The dataset's name, with configuration and revision where given."""
        config = f", config {self.config}" if self.config else ""
        revision = f", revision {self.revision}" if self.revision else ""
        return f"the Hub dataset {self.name}{config}{revision}"

    def check(self) -> None:
        """Nothing can be said without asking the Hub."""

    def load(self, columns: Collection[str] | None = None) -> dict[str, datasets.Dataset]:
        """See Source.load. Raises DataError.

        No such dataset, no such configuration, or the Hub is out of reach.
        """
        import datasets

        if self._loaded is None:
            try:
                found = datasets.load_dataset(self.name, name=self.config, revision=self.revision)
            except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
                raise self._explained(error) from error
            self._loaded = {str(split): rows for split, rows in found.items()}
        return dict(self._loaded)

    def fingerprint(self) -> str:
        """sha256 over name, configuration, splits, and the commits of the downloaded files (or, where the
        cache does not know them, the fingerprints of `datasets`).
        """
        whole = hashlib.sha256(f"{self.name}\0{self.config}\n".encode())
        for split, rows in sorted(self.load().items()):
            commits = sorted(set(COMMIT.findall(" ".join(rows.info.download_checksums or {}))))
            whole.update(f"{split}\0{len(rows)}\0{commits or rows._fingerprint}\n".encode())
        return whole.hexdigest()

    def _explained(self, error: Exception) -> DataError | RecipeError:
        """The failure in plain words: what was tried, and what to do."""
        available = re.search(r"(?:Available|available configs): (\[.*?\])", str(error), re.DOTALL)
        if available:
            names = re.findall(r"'([^']+)'", available[1])
            found = (
                f"{self.name} has no configuration `{self.config}`"
                if self.config
                else f"{self.name} has several"
            )
            hint = did_you_mean(self.config or "", names)
            return RecipeError(
                [Problem("data.config", found + (" configurations" if not self.config else ""), hint)]
            )
        if type(error).__name__ in ("DatasetNotFoundError", "RepositoryNotFoundError"):
            what = "the Hub has no such dataset, or it is private or gated and this account may not read it"
            todo = "check the name at https://huggingface.co/datasets, or log in with `hf auth login`"
        elif isinstance(error, ConnectionError) or "offline" in str(error).lower():
            what = "the Hub was not reached, and the dataset is not in the local cache"
            todo = "check the network (is HF_HUB_OFFLINE set?), or name a file or folder that is here"
        else:
            what, todo = f"it cannot be loaded: {error}", None
        near = nearest(
            self.name, [entry.name for entry in Path.cwd().iterdir() if not entry.name.startswith(".")]
        )
        if near:
            todo = (
                f"did you mean ./{near} here? otherwise: {todo}" if todo else f"did you mean ./{near} here?"
            )
        return DataError(
            f"{self.describe()}: {what} (and there is no file or folder {Path.cwd() / self.name})", hint=todo
        )
