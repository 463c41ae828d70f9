"""The stage before training, for a strategy that trains the head alone first."""

from __future__ import annotations

import gc
from dataclasses import replace

from hftransfer.frozen_backbone import on_features
from hftransfer.job import Clock, Job
from hftransfer.run_directory import RunDirectory
from hftransfer.stages import begin, train


def probe(job: Job, run_dir: RunDirectory, clock: Clock) -> None:
    """Train the head alone where the strategy wants that, in a directory of its own; its best weights stay in place.

    Does nothing when the training after it has got somewhere already: what that left holds the head, too.
    """
    asked = job.strategy.probe
    if asked is None or run_dir.load_checkpoint("last") is not None:
        return
    begin(job, run_dir)  # the place is taken from now on
    with clock("probe", f"training the head alone for {asked.epochs} epochs"):
        asked.strategy.apply(job.model, fresh=job.checkpoint.fresh)
        training = job.recipe.training.model_copy(
            update={
                "epochs": asked.epochs,
                "learning_rate": asked.rate,
                "steps": None,
                "sampling": asked.sampling or job.recipe.training.sampling,
            }
        )
        recipe = job.recipe.model_copy(update={"strategy": asked.strategy, "training": training})
        head = on_features(replace(job, recipe=recipe), clock)
        trained = train(head, run_dir.probe, clock)
        if trained.best.value is not None:
            clock.note([f"the head's {trained.best.metric} on the frozen backbone: {trained.best.value:.4f}"])
        job.strategy.apply(job.model, fresh=job.checkpoint.fresh)
        # Accelerate keeps what it has prepared; of one model prepared twice, both would exchange gradients.
        job.compute.free_memory()
        del head
        gc.collect()
