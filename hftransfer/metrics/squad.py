"""Exact match and F1 of answers, as SQuAD's official evaluation scripts define them (v1.1: Rajpurkar et al. 2016,
v2.0: Rajpurkar et al. 2018; https://rajpurkar.github.io/SQuAD-explorer/), as shares from 0 to 1.

The scripts differ only in answers of which normalisation leaves nothing ("the", "$"). Rows with a question that has no
answer are scored as by v2.0, others as by v1.1.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hftransfer.metrics.intervals import Resamples

Gold = Sequence[str]
"""The right answers to one question, any of which will do; none where the context holds no answer."""

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, single spaces."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(references: Sequence[Gold], predictions: Sequence[str]) -> float:
    """The share of questions whose predicted answer is a right one, once both are normalised."""
    return _mean(_exact, references, predictions)


def f1(references: Sequence[Gold], predictions: Sequence[str]) -> float:
    """The mean over questions of the F1 of words, by the right answer that fits best."""
    return _mean(_f1, references, predictions)


def resampled_exact_match(
    resamples: Resamples, references: Sequence[Gold], predictions: Sequence[str]
) -> NDArray[np.float64]:
    return resamples.mean(_scores(_exact, references, predictions))


def resampled_f1(
    resamples: Resamples, references: Sequence[Gold], predictions: Sequence[str]
) -> NDArray[np.float64]:
    return resamples.mean(_scores(_f1, references, predictions))


def report(references: Sequence[Gold], predictions: Sequence[str]) -> dict[str, Any]:
    """Both for the questions that have an answer and for those that have none, with how many there are."""
    exact, overlap = row_scores(references, predictions)
    parts: dict[str, list[int]] = {}
    for row, gold in enumerate(references):
        parts.setdefault("has_answer" if gold else "no_answer", []).append(row)
    return {
        name: {
            "questions": len(rows),
            "exact_match": sum(exact[row] for row in rows) / len(rows),
            "qa_f1": sum(overlap[row] for row in rows) / len(rows),
        }
        for name, rows in sorted(parts.items())
    }


def row_scores(references: Sequence[Gold], predictions: Sequence[str]) -> tuple[list[float], list[float]]:
    """(exact match, F1) of every question."""
    return _scores(_exact, references, predictions), _scores(_f1, references, predictions)


def _mean(score: Callable[..., float], references: Sequence[Gold], predictions: Sequence[str]) -> float:
    return sum(_scores(score, references, predictions)) / len(references)


def _scores(
    score: Callable[..., float], references: Sequence[Gold], predictions: Sequence[str]
) -> list[float]:
    unanswered = any(not gold for gold in references)
    scores = []
    for gold, said in zip(references, predictions, strict=True):
        wanted = [normalised(text) for text in gold]
        if unanswered:
            wanted = [text for text in wanted if text] or [""]
        said = normalised(said)
        scores.append(max(score(text, said, unanswered) for text in wanted))
    return scores


def _exact(gold: str, said: str, unanswered: bool) -> float:
    return float(gold == said)


def _f1(gold: str, said: str, unanswered: bool) -> float:
    theirs, ours = gold.split(), said.split()
    if unanswered and not (theirs and ours):
        return float(theirs == ours)
    common = (Counter(theirs) & Counter(ours)).total()
    return 2 * common / (len(theirs) + len(ours)) if common else 0.0
