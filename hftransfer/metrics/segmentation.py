"""How well classes of pixels are told: counts over the pixels of all images, whose reference is not negative.

references, predictions: sequences of (H, W) arrays of classes, a pair of one size for each image. They may be made
when asked for: one pair at a time is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hftransfer.metrics.intervals import quotient

if TYPE_CHECKING:
    from hftransfer.metrics.intervals import Resamples

Maps = Sequence[NDArray[np.integer[Any]]]
Counts = NDArray[np.int64]


def mean_iou(references: Maps, predictions: Maps, labels: Sequence[str]) -> float | None:
    """Mean over classes of pixels of both / pixels of either (Everingham et al. 2010, Long et al. 2015).

    Classes that neither side has do not count, as in the metric `mean_iou` of `evaluate`. None without pixels.
    """
    shared, union = _shared_and_union(references, predictions, len(labels))
    there = union > 0
    return float((shared[there] / union[there]).mean()) if there.any() else None


def iou(references: Maps, predictions: Maps, labels: Sequence[str]) -> dict[str, float | None]:
    """The same for each label; None for one that neither side has."""
    shared, union = _shared_and_union(references, predictions, len(labels))
    return {
        label: float(shared[index] / union[index]) if union[index] else None
        for index, label in enumerate(labels)
    }


def pixel_accuracy(references: Maps, predictions: Maps, labels: Sequence[str]) -> float | None:
    """Share of the pixels whose class is right; None without pixels."""
    table = confusion(references, predictions, len(labels))
    return float(table.trace() / table.sum()) if table.sum() else None


def resampled_mean_iou(
    resamples: Resamples, references: Maps, predictions: Maps, labels: Sequence[str]
) -> NDArray[np.float64]:
    """Images are drawn, with all of their pixels: those of one image are not independent."""
    shared, union = np.split(resamples.sums(_by_image(references, predictions, len(labels))), 2, axis=1)
    there = (union > 0).sum(axis=1)
    return quotient(quotient(shared, union, zero=0.0).sum(axis=1), there.astype(np.float64), zero=np.nan)


def resampled_pixel_accuracy(
    resamples: Resamples, references: Maps, predictions: Maps, labels: Sequence[str]
) -> NDArray[np.float64]:
    sums = resamples.sums(_by_image(references, predictions, len(labels)))
    shared, union = (half.sum(axis=1) for half in np.split(sums, 2, axis=1))
    # A pixel that is right is in the union of one class, a wrong one in those of two.
    return quotient(shared, (shared + union) / 2, zero=np.nan)


def _by_image(references: Maps, predictions: Maps, count: int) -> Counts:
    """(N, 2C): shared and union of every image."""
    pairs = zip(references, predictions, strict=True)
    return np.stack([np.concatenate(_shared_and_union([one], [other], count)) for one, other in pairs])


def confusion(references: Maps, predictions: Maps, count: int) -> Counts:
    """(C, C): pixels of every image by reference (row) and prediction (column); raises ValueError for other sizes."""
    table = np.zeros(count * count, dtype=np.int64)
    for number, (reference, prediction) in enumerate(zip(references, predictions, strict=True)):
        if reference.shape != prediction.shape:
            raise ValueError(
                f"image {number}: a reference of {reference.shape}, a prediction of {prediction.shape}"
            )
        counted = reference >= 0
        pairs = reference[counted].astype(np.int64) * count + prediction[counted]
        table += np.bincount(pairs, minlength=count * count)
    return table.reshape(count, count)


def _shared_and_union(references: Maps, predictions: Maps, count: int) -> tuple[Counts, Counts]:
    table = confusion(references, predictions, count)
    shared = table.diagonal()
    return shared, table.sum(axis=0) + table.sum(axis=1) - shared
