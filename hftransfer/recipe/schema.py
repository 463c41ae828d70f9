"""The recipe: what was asked, as closed, typed, frozen models. One section, one class.

A section with an obvious main field may be written as that field alone: `checkpoint: bert-base-uncased`,
`data: train.csv`, `strategy: lora`. What a recipe leaves out is filled in here and nowhere else, so that
`hftransfer show` prints the whole truth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Never

from pydantic import Field, ValidationError, model_validator

from hftransfer.errors import Problem, RecipeError
from hftransfer.recipe import checks
from hftransfer.recipe.data import DataSection
from hftransfer.recipe.optimizers import AdamW, Optimizer
from hftransfer.recipe.parts import StrategyPart, TaskPart
from hftransfer.recipe.problems import problems_in
from hftransfer.recipe.shorthand import Shorthand
from hftransfer.registry import Options


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
        # Of a recipe's file, too, what its own folder does not hold: whoever opens a name looks into the current one.
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
