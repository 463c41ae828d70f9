"""The section `data` of a recipe: which rows, and what their columns mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator

from hftransfer.recipe.expect import shown
from hftransfer.recipe.shorthand import Shorthand
from hftransfer.registry import Options

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class HoldOut(Options):
    """Shares of the training rows set aside where the data has no such split."""

    validation: float = Field(0.1, ge=0, lt=1, description="used only when there is no validation split")
    test: float = Field(0.0, ge=0, lt=1, description="used only when there is no test split")
    group: str | None = Field(
        None,
        min_length=1,
        description="a column: rows with the same value in it (a patient, a user, a document) are set aside together; "
        "splits that are there are compared by it, and intervals draw whole values of it. By default only copies of "
        "one row are kept together",
    )


class DataSection(Shorthand):
    """Which rows to learn from, and what their columns mean."""

    main_field: ClassVar[str] = "source"

    source: Any = Field(
        description="a file (csv, tsv, jsonl, parquet, txt), a list of files, a folder, a Hub dataset id, "
        "one of these per split ({train: ..., validation: ..., test: ...}); in Python also a DataFrame, "
        "a datasets.Dataset or a list of dicts"
    )
    config: str | None = Field(None, description="configuration of a Hub dataset")
    revision: str | None = Field(None, description="revision of a Hub dataset")
    splits: dict[Split, str] = Field(
        default_factory=dict, description="our split -> the source's name of it; by default the same names"
    )
    columns: dict[str, str | tuple[str, ...]] = Field(
        default_factory=dict,
        description="the task's column -> the source's name of it; by default the same names. Several labels, "
        "numbers or choices may have a column each: {label: [toxic, insult]}. A dot reaches into a column of "
        "mappings: {source: translation.en}",
    )
    labels: (
        tuple[Annotated[str, BeforeValidator(lambda v: v if isinstance(v, str) else str(v))], ...] | None
    ) = Field(
        None, description="label names in order; by default those in the training rows, sorted", min_length=2
    )
    limits: dict[Split, Annotated[int, Field(gt=0)]] = Field(
        default_factory=dict, description="at most so many rows of a split, drawn with the recipe's seed"
    )
    hold_out: HoldOut = HoldOut()
    seed: int | None = Field(
        None, ge=0, lt=2**32, description="draws what is held out and limited; by default training.seed"
    )
    accept_leakage: float = Field(
        0.1,
        ge=0,
        le=1,
        description="the share of validation or test rows whose inputs may stand exactly in train; of more, and of ten "
        "rows or more, the run is refused",
    )
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="column separator of csv files; found by default"
    )
    documents: Literal["line", "paragraph", "file"] | None = Field(
        None,
        description="what is a row of plain text files (column `text`): a line, which is the default, a paragraph "
        "(lines between blank ones), or the whole file",
    )

    @classmethod
    def is_section(cls, value: Any) -> bool:
        # {train: a.csv, test: b.csv} is a source, one file per split; a datasets.DatasetDict is a dict too.
        if type(value) is not dict:
            return False
        return bool(cls.model_fields.keys() & value.keys()) or not set(SPLITS) & value.keys()

    @field_validator("source", mode="before")
    @classmethod
    def _check_source(cls, value: Any) -> Any:
        return _plain_source(value)


def _plain_source(value: Any, *, nested: bool = False) -> Any:
    """Paths as text, tables in memory as they are. Raises ValueError for what no source can be."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    empty = isinstance(value, str | list | tuple | dict) and not value
    if value is None or empty or isinstance(value, bool | int | float | bytes):
        raise ValueError(
            "expected a file, a list of files, a folder, a Hub dataset id, or one of these per split"
        )
    if isinstance(value, list | tuple) and not isinstance(value[0], Mapping):
        odd = [item for item in value if not isinstance(item, str | os.PathLike) or not item]
        if odd:
            raise ValueError(f"expected a list of files, and one of them is {shown(odd[0])}")
        return [os.fspath(item) for item in value]
    if type(value) is dict:
        if nested:
            raise ValueError("expected the files of a split: a file, a list of files or a folder")
        return {split: _plain_source(part, nested=True) for split, part in value.items()}
    return value
