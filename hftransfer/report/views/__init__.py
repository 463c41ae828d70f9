"""What the predictions of a run show, by the kind of what is predicted."""

from __future__ import annotations

from hftransfer.errors import DataError, did_you_mean
from hftransfer.report.views.answers import Answers
from hftransfer.report.views.base import View
from hftransfer.report.views.hidden import Hidden
from hftransfer.report.views.numbers import Numbers
from hftransfer.report.views.one_label import OneLabel
from hftransfer.report.views.segments import Segments
from hftransfer.report.views.several_labels import SeveralLabels
from hftransfer.report.views.tags import Tags
from hftransfer.report.views.texts import Texts
from hftransfer.result import Result

VIEWS: dict[str, type[View]] = {
    "class": OneLabel,
    "choice": OneLabel,
    "classes": SeveralLabels,
    "numbers": Numbers,
    "tags": Tags,
    "answers": Answers,
    "texts": Texts,
    "mask": Segments,
    "": Hidden,
}
"""By the kind of the task's target column; the last where the texts themselves are the target."""


def view(result: Result, split: str | None = None) -> View:
    """Of a split that was scored; by default of the last one (test where there is one).

    Raises DataError where the run has no such split, or its predictions are not here.
    """
    there = list(result.metrics)
    name = split or there[-1]
    if name not in there:
        raise DataError(f"the run has scored no split `{name}`", hint=did_you_mean(name, there))
    target = result.recipe.task.target
    kind = None if target is None else result.recipe.task.columns[target].kind
    found = VIEWS.get(kind or "", View)(result, name)
    if not found.file.is_file():
        raise DataError(
            f"the predictions of this run are not here: there is no {found.file}",
            hint="they stay where the run was made: a run that was pushed and fetched has none",
        )
    return found


__all__ = ["View", "view"]
