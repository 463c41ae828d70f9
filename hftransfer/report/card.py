"""The model card: the facts of a finished run, as text that the Hub and people read.

Everything in it comes from the run's directory and the cards of what it was made from. What is not known is left out of
the front matter, and the text says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from hftransfer.locate import RUN_RECIPE
from hftransfer.recipe import Weights, in_yaml, read_recipe
from hftransfer.registry import METRICS, Options
from hftransfer.report.classes import class_table
from hftransfer.report.example import FILES, asked, examples, widget
from hftransfer.report.front_matter import as_yaml, front_matter, library, set_aside
from hftransfer.report.markdown import Markdown, apart, bounds, escaped, fenced, number, visible
from hftransfer.report.origins import chain, checkpoint_origin, data_origin, without_places
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory
from hftransfer.summary import calibrated

TEMPLATE = "card.md.jinja"
SHOWN_LABELS = 30
SHAPING = (
    "epochs",
    "steps",
    "batch_size",
    "learning_rate",
    "optimizer",
    "schedule",
    "warmup",
    "clip_norm",
    "sampling",
)
"""Settings of `training` that move the outcome; the others say how it is computed."""

ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    finalize=escaped,  # what a template prints is escaped, unless it is Markdown already
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Score:
    """A metric of a split. baselines: by name, what costs nothing."""

    split: str
    rows: int
    metric: str
    value: Any
    bounds: Any
    baselines: Mapping[str, Any]


def card(result: Result, *, repo: str | None = None, weights: Weights = "merged") -> str:
    """The card of a finished run.

    repo: where the model will lie on the Hub; without, the examples name the run's own folder.
    weights: which of the run's weights lie there.
    """
    run_dir = RunDirectory(result.run_dir)
    name = (repo or result.run_dir.absolute().name).rpartition("/")[2]
    rows = asked(result)
    matter = front_matter(result, name=name, weights=weights, widget=widget(rows))
    return ENVIRONMENT.get_template(TEMPLATE).render(
        result=result,
        recipe=result.recipe,
        name=name,
        front_matter=Markdown(as_yaml(matter)),
        known=matter,
        library=library(result, weights),
        weights=weights,
        examples=examples(result, rows, repo=repo, weights=weights),
        file=next((FILES[kind] for kind in _input_kinds(result) if kind in FILES), None),
        fenced=fenced,
        number=number,
        bounds=bounds,
        apart=apart,
        checkpoint=checkpoint_origin(result.checkpoint),
        chain=[(one, checkpoint_origin(one["checkpoint"])) for one in chain(result.checkpoint)],
        data=data_origin(result),
        data_fingerprint=_json(run_dir.data).get("fingerprint"),
        set_aside=[split for split in result.examples if set_aside(result, split)],
        labels=result.labels[:SHOWN_LABELS],
        findings=[without_places(finding, result) for finding in result.findings],
        summary=(type(result.recipe.strategy).__doc__ or "").strip().splitlines()[0],
        settings=[*_settings(result)],
        scores=[*_scores(result)],
        guesses=[*_guesses(result)],
        against={one["arm"]: one for one in result.evidence.get("comparisons", ())},
        tables=[one for one in result.recipe.metrics if not METRICS.get(one).scalar],
        classes=class_table(result),
        calibration=calibrated(result.calibration),
        environment=_json(run_dir.environment),
        recipe_text=_recipe_text(run_dir),
        recipe_name=RUN_RECIPE,
    )


def _input_kinds(result: Result) -> list[str]:
    return [result.recipe.task.columns[role].kind for role in result.inputs]


def _json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _scores(result: Result) -> Iterator[Score]:
    """Every metric of every split that is a number, or would be one."""
    for split, values in result.metrics.items():
        for metric, value in values.items():
            if metric == "loss" or METRICS.get(metric).scalar:
                free = {
                    name: splits[split][metric]
                    for name, splits in _guesses(result).items()
                    if metric in splits.get(split, {})
                }
                interval = result.intervals.get(split, {}).get(metric)
                yield Score(split, result.examples[split], metric, value, interval, free)


def _guesses(result: Result) -> dict[str, Any]:
    """The baselines that cost nothing: not the arms that were trained."""
    trained = {arm["name"] for arm in result.evidence.get("arms", ()) if arm["trained"] is not None}
    return {name: splits for name, splits in result.baselines.items() if name not in trained}


def _settings(result: Result) -> Iterator[tuple[str, str]]:
    """What was asked for that moves the outcome: key of the recipe -> value, as YAML."""
    recipe = result.recipe
    for section, part in (("task", recipe.task), ("strategy", recipe.strategy)):
        for key, value in _chosen(part, numbers=part is recipe.strategy).items():
            yield f"{section}.{key}", in_yaml(value)
    other = recipe.strategy.other_head
    if other is None or not other.fitted:  # a learner of scikit-learn knows neither epochs nor rates
        training = recipe.training.model_dump(mode="json")
        for key in SHAPING:
            if training[key] is not None:
                yield f"training.{key}", in_yaml(training[key])
    yield "training.seed", in_yaml(recipe.training.seed)


def _chosen(part: Options, *, numbers: bool) -> dict[str, Any]:
    """The options of a task or a strategy that are not the default. numbers: and all that count something."""
    fields = type(part).model_fields
    return {
        key: value
        for key, value in part.model_dump(mode="json").items()
        if key != "name"
        and value is not None
        and (getattr(part, key) != fields[key].default or (numbers and type(value) in (int, float) and value))
    }


def _recipe_text(run_dir: RunDirectory) -> str:
    """The recipe as it was written down; what cannot be seen in it by its number, which YAML reads as the same."""
    document = read_recipe(run_dir.recipe)
    plain = document.text.replace("\n", "")
    return document.text if visible(plain) == plain else as_yaml(document.value)
