"""A class for every pixel: how well each class is told, which is taken for which, and how images differ in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hftransfer.errors import DataError
from hftransfer.report import rows
from hftransfer.report.parts import Part, Picture, Say, Table
from hftransfer.report.views.base import Row, View
from hftransfer.report.views.classes import MOST, confusions

PIXELS = "pixels"
"""The column of what was compared: see `tasks.segmentation.compared`."""
WIDE = 20
CELLS = 1 << 22
"""Of the tables of images that are held at once: 32 MB."""
BEFORE = "the predictions of this run do not say how images compare: they are from before that was kept"


class Segments(View):
    """See the module."""

    worst_are: ClassVar[str] = "the images with the lowest mean IoU, over the classes that are there or said"

    @cached_property
    def told(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """(pixels by the class they have and the one that was said, (C, C); of every image, (N,), its mean IoU over the
        classes there or said; the share of its pixels that is right). nan where no pixel has a class.

        Raises DataError for a run from before this was kept.
        """
        if PIXELS not in rows.names(self.file):
            raise DataError(BEFORE, hint="run it again")
        size = len(self.result.labels)
        total, mean, right = np.zeros(size * size, np.int64), [np.zeros(0)], [np.zeros(0)]
        for batch in rows.batches(self.file, [PIXELS], max(1, min(rows.BATCH, CELLS // size**2))):
            table = self._counted(batch.column(PIXELS), size)
            total += table.reshape(len(batch), -1).sum(axis=0)
            shared, union = _shared_and_union(table)
            there = (union > 0).sum(axis=1)
            with np.errstate(invalid="ignore"):
                mean.append((shared / np.maximum(union, 1)).sum(axis=1) / there)
                right.append(shared.sum(axis=1) / table.sum(axis=(1, 2)))
        return total.reshape(size, size), np.concatenate(mean), np.concatenate(right)

    def _counted(self, column: Any, size: int) -> NDArray[np.int64]:
        """(N, C, C) of lists of mappings."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = np.zeros((len(column), size, size), np.int64)
        if pa.types.is_null(column.type.value_type):  # every one of them is empty
            return table
        image = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
        label, said, pixels = (column.flatten().field(name) for name in ("label", "said", "pixels"))
        one, other = (rows.codes(each, self.result.labels) for each in (label, said))
        np.add.at(table, (image, one, other), pixels.to_numpy(zero_copy_only=False))
        return table

    def fails(self) -> Iterator[Part]:
        from hftransfer.report import plots

        if PIXELS not in rows.names(self.file):
            yield Say(BEFORE.capitalize() + ".", warning=True)
            yield from self.tables()
            return
        labels, (counts, mean, _) = self.result.labels, self.told
        shared, union = (one[0] for one in _shared_and_union(counts[None]))
        some = union > 0
        iou = shared[some] / union[some]
        named = [label for label, there in zip(labels, some, strict=True) if there]
        if not named:
            return
        worst = int(iou.argmin())
        yield Picture(
            "iou",
            "IoU of every class",
            f"Pixels of both over pixels of either, by class, on {len(mean):,} {self.split} images: the mean is "
            f"{iou.mean():.3f}, the weakest class is {named[worst]} with {iou[worst]:.3f}.",
            lambda: plots.scores(iou.tolist(), named, "IoU"),
        )
        yield self._classes(counts, shared, union)
        yield Picture(
            "confusion",
            "Confusion matrix of pixels",
            f"Confusion matrix of {len(labels)} classes over {counts.sum():,} pixels of {self.split}.",
            lambda: plots.confusion(counts, labels, "pixels"),
            wide=len(labels) > WIDE,
        )
        if len(labels) > 2:
            yield confusions(counts, labels, "pixels")
        known = mean[np.isfinite(mean)]
        yield Picture(
            "images",
            "Images by how well they are segmented",
            f"Histogram of the mean IoU of single images: half have at least {np.median(known):.3f}, the worst has "
            f"{known.min():.3f}.",
            lambda: plots.spread(known, "mean IoU of an image", "images"),
        )

    def _classes(
        self, counts: NDArray[np.int64], shared: NDArray[np.int64], union: NDArray[np.int64]
    ) -> Table:
        there, said = counts.sum(axis=1), counts.sum(axis=0)
        iou = np.where(union > 0, shared / np.maximum(union, 1), np.nan)
        order = np.argsort(np.where(union > 0, iou, 2), kind="stable")[:MOST].tolist()
        total = max(int(there.sum()), 1)
        table = [
            [
                self.result.labels[one],
                float(iou[one]) if union[one] else None,
                float(shared[one] / said[one]) if said[one] else None,
                float(shared[one] / there[one]) if there[one] else None,
                f"{there[one] / total:.2%}",
                f"{said[one] / total:.2%}",
            ]
            for one in order
        ]
        more = f"; {len(iou) - MOST} more are left out" if len(iou) > MOST else ""
        caption = (
            f"Every class on {self.split}, the weakest first{more}. IoU: pixels of both over pixels of either; "
            "precision: the share of what was said to be of the class that is; recall: the share of the class that was "
            "found"
        )
        columns = ["class", "IoU", "precision", "recall", "of all pixels", "said of all pixels"]
        return Table(caption, columns, table, folded=len(table) > 15)

    def errors(self, count: int) -> list[Row]:
        """The images with the lowest mean IoU, and what most of their wrong pixels are taken for."""
        places = self.worst(count).tolist()
        _, mean, right = self.told
        found = rows.pick(self.file, places, ["row", PIXELS])
        for row, place in zip(found, places, strict=True):
            wrong = [one for one in row.pop(PIXELS) if one["label"] != one["said"]]
            most = max(wrong, key=lambda one: int(one["pixels"]), default=None)
            row["mean IoU"] = float(mean[place])
            row["pixels right"] = float(right[place])
            row["most of it"] = (
                f"{most['pixels']:,} pixels of {most['label']} taken for {most['said']}" if most else ""
            )
        return found

    def worst(self, count: int) -> NDArray[np.int64]:
        """The places of the images with the lowest mean IoU, of those that are not all right."""
        _, mean, right = self.told
        places = np.flatnonzero(np.isfinite(mean) & (right < 1))
        found: NDArray[np.int64] = places[np.argsort(mean[places], kind="stable")][:count]
        return found


def _shared_and_union(table: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N, C) pixels of both, and of either, of (N, C, C)."""
    shared = np.diagonal(table, axis1=1, axis2=2)
    return shared, table.sum(axis=1) + table.sum(axis=2) - shared
