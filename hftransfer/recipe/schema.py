"""The recipe: what was asked, as closed, typed, frozen models. One section, one class.

A section with an obvious main field may be written as that field alone: `checkpoint: bert-base-uncased`,
`data: train.csv`, `strategy: lora`. What a recipe leaves out is filled in here and nowhere else, so that
`hftransfer show` prints the whole truth.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Never

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from hftransfer.errors import Problem, RecipeError
from hftransfer.recipe import checks
from hftransfer.recipe.expect import shown
from hftransfer.recipe.optimizers import AdamW, Optimizer
from hftransfer.recipe.parts import StrategyPart, TaskPart
from hftransfer.recipe.problems import problems_in
from hftransfer.registry import Options

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Shorthand(Options):
    """A section that may be written as its main field alone."""

    main_field: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        return value if isinstance(value, cls) or cls.is_section(value) else {cls.main_field: value}

    @classmethod
    def is_section(cls, value: Any) -> bool:
        """Whether `value` is written as a section, and not as the main field alone."""
        return isinstance(value, Mapping)


class CheckpointSection(Shorthand):
    """Which pretrained model to start from."""

    main_field: ClassVar[str] = "name"

    name: str = Field(
        min_length=1,
        description="Hub id, folder, the folder of a finished run (its model), or package:NAME/path inside an "
        "installed package",
    )
    revision: str | None = Field(None, description="Hub branch, tag or commit")
    random_weights: bool = Field(
        False,
        description="take its architecture and processor, and draw every weight anew: what training gives without the "
        "pretrained weights. For the strategy full",
    )


class HoldOut(Options):
    """Shares of the training rows set aside where the data has no such split."""

    validation: float = Field(0.1, ge=0, lt=1, description="used only when there is no validation split")
    test: float = Field(0.0, ge=0, lt=1, description="used only when there is no test split")


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


Tracker = Literal["tensorboard", "trackio", "wandb", "mlflow"]


class TrainingSection(Options):
    """How the weights move, how long, and which of them are kept."""

    epochs: int = Field(3, gt=0)
    steps: int | None = Field(
        None, gt=0, description="stop after so many optimizer steps, before the epochs end"
    )
    batch_size: int = Field(32, gt=0, description="examples per optimizer step, over all processes together")
    micro_batch_size: int | None = Field(
        None, gt=0, description="examples per forward pass on one device; by default the most that fit"
    )
    learning_rate: float | None = Field(None, gt=0, description="peak rate; by default the strategy's own")
    optimizer: Optimizer = Field(AdamW(), description="a name, or a section with `name` and options")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="after the warm-up: to zero along a line or half a cosine, or not at all"
    )
    warmup: float = Field(
        0.06,
        ge=0,
        description="steps with a rising rate: below 1 a share of all steps, from 1 a number of steps",
    )
    clip_norm: float | None = Field(
        1.0, gt=0, description="bound on the gradient's global norm; null for none"
    )
    evaluate_every: int | None = Field(
        None, gt=0, description="optimizer steps; always at the end of an epoch"
    )
    best_metric: str | None = Field(
        None,
        description="the validation metric that chooses the kept weights; by default the first of `metrics` "
        "that is a single number, or else `loss`",
    )
    patience: int | None = Field(
        None, gt=0, description="stop after so many evaluations without a better score"
    )
    checkpoint_every: int | None = Field(
        None, gt=0, description="optimizer steps; always at the end of an epoch"
    )
    group_by_length: bool = Field(True, description="batches of rows of like length; the order stays random")
    sampling: Literal["natural", "balanced"] = Field(
        "natural",
        description="natural: an epoch is every row once; balanced: as many rows, every class as often as any other",
    )
    cache_features: bool = Field(
        True,
        description="what a frozen backbone, or its frozen lower blocks, say of every row is computed once, and kept "
        "on disk for later runs",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 where the GPU has it")
    workers: int = Field(0, ge=0, description="processes that prepare batches beside the training process")
    seed: int = Field(0, ge=0, lt=2**32)
    trackers: tuple[Tracker, ...] = Field(
        (),
        description="who is told of steps and scores beside the run's own metrics.jsonl; where and as whom is each "
        "one's own affair (WANDB_MODE, MLFLOW_TRACKING_URI, ...)",
    )


Weights = Literal["merged", "adapter", "both"]


class HubSection(Options):
    """Where a finished run is published."""

    repo: str | None = Field(
        None,
        description="OWNER/NAME on the Hub; by default nothing is published: `hftransfer push` does it later",
    )
    public: bool = Field(False, description="let everyone see it; a new repository is private otherwise")
    weights: Weights | None = Field(
        None,
        description="the whole model, the adapter alone, or both; by default both where there is an adapter",
    )


Arm = Literal["majority", "words", "random-weights", "frozen"]
ARMS: tuple[Arm, ...] = ("majority", "words", "random-weights", "frozen")


class EvidenceSection(Options):
    """What the run is compared with, on the same rows: whether it learned anything, and whether transfer helped."""

    arms: Literal["all"] | tuple[Arm, ...] = Field(
        (),
        description="trained beside the strategy and compared with it. majority: the commonest label, or the mean, "
        "which is always there; words: TF-IDF of words and pairs of words with logistic or ridge regression; "
        "random-weights: the same architecture without the pretrained weights; frozen: a linear probe. all: those that "
        "fit the task. By default nothing is compared",
    )
    seeds: int = Field(
        1, gt=0, description="train the strategy with so many seeds, from training.seed on; every one is told"
    )

    @property
    def asked(self) -> bool:
        """Whether anything beside the run itself is wanted."""
        return bool(self.arms) or self.seeds > 1


class Recipe(Options):
    """One fine-tuning job: a pretrained checkpoint, a dataset, a task and a strategy.

    Every section is a value, `strategy="lora"`, or a dict of its options, `strategy={"name": "lora", "rank": 8}`;
    `print(recipe)` shows all options with what they are. Raises RecipeError listing everything that is wrong at once.
    """

    checkpoint: CheckpointSection
    data: DataSection
    task: TaskPart
    strategy: StrategyPart = Field(default="full", validate_default=True)
    training: TrainingSection = TrainingSection()
    metrics: tuple[str, ...] = Field(
        default=(), description="what is computed on every split; by default the task's own"
    )
    evidence: EvidenceSection = EvidenceSection()
    hub: HubSection = HubSection()

    def __init__(self, *unnamed: Never, **sections: Any) -> None:
        problems: list[Problem] = []
        if unnamed:
            hint = "write ht.Recipe(checkpoint=..., data=..., task=...); one that is written: ht.load_recipe(NAME)"
            raise RecipeError([Problem("", "a recipe's sections are given by name", hint)])
        from hftransfer.recipe.paths import make_absolute  # which knows this module's sections

        sections = {key: dict(one) if type(one) is dict else one for key, one in sections.items()}
        make_absolute(sections, {}, Path.cwd())
        try:
            super().__init__(**sections)
        except ValidationError as error:
            problems = problems_in(error, Recipe, sections)
        problems += checks.contradictions(Recipe, sections, problems)
        if problems:
            raise RecipeError(problems)

    @property
    def data_seed(self) -> int:
        """What rows are drawn by: other seeds of training are then compared on the same rows."""
        return self.training.seed if self.data.seed is None else self.data.seed

    @model_validator(mode="after")
    def _fill_in(self) -> Recipe:
        """Defaults that depend on another section, so that nothing downstream has to choose one."""
        task: Any = self.task
        strategy: Any = self.strategy
        metrics = self.metrics or tuple(task.default_metrics)
        training = self.training.model_copy(
            update={
                "best_metric": self.training.best_metric or checks.numbers_in(metrics)[0],
                "learning_rate": self.training.learning_rate or strategy.peak,
            }
        )
        # The model is frozen for everyone else; this is still its construction.
        object.__setattr__(self, "metrics", metrics)
        object.__setattr__(self, "training", training)
        return self

    def __repr__(self) -> str:
        """As YAML: all of it, and of rows in memory how many they are."""
        from hftransfer.recipe.load import dump_recipe  # which knows this class

        return dump_recipe(self)

    __str__ = __repr__
