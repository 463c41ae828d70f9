"""Writing so that a kill at any instant leaves the old file or the new one, whole: beside, then renamed."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(final: Path) -> Iterator[Path]:
    """A new folder beside `final` to write into, renamed to `final` on leaving without an error.

    The writer may remove the new folder again: then nothing is replaced.
    """
    new, old = beside(final, "new"), beside(final, "old")
    if old.exists() and not final.exists():
        old.rename(final)  # an earlier process was killed between its two renames
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if not new.exists():
        return
    if final.exists():
        shutil.rmtree(old, ignore_errors=True)
        final.rename(old)
    new.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def is_beside(path: Path) -> bool:
    """Whether this is something half-written that a killed process has left."""
    return path.name.startswith(".") and path.suffix in (".new", ".old")


def beside(path: Path, word: str) -> Path:
    return path.with_name(f".{path.name}.{word}")


def write_text(path: Path, text: str) -> None:
    """Write beside, then rename: readers see the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = beside(path, "new")
    with new.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")


def plain(value: Any) -> Any:
    """As JSON can hold it: not-a-number becomes null, tuples lists, paths text."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def sha256(file: Path) -> str:
    """The file's digest in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
