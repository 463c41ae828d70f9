"""How near generated texts are to reference texts: rouge-score's and sacrebleu's definitions.

references: N lists of texts, of which each is right. predictions: N texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hftransfer.metrics.sentences import sentences

if TYPE_CHECKING:
    from hftransfer.metrics.intervals import Resamples

References = Sequence[Sequence[str]]


def rouge(references: References, predictions: Sequence[str], *, kind: str) -> float:
    """F-measure of ROUGE (Lin 2004), 0 to 1, the mean over rows; with Porter's stemmer, as papers report it.

    kind: rouge1, rouge2, rougeL or rougeLsum. Of several references the nearest counts. rouge-score reads only the
    letters a to z and digits: a text in another script scores 0, and letters with accents are left out.
    """
    return float(np.mean(_rouge_of_rows(references, predictions, kind)))


def resampled_rouge(
    resamples: Resamples, references: References, predictions: Sequence[str], *, kind: str
) -> NDArray[np.float64]:
    return resamples.mean(_rouge_of_rows(references, predictions, kind))


def _rouge_of_rows(references: References, predictions: Sequence[str], kind: str) -> list[float]:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([kind], use_stemmer=True)
    lines = _lines if kind == "rougeLsum" else str
    return [
        scorer.score_multi([lines(one) for one in several], lines(prediction))[kind].fmeasure
        for several, prediction in zip(references, predictions, strict=True)
    ]


def bleu(references: References, predictions: Sequence[str]) -> float:
    """BLEU of the whole corpus (Papineni et al. 2002), 0 to 100: sacrebleu's defaults (13a, exponential smoothing)."""
    import sacrebleu

    return float(sacrebleu.corpus_bleu(list(predictions), _streams(references), force=True).score)


def resampled_bleu(
    resamples: Resamples, references: References, predictions: Sequence[str]
) -> NDArray[np.float64]:
    """By what sacrebleu counts in every row: lengths, and n-grams that are there and right."""
    import sacrebleu

    metric = sacrebleu.BLEU(effective_order=True)
    rows = [
        metric.sentence_score(prediction, list(several))
        for several, prediction in zip(references, predictions, strict=True)
    ]
    counts = np.array([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in rows])
    sums = resamples.sums(counts).astype(int).tolist()
    orders = len(rows[0].counts)
    return np.array(
        [
            sacrebleu.BLEU.compute_bleu(
                correct=one[:orders],
                total=one[orders:-2],
                sys_len=one[-2],
                ref_len=one[-1],
                smooth_method="exp",
            ).score
            for one in sums
        ]
    )


def chrf(references: References, predictions: Sequence[str]) -> float:
    """chrF of the whole corpus (Popovic 2015), 0 to 100: sacrebleu's defaults (6 characters, beta 2)."""
    import sacrebleu

    return float(sacrebleu.corpus_chrf(list(predictions), _streams(references)).score)


def resampled_chrf(
    resamples: Resamples, references: References, predictions: Sequence[str]
) -> NDArray[np.float64]:
    """By what sacrebleu counts in every row, as its own significance tests go about it (`sacrebleu.significance`)."""
    import sacrebleu

    metric = sacrebleu.CHRF()
    counts = np.array(metric._extract_corpus_statistics(list(predictions), _streams(references)))
    sums = resamples.sums(counts).astype(int).tolist()
    return np.array([metric._compute_score_from_stats(one).score for one in sums])


def generated_length(references: References, predictions: Sequence[str]) -> float:
    """Mean number of words, what white space separates."""
    return float(np.mean(_lengths(predictions)))


def resampled_length(
    resamples: Resamples, references: References, predictions: Sequence[str]
) -> NDArray[np.float64]:
    return resamples.mean(_lengths(predictions))


def _lengths(predictions: Sequence[str]) -> list[int]:
    return [len(prediction.split()) for prediction in predictions]


def _lines(text: str) -> str:
    """A sentence a line, which is what rougeLsum goes by."""
    return "\n".join(sentences(text))


def _streams(references: References) -> list[list[Any]]:
    """sacrebleu's form: the first references of all rows, then the second ones, None where a row has no more."""
    return [list(stream) for stream in zip_longest(*references)]
