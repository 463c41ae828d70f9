"""Metrics of tags: a label for every word. Entities as seqeval counts them, words as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hftransfer.errors import InputError
from hftransfer.metrics.base import Measure
from hftransfer.metrics.schemes import scheme_of, types_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hftransfer.metrics.intervals import Resamples

    Rows = Sequence[NDArray[np.integer[Any]]]
    """For every row the label of each of its words, as indices into the task's labels."""


class EntityMetric(Measure):
    """A metric of entities, which the labels must mark (B-PER, I-PER, ...)."""

    def check_labels(self, labels: Sequence[str]) -> None:
        """See `Metric.check_labels`."""
        if scheme_of(labels) is None:
            shown = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
            raise InputError(
                f"the metric {self.name} needs labels that mark entities (O, B-PER, I-PER; BIOES and BILOU too); "
                f"found: {shown}",
                hint="where every word has a label of its own (parts of speech), write "
                "task: {name: token-classification, tagging: tokens}, or metrics: [token_accuracy]",
            )


def entity_score(
    references: Rows, predictions: Rows, *, labels: Sequence[str], score: str, average: str
) -> float | None:
    """seqeval's `precision_score`, `recall_score` or `f1_score` (`score`), strict; None where no row has an entity.

    An entity is right when its type and both of its ends are; tags that break the scheme make none.
    """
    from seqeval import metrics

    if not _has_entities(references, labels):
        return None
    true, said = _names(references, labels), _names(predictions, labels)
    return float(getattr(metrics, score)(true, said, average=average, **_strict(labels)))


def entity_report(references: Rows, predictions: Rows, *, labels: Sequence[str]) -> dict[str, Any] | None:
    """By type of entity: {"precision", "recall", "f1", "support"}, strict, as seqeval's `classification_report`."""
    from seqeval.metrics import classification_report

    if not _has_entities(references, labels):
        return None
    true, said = _names(references, labels), _names(predictions, labels)
    found = classification_report(true, said, output_dict=True, **_strict(labels))
    return {
        name: {
            "precision": float(one["precision"]),
            "recall": float(one["recall"]),
            "f1": float(one["f1-score"]),
            "support": int(one["support"]),
        }
        for name, one in found.items()
        if not name.endswith(" avg")
    }


def token_accuracy(references: Rows, predictions: Rows) -> float | None:
    """The share of all words whose label is right; None where there are no words."""
    import numpy as np

    true, said = np.concatenate(references), np.concatenate(predictions)
    return float((true == said).mean()) if len(true) else None


def resampled_entity_score(
    resamples: Resamples,
    references: Rows,
    predictions: Rows,
    *,
    labels: Sequence[str],
    score: str,
    average: str,
) -> NDArray[np.float64]:
    """By what every row has of each type: entities that are right, are said, and are there."""
    import numpy as np

    from hftransfer.metrics.intervals import quotient

    types = types_of(labels)
    counts = np.split(resamples.sums(_entity_counts(references, predictions, labels, types)), 3, axis=1)
    if average == "micro":
        counts = [one.sum(axis=1, keepdims=True) for one in counts]
    right, said, there = counts
    over, under = {
        "precision_score": (right, said),
        "recall_score": (right, there),
        "f1_score": (2 * right, said + there),
    }[score]
    met = (said + there > 0).sum(axis=1)  # seqeval's mean is over the types that either side has
    values = quotient(quotient(over, under, zero=0.0).sum(axis=1), met.astype(np.float64), zero=np.nan)
    return np.where(there.sum(axis=1) > 0, values, np.nan)


def _entity_counts(
    references: Rows, predictions: Rows, labels: Sequence[str], types: Sequence[str]
) -> NDArray[np.float64]:
    """(N, 3T): for each type the entities of a row that are right, are said, and are there."""
    import numpy as np
    from seqeval.scheme import Entities

    scheme = _strict(labels)["scheme"]
    there, said = (Entities(_names(side, labels), scheme).entities for side in (references, predictions))
    table = np.zeros((len(references), 3, len(types)))
    for row, (true, guessed) in enumerate(zip(there, said, strict=True)):
        for kind, found in enumerate((set(true) & set(guessed), guessed, true)):
            for entity in found:
                table[row, kind, types.index(entity.tag)] += 1
    return table.reshape(len(table), -1)


def resampled_token_accuracy(
    resamples: Resamples, references: Rows, predictions: Rows
) -> NDArray[np.float64]:
    """Rows are drawn, with all of their words: those of one sentence are not independent."""
    import numpy as np

    from hftransfer.metrics.intervals import quotient

    pairs = zip(references, predictions, strict=True)
    right, words = resamples.sums(np.array([((one == other).sum(), len(one)) for one, other in pairs])).T
    return quotient(right, words, zero=np.nan)


def _strict(labels: Sequence[str]) -> dict[str, Any]:
    from seqeval import scheme

    return {"mode": "strict", "scheme": getattr(scheme, str(scheme_of(labels))), "zero_division": 0}


def _has_entities(rows: Rows, labels: Sequence[str]) -> bool:
    inside = {index for index, label in enumerate(labels) if label != "O"}
    return any(not inside.isdisjoint(row.tolist()) for row in rows)


def _names(rows: Rows, labels: Sequence[str]) -> list[list[str]]:
    return [[labels[index] for index in row.tolist()] for row in rows]
