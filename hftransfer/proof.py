"""The reload proof: the artefact, loaded in a fresh process the way a user would, gives the same outputs.

`prove` writes a probe (a few real rows) into a temporary folder and starts `python -m hftransfer.proof FOLDER`;
that process knows nothing of the training. It loads the artefact by transformers' auto classes, by
`transformers.pipeline`, and, where there is an adapter, by `peft.PeftModel` on the base checkpoint, under another
seed, and prints what each of them says of the rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hftransfer.errors import ReloadError
from hftransfer.registry import TASKS
from hftransfer.tasks.base import Task

TOLERANCE = 1e-3
"""Largest difference of a logit or a score, relative to the largest logit (at least 1). Merging an adapter in
float32 moves logits by about 1e-6; a head that was lost moves them by 1e-2 to 3."""
ROWS = 16


@dataclass(frozen=True)
class Artefact:
    """What is to be proven. adapter: its folder, or None. base: what the adapter's model is loaded from."""

    model: Path
    adapter: Path | None
    base: str
    revision: str | None


def prove(
    artefact: Artefact,
    task: Task,
    rows: Sequence[Mapping[str, Any]],
    logits: NDArray[np.float32],
    labels: Sequence[str],
    limit: int | None,
) -> dict[str, Any]:
    """Compare the reloaded artefact's outputs with `logits` (N, C), the trained model's own for `rows`.

    Returns {"max_difference", "rows", "ways": {way: difference}}. Raises ReloadError when one differs, naming it.
    """
    with tempfile.TemporaryDirectory(prefix="hftransfer-proof-") as folder:
        probe = _write_probe(Path(folder), artefact, task, rows, labels, limit)
        answers = _ask(probe)
    expected = {"logits": logits.astype(np.float64), "scores": task.decode(logits).scores}
    scale = max(1.0, float(np.abs(logits).max()))
    differences = {
        way: float(np.abs(np.asarray(answer["values"]) - expected[answer["kind"]]).max() / scale)
        for way, answer in answers.items()
    }
    wrong = [way for way, difference in differences.items() if not difference <= TOLERANCE]
    if wrong:
        shown = ", ".join(f"{way} by {differences[way]:.2g}" for way in wrong)
        raise ReloadError(
            f"the saved model does not give the trained model's outputs: {shown} (bound {TOLERANCE:g})",
            hint=f"the files are in {artefact.model.parent}; please report this with its recipe.yaml",
        )
    return {"max_difference": max(differences.values()), "rows": len(rows), "ways": differences}


def _write_probe(
    folder: Path,
    artefact: Artefact,
    task: Task,
    rows: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
    limit: int | None,
) -> Path:
    inputs = [{role: row[role] for role in task.inputs if role in row} for row in rows]
    for index, row in enumerate(inputs):
        if "image" in row:
            value, _ = task.pipeline_input(row)
            value.save(folder / f"{index}.png")
            row["image"] = str(folder / f"{index}.png")
    probe = {
        "model": str(artefact.model.resolve()),
        "adapter": str(artefact.adapter.resolve()) if artefact.adapter else None,
        "base": artefact.base,
        "revision": artefact.revision,
        "task": task.model_dump(mode="json"),
        "labels": list(labels),
        "limit": limit,
        "rows": inputs,
    }
    (folder / "probe.json").write_text(json.dumps(probe), encoding="utf-8")
    return folder


def _ask(probe: Path) -> dict[str, Any]:
    # A launcher's variables would make the fresh process join the training's process group.
    launcher = (
        "RANK",
        "LOCAL_RANK",
        "WORLD_SIZE",
        "LOCAL_WORLD_SIZE",
        "MASTER_ADDR",
        "MASTER_PORT",
        "GROUP_RANK",
    )
    environment = {key: value for key, value in os.environ.items() if key not in launcher}
    # On the CPU, where float32 means float32: the question is whether the files are right.
    environment["CUDA_VISIBLE_DEVICES"] = ""
    done = subprocess.run(
        [sys.executable, "-m", "hftransfer.proof", str(probe)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
        raise ReloadError(f"the saved model cannot be loaded in a fresh process: {last}")
    answers: dict[str, Any] = json.loads((probe / "answers.json").read_text(encoding="utf-8"))
    return answers


def answer(folder: Path) -> dict[str, Any]:
    """What the artefact says of the probe's rows; runs in the fresh process."""
    import torch
    import transformers

    probe = json.loads((folder / "probe.json").read_text(encoding="utf-8"))
    torch.manual_seed(int.from_bytes(os.urandom(4), "little"))
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    task: Task = TASKS.get(probe["task"]["name"]).model_validate(probe["task"])
    auto_class = getattr(transformers, task.model_class)
    processor = getattr(transformers, task.processor_class).from_pretrained(probe["model"])
    model = auto_class.from_pretrained(probe["model"])
    answers = {task.model_class: {"kind": "logits", "values": _logits(model, task, processor, probe)}}
    pipe = transformers.pipeline(task.name, model=probe["model"], device="cpu")
    answers["pipeline"] = {"kind": "scores", "values": _pipeline_scores(pipe, task, probe)}
    if probe["adapter"]:
        import peft

        where = {"revision": probe["revision"]} if probe["revision"] else {}
        base = auto_class.from_pretrained(
            probe["base"],
            num_labels=len(probe["labels"]),
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
            **where,
        )
        adapted = peft.PeftModel.from_pretrained(base, probe["adapter"]).eval()
        answers["PeftModel"] = {"kind": "logits", "values": _logits(adapted, task, processor, probe)}
    return answers


def _logits(model: Any, task: Task, processor: Any, probe: Mapping[str, Any]) -> list[list[float]]:
    import datasets
    import torch

    rows = datasets.Dataset.from_list(probe["rows"])
    examples = task.encode(rows, processor, limit=probe["limit"], name="probe")
    with torch.inference_mode():
        return [
            model(**task.collate([examples[index]], processor)).logits[0].tolist()
            for index in range(len(examples))
        ]


def _pipeline_scores(pipe: Any, task: Task, probe: Mapping[str, Any]) -> list[list[float]]:
    answers = []
    for row in probe["rows"]:
        value, options = task.pipeline_input(row)
        said = {one["label"]: one["score"] for one in pipe(value, top_k=len(probe["labels"]), **options)}
        answers.append([said[label] for label in probe["labels"]])
    return answers


def main() -> None:
    """`python -m hftransfer.proof FOLDER`: answer the probe that lies there."""
    folder = Path(sys.argv[1])
    (folder / "answers.json").write_text(json.dumps(answer(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
