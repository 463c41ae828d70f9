"""Which files of a run are published. What is not named here stays at home."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hftransfer.errors import InputError, RunDirectoryError
from hftransfer.files import sha256
from hftransfer.locate import ADAPTER, MODEL_CARD
from hftransfer.recipe import Weights
from hftransfer.run_directory import RunDirectory

WEIGHTS = (".safetensors", ".skops")
SUFFIXES = (*WEIGHTS, ".json", ".txt", ".model", ".spm", ".jinja")
"""What transformers, sentence-transformers, PEFT and skops write, none of which can run code; and the card beside."""
STALE = (
    "*.safetensors",
    "*.safetensors.index.json",
    "*.skops",
    "*.bin",
    "*.bin.index.json",
    "*.h5",
    "*.msgpack",
    "*.ot",
)
"""Weights, of whatever library: those of an older model would be loaded instead of, or beside, the new ones."""
LOADED = ("adapter_config.json", "head.json", "modules.json")
"""Where one of these lies at the root, libraries load what it names: an older model's must go with its weights."""


@dataclass(frozen=True)
class File:
    """path: in the repository. local: where its bytes are; or `text`, of what is made for the occasion."""

    path: str
    local: Path | None = None
    text: str | None = None

    @cached_property
    def size(self) -> int:
        """Bytes."""
        return len(self._bytes) if self.local is None else self.local.stat().st_size

    @cached_property
    def sha256(self) -> str:
        """As LFS names it."""
        return hashlib.sha256(self._bytes).hexdigest() if self.local is None else sha256(self.local)

    @cached_property
    def blob(self) -> str:
        """As git names it."""
        found = hashlib.sha1(b"blob %d\0" % self.size)
        found.update(self._bytes if self.local is None else self.local.read_bytes())
        return found.hexdigest()

    def open(self) -> BinaryIO:
        """Its bytes, as huggingface_hub uploads by plain HTTP. What it is given by path it hands to another program's
        code (hf_xet) wherever that is installed, be there such a storage or not, and what fails there is not told."""
        return BytesIO(self._bytes) if self.local is None else self.local.open("rb")

    @property
    def _bytes(self) -> bytes:
        return (self.text or "").encode()


def chosen(run_dir: RunDirectory, weights: Weights | None) -> Weights:
    """Which weights of a finished run are published: what was asked for; else both, where others can load its adapter.

    Raises InputError for an adapter that is not there, or that nobody else could load.
    """
    why_none = _no_adapter(run_dir)
    if weights in ("adapter", "both") and why_none:
        raise InputError(why_none, hint="leave --weights out: the whole model is pushed")
    return weights or ("merged" if why_none else "both")


def contents(run_dir: RunDirectory, weights: Weights) -> tuple[list[File], list[str]]:
    """(the files of a finished run that are published, what in its folders is not and why).

    weights: `merged` is the whole model at the root; `adapter` the PEFT adapter there instead; `both` the model at the
    root and the adapter in its folder. Raises RunDirectoryError where there are none.
    """
    folders = {
        "merged": [(run_dir.model, "")],
        "adapter": [(run_dir.adapter, "")],
        "both": [(run_dir.model, ""), (run_dir.adapter, f"{ADAPTER}/")],
    }[weights]
    why_none = _no_adapter(run_dir)
    files: list[File] = []
    left = [f"{run_dir.adapter.name}: {why_none}"] if run_dir.adapter.is_dir() and why_none else []
    for folder, prefix in folders:
        some, others = _in(folder, prefix)
        files += some
        left += others
    if weights == "adapter":
        # Of the model beside it: what reads texts or images, without which an adapter is no use.
        known = {file.path for file in files}
        files += [file for file in _in(run_dir.model, "")[0] if _reads(file.path) and file.path not in known]
    if not any(file.path.endswith(WEIGHTS) for file in files):
        raise RunDirectoryError(
            f"there are no weights in {run_dir.path}", hint="did the run finish? look for its result.json"
        )
    facts = [File(path.name, path) for path in (run_dir.recipe, run_dir.result) if path.is_file()]
    return files + facts + ([_without_examples(run_dir.data)] if run_dir.data.is_file() else []), left


def _without_examples(data: Path) -> File:
    """What is known of the data, without the rows that lint shows: nobody asked for those to be published."""
    facts = json.loads(data.read_text(encoding="utf-8"))
    if not any(one.pop("examples", None) for one in facts.get("lint", ())):
        return File(data.name, data)
    return File(data.name, text=json.dumps(facts, ensure_ascii=False, indent=2) + "\n")


def _in(folder: Path, prefix: str) -> tuple[list[File], list[str]]:
    """(the files of a model's folder, what else is there and why it is not taken)."""
    files, left = [], []
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        inside = path.relative_to(folder).as_posix()
        why_not = _why_not(path, inside)
        if why_not:
            left.append(f"{folder.name}/{inside}: {why_not}")
        elif not (prefix and inside == MODEL_CARD):  # one card, at the root; PEFT writes one of its own
            files.append(File(prefix + inside, path))
    return files, left


def _no_adapter(run_dir: RunDirectory) -> str | None:
    """Why there is no adapter that others can load; None where there is."""
    config = run_dir.adapter / "adapter_config.json"
    if not config.is_file():
        return f"the run in {run_dir.path} has no adapter"
    base = str(json.loads(config.read_text(encoding="utf-8")).get("base_model_name_or_path"))
    if Path(base).is_absolute():  # as folders are in a finished run
        return f"the adapter's base checkpoint, {base}, is on this machine alone: nobody else could load it"
    return None


def _why_not(path: Path, inside: str) -> str | None:
    if path.is_symlink():
        return "a link"
    if not path.is_file():
        return "not a file"
    if any(part.startswith(".") for part in PurePosixPath(inside).parts):
        return "hidden"
    if path.suffix not in SUFFIXES and inside != MODEL_CARD:
        return "not a file of a model"
    return None


def _reads(name: str) -> bool:
    """Whether a model's file belongs to its tokenizer or processor."""
    return name == MODEL_CARD or not (
        name.startswith(("model", "config.json", "generation_config")) or name in LOADED
    )


def is_stale(path: str, new: set[str]) -> bool:
    """Whether a file of the repository, which is not among the new ones, belongs to an older model."""
    if path in new:
        return False
    name = PurePosixPath(path).name
    return name in LOADED or any(PurePosixPath(name).match(pattern) for pattern in STALE)
