"""What a source's rows are made into: splits to train and to score with, or one split to ask a model about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets
    import numpy as np
    from numpy.typing import NDArray

    from hftransfer.splits.columns import Place


@dataclass(frozen=True)
class Splits:
    """Rows to learn from, to choose by, and to report on.

    Each dataset has the task's roles as columns (inputs as their kind gives them, targets as in `targets`) and `row`:
    the row's number in its source split, from 0. `labels[id]` is a class's name. `findings` are sentences
    that a user must know of. `fingerprint` (sha256) is equal for equal content and equal settings.
    `places` says where the rows of a split are from; `unused` holds the columns of train that no role is
    filled by. `lint` is what a look at the rows found (see `hftransfer.lint`), for JSON. `groups`: of a split that is
    scored, (N,) the group of every row by the column `data.hold_out.group`, from 0; empty without one. `balance`: how
    much of every label each split has, once a run has counted it (see `tasks.makeup`).
    """

    train: datasets.Dataset
    validation: datasets.Dataset
    test: datasets.Dataset | None
    labels: tuple[str, ...]
    findings: tuple[str, ...]
    fingerprint: str
    places: Mapping[str, Place] = field(default_factory=dict)
    unused: datasets.Dataset | None = None
    lint: tuple[Mapping[str, Any], ...] = ()
    groups: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    balance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def by_name(self) -> dict[str, datasets.Dataset]:
        """The splits that there are: train, validation and, perhaps, test."""
        rows = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: one for name, one in rows.items() if one is not None}

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of every split that there is."""
        return {name: len(rows) for name, rows in self.by_name.items()}


@dataclass(frozen=True)
class OneSplit:
    """Rows as in `Splits`, what a user must know of them, and their groups, (N,), where rows share one."""

    rows: datasets.Dataset
    findings: tuple[str, ...] = ()
    groups: NDArray[np.int64] | None = None
