"""A comparison as HTML: the tables alone, for a notebook, and a page that needs nothing beside itself."""

from __future__ import annotations

import base64
import io
from importlib.util import find_spec
from pathlib import Path

import jinja2
from markupsafe import Markup

from hftransfer.comparison.facts import Comparison, Group, costs, score, seeds, spread, told

ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.globals |= {"costs": costs, "score": score, "seeds": seeds, "spread": spread, "told": told}


def tables(comparison: Comparison) -> str:
    """A heading, a table and a verdict for every group."""
    left = [
        f"<p>Left out: {Markup.escape(run)}: {Markup.escape(why)}.</p>"
        for run, why in comparison.left_out.items()
    ]
    return "\n".join([*(str(_table(group)) for group in comparison.groups), *left])


def page(comparison: Comparison) -> str:
    """All of it, as a file to open or send."""
    return ENVIRONMENT.get_template("page.html.jinja").render(
        comparison=comparison,
        tables=[_table(group) for group in comparison.groups],
        images=_images(comparison),
    )


def _table(group: Group) -> Markup:
    return Markup(ENVIRONMENT.get_template("table.html.jinja").render(group=group))


def _images(comparison: Comparison) -> list[str]:
    """PNG files as text, one a group; empty ones without matplotlib, and for what a picture adds nothing to."""
    if find_spec("matplotlib") is None:
        return [""] * len(comparison.groups)
    from hftransfer.comparison.plot import plot

    found = []
    for group in comparison.groups:
        stream = io.BytesIO()
        if len(group.rows) > 1:
            plot(Comparison((group,), {})).savefig(stream, format="png")
        found.append(base64.b64encode(stream.getvalue()).decode("ascii"))
    return found
