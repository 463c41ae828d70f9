"""A finished artefact, loaded to say something about rows: what `predict` and `evaluate` are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate import Accelerator

from hftransfer.checkpoint import quiet
from hftransfer.errors import RunDirectoryError
from hftransfer.heads.folder import load_artefact
from hftransfer.tasks.base import Task
from hftransfer.tasks.predictions import Predictions
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.training.evaluation import run_model


class Predictor:
    """The model in a folder, its processor and its labels, on the best device there is."""

    def __init__(self, folder: Path, task: Task, *, limit: int | None) -> None:
        """folder: as `save_pretrained` wrote it. limit: the most tokens the model takes. Raises RunDirectoryError."""
        if not (folder / "config.json").is_file():
            raise RunDirectoryError(
                f"there is no model in {folder}", hint="did the run finish? look for its result.json"
            )
        with quiet():
            model = load_artefact(folder, task.model_class)
            processor = getattr(transformers, task.processor_class).from_pretrained(folder)
        model.to(memory_format=torch.channels_last)  # as in load_checkpoint
        self.task = task
        self.pretrained = Pretrained(processor, model.config, limit)
        self.compute = Accelerator()
        self.model = self.compute.prepare_model(model, evaluation_mode=True)

    def predict(
        self,
        rows: Any,
        *,
        batch_size: int = 64,
        name: str = "rows",
        note: Callable[[str], None] = lambda _: None,
    ) -> Predictions:
        """Predictions for a datasets.Dataset with the task's roles as columns, in its order.

        name: what the rows are called in notes. note: is told what encoding did that a user must know (texts cut).
        """
        examples = self.task.encode(rows, self.pretrained, name=name)
        for finding in examples.findings:
            note(finding)
        outputs = run_model(
            self.model,
            examples,
            lambda batch: self.task.collate(batch, self.pretrained),
            self.compute,
            batch_size=batch_size,
            run=lambda model, batch: self.task.run(model, batch, self.pretrained),
            keep=self.task.outputs,
        )
        return self.task.decode(outputs.arrays, examples, rows, self.pretrained)
