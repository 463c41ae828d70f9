"""An estimate in words, a fact a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hftransfer.planning.estimate import Estimate

STAGES = {
    "data": "data",
    "checkpoint": "checkpoint and encoding",
    "probe": "the head alone",
    "features": "asking the frozen backbone",
    "train": "training",
    "score": "scoring",
    "save": "saving and proof",
}


def told(found: Estimate) -> list[tuple[str, str]]:
    """(name, text) of every fact, for people; what belongs to the one above has no name."""
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
        ("memory", _memory(found)),
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
    return [(name, text) for name, text in facts if text]


def _steps(found: Estimate) -> str:
    if not found.steps:
        return "none: the learner is fitted once"
    times = "evaluation" if found.evaluations == 1 else "evaluations"
    return (
        f"{found.steps:,} of {found.batch_size} examples, {found.epochs} "
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


def _memory(found: Estimate) -> str:
    rows = f", {found.micro_batch_size} examples in a forward pass" if found.steps else ""
    return f"{found.peak_memory_bytes / 2**30:.1f} GiB at most, in {found.precision}{rows}"


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 10 and rest else f"{round(whole / 60)} min"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def gigabytes(count: float) -> str:
    """Bytes in kB, MB or GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.0f} kB"
