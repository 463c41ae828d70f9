"""A folder of tensors that is complete or counts as not there, and in which damage is found.

<group>.safetensors    name -> tensor, a file for each group
manifest.json          facts, and the sha256 of every other file; written last
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.errors import RunDirectoryError
from hftransfer.files import beside, replacing, sha256, write_json

if TYPE_CHECKING:
    from torch import Tensor

MANIFEST = "manifest.json"


def write_tensors(final: Path, groups: Mapping[str, Mapping[str, Tensor]], facts: Mapping[str, Any]) -> None:
    """Write groups (file name -> name -> tensor) and facts (JSON) beside `final`, then rename the folder there."""
    from safetensors.torch import save_file  # imports torch, which finding a run's files does not need

    with replacing(final) as folder:
        for name, group in groups.items():
            tensors = {key: tensor.cpu() for key, tensor in group.items()}
            save_file(tensors, folder / f"{name}.safetensors")
        hashes = {file.name: sha256(file) for file in sorted(folder.iterdir())}
        write_json(folder / MANIFEST, {"facts": dict(facts), "sha256": hashes})


def read_tensors(final: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None:
    """What `write_tensors` wrote, or None when there is no complete folder.

    Raises RunDirectoryError when a file of a complete folder has been changed since.
    """
    places = (final, beside(final, "new"), beside(final, "old"))  # a kill may have come between two renames
    folder = next((place for place in places if (place / MANIFEST).is_file()), None)
    if folder is None:
        return None
    from safetensors.torch import load_file

    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for name, digest in manifest["sha256"].items():
        if not (folder / name).is_file() or sha256(folder / name) != digest:
            raise RunDirectoryError(
                f"{folder / name} is damaged: not the bytes that were written", hint="start the run anew"
            )
    tensors = {Path(name).stem: load_file(folder / name) for name in manifest["sha256"]}
    return tensors, manifest["facts"]
