"""What a look at a recipe, its data and its checkpoint has shown, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from hftransfer.lint import Finding
from hftransfer.summary import html_facts, html_table

LABELS = 10
"""Names of labels that are told."""


@dataclass(frozen=True)
class Check:
    """What `check` saw. examples: rows of every split. unchecked: what lies on the Hub and was not looked at.

    steps: of `batch_size` examples each; 0 for a learner that is fitted, None where that was not looked at.
    lint: what the rows show, all of it; what matters of it is in `findings`, too. numbers: whether the labels are
    names of numbers.
    """

    examples: Mapping[str, int] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)
    steps: int | None = None
    findings: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    lint: tuple[Finding, ...] = ()
    batch_size: int = 0
    numbers: bool = False

    def told(self, *, besides_lint: bool = False) -> list[tuple[str, str]]:
        """(name, text) of every fact, for people. besides_lint: without what `lint` says, where that is shown."""
        sizes, whole = self.parameters, bool(self.parameters)
        facts = [("recipe", "is right")] if whole else []
        if self.unchecked:
            facts = [("recipe", "is right as far as it was looked at")]
        if self.examples:
            rows = ", ".join(f"{count:,} {split}" for split, count in self.examples.items())
            facts.append(("data", rows + self._labels()))
        if whole:
            trained = f"{sizes['trained']:,} of {sizes['total']:,} parameters are trained"
            facts.append(("checkpoint", f"loads; {trained}"))
        if self.steps is not None:
            steps = f"{self.steps:,} steps of {self.batch_size} examples" if self.steps else "fitted once"
            facts.append(("training", steps))
        shown = {one.message for one in self.lint} if besides_lint else set()
        facts += [("note", finding) for finding in self.findings if finding not in shown]
        return facts + [("not checked", f"{part}: it lies on the Hub") for part in self.unchecked]

    def _labels(self) -> str:
        """`; 2 labels: negative, positive`; nothing for a task that has none."""
        if not self.labels:
            return ""
        what = ("target" if self.numbers else "label") + "s" * (len(self.labels) > 1)
        more = " ..." if len(self.labels) > LABELS else ""
        return f"; {len(self.labels)} {what}: {', '.join(self.labels[:LABELS])}{more}"

    def _rows_told(self) -> list[tuple[str, str]]:
        """`told`, and that nothing was found in the rows, where that is so."""
        nothing = [("lint", "nothing found")] if self.examples and not self.lint else []
        return self.told(besides_lint=True) + nothing

    def __str__(self) -> str:
        lint = [f"{one.severity:<12}{one.check}: {one.message}" for one in self.lint]
        return "\n".join([*(f"{name:<12}{text}" for name, text in self._rows_told()), *lint])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        rows = [[one.check, one.severity, one.message] for one in self.lint]
        table = html_table(["lint", "", "found"], rows, texts=True) if rows else ""
        found = "".join(
            f"<p><b>{escape(one.check)}</b><br>"
            + "".join(f"{escape(str(example))}<br>" for example in one.examples)
            + f"what to do: {escape(one.advice)}</p>"
            for one in self.lint
            if one.severity != "info"
        )
        return f"<div>{html_facts(self._rows_told())}{table}{found}</div>"
