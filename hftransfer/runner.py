"""The one straight line from a recipe to a result: `resolve`, `run`, `load_run`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.checked import Check
from hftransfer.checkpoint import find_checkpoint
from hftransfer.errors import RunDirectoryError, asked_by
from hftransfer.evidence import check_arms, has_evidence
from hftransfer.hub import check_rights, fetch, is_repo, push
from hftransfer.lint import Finding, lint, refuse_leakage, sentences
from hftransfer.recipe import Recipe, check_recipe, dump_recipe
from hftransfer.registry import METRICS
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory
from hftransfer.sources import Source, open_source
from hftransfer.splits import check_columns, make_splits
from hftransfer.tasks.makeup import balance
from hftransfer.trackers import check_installed, tracking
from hftransfer.training.events import Event, Loaded, Note

if TYPE_CHECKING:
    from hftransfer.job import Clock
    from hftransfer.splits import Splits

Watch = Callable[[Event], None]


@dataclass(frozen=True)
class Plan:
    """What a recipe comes down to, before rows or weights are read. checkpoint: what `from_pretrained` is given."""

    recipe: Recipe
    source: Source
    checkpoint: str


def resolve(recipe: Recipe) -> Plan:
    """Find every mistake that can be found without reading rows or weights. Fast; imports no torch.

    Raises RecipeError, DataError or CheckpointError; InputError where a package is missing, and for what is no recipe.
    """
    check_recipe(recipe)
    for name in recipe.metrics:
        METRICS.get(name).check_installed()
    check_installed(recipe.training.trackers)
    check_arms(recipe)
    with asked_by("task"):
        recipe.task.check_installed()
    source = _source(recipe)
    with asked_by("checkpoint"):
        return Plan(recipe, source, find_checkpoint(recipe.checkpoint))


def _source(recipe: Recipe) -> Source:
    with asked_by("data.source"):
        source = open_source(recipe.data)
        source.check()
        check_columns(source, recipe.data, recipe.task.columns)
    return source


def load_data(plan: Plan) -> Splits:
    """The rows that a plan's recipe asks for. Raises DataError."""
    recipe = plan.recipe
    with asked_by("data.source"):
        return make_splits(
            plan.source,
            recipe.data,
            columns=recipe.task.columns,
            seed=recipe.data_seed,
            check_rows=recipe.task.check_rows,
        )


def linted(recipe: Recipe, splits: Splits) -> Splits:
    """The splits with what lint finds in them: in `findings` what matters, in `lint` everything, for JSON.

    Raises DataError where more of validation or test stands in train than `data.accept_leakage`.
    """
    found = _lint(recipe, splits)
    refuse_leakage(found)
    return _with(splits, found)


def _with(splits: Splits, found: Sequence[Finding]) -> Splits:
    said = (*splits.findings, *sentences(found))
    return replace(splits, findings=said, lint=tuple(one.to_dict() for one in found))


def _lint(recipe: Recipe, splits: Splits) -> tuple[Finding, ...]:
    return lint(
        splits,
        recipe.task.columns,
        accept=recipe.data.accept_leakage,
        max_tokens=getattr(recipe.task, "max_length", None),
    )


def check(recipe: Recipe, *, download: bool = False, data: bool = False) -> Check:
    """Find everything that can be wrong without training: the recipe, its data, its checkpoint, how they fit.

    download: also look at what lies on the Hub, which fetches it; without, that is named in `unchecked`.
    data: look at the rows alone, with no checkpoint. What would keep a run from starting is then in `lint` as an error,
    and is not raised.
    Raises InputError.
    """
    check_recipe(recipe)
    if data:
        return _check_data(recipe, download)
    plan = resolve(recipe)
    remote = [f"data.source {recipe.data.source}"] * plan.source.remote
    remote += [f"checkpoint {plan.checkpoint}"] * (not Path(plan.checkpoint).is_dir())
    if plan.source.remote and not download:
        return Check(unchecked=tuple(remote))
    splits = load_data(plan)
    found = _lint(recipe, splits)
    refuse_leakage(found)
    splits = _with(splits, found)
    if remote and not download:
        from hftransfer.job import check_fit

        check_fit(recipe, splits)
        return _seen(recipe, splits, lint=found, unchecked=tuple(remote))
    from hftransfer.job import prepare
    from hftransfer.other_head import with_other_head
    from hftransfer.training.compute import make_accelerator

    job = with_other_head(prepare(recipe, splits, make_accelerator(recipe.training)))
    seen = _seen(recipe, splits, parameters=job.parameters, steps=job.steps, lint=found)
    return replace(seen, findings=(*splits.findings, *job.findings))


def _check_data(recipe: Recipe, download: bool) -> Check:
    source = _source(recipe)
    if source.remote and not download:
        return Check(unchecked=(f"data.source {recipe.data.source}",))
    splits = load_data(Plan(recipe, source, recipe.checkpoint.name))
    return _seen(recipe, splits, lint=_lint(recipe, splits))


def _seen(recipe: Recipe, splits: Splits, **more: Any) -> Check:
    return Check(
        splits.sizes,
        splits.labels,
        findings=splits.findings,
        batch_size=recipe.training.batch_size,
        numbers=getattr(recipe.task, "problem_type", None) == "regression",
        **more,
    )


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
    from hftransfer.job import Clock
    from hftransfer.training.compute import make_accelerator

    plan = resolve(recipe)
    compute = make_accelerator(recipe.training)
    clock = Clock(watch if compute.is_main_process else lambda event: None)
    publishes = recipe.hub.repo is not None and compute.is_main_process
    if publishes:
        with asked_by("hub.repo"):
            check_rights(str(recipe.hub.repo), public=recipe.hub.public, tell=lambda text: clock.note([text]))
    run_dir = RunDirectory.open(
        _output(output, recipe, resume, compute),
        dump_recipe(recipe),
        resume=resume,
        writes=compute.is_main_process,
    )
    finished = Result.read(run_dir.path) if resume and run_dir.result.is_file() else None
    if finished is not None and has_evidence(finished, recipe.evidence):
        clock.tell(Note(f"the run in {run_dir.path} is finished already"))
        return finished
    result = _trained(plan, finished, run_dir, compute, clock)
    if publishes:
        with clock("push", f"pushing to {recipe.hub.repo}"):
            push(run_dir.path, tell=lambda text: clock.note([text]), **recipe.hub.model_dump())
    return result


def _trained(
    plan: Plan, finished: Result | None, run_dir: RunDirectory, compute: Any, clock: Clock
) -> Result:
    """The run, unless it is finished already, and then what it is to be compared with, on the same rows."""
    from hftransfer.evidence.gather import with_evidence
    from hftransfer.one_run import one_run

    recipe = plan.recipe
    with clock("data", "loading the data"):
        splits = linted(recipe, load_data(plan))
        if run_dir.writes:  # once for the run and all that it is compared with: masks are decoded for it
            splits = replace(splits, balance=balance(recipe.task, splits.by_name, splits.labels))
        clock.tell(Loaded(splits.sizes, len(splits.labels)))
        clock.note(splits.findings)
    with tracking(recipe, run_dir, clock) as trackers:
        result = finished or one_run(recipe, splits, run_dir, compute, clock)
        trackers.final(result.metrics)
    if not recipe.evidence.asked:
        return result
    return with_evidence(result, recipe, splits, run_dir, compute, clock)


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
