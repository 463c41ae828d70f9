"""The card's front matter: what the Hub reads of a model, as huggingface_hub's `ModelCardData` has it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCardData

from hftransfer.locate import HEAD
from hftransfer.recipe import Weights
from hftransfer.registry import METRICS
from hftransfer.report.markdown import BIDIRECTIONAL, visible
from hftransfer.report.origins import base_model, data_origin, said_by_checkpoint, said_by_dataset
from hftransfer.result import Result

SENTENCES, MODULES = "sentence_transformers", "modules.json"
ORDER = (
    "license",
    "license_name",
    "license_link",
    "language",
    "library_name",
    "pipeline_tag",
    "base_model",
    "base_model_relation",
    "datasets",
    "metrics",
    "tags",
    "widget",
    "model-index",
)


def library(result: Result, weights: Weights) -> str:
    """The library that opens the model, as the Hub calls it."""
    if weights == "adapter":
        return "peft"
    if not (result.model / HEAD).is_file():
        return "transformers"
    # Where it has no modules for the head (a learner of scikit-learn), it gives what that stands on.
    whole = SENTENCES in result.reload_check["ways"] and "Dense" in (result.model / MODULES).read_text(
        "utf-8"
    )
    return "sentence-transformers" if whole else "hftransfer"


def front_matter(
    result: Result, *, name: str, weights: Weights, widget: Sequence[dict[str, str]]
) -> dict[str, Any]:
    """What is known of the model and nothing else. name: the model's. widget: examples for the Hub's widget."""
    base, data = base_model(result.checkpoint), data_origin(result)
    checkpoint, dataset = said_by_checkpoint(result), said_by_dataset(result)
    measured = [METRICS.get(name) for name in result.recipe.metrics]
    matter = ModelCardData(
        license=checkpoint.get("license"),
        license_name=checkpoint.get("license_name"),
        license_link=checkpoint.get("license_link"),
        language=_languages(dataset.get("language") or checkpoint.get("language")),
        library_name=library(result, weights),
        pipeline_tag=result.task,
        base_model=base,
        base_model_relation=base and ("adapter" if weights == "adapter" else "finetune"),
        datasets=[data.hub] if data.hub else None,
        metrics=list(dict.fromkeys(one.hub or one.name for one in measured if one.scalar)) or None,
        tags=["hftransfer", result.strategy],
        widget=list(widget) or None,
        model_name=name,
        eval_results=_scores(result, data.name, data.hub) or None,
    )
    known: dict[str, Any] = matter.to_dict()  # type: ignore[no-untyped-call]
    return {key: known[key] for key in ORDER if key in known}


def _languages(said: Any) -> Any:
    """As the card says; YAML reads the code of Norwegian, no, as False."""
    several = [said] if isinstance(said, str | bool) else said or []
    codes = ["no" if one is False else str(one) for one in several]
    return codes[0] if len(codes) == 1 else codes or None


def _scores(result: Result, data: str, hub: str | None) -> list[EvalResult]:
    """Every metric of every split that is a number."""
    section = result.recipe.data
    found = []
    for split, values in result.metrics.items():
        # Rows that were set aside here are no split that anybody could load.
        theirs = None if set_aside(result, split) else section.splits.get(split, split)  # type: ignore[call-overload]
        for metric, value in values.items():
            if metric != "loss" and isinstance(value, int | float) and math.isfinite(value):
                found.append(
                    EvalResult(
                        task_type=result.task,
                        dataset_type=hub or "local",
                        dataset_name=data,
                        dataset_config=section.config if hub else None,
                        dataset_revision=section.revision if hub else None,
                        dataset_split=theirs if hub else split,
                        metric_type=METRICS.get(metric).hub or metric,
                        metric_name=f"{metric} ({split})",
                        metric_value=value,
                    )
                )
    return found


def set_aside(result: Result, split: str) -> bool:
    """Whether the source has no such split, and training rows were taken for it."""
    return any(finding.startswith(f"no {split} split: ") for finding in result.findings)


class _Dumper(yaml.SafeDumper):
    """Quotes text with anything in it that is not seen, so that it is written by its number."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if visible(value) != value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(value: Any) -> str:
    """YAML that reads back as the value; no line of it is `---`, and no text in it turns direction."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)
    # They stand in double quotes alone, where this is how YAML writes them.
    return re.sub(f"[{BIDIRECTIONAL}\u200b]", lambda mark: f"\\u{ord(mark[0]):04x}", text).rstrip("\n")
