"""One run, from rows to a model that is proven and a result: the line that the run asked for, and every run that it is
compared with, goes along."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from accelerate import Accelerator

from hftransfer import stages
from hftransfer.files import sha256, write_text
from hftransfer.fitted import fit_head
from hftransfer.fresh import FreshProcess
from hftransfer.frozen_backbone import on_features
from hftransfer.grid import train_grid
from hftransfer.job import Clock, Job, prepare
from hftransfer.other_head import with_other_head
from hftransfer.probe import probe
from hftransfer.recipe import Recipe
from hftransfer.report import card
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory
from hftransfer.splits import Splits
from hftransfer.stages import Trained
from hftransfer.strategies import Frozen
from hftransfer.tokens import forget_tokens
from hftransfer.training.compute import threads
from hftransfer.training.events import Note


def one_run(
    recipe: Recipe, splits: Splits, run_dir: RunDirectory, compute: Accelerator, clock: Clock
) -> Result:
    """Fine-tune, score, save, reload and prove; write result.json. Goes on from the last checkpoint in `run_dir`.

    Raises InputError, TrainingError, ReloadError.
    """
    with FreshProcess() as fresh:
        if compute.is_main_process and isinstance(recipe.strategy, Frozen):
            fresh.start()  # a head trains in seconds: by then it will have imported what it needs
        with clock("checkpoint", "loading the checkpoint, encoding the rows"):
            job = with_other_head(prepare(recipe, splits, compute))
            clock.note(job.findings)
        if not compute.is_main_process:
            forget_tokens()  # all is loaded, and another one pushes
        probe(job, run_dir, clock)
        job = on_features(job, clock)
        with clock("train", "training"):
            trained = train(job, run_dir, clock)
        if compute.is_main_process:
            fresh.start()
        with clock("score", "scoring the best weights"):
            scores = stages.score(job, trained)
            clock.note(scores.findings)
        with clock("save", "saving, and loading what was saved in a fresh process"):
            proof = stages.save(job, scores, run_dir, fresh)
    result = stages.result(job, trained, scores, proof, run_dir=run_dir, clock=clock)
    if compute.is_main_process:
        result = write_card(result, run_dir, clock)
    run_dir.finish(result.to_dict())
    compute.wait_for_everyone()
    return result


def train(job: Job, run_dir: RunDirectory, clock: Clock) -> Trained:
    """By gradients; many heads at once; or a learner that is fitted."""
    other = job.strategy.other_head
    if other is not None and other.fitted:
        return fit_head(job, run_dir, clock)
    if job.strategy.heads is not None:
        return train_grid(job, run_dir, clock)
    # The products of one head are small: threads would wait for one another longer than they compute.
    with threads(1) if job.head is not None else nullcontext():
        return stages.train(job, run_dir, clock)


def write_card(result: Result, run_dir: RunDirectory, clock: Clock) -> Result:
    """The model's card, beside the model. A run that is trained and proven is not lost for want of it."""
    try:
        write_text(run_dir.card, card(result))
    except Exception as error:  # whatever it is: said, and kept in metrics.jsonl
        note = Note(f"the model card could not be written: {error!r}")
        stages.happened(note, run_dir, clock)
        return result
    return replace(result, card=sha256(run_dir.card))
