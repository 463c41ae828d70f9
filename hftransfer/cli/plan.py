"""hftransfer plan: what a run will cost, from a rehearsal of it on this device."""

from __future__ import annotations

from hftransfer.cli.arguments import AsJson, Overrides, RecipeArgument
from hftransfer.cli.console import command, err, out, print_json
from hftransfer.cli.facts import duration, gigabytes, print_facts
from hftransfer.planning import Estimate, plan
from hftransfer.recipe import load_recipe, located, read_recipe
from hftransfer.training.events import Event, Stage

STAGES = {
    "data": "data",
    "checkpoint": "checkpoint and encoding",
    "probe": "the head alone",
    "features": "asking the frozen backbone",
    "train": "training",
    "score": "scoring",
    "save": "saving and proof",
}


@command
def command_line(recipe: RecipeArgument, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Say what a run will cost on this machine, by rehearsing it on a few of its rows. Leaves nothing behind."""
    document = read_recipe(recipe, overrides or [])
    loaded = load_recipe(recipe, *(overrides or []))
    with located(document):
        found = plan(loaded, watch=_tell)
    if as_json:
        print_json(found.to_dict())
    else:
        show(found)


def _tell(event: Event) -> None:
    if isinstance(event, Stage):
        err.print(f"[dim]{event.title} ...[/dim]")


def show(found: Estimate) -> None:
    """The estimate, a line a fact."""
    facts = [
        ("time", f"about {duration(found.seconds['total'])} on one {found.device.upper()} process"),
        *(
            ("", f"{duration(s):>10}  {STAGES[stage]}")
            for stage, s in found.seconds.items()
            if stage in STAGES
        ),
        ("steps", _steps(found)),
        ("data", ", ".join(f"{count:,} {split}" for split, count in found.examples.items())),
        ("tokens", _tokens(found)),
        ("trained", _trained(found)),
        ("memory", f"{found.peak_memory_bytes / 2**30:.1f} GiB at most, in {found.precision}"),
        ("disk", _disk(found)),
        (
            "measured",
            f"{found.rehearsed} real steps and the whole way to the proof, in {duration(found.took)}",
        ),
    ]
    facts += [("note", finding) for finding in found.findings]
    facts += [
        (
            "cheaper",
            f"{one.change} saves about {duration(one.seconds)} "
            f"({one.seconds / found.seconds['total']:.0%}): {one.why}",
        )
        for one in found.savings
    ]
    print_facts(out, [(name, text) for name, text in facts if text])


def _steps(found: Estimate) -> str:
    if not found.steps:
        return "none: the learner is fitted once"
    where = (
        f"in micro-batches of {found.micro_batch_size}, " if found.micro_batch_size < found.batch_size else ""
    )
    times = "evaluation" if found.evaluations == 1 else "evaluations"
    return (
        f"{found.steps:,} of {found.batch_size} examples, {where}{found.epochs} "
        f"{'epoch' if found.epochs == 1 else 'epochs'}, {found.evaluations} {times}"
    )


def _tokens(found: Estimate) -> str:
    tokens = found.tokens
    if tokens is None:
        return ""
    rows = found.examples["train"]
    cut = "" if tokens.cut is None else f"; {tokens.cut:,} of {rows:,} rows ({tokens.cut / rows:.1%}) are cut"
    limit = "" if tokens.limit is None or not tokens.cut else f" at {tokens.limit}"
    return (
        f"{tokens.mean:.0f} in an example on average, 99 of 100 have at most {tokens.p99}, the longest "
        f"{tokens.longest}{cut}{limit}; {tokens.padding:.0%} of a batch is padding"
    )


def _trained(found: Estimate) -> str:
    total, trained = found.parameters["total"], found.parameters["trained"]
    return f"{trained:,} of {total:,} parameters ({trained / total:.2%})" if total else ""


def _disk(found: Estimate) -> str:
    disk = found.disk
    run = sum(disk[name] for name in ("checkpoints", "model", "predictions"))
    text = (
        f"{gigabytes(run)}: checkpoints {gigabytes(disk['checkpoints'])}, model {gigabytes(disk['model'])}, "
        f"predictions {gigabytes(disk['predictions'])}"
    )
    if not disk["features"]:
        return text
    there = f", {found.kept:.0%} of it there already" if found.kept else ""
    return f"{text}; in the cache of features {gigabytes(disk['features'])}{there}"
