"""What lint says: one finding a check, counted, with examples and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
"""error: the run does not start. warning: told in the run. info: counted, and told by `check --data` alone."""

SHOWN = 3
"""Examples of a finding."""


@dataclass(frozen=True)
class Example:
    """One row. row: its number in its source split, from 0, as in the predictions. where: as the user finds it.

    text: what is in it, shortened. label: what it is said to be, where that matters. of: the other row of a pair.
    """

    split: str
    row: int
    where: str
    text: str
    label: str | None = None
    of: Example | None = None

    def __str__(self) -> str:
        label = f" ({self.label})" if self.label is not None else ""
        text = f": {self.text}" if self.text else ""
        if self.of is None:
            return f"{self.where}{label}{text}"
        if self.of.text == self.text:
            return f"{self.where}{label} as {self.of.where}{_label(self.of)}{text}"
        return f"{self.where}{label}{text} | {self.of}"


def _label(example: Example) -> str:
    return f" ({example.label})" if example.label is not None else ""


@dataclass(frozen=True)
class Finding:
    """splits: where the rows are; of two, the rows of the first that are also in the second.

    rows: how many; of: among how many. message: one line. advice: what to do.
    """

    check: str
    severity: Severity
    splits: tuple[str, ...]
    rows: int
    of: int
    message: str
    advice: str
    examples: tuple[Example, ...] = ()

    @property
    def share(self) -> float:
        """Rows of those looked at, 0 to 1."""
        return self.rows / self.of if self.of else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        facts = asdict(self)
        del facts["of"]
        return {**facts, "share": round(self.share, 6)}


def sentences(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The sentences that a run says: of what matters, one each."""
    return tuple(one.message for one in findings if one.severity != "info")


def percent(rows: int, of: int) -> str:
    """A share in words: `2.4%`; what would be rounded to nothing is `<0.1%`."""
    share = rows / of if of else 0.0
    return f"{share:.1%}" if share >= 0.001 or not rows else "<0.1%"
