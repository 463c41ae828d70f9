"""The report of a run: one HTML file that needs nothing else, and its plots as PNG files beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup, escape

from hftransfer.errors import DataError
from hftransfer.locate import RUN_RECIPE
from hftransfer.recipe import read_recipe
from hftransfer.report.curves import curves
from hftransfer.report.images import contact_sheet
from hftransfer.report.makeup import balance, tokens
from hftransfer.report.markdown import visible
from hftransfer.report.origins import checkpoint_origin, data_origin, without_places
from hftransfer.report.parts import Part, Picture, Say, Sounds, Table, listed
from hftransfer.report.verdict import arms, scores, verdict
from hftransfer.report.views import View, view
from hftransfer.run_directory import RunDirectory

if TYPE_CHECKING:
    from hftransfer.report.plots import Plot
    from hftransfer.result import Result

HERE = Path(__file__).parent
TEMPLATE, STYLE = "page.html.jinja", "page.css"
ERRORS = 15
"""Errors that the page shows."""
NUMBER = re.compile(r"[-+]?[\d.,]+ ?%|[-+]?[\d.]+ to [-+]?[\d.]+|< [\d.]+")
"""As text: a share, an interval, or a bound. (Other digits may be a label.)"""
LONGEST = 600
"""Characters of a text that is shown; of a label, that is all of it in sane data."""


@dataclass(frozen=True)
class Section:
    """anchor: what links to it."""

    anchor: str
    title: str
    parts: list[Part]


def _outline(result: Result) -> Iterator[tuple[str, str, Iterable[Part]]]:
    """(what links to a section, its title, its parts), in the page's order; a part is made when it is asked for."""
    try:
        shown: View | None = view(result)
        missing: list[Part] = []
    except DataError as error:
        shown, missing = None, [Say(error.message, warning=True)]
    yield "scores", "Scores", chain([scores(result)], arms(result))
    yield "fails", "Where it fails", missing if shown is None else chain(shown.fails(), _errors(shown))
    yield "data", "Data", chain(_data(result, shown), () if shown is None else shown.data())
    calibrated = () if shown is None else shown.calibration()
    yield "calibration", "Calibration", chain(_temperature(result), calibrated)
    yield "training", "Training", curves(result)
    yield "cost", "Cost", _cost(result)


def sections(result: Result) -> list[Section]:
    """All that the page shows, in its order. Raises InputError where matplotlib is missing."""
    found = [Section(anchor, title, [*parts]) for anchor, title, parts in _outline(result)]
    return [one for one in found if one.parts]


def pictures(result: Result) -> Iterator[Picture]:
    """The plots of a run, in the page's order; what comes before one is read for it, and nothing that comes after."""
    return (one for _, _, parts in _outline(result) for one in parts if isinstance(one, Picture))


def page(result: Result) -> tuple[str, dict[str, bytes]]:
    """(the HTML file, the plots that are in it as PNG files by name)."""
    there = sections(result)
    plots = {one.name: one.draw() for section in there for one in section.parts if isinstance(one, Picture)}
    images = {name: plot.png() for name, plot in plots.items()}
    style = (HERE / STYLE).read_text(encoding="utf-8")
    run_dir = RunDirectory(result.run_dir)
    environment = _json(run_dir.environment)
    text = ENVIRONMENT.get_template(TEMPLATE).render(
        result=result,
        name=result.run_dir.absolute().name,
        checkpoint=checkpoint_origin(result.checkpoint).name,
        data=data_origin(result).name,
        verdict=verdict(result),
        sections=there,
        images={name: _embedded(png, plots[name]) for name, png in images.items()},
        kinds={Say: "say", Table: "table", Picture: "picture", Sounds: "sounds"},
        style=Markup(style),  # ours; and what the hash in the policy is of
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        recipe=read_recipe(run_dir.recipe).text,
        recipe_name=RUN_RECIPE,
        command=shlex.join(
            ["hftransfer", "run", RUN_RECIPE, "--output", f"{result.run_dir.absolute().name}-again"]
        ),
        environment=_flat(environment),
        fingerprint=_json(run_dir.data).get("fingerprint"),
        version=version("hftransfer"),
    )
    return text, images


def _errors(shown: View) -> Iterator[Part]:
    try:
        worst = shown.errors(ERRORS)
    except DataError:
        return
    yield from contact_sheet(shown)
    texts = shown.long
    if not worst:
        yield Say(f"There is no error among the {shown.split} rows.")
        return
    yield listed(
        f"The worst errors on {shown.split}: {shown.worst_are}. `row` counts from 0 in the source",
        worst,
        texts=texts,
    )
    doubtful = shown.doubtful(ERRORS)
    if doubtful:
        yield listed(
            "Labels that may be mistakes: another label is at least as likely as it is for rows of its own, and the "
            "label that was given is unlikely (confident learning). Look at them before you trust or change them",
            doubtful,
            texts=texts,
        )


def _data(result: Result, shown: View | None) -> Iterator[Part]:
    facts = _json(RunDirectory(result.run_dir).data)
    yield Table("Rows", list(result.examples), [list(result.examples.values())])
    lint = facts.get("lint") or []
    findings = [without_places(one, result) for one in result.findings]
    if findings:
        yield Table("What was found on the way", ["finding"], [[one] for one in findings], ["finding"])
    if lint:
        table = [
            [
                one.get("severity"),
                without_places(str(one.get("message")), result),
                one.get("rows"),
                one.get("advice") or None,
            ]
            for one in lint
        ]
        columns = ["", "what a look at the rows found", "rows", "what to do"]
        yield Table("Data lint", columns, table, [columns[1], columns[3]])
    elif "lint" in facts:
        yield Say("A look at the rows (duplicates, leakage, labels, lengths) found nothing.")
    told = [*balance(result, facts)]
    yield from told or ([] if shown is None else shown.balance())
    yield from tokens(facts)


def _temperature(result: Result) -> Iterator[Part]:
    """What calibrating the scores did."""
    found = result.to_dict().get("calibration") or {}
    if not found:
        return
    where = (
        "in the saved weights"
        if found.get("folded")
        else "by `predict` and `evaluate`, not in the saved weights"
    )
    why = f" ({found['why']})" if found.get("why") else ""
    if found.get("temperature") is not None:
        yield Say(f"Logits are divided by {found['temperature']:.3f}, fitted on validation, {where}{why}.")
    table = [
        [name.upper() if name != "brier" else "Brier", split, one.get("before"), one.get("after")]
        for name in ("ece", "nll", "brier")
        for split, one in (found.get(name) or {}).items()
    ]
    if table:
        yield Table(
            "Scores as chances, before and after; lower is better", ["", "split", "before", "after"], table
        )


def _cost(result: Result) -> Iterator[Part]:
    total, trained = result.parameters.get("total", 0), result.parameters.get("trained", 0)
    steps = f"{result.steps:,}, the best after {result.best_step:,}" if result.steps else "fitted in one go"
    yield Table(
        "What it took",
        ["", "cost"],
        [
            *([f"seconds, {stage}", f"{value:,.1f}"] for stage, value in result.seconds.items()),
            ["optimizer steps", steps],
            [
                "trained parameters",
                f"{trained:,} of {total:,}" + (f" ({trained / total:.2%})" if total else ""),
            ],
            ["peak memory", f"{result.peak_memory_bytes / 2**30:.2f} GiB"],
        ],
    )


def _embedded(png: bytes, plot: Plot) -> dict[str, Any]:
    """As an image's source, with its size in CSS pixels, so that nothing moves when it is drawn."""
    width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))
    scale = 96 / 150
    return {
        "source": "data:image/png;base64," + base64.b64encode(png).decode("ascii"),
        "width": round(width * scale),
        "height": round(height * scale),
    }


def _json(file: Path) -> dict[str, Any]:
    """Empty where there is no such file: of a run that was pushed and fetched, not all is there."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found


def _flat(facts: Any, under: str = "") -> list[tuple[str, Any]]:
    """Nested facts as rows of a table."""
    if not isinstance(facts, dict):
        return [(under, facts)]
    return [
        row for key, value in facts.items() for row in _flat(value, f"{under}.{key}" if under else str(key))
    ]


def _shown(value: Any) -> Any:
    """A value as text: what is not seen in it spelled out, numbers to four digits, lists with commas."""
    if isinstance(value, Markup | jinja2.Undefined):
        return value
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        value = ", ".join(str(_shown(one)) for one in value)
    return "\n".join(
        visible(line.replace("\t", " ")) for line in str(value).replace("\r\n", "\n").split("\n")
    )


def _cut(value: Any, between: str) -> Any:
    """At most `LONGEST` characters of a text, or of several with something between them; nothing is said to be."""
    if isinstance(value, list | tuple):
        if not value:
            return "(none)"
        said = [str(_shown(one)) for one in value]
        value = between.join(said if between == " " else dict.fromkeys(said))
    if value == "":
        return "(empty)"
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:LONGEST]}… ({len(value):,} characters)"
    return value


def _breakable(value: Any) -> Markup:
    """A long name may go on in the next line behind an underscore."""
    return Markup(str(escape(str(_shown(value)))).replace("_", "_<wbr>"))


def _numbers(table: Table) -> set[int]:
    """The columns of numbers, shares and intervals, which stand right; nothing (-) may be among them."""
    columns = enumerate(zip(*table.rows, strict=True))
    return {
        place
        for place, values in columns
        if any(map(_is_number, values)) and all(one is None or _is_number(one) for one in values)
    }


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return NUMBER.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE),
    autoescape=True,
    finalize=_shown,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters["cut"] = _cut
ENVIRONMENT.filters["breakable"] = _breakable
ENVIRONMENT.globals["numbers"] = _numbers
