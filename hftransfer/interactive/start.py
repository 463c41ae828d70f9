"""`hftransfer.run`: the runner's, with a view of it, an interrupt that says how to go on, and several processes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Never

from hftransfer import planning, runner
from hftransfer.errors import InputError, Interrupted, TrainingError
from hftransfer.interactive.view import NotebookView, notebook_display
from hftransfer.planning import Estimate
from hftransfer.recipe import Recipe, check_options, check_recipe
from hftransfer.recipe.memory import in_memory
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory
from hftransfer.training.events import Begin, Event, Stage, Step

Watch = Callable[[Event], None]
OPTIONS = ("output", "resume", "processes", "progress", "watch")


def silent(event: Event) -> None:
    """Watches and says nothing."""


def run(
    recipe: Recipe,
    *unnamed: Never,
    output: str | Path | None = None,
    resume: bool = False,
    processes: int = 1,
    progress: bool | None = None,
    watch: Watch = silent,
    **others: Never,
) -> Result:
    """Fine-tune as the recipe says; score, save, reload and prove the model.

    output: the run directory; by default `runs/<task>-<strategy>`, numbered where that is taken.
    resume: go on from the last checkpoint in `output`; a finished run is returned as it is.
    processes: train on so many processes of this machine (one per GPU; any number on CPU), which take the same steps as
    one does. They are started anew, never forked from this one, and end with it.
    progress: show how it goes; by default where somebody is typing, in a notebook or at Python's prompt, and not in a
    script. In a notebook that is a block under the cell, elsewhere lines on standard error.
    watch: is called with every event, in order, whatever is shown.
    unnamed, others: there are none; what belongs in the recipe (epochs=3), or has a name (output), is told so.
    Raises InputError for what the user can mend (nothing is then left half-made), TrainingError, ReloadError; when
    interrupted (Ctrl-C, or a notebook's stop), a KeyboardInterrupt that says how to go on.
    """
    _check_unnamed(unnamed)
    check_options("run", others, OPTIONS)
    _check(recipe, processes)
    folder = None if output is None else Path(output)
    if folder is None and not _launched():
        folder = runner.run_folder(f"{recipe.task.name}-{recipe.strategy.name}", resume=resume)
    done, compared = 0, ""
    try:
        with _view(progress, recipe, str(folder)) as show:
            _look_first(recipe)

            def told(event: Event) -> None:
                nonlocal done, compared
                compared = event.within if isinstance(event, Stage) else compared
                done = event.step if isinstance(event, Begin | Step) and not compared else done
                show(event)
                watch(event)

            if processes > 1 and folder is not None:
                from hftransfer.interactive.processes import run_in_processes

                return run_in_processes(recipe, folder, resume=resume, processes=processes, watch=told)
            return runner.run(recipe, output=folder, resume=resume, watch=told)
    except TrainingError as error:
        _let_go(error)
        raise
    except KeyboardInterrupt:
        pass
    # Outside of the handler, so that it holds nothing of the training: see `_let_go`.
    when = f"while it was compared with {compared}" if compared else f"after step {done:,}" if done else ""
    raise Interrupted(_how_to_go_on(folder, when, processes))


def plan(recipe: Recipe, *, progress: bool | None = None, watch: Watch = silent) -> Estimate:
    """What a run of this recipe will cost on this device: see `hftransfer.planning.plan`. progress: as for `run`."""
    check_recipe(recipe)
    with _view(progress, recipe, "a rehearsal") as show:

        def told(event: Event) -> None:
            show(event)
            watch(event)

        return planning.plan(recipe, watch=told)


def _check_unnamed(given: Sequence[object]) -> None:
    """Raises InputError for what comes after the recipe without a name; says which one it probably has."""
    if not given:
        return
    first, hint = given[0], f"its options have names: {', '.join(OPTIONS)}"
    if isinstance(first, bool):
        hint = f"write ht.run(recipe, resume={first})"
    elif isinstance(first, int):
        hint = f"write ht.run(recipe, processes={first})"
    elif isinstance(first, str) and "=" in first:
        hint = f"write ht.run(ht.load_recipe(NAME, {first!r}))"
    elif isinstance(first, str | os.PathLike):
        hint = f"write ht.run(recipe, output={os.fspath(first)!r})"
    elif callable(first):
        hint = "write ht.run(recipe, watch=...)"
    raise InputError(
        f"run() takes the recipe alone without a name, found a {type(first).__name__} after it", hint=hint
    )


def _check(recipe: Recipe, processes: int) -> None:
    """Raises InputError for what can only be a slip of the one who types."""
    check_recipe(recipe)
    if not isinstance(processes, int) or processes < 1:
        raise InputError(f"expected one process or more, found processes={processes!r}")
    if processes > 1 and _launched():
        raise InputError(
            f"this is one of several processes already: it cannot start {processes} of its own",
            hint="leave `processes` to the launcher",
        )


def _look_first(recipe: Recipe) -> None:
    """At rows in memory, before torch is imported: that takes seconds, and a misspelt column none."""
    if in_memory(recipe.data.source) and "torch" not in sys.modules:
        runner.load_data(runner.resolve(recipe))


def _launched() -> bool:
    """Whether a launcher (torchrun, accelerate launch) has started this process beside others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def _view(progress: bool | None, recipe: Recipe, where: str) -> AbstractContextManager[Watch]:
    show = notebook_display()
    typing = show is not None or hasattr(sys, "ps1")
    wanted = typing if progress is None else progress
    if not wanted or os.environ.get("RANK", "0") != "0":
        return nullcontext(silent)
    metric = recipe.training.best_metric
    if show is not None:
        return NotebookView(show, f"{recipe.task.name}, {recipe.strategy.name}: {where}", metric)
    from hftransfer.cli.progress import ProgressView

    return ProgressView(metric)


def _let_go(error: BaseException | None) -> None:
    """Empty the frames of an error, and of those behind it: a notebook keeps its last error, and with the frames of a
    training goes the model, for which there may be no room beside the one that is loaded to try again."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _how_to_go_on(folder: Path | None, when: str, processes: int) -> str:
    if folder is None or not RunDirectory(folder).recipe.is_file():
        return "interrupted before training began; nothing was written"
    arguments: dict[str, Any] = {"output": str(folder), "resume": True}
    arguments |= {"processes": processes} if processes > 1 else {}
    written = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"{f'interrupted {when}'.strip()}\n  to go on from the last checkpoint: ht.run(recipe, {written})"
