"""The head first, then everything (LP-FT: Kumar et al. 2022, arXiv:2202.10054)."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from hftransfer.strategies.base import Probe, Sampling
from hftransfer.strategies.frozen import Frozen
from hftransfer.strategies.full import Full


class ProbeThenFull(Full):
    """The head alone is trained on the frozen backbone, and then, from its best weights, everything.

    A head that starts from random sends its first gradients, which say nothing yet, through the whole backbone, and
    distorts what it knew; one that fits it already does not.
    """

    default_learning_rate: ClassVar[float] = 5e-5  # as full

    name: Literal["probe-then-full"] = "probe-then-full"  # type: ignore[assignment]
    probe_epochs: int = Field(
        10, gt=0, description="epochs of the head alone; `training.epochs` count after them"
    )
    probe_rate: float = Field(
        Frozen.default_learning_rate,
        gt=0,
        description="peak learning rate of the head alone; as that of frozen",
    )

    probe_sampling: Sampling | None = Field(
        None,
        description="of the head alone: balanced shows it every class as often as any other, also where everything is "
        "then trained on the rows as they come; by default training.sampling",
    )

    @model_validator(mode="after")
    def _nothing_drawn_anew(self) -> Self:
        if self.reinitialize:
            raise ValueError(
                "reinitialize draws blocks anew, and the head alone cannot be trained on them: use the strategy full"
            )
        return self

    @property
    def probe(self) -> Probe:
        return Probe(Frozen(), self.probe_epochs, self.probe_rate, self.probe_sampling)
