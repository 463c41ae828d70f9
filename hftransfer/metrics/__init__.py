"""The METRICS table. All work with no network; importing it imports none of what computes them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hftransfer.metrics.base import SHARE, ClassMetric, Measure, Metric, MetricValue
from hftransfer.metrics.tagging import EntityMetric
from hftransfer.registry import METRICS

__all__ = ["METRICS", "Metric", "MetricValue"]

# suffix of the name -> scikit-learn's average, and what it is in words
AVERAGES = {
    "": ("macro", "unweighted mean over all labels"),
    "_micro": ("micro", "over all rows together, as accuracy is"),
    "_weighted": ("weighted", "mean over all labels, weighted by their rows"),
    "_binary": ("binary", "of the second of two labels"),
}


def _averaged(name: str, implementation: str, summary: str) -> Iterator[ClassMetric]:
    for suffix, (average, words) in AVERAGES.items():
        yield ClassMetric(
            name=f"{name}{suffix}",
            summary=f"{summary}; {words}",
            module=f"hftransfer.metrics.precision_recall_f1:{implementation}",
            arguments={"average": average, "zero_division": 0},
            hub=name,
            over_labels=average != "binary",
            binary=average == "binary",
        )


def _of_entities(name: str, score: str, summary: str) -> Iterator[EntityMetric]:
    for suffix, average, words in (
        ("", "micro", "over all entities"),
        ("_macro", "macro", "mean over types"),
    ):
        yield EntityMetric(
            name=f"entity_{name}{suffix}",
            summary=f"{summary}; seqeval strict, {words}",
            module="hftransfer.metrics.tagging:entity_score",
            between=SHARE,
            arguments={"score": score, "average": average},
            resampler="resampled_entity_score",
            hub=name,
            over_labels=True,
        )


def _rouge(kind: str, summary: str) -> Measure:
    return Measure(
        name=kind,
        summary=f"{summary}, F-measure from 0 to 1; the nearest of several references",
        module=f"{GENERATED}rouge",
        between=SHARE,
        arguments={"kind": kind},
        resampler="resampled_rouge",
        hub="rouge",
        package="rouge_score",
        extra="generation",
    )


GENERATED = "hftransfer.metrics.generated_texts:"
REGRESSION = "hftransfer.metrics.regression:"
SEGMENTATION = "hftransfer.metrics.segmentation:"
SQUAD = "hftransfer.metrics.squad:"

TABLE: tuple[Metric, ...] = (
    ClassMetric(
        name="accuracy",
        summary="share of rows whose predicted label is right (of several labels: all of them)",
        module="hftransfer.metrics.accuracy:Accuracy",
    ),
    *_averaged("precision", "Precision", "of the rows predicted as a label, the share that is right"),
    *_averaged("recall", "Recall", "of the rows of a label, the share that is found"),
    *_averaged("f1", "F1", "harmonic mean of precision and recall"),
    ClassMetric(
        name="mcc",
        summary="Matthews correlation coefficient: 1 perfect, 0 no better than chance",
        module="hftransfer.metrics.mcc:MatthewsCorrelation",
        between=(-1.0, 1.0),
        hub="matthews_correlation",
    ),
    ClassMetric(
        name="auroc",
        summary="area under the ROC curve: second of two labels, or mean of each label against the rest",
        module="hftransfer.metrics.auroc:RocAuc",
        needs_scores=True,
        hub="roc_auc",
    ),
    ClassMetric(
        name="confusion_matrix",
        summary="counts of rows by reference (row) and prediction (column)",
        module="hftransfer.metrics.confusion_matrix:ConfusionMatrix",
        scalar=False,
        over_labels=True,
    ),
    ClassMetric(
        name="average_precision",
        summary="of several labels a row: area under the precision-recall curve, mean over labels (mAP)",
        module="hftransfer.metrics.average_precision:AveragePrecision",
        needs_scores=True,
    ),
    ClassMetric(
        name="ece",
        summary="expected calibration error in 15 bins: how far scores are from the shares that are right, 0 to 1",
        module="hftransfer.metrics.calibration_error:ExpectedCalibrationError",
        higher_is_better=False,
        needs_scores=True,
    ),
    Measure(
        name="mse",
        summary="mean squared error, mean over targets",
        module=f"{REGRESSION}mse",
        between=(0.0, math.inf),
        higher_is_better=False,
        resampler="resampled_mse",
    ),
    Measure(
        name="mae",
        summary="mean absolute error, mean over targets",
        module=f"{REGRESSION}mae",
        between=(0.0, math.inf),
        higher_is_better=False,
        resampler="resampled_mae",
    ),
    Measure(
        name="r2",
        summary="share of the variance that is explained: 1 perfect, 0 as good as the mean",
        module=f"{REGRESSION}r2",
        between=(-math.inf, 1.0),
        resampler="resampled_r2",
        hub="r_squared",
    ),
    Measure(
        name="pearson",
        summary="linear correlation, mean over targets",
        module=f"{REGRESSION}pearson",
        between=(-1.0, 1.0),
        resampler="resampled_pearson",
        hub="pearsonr",
    ),
    Measure(
        name="spearman",
        summary="rank correlation, mean over targets",
        module=f"{REGRESSION}spearman",
        between=(-1.0, 1.0),
        resampler="resampled_spearman",
        hub="spearmanr",
    ),
    *_of_entities("precision", "precision_score", "of the entities predicted, the share that is right"),
    *_of_entities("recall", "recall_score", "of the entities, the share that is found"),
    *_of_entities("f1", "f1_score", "harmonic mean of the entities' precision and recall"),
    EntityMetric(
        name="entity_report",
        summary="precision, recall, F1 and count of every type of entity; seqeval strict",
        module="hftransfer.metrics.tagging:entity_report",
        over_labels=True,
        scalar=False,
    ),
    Measure(
        name="token_accuracy",
        summary="share of words whose label is right",
        module="hftransfer.metrics.tagging:token_accuracy",
        between=SHARE,
        resampler="resampled_token_accuracy",
        hub="accuracy",
    ),
    Measure(
        name="exact_match",
        summary="share of answers that are a right one but for case, punctuation and articles, as SQuAD's script",
        module=f"{SQUAD}exact_match",
        between=SHARE,
        resampler="resampled_exact_match",
    ),
    Measure(
        name="qa_f1",
        summary="F1 of the words of answers, by the right one that fits best, as SQuAD's script",
        module=f"{SQUAD}f1",
        between=SHARE,
        resampler="resampled_f1",
        hub="f1",
    ),
    Measure(
        name="qa_report",
        summary="exact_match and qa_f1 of the questions with an answer, and of those without",
        module=f"{SQUAD}report",
        scalar=False,
    ),
    _rouge("rouge1", "ROUGE-1: words in common"),
    _rouge("rouge2", "ROUGE-2: pairs of words in common"),
    _rouge("rougeL", "ROUGE-L: longest common subsequence of words"),
    _rouge("rougeLsum", "ROUGE-L by sentences"),
    Measure(
        name="bleu",
        summary="BLEU of the whole corpus as sacrebleu computes it, from 0 to 100",
        module=f"{GENERATED}bleu",
        between=(0.0, 100.0),
        package="sacrebleu",
        extra="generation",
        resampler="resampled_bleu",
        hub="sacrebleu",
    ),
    Measure(
        name="chrf",
        summary="chrF of the whole corpus as sacrebleu computes it, from 0 to 100",
        module=f"{GENERATED}chrf",
        between=(0.0, 100.0),
        package="sacrebleu",
        extra="generation",
        resampler="resampled_chrf",
    ),
    Measure(
        name="generated_length",
        summary="mean number of words in what is generated",
        module=f"{GENERATED}generated_length",
        between=(0.0, math.inf),
        resampler="resampled_length",
    ),
    Measure(
        name="perplexity",
        summary="of hidden tokens: exp of the mean loss over them",
        module="hftransfer.metrics.masked_tokens:perplexity",
        between=(1.0, math.inf),
        higher_is_better=False,
        resampler="resampled_perplexity",
    ),
    Measure(
        name="masked_accuracy",
        summary="share of hidden tokens that are guessed right",
        module="hftransfer.metrics.masked_tokens:masked_accuracy",
        between=SHARE,
        resampler="resampled_accuracy",
        hub="accuracy",
    ),
    Measure(
        name="mean_iou",
        summary="of a class's pixels, those on both sides / those on either; mean over classes that are there",
        module=f"{SEGMENTATION}mean_iou",
        between=SHARE,
        over_labels=True,
        resampler="resampled_mean_iou",
    ),
    Measure(
        name="iou",
        summary="the same for each label",
        module=f"{SEGMENTATION}iou",
        over_labels=True,
        scalar=False,
    ),
    Measure(
        name="pixel_accuracy",
        summary="share of pixels whose class is right",
        module=f"{SEGMENTATION}pixel_accuracy",
        between=SHARE,
        over_labels=True,
        resampler="resampled_pixel_accuracy",
        hub="accuracy",
    ),
)

for metric in TABLE:
    METRICS.add(metric.name, metric)
