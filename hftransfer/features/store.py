"""Features on disk, a folder for every backbone: found by what they were computed from, whole or not at all.

    CACHE/<backbone>/about.json               of what these are features, for people
    CACHE/<backbone>/<sha256>.safetensors     keys (N, 16) uint8, features (N, ...) float32; named by its own content

A file is written beside and renamed, and never changed: runs that share a folder at once do not meet, and a killed one
leaves the files that it had finished. A file whose content is not what its name says is removed, and said.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.errors import InputError
from hftransfer.files import beside, write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Keys = NDArray[np.uint8]
    Features = NDArray[np.float32]

FOLDER = "HFTRANSFER_CACHE"
SIZE = "HFTRANSFER_CACHE_GB"
DEFAULT_GB = 20.0
SUFFIX = ".safetensors"
ABOUT = "about.json"
NAME = re.compile("[0-9a-f]{32}")
"""What a folder of features is called."""
DIGEST = 16
"""Bytes of a key: a collision among a billion rows has a chance of 1e-21."""


_elsewhere: ContextVar[Path | None] = ContextVar("elsewhere", default=None)


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Meanwhile features are looked for, and kept, in `folder` and nowhere else."""
    token = _elsewhere.set(folder)
    try:
        yield
    finally:
        _elsewhere.reset(token)


def cache_folder() -> Path:
    """Where features are kept: $HFTRANSFER_CACHE, or hftransfer in $XDG_CACHE_HOME or ~/.cache."""
    other = _elsewhere.get()
    if other is not None:
        return other
    asked = os.environ.get(FOLDER)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(asked) if asked else home / "hftransfer") / "features"


def size_bound() -> int:
    """The most bytes that are kept after a run. Raises InputError for a $HFTRANSFER_CACHE_GB that is no number."""
    asked = os.environ.get(SIZE)
    try:
        return int((DEFAULT_GB if asked is None else float(asked)) * 1e9)
    except (ValueError, OverflowError):  # not a number, not finite
        raise InputError(f"{SIZE} is {asked!r}, which is no number of gigabytes", hint=f"{SIZE}=20") from None


@dataclass(frozen=True)
class FeatureStore:
    """The features of one backbone, by the keys of rows."""

    folder: Path

    def read(self, keys: Keys) -> tuple[Features | None, NDArray[np.bool_], tuple[str, ...]]:
        """(features (N, ...), zero where there are none, or None where there are none at all; which of the N rows have
        them; sentences about files that were damaged, and are removed).

        keys: (N, 16) of the rows asked for, which may repeat.
        """
        import numpy as np
        from safetensors.numpy import load

        wanted = _as_one(keys)
        found = np.zeros(len(keys), dtype=bool)
        features: Features | None = None
        damaged = []
        for file in self.files():
            try:
                content = file.read_bytes()
            except FileNotFoundError:
                continue  # another run has made room, or found it damaged
            if hashlib.sha256(content).hexdigest() != file.stem:
                with suppress(OSError):
                    file.unlink(missing_ok=True)
                damaged.append(f"cached features in {file.name} were damaged: they are computed again")
                continue
            tensors = load(content)
            held = _as_one(tensors["keys"])
            order = np.argsort(held)
            places = np.searchsorted(held[order], wanted).clip(max=len(held) - 1)
            hits = (held[order[places]] == wanted) & ~found
            if not hits.any():
                continue
            if features is None:
                features = np.zeros((len(keys), *tensors["features"].shape[1:]), np.float32)
            features[hits] = tensors["features"][order[places[hits]]]
            found |= hits
        self.touch()
        return features, found, tuple(damaged)

    def known(self, keys: Keys) -> NDArray[np.bool_]:
        """Which of the rows with these keys, (N, 16), have some; only looks, so damaged files count as well."""
        import numpy as np
        from safetensors import SafetensorError, safe_open

        wanted, found = _as_one(keys), np.zeros(len(keys), dtype=bool)
        for file in self.files():
            with suppress(OSError, SafetensorError), safe_open(file, "numpy") as tensors:
                found |= np.isin(wanted, _as_one(tensors.get_tensor("keys")))
        return found

    def touch(self) -> None:
        """Say that it is used now."""
        with suppress(OSError):  # it may be there and another user's, to be read alone
            os.utime(self.folder)

    def write(self, keys: Keys, features: Features) -> None:
        """Keep the features (N, ...) of N rows. Raises InputError where the folder takes no more."""
        import numpy as np
        from safetensors.numpy import save

        if len(keys):
            # safetensors writes memory as it lies, and that of images may not lie in the order of its axes.
            self.put(save({"keys": keys, "features": np.ascontiguousarray(features)}))

    def put(self, content: bytes) -> Path:
        """Keep a file of this content; returns where. Raises InputError where the folder takes no more."""
        final = self.folder / f"{hashlib.sha256(content).hexdigest()}{SUFFIX}"
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            new = beside(final, f"{os.getpid()}.new")
            with new.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(final)
        return final

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"what the backbone says cannot be kept in {self.folder}: {error.strerror or error}",
                hint=f"free some space (hftransfer cache clear), give another folder ({FOLDER}=...), or write "
                "training.cache_features: false",
                key="training.cache_features",
            ) from error

    @property
    def about(self) -> dict[str, Any]:
        """What was said of them when they were made."""
        try:
            told = json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def describe(self, about: Mapping[str, Any]) -> None:
        """Say of what these are features. Raises InputError where the folder takes no more."""
        with self._writing():
            write_json(self.folder / ABOUT, about)

    @property
    def rows(self) -> int:
        """How many rows there are features of: one that two runs computed at once counts twice, a damaged file none."""
        from safetensors import SafetensorError, safe_open

        count = 0
        for file in self.files():
            with suppress(OSError, SafetensorError), safe_open(file, "numpy") as tensors:
                count += tensors.get_slice("keys").get_shape()[0]
        return count

    @property
    def used(self) -> float:
        """When they were last used, in seconds since 1970."""
        return self.folder.stat().st_mtime

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.files())

    def files(self) -> list[Path]:
        """Those that are whole, or were when they were written."""
        return sorted(self.folder.glob(f"[!.]*{SUFFIX}")) if self.folder.is_dir() else []


def _as_one(keys: Keys) -> NDArray[np.void]:
    """(N, 16) bytes as N values that can be sorted and compared."""
    import numpy as np

    # Two numbers, since numpy's strings of bytes end at a zero.
    return np.ascontiguousarray(keys).view([("a", "<u8"), ("b", "<u8")]).reshape(-1)


def stores(folder: Path | None = None) -> Iterator[FeatureStore]:
    """All that is kept, what was used last first. Folders that are called otherwise are another's, and left alone."""
    root = folder or cache_folder()
    found = [path for path in root.iterdir() if NAME.fullmatch(path.name)] if root.is_dir() else []
    yield from (FeatureStore(path) for path in sorted(found, key=lambda one: -one.stat().st_mtime))


def evict(bound: int | None = None) -> int:
    """Remove what was used least recently until at most `bound` bytes are left; returns the bytes removed.

    What was used last is kept whatever its size: a run that cannot keep its own features gains nothing from others'.
    """
    most = size_bound() if bound is None else bound
    kept = removed = 0
    for number, store in enumerate([*stores()]):
        size = store.size
        if number and kept + size > most:
            shutil.rmtree(store.folder, ignore_errors=True)
            removed += size
        else:
            kept += size
    return removed


def clear() -> int:
    """Remove all that is kept; returns its bytes."""
    removed = 0
    for store in [*stores()]:
        removed += store.size
        shutil.rmtree(store.folder, ignore_errors=True)
    return removed
