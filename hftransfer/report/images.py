"""The images of the worst errors. Predictions leave images out: their rows are looked up in the source again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hftransfer.errors import HFTransferError
from hftransfer.report.parts import Part, Picture, Say
from hftransfer.report.views.base import View
from hftransfer.report.views.one_label import OneLabel

SHOWN = 24
SIDE = 160
"""Pixels of a thumbnail."""


def contact_sheet(view: View) -> Iterator[Part]:
    """Of tasks over images with one label a row: the worst errors, side by side; else nothing."""
    task = view.result.recipe.task
    if not isinstance(view, OneLabel) or "image" not in task.columns:
        return
    places = view.worst(SHOWN).tolist()
    if not places:
        return
    try:
        images = _images(view, places)
    except (HFTransferError, OSError) as error:
        yield Say(
            f"The images of the worst errors cannot be shown: {str(error).splitlines()[0]}", warning=True
        )
        return
    from hftransfer.report import plots

    labels, told = view.result.labels, view.told
    given = [labels[told.given[place]] for place in places]
    said = [labels[told.said[place]] for place in places]
    yield Picture(
        "sheet",
        "The worst errors",
        "Contact sheet of the worst errors; above each image the label it was given, below it what was said: "
        + "; ".join(f"{one} said to be {other}" for one, other in zip(given, said, strict=True))
        + ".",
        lambda: plots.sheet(images, given, said),
        wide=True,
    )


def _images(view: View, places: list[int]) -> list[Any]:
    """Thumbnails of the rows at these places. Raises DataError where the source is no longer what it was."""
    from hftransfer.errors import DataError
    from hftransfer.sources.images import open_image

    table, _, findings = view.result.own_rows(view.split)
    if findings:
        raise DataError("; ".join(findings))
    images = []
    for place in places:
        image = open_image(table[place]["image"], where=f"{view.split} row {place + 1}")
        image.thumbnail((SIDE, SIDE))
        images.append(image)
    return images
