"""The one straight line from a recipe to a result: `resolve`, `run`, `load_run`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.checkpoint import find_checkpoint
from hftransfer.errors import RunDirectoryError, asked_by
from hftransfer.files import sha256, write_text
from hftransfer.hub import check_rights, fetch, is_repo, push
from hftransfer.recipe import Recipe, dump_recipe
from hftransfer.registry import METRICS
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory
from hftransfer.sources import Source, open_source
from hftransfer.splits import check_columns, make_splits
from hftransfer.tokens import forget_tokens
from hftransfer.training.events import Event, Note

if TYPE_CHECKING:
    from hftransfer.job import Clock, Job
    from hftransfer.splits import Splits
    from hftransfer.stages import Trained

Watch = Callable[[Event], None]


@dataclass(frozen=True)
class Plan:
    """What a recipe comes down to, before rows or weights are read. checkpoint: what `from_pretrained` is given."""

    recipe: Recipe
    source: Source
    checkpoint: str


def resolve(recipe: Recipe) -> Plan:
    """Find every mistake that can be found without reading rows or weights. Fast; imports no torch.

    Raises RecipeError, DataError or CheckpointError; InputError where a package is missing.
    """
    for name in recipe.metrics:
        METRICS.get(name).check_installed()
    with asked_by("task"):
        recipe.task.check_installed()
    with asked_by("data.source"):
        source = open_source(recipe.data)
        source.check()
        check_columns(source, recipe.data, recipe.task.columns)
    with asked_by("checkpoint"):
        return Plan(recipe, source, find_checkpoint(recipe.checkpoint))


def load_data(plan: Plan) -> Splits:
    """The rows that a plan's recipe asks for. Raises DataError."""
    recipe = plan.recipe
    with asked_by("data.source"):
        return make_splits(
            plan.source,
            recipe.data,
            columns=recipe.task.columns,
            seed=recipe.training.seed,
            check_rows=recipe.task.check_rows,
        )


@dataclass(frozen=True)
class Check:
    """What `check` saw. examples: rows of every split. unchecked: what lies on the Hub and was not looked at."""

    examples: Mapping[str, int]
    labels: tuple[str, ...]
    parameters: Mapping[str, int]
    steps: int | None
    findings: tuple[str, ...]
    unchecked: tuple[str, ...]


def check(recipe: Recipe, *, download: bool = False) -> Check:
    """Find everything that can be wrong without training: the recipe, its data, its checkpoint, how they fit.

    download: also look at what lies on the Hub, which fetches it; without, that is named in `unchecked`.
    Raises InputError.
    """
    plan = resolve(recipe)
    remote = [f"data.source {recipe.data.source}"] * plan.source.remote
    remote += [f"checkpoint {plan.checkpoint}"] * (not Path(plan.checkpoint).is_dir())
    if remote and not download:
        splits = None if plan.source.remote else load_data(plan)
        if splits is not None:
            from hftransfer.job import check_fit

            check_fit(recipe, splits)
        return Check(
            examples={} if splits is None else splits.sizes,
            labels=() if splits is None else splits.labels,
            parameters={},
            steps=None,
            findings=() if splits is None else splits.findings,
            unchecked=tuple(remote),
        )
    from hftransfer.job import prepare
    from hftransfer.other_head import with_other_head
    from hftransfer.training.compute import make_accelerator

    splits = load_data(plan)
    job = with_other_head(prepare(recipe, splits, make_accelerator(recipe.training)))
    findings = (*splits.findings, *job.findings)
    return Check(splits.sizes, splits.labels, job.parameters, job.steps, findings, unchecked=())


def load_run(run: str | Path) -> Result:
    """The result of a finished run: its folder, or OWNER/NAME (or OWNER/NAME@REVISION) where it was pushed to.

    Raises RunDirectoryError when there is none; InputError, HubError when it cannot be fetched.
    """
    return Result.read(fetch(str(run)) if is_repo(str(run)) else Path(run))


def run(
    recipe: Recipe,
    *,
    output: str | Path | None = None,
    resume: bool = False,
    watch: Watch = lambda event: None,
) -> Result:
    """Fine-tune as the recipe says; score, save, reload and prove the model.

    output: the run directory; by default `runs/<task>-<strategy>`, numbered where that is taken.
    resume: go on from the last checkpoint in `output`; a finished run is returned as it is.
    watch: is called with every event, in order.
    Raises InputError for what the user can mend (nothing is then left half-made), TrainingError, ReloadError.
    """
    # These import torch: only once the recipe is known to be right.
    from hftransfer import stages
    from hftransfer.frozen_backbone import on_features
    from hftransfer.job import Clock, prepare
    from hftransfer.other_head import with_other_head
    from hftransfer.probe import probe
    from hftransfer.proof import FreshProcess
    from hftransfer.strategies import Frozen
    from hftransfer.training.compute import make_accelerator

    plan = resolve(recipe)
    compute = make_accelerator(recipe.training)
    clock = Clock(watch if compute.is_main_process else lambda event: None)
    if recipe.hub.repo is not None and compute.is_main_process:
        with asked_by("hub.repo"):
            check_rights(recipe.hub.repo, public=recipe.hub.public, tell=lambda text: clock.note([text]))
    run_dir = RunDirectory.open(
        _output(output, recipe, resume, compute),
        dump_recipe(recipe),
        resume=resume,
        writes=compute.is_main_process,
    )
    if resume and run_dir.result.is_file():
        clock.tell(Note(f"the run in {run_dir.path} is finished already"))
        return Result.read(run_dir.path)
    with clock("data", "loading the data"):
        splits = load_data(plan)
        clock.note(splits.findings)
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
        with clock("save", "saving, and loading what was saved in a fresh process"):
            proof = stages.save(job, scores, run_dir, fresh)
    result = stages.result(job, trained, scores, proof, run_dir=run_dir, clock=clock)
    if compute.is_main_process:
        result = write_card(result, run_dir, clock)
    run_dir.finish(result.to_dict())
    compute.wait_for_everyone()
    if recipe.hub.repo is not None and compute.is_main_process:
        with clock("push", f"pushing to {recipe.hub.repo}"):
            push(run_dir.path, tell=lambda text: clock.note([text]), **recipe.hub.model_dump())
    return result


def write_card(result: Result, run_dir: RunDirectory, clock: Clock) -> Result:
    """The model's card, beside the model. A run that is trained and proven is not lost for want of it."""
    from hftransfer import stages
    from hftransfer.report import card

    try:
        write_text(run_dir.card, card(result))
    except Exception as error:  # whatever it is: said, and kept in metrics.jsonl
        note = Note(f"the model card could not be written: {error!r}")
        stages.happened(note, run_dir, clock)
        return result
    return replace(result, card=sha256(run_dir.card))


def train(job: Job, run_dir: RunDirectory, clock: Clock) -> Trained:
    """By gradients; many heads at once; or a learner that is fitted."""
    from hftransfer import stages
    from hftransfer.fitted import fit_head
    from hftransfer.grid import train_grid
    from hftransfer.training.compute import threads

    other = job.strategy.other_head
    if other is not None and other.fitted:
        return fit_head(job, run_dir, clock)
    if job.strategy.heads is not None:
        return train_grid(job, run_dir, clock)
    # The products of one head are small: threads would wait for one another longer than they compute.
    with threads(1) if job.head is not None else nullcontext():
        return stages.train(job, run_dir, clock)


def _output(output: str | Path | None, recipe: Recipe, resume: bool, compute: Any) -> Path:
    """The run directory asked for, or the first free one; the same on every process."""
    from accelerate.utils import broadcast_object_list

    chosen = (
        Path(output)
        if output is not None
        else run_folder(f"{recipe.task.name}-{recipe.strategy.name}", resume=resume)
    )
    return Path(broadcast_object_list([str(chosen)])[0]) if compute.num_processes > 1 else chosen


def run_folder(name: str, *, resume: bool) -> Path:
    """Where a run of that name goes by default: the first of runs/NAME, runs/NAME-2, ... that is free.

    To resume, the last of them that is not. Raises RunDirectoryError when there is none.
    """
    free, last = Path("runs") / name, None
    while free.exists():
        number = 2 if last is None else int(free.name.rpartition("-")[2]) + 1
        last, free = free, free.with_name(f"{name}-{number}")
    if resume and last is None:
        raise RunDirectoryError(
            f"there is no run in {free} to resume",
            hint="leave --resume (resume=True) out, or name it with --output (output=...)",
        )
    return last if resume and last is not None else free
