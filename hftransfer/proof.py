"""The reload proof: the artefact, loaded in a fresh process the way a user would, gives the same outputs.

`prove` writes a probe (a few real rows) into a temporary folder and names it to `python -m hftransfer.proof`, or to a
child of one that is there (see `fresh`): it knows nothing of the training. It loads the artefact by transformers'
auto classes, by `transformers.pipeline`, and, where there is an adapter, by `peft.PeftModel` on the base checkpoint,
under another seed, and writes down what each of them says of the rows.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hftransfer.checkpoint import load_model
from hftransfer.errors import ReloadError
from hftransfer.fresh import FreshProcess
from hftransfer.heads import sentence_transformers
from hftransfer.heads.folder import load_artefact
from hftransfer.heads.model import PooledModel
from hftransfer.locate import HEAD
from hftransfer.registry import TASKS
from hftransfer.stem import serve
from hftransfer.tasks.base import LABELS, Examples, Task
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.training.compute import CPU_THREADS, threads

TOLERANCE = 1e-3
"""Largest difference of a logit or a score, relative to the largest logit (at least 1). Merging an adapter in
float32 moves logits by about 1e-6; a head that was lost moves them by 1e-2 to 3."""
ROWS = 16
HALF = max(1, CPU_THREADS // 2)
"""Threads of each of the two processes: on more than there are cores, they wait for one another."""


@dataclass(frozen=True)
class Artefact:
    """What is to be proven. adapter: its folder, or None. base: what the adapter's model is loaded from."""

    model: Path
    adapter: Path | None
    base: str
    revision: str | None


def prove(
    artefact: Artefact, task: Task, rows: Any, model: Any, pretrained: Pretrained, fresh: FreshProcess
) -> dict[str, Any]:
    """Compare what the reloaded artefact says of `rows` (a datasets.Dataset) with what `model`, the trained one, says.

    model: on the CPU, in evaluation mode. fresh: what reloads it.
    Returns {"max_difference", "rows", "ways": {way: difference}}. Raises ReloadError when one differs, naming it.
    """
    imports = ["peft"] * (artefact.adapter is not None)
    imports += ["sentence_transformers"] * (artefact.model / HEAD).is_file()
    with tempfile.TemporaryDirectory(prefix="hftransfer-proof-") as folder:
        told = fresh.ask(_write_probe(Path(folder), artefact, task, rows, pretrained), imports=imports)
        with threads(HALF):
            arrays, evidence, examples = one_by_one(model, task, rows, pretrained)
        answers = told()
    said = task.decode(arrays, examples, rows, task.as_piped(pretrained)).answers
    expected = {
        "arrays": [array.tolist() for array in evidence],
        "features": features_of(model, task, examples, pretrained),
        "answers": [task.expected(answer, pretrained.labels) for answer in said],
    }
    scale = max([1.0, *(float(np.abs(array).max(initial=0)) for array in evidence)])
    differences = {
        way: difference(answer["values"], expected[answer["kind"]]) / scale for way, answer in answers.items()
    }
    wrong = [way for way, difference in differences.items() if not difference <= TOLERANCE]
    if wrong:
        shown = ", ".join(f"{way} by {differences[way]:.2g}" for way in wrong)
        raise ReloadError(
            f"the saved model does not give the trained model's outputs: {shown} (bound {TOLERANCE:g})",
            hint=f"the files are in {artefact.model.parent}; please report this with its recipe.yaml",
        )
    return {"max_difference": max(differences.values()), "rows": len(rows), "ways": differences}


def difference(one: Any, other: Any) -> float:
    """The largest difference between the numbers of two pieces of JSON; infinite where anything else differs.

    Rows of which one side says nothing (None) are not compared.
    """
    if one is None or other is None:
        return 0.0
    if isinstance(one, bool | str) or isinstance(other, bool | str):
        return 0.0 if one == other else math.inf
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return max((difference(one[key], other[key]) for key in one), default=0.0)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return max((difference(*pair) for pair in zip(one, other, strict=True)), default=0.0)
    if isinstance(one, int | float) and isinstance(other, int | float):
        apart = 0.0 if one == other else abs(float(one) - float(other))
        return math.inf if math.isnan(apart) else apart
    return math.inf


def one_by_one(
    model: Any, task: Task, rows: Any, pretrained: Pretrained
) -> tuple[list[NDArray[Any]], list[NDArray[Any]], Examples]:
    """(what is kept of a model's outputs for every example, what is compared of them, the examples): each alone, so
    without padding."""
    import torch

    examples = task.encode(rows, pretrained, name="probe")
    arrays: list[NDArray[Any]] = []
    evidence: list[NDArray[Any]] = []
    with torch.inference_mode():
        for index in range(len(examples)):
            batch = task.collate([examples[index]], pretrained)
            output = task.run(model, batch, pretrained)
            arrays += task.outputs(output, batch)
            evidence += task.evidence(output, batch)
    return arrays, evidence, examples


def features_of(model: Any, task: Task, examples: Examples, pretrained: Pretrained) -> list[list[float]]:
    """What a head of another kind stands on, of every example alone; nothing for other models."""
    import torch

    if not isinstance(model, PooledModel):
        return []
    found = []
    with torch.inference_mode():
        for index in range(len(examples)):
            batch = task.collate([examples[index]], pretrained)
            inputs = {name: value for name, value in batch.items() if name != LABELS}
            found.append(model.seen(inputs)[0].tolist())
    return found


def _write_probe(folder: Path, artefact: Artefact, task: Task, rows: Any, pretrained: Pretrained) -> Path:
    import pyarrow.parquet as pq

    # By hand: `Dataset.to_parquet` shows a progress bar.
    pq.write_table(rows.with_format("arrow")[:], folder / "rows.parquet")
    probe = {
        "model": str(artefact.model.resolve()),
        "adapter": str(artefact.adapter.resolve()) if artefact.adapter else None,
        "base": artefact.base,
        "revision": artefact.revision,
        "task": task.model_dump(mode="json"),
        "labels": list(pretrained.labels),
        "limit": pretrained.limit,
    }
    (folder / "probe.json").write_text(json.dumps(probe), encoding="utf-8")
    return folder


def answer(folder: Path) -> dict[str, Any]:
    """What the artefact says of the probe's rows; runs in the fresh process."""
    import datasets
    import pyarrow.parquet as pq
    import torch
    import transformers
    from datasets.table import InMemoryTable
    from transformers.pipelines import SUPPORTED_TASKS

    probe = json.loads((folder / "probe.json").read_text(encoding="utf-8"))
    rows = datasets.Dataset(InMemoryTable(pq.read_table(folder / "rows.parquet")))
    torch.manual_seed(int.from_bytes(os.urandom(4), "little"))
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    task: Task = TASKS.get(probe["task"]["name"]).model_validate(probe["task"])
    processor = getattr(transformers, task.processor_class).from_pretrained(probe["model"])
    model = load_artefact(Path(probe["model"]), task.model_class).eval()
    pretrained = Pretrained(processor, model.config, probe["limit"])

    def arrays(of: Any) -> dict[str, Any]:
        return {
            "kind": "arrays",
            "values": [array.tolist() for array in one_by_one(of, task, rows, pretrained)[1]],
        }

    if (Path(probe["model"]) / HEAD).is_file():
        ours = arrays(model)
        theirs = sentence_transformers.encoded(model, Path(probe["model"]), rows)
        if theirs is None or len(ours["values"]) > len(rows):  # windows of long texts are ours alone
            return {"hftransfer": ours}
        return {"hftransfer": ours, "sentence_transformers": theirs}
    answers = {task.model_class: arrays(model)}
    if task.name in SUPPORTED_TASKS:
        pipe = transformers.pipeline(task.name, model=probe["model"], device="cpu")
        said = [task.ask(pipe, row, probe["labels"]) for row in rows]
        answers["pipeline"] = {"kind": "answers", "values": said}
    if probe["adapter"]:
        import peft

        where: dict[str, Any] = {"revision": probe["revision"]} if probe["revision"] else {}
        config = transformers.AutoConfig.from_pretrained(probe["base"], trust_remote_code=False, **where)
        for key, value in task.head_config(probe["labels"]).items():
            setattr(config, key, value)
        where["trust_remote_code"] = False
        base, _, _ = load_model(task.model_class, probe["base"], config, where)
        answers["PeftModel"] = arrays(peft.PeftModel.from_pretrained(base, probe["adapter"]).eval())
    return answers


def main() -> None:
    """`python -m hftransfer.proof`: answer about the probes in the folders that standard input names; see `stem`."""
    import datasets  # noqa: F401  # all that takes long, before there is anything to read
    import transformers.pipelines  # noqa: F401

    def answered(folder: Path) -> dict[str, Any]:
        with threads(HALF):
            return answer(folder)

    serve(answered)


if __name__ == "__main__":
    main()
