"""hftransfer run: fine-tune, score, save, prove."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from hftransfer.cli import launch
from hftransfer.cli.arguments import AsJson, Overrides, RecipeArgument
from hftransfer.cli.console import command, err, main_process, out, print_json
from hftransfer.cli.evidence import show_evidence
from hftransfer.cli.facts import print_command, print_facts
from hftransfer.cli.tables import print_table, show_tables
from hftransfer.planning.told import duration
from hftransfer.recipe import load_recipe, located, read_recipe
from hftransfer.result import Result
from hftransfer.summary import calibrated


@command
def command_line(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The run's folder; by default runs/NAME, numbered where that is taken."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the last checkpoint, in --output or the newest runs/NAME."),
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, help="Train on so many processes (one per GPU; any number on CPU).")
    ] = 1,
    accelerate_config: Annotated[
        Path | None,
        typer.Option(help="Launch as this file of `accelerate config` says.", exists=True, dir_okay=False),
    ] = None,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove",
            help="Compare with all that fits: majority, words, random weights, a frozen probe (evidence.arms=all).",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune as a recipe says: train, score, save, and prove that the saved model is the trained one."""
    from hftransfer.runner import resolve, run_folder

    overrides = [*(overrides or []), *(["evidence.arms=all"] if prove else [])]
    document = read_recipe(recipe, overrides)
    loaded = load_recipe(recipe, *overrides)
    with located(document):
        resolve(loaded)
    folder = output or run_folder(document.name, resume=resume)
    if processes > 1 or accelerate_config is not None:
        launch.launch(
            [recipe, *overrides],
            folder,
            resume=resume,
            processes=processes,
            accelerate_config=accelerate_config,
        )
        result = Result.read(folder)
    else:
        with located(document):
            result = _here(loaded, document.name, folder, resume)
    if not main_process():
        return
    if as_json:
        print_json({**result.to_dict(), "run_dir": str(folder)})
    else:
        show(result, recipe)


def _here(recipe: Any, name: str, folder: Path, resume: bool) -> Result:
    from hftransfer.cli.progress import ProgressView
    from hftransfer.runner import run

    if main_process():
        before(recipe, name, folder)
    try:
        with ProgressView(recipe.training.best_metric) as view:
            return run(recipe, output=folder, resume=resume, watch=view)
    except KeyboardInterrupt:
        if main_process() and folder.is_dir():
            err.print(f"to go on: add  --output {shlex.quote(str(folder))} --resume", markup=False)
        raise


def before(recipe: Any, name: str, folder: Path) -> None:
    """What is going to be done; sizes, parameters and steps follow when they are known."""
    training, strategy = recipe.training, recipe.strategy.name
    facts = [
        ("recipe", f"{name}: {recipe.task.name}"),
        ("checkpoint", recipe.checkpoint.name),
        (
            "strategy",
            f"{strategy}, at a rate of {training.learning_rate:g}, in batches of {training.batch_size}",
        ),
        ("output", str(folder)),
    ]
    print_facts(err, facts)


def show(result: Result, recipe: str) -> None:
    """The end of a run: scores beside the baseline, where the model lies, what to try next."""
    out.print()
    print_table(scores(result))
    for split, metrics in result.metrics.items():
        show_tables(metrics, result.labels, of=split)
    show_evidence(result)
    proof = result.reload_check
    steps = f"{result.steps:,} steps, the best after {result.best_step:,}" if result.steps else "fitted once"
    total, training = (duration(result.seconds[stage]) for stage in ("total", "train"))
    memory = f"{result.peak_memory_bytes / 2**30:.1f} GiB of memory at most"
    facts = [
        ("model", str(result.model)),
        (
            "proof",
            f"loaded afresh by {', '.join(proof['ways'])}: {proof['rows']} rows, "
            f"largest difference {proof['max_difference']:.1e}",
        ),
        (
            "cost",
            f"{total}, {training} of it training; {steps}; {memory}",
        ),
    ]
    calibration = calibrated(result.calibration)
    if calibration:
        facts.insert(2, ("scores", calibration))
    out.print()
    print_facts(out, facts, width=9)
    out.print("next")
    for line in next_commands(result, recipe):
        print_command(out, line)


def scores(result: Result) -> Table:
    """The metrics of every split, each above the interval that it lies in at 95 %, beside the baseline."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    guess = next(iter(result.baselines), None)
    for split in result.metrics:
        table.add_column(f"{split} ({result.examples[split]:,})", justify="right")
        if guess:
            table.add_column(guess, justify="right", style="dim")
    for name in next(iter(result.metrics.values())):
        values, bounds = [], []
        for split, metrics in result.metrics.items():
            values.append(_number(metrics[name]))
            bounds.append(_between(result.intervals.get(split, {}).get(name)))
            values += [_number(result.baselines[guess][split].get(name))] if guess else []
            bounds += [""] if guess else []
        if any(values):
            table.add_row(name, *values)
        if any(values) and any(bounds):
            table.add_row("  at 95 %", *bounds)
    return table


def _between(bounds: Any) -> str:
    return "" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def next_commands(result: Result, recipe: str) -> list[str]:
    """Three commands worth trying after this run."""
    run = shlex.quote(str(result.run_dir))
    examples = {"image": "photo.jpg", "audio": "clip.wav"}
    parts = ", ".join(f'"{role}": "..."' for role in result.inputs)
    alone = examples.get(result.inputs[0], '"your text here"')
    example = alone if len(result.inputs) == 1 else f"'{{{parts}}}'"
    return [
        f"hftransfer predict {run} {example}",
        f"hftransfer evaluate {run} --split validation",
        f"hftransfer report {run}" if Path(recipe).exists() else f"hftransfer copy {recipe} mine.yaml",
    ]


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float | int) else ""
