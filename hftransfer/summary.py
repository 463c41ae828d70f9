"""A result as people read it: in a line, as text, and as a cell of a notebook shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any

from hftransfer.locate import RUN_MODEL
from hftransfer.outcome import Outcome

EXAMPLES = {"text": "your text here", "image": "photo.jpg", "audio": "clip.wav"}
"""An input of a task's first role, as one would write it."""

GREY = "opacity:.65"
"""Set back in a light theme as in a dark one: no colour is named, so that the page's own hold."""


Table = tuple[list[str], list[list[str]]]
"""(its header, its rows), all as text."""


class Summarized(Outcome):
    """What a `Result` shows of itself: scores beside the baseline, what it cost, where it lies, what to do next.

    Metrics that are more than a number (a confusion matrix) are in `metrics`; here they would fill the page.
    """

    def __repr__(self) -> str:
        split = "test" if "test" in self.metrics else "validation"
        score = number(self.metrics[split].get(self.best_metric))
        return f"<Result {self.run_dir}: {self.task}, {self.strategy}, {split} {self.best_metric} {score}>"

    def __str__(self) -> str:
        tables = [line for table in self._tables() for line in (*text_table(*table), "")]
        facts = [f"{name:<12}{text}" for name, text in self._facts().items()]
        return "\n".join([self._title(), "", *tables, *facts, "next", *(f"  {one}" for one in self._next())])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For IPython in a terminal: the text."""
        printer.text(str(self))

    def _repr_html_(self) -> str:
        """For a notebook. Without colours of its own, and with no style sheet: a notebook's page may drop it."""
        tables = "".join(html_table(*table) for table in self._tables())
        facts = html_facts([*self._facts().items()], {"next": self._next()})
        return f"<div><p><b>{escape(self._title())}</b></p>{tables}{facts}</div>"

    def _title(self) -> str:
        return f"{self.task}, {self.strategy}, from {self.checkpoint['name']}"

    def _tables(self) -> list[Table]:
        """The scores, and what they were compared with."""
        arms = self._arms()
        return [self._scores(), arms] if arms[1] else [self._scores()]

    def _arms(self) -> Table:
        """A row for the run and everything that it was compared with; none where nothing was."""
        evidence = self.evidence
        metric, split = evidence.get("metric", ""), evidence.get("split", "")
        against = {one["arm"]: one for one in evidence.get("comparisons", ())}
        rows = []
        for arm in evidence.get("arms", ()):
            one = against.get(arm["name"], {})
            difference = number(one.get("difference"))
            told = [number(arm["value"]), bounds(arm["interval"]), difference, one.get("verdict", "")]
            rows.append([arm["title"], *told, f"{arm['seconds']:,.0f} s"])
        seeds = evidence.get("seeds", ())
        for one in seeds if len(seeds) > 1 else ():
            rows.append(
                [f"seed {one['seed']}", number(one["value"]), "", "", "collapsed" * one["collapsed"], ""]
            )
        return ["compared", f"{split} {metric}", "95 %", "run - arm", "the run is", "cost"], rows

    def _scores(self) -> Table:
        """A row for every metric that is a number; for every split the score, its interval and the baseline."""
        guess = next(iter(self.baselines), None)
        header = ["metric"]
        for split in self.metrics:
            rows = self.examples.get(split)
            header += [f"{split} ({rows:,})" if rows is not None else split, "95 %"]
            header += [guess] if guess else []
        names = [
            name for metrics in self.metrics.values() for name, value in metrics.items() if number(value)
        ]
        table = []
        for name in dict.fromkeys(names):
            row = [name]
            for split, metrics in self.metrics.items():
                row += [number(metrics.get(name)), bounds(self.intervals.get(split, {}).get(name))]
                row += [number(self.baselines[guess].get(split, {}).get(name))] if guess else []
            table.append(row)
        return header, table

    def _facts(self) -> dict[str, str]:
        """Name -> a sentence, for what there is."""
        taken = f"{self.steps:,} steps, the best after {self.best_step:,}" if self.steps else "fitted once"
        seconds, parameters, proof = self.seconds, self.parameters, self.reload_check
        facts = {
            "verdict": str(self.evidence.get("verdict", "")),
            "scores": calibrated(self.calibration),
            "cost": f"{seconds['total']:.0f} s, {seconds['train']:.0f} s of it training; {taken}; "
            f"{parameters['trained']:,} of {parameters['total']:,} parameters trained; "
            f"{self.peak_memory_bytes / 2**30:.1f} GiB of memory at most",
            "proof": f"loaded afresh by {', '.join(proof['ways'])}: {proof['rows']} rows, "
            f"largest difference {proof['max_difference']:.1e}",
            "where": f"{self.run_dir}; the model: {self.run_dir / RUN_MODEL}",
        }
        return {name: text for name, text in facts.items() if text}

    def _next(self) -> list[str]:
        """Lines worth trying after this run."""
        first = self.inputs[0] if self.inputs else "text"
        example: Any = EXAMPLES.get(first, "...")
        if len(self.inputs) > 1:
            example = dict.fromkeys(self.inputs, "...")
        return [
            f"result.predict([{example!r}])",
            "result.report()",
            f"ht.load_run({str(self.run_dir)!r})",
        ]


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, its columns one below the other."""
    table = [header, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, texts: bool = False) -> str:
    """A table, escaped: the first column to the left, the others, which hold numbers unless `texts`, to the right."""

    def line(cells: Sequence[str], tag: str) -> str:
        styles = ["text-align:left;white-space:nowrap"]
        rest = "text-align:left;white-space:normal" if texts else "text-align:right;white-space:nowrap"
        styles += [rest] * (len(cells) - 1)
        return "".join(
            f'<{tag} style="{style}">{escape(cell)}</{tag}>'
            for cell, style in zip(cells, styles, strict=True)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    table = f"<table><thead><tr>{line(header, 'th')}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div style="overflow-x:auto">{table}</div>'  # where the page is narrow, it alone is moved


def html_facts(
    facts: Sequence[tuple[str, str]], code: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> str:
    """A line for every fact, its name set back; code: name -> lines to be copied."""
    cells = [(name, escape(text)) for name, text in facts]
    cells += [
        (name, "<br>".join(f"<code>{escape(line)}</code>" for line in lines)) for name, lines in code.items()
    ]
    lines = "".join(
        f'<tr><td style="{GREY};text-align:left;vertical-align:top">{escape(name)}</td>'
        f'<td style="text-align:left;white-space:normal">{text}</td></tr>'
        for name, text in cells
    )
    return f"<table><tbody>{lines}</tbody></table>"


def number(value: Any) -> str:
    """Four places; nothing for what is not one number."""
    return f"{value:.4f}" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def bounds(interval: Sequence[float] | None) -> str:
    """`0.702 to 0.833`; nothing where there is no interval."""
    return "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def calibrated(facts: Mapping[str, Any]) -> str:
    """The temperature of the logits and what it did, on test where there is one; "" where there is none to tell of."""
    if not facts:
        return ""
    split = "test" if "test" in facts["ece"] else "validation"
    errors = facts["ece"][split]
    if facts["temperature"] == 1:
        why = f" ({facts['why']})" if facts["why"] else ""
        return f"temperature 1{why}: calibration error (ECE) {errors['after']:.4f} on {split}"
    where = "in the saved weights" if facts["folded"] else "applied by predict and evaluate alone"
    fitted = "fitted on validation" if split == "test" else "fitted on the same rows"
    return (
        f"temperature {facts['temperature']:.3g}, {fitted}, {where}: calibration error (ECE) "
        f"{errors['before']:.4f} before, {errors['after']:.4f} after on {split}"
    )
