"""Batches of tensors, in the order that `batching` says, prepared in this process or in workers beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch.utils.data import DataLoader

from hftransfer.errors import HFTransferError
from hftransfer.tasks.base import Batch, Examples
from hftransfer.tokens import forget_tokens
from hftransfer.training.batching import Rows, epoch_batches, evaluation_batches, micro_batches

Collate = Callable[[Sequence[Mapping[str, Any]]], Batch]


@runtime_checkable
class Batches(Protocol):
    """Examples that make a batch at once, not from one after the other."""

    def batch(self, rows: Rows) -> Batch | None:
        """What `collate` gives for the examples of these rows; None where it has to be asked."""
        ...


@dataclass(frozen=True)
class MicroBatch:
    """What one process sees in one forward pass. `counted` is False for a stand-in that keeps processes in step."""

    rows: Rows
    tensors: Batch
    counted: bool


@dataclass(frozen=True)
class TrainLoader:
    """The training rows, as one list of micro-batches for every optimizer step.

    batch_size: rows per optimizer step over all processes. micro_batch_size: rows in one forward pass here.
    classes: the class of every example, (N,), to draw every class as often as any other; None for every row once.
    """

    examples: Examples
    collate: Collate
    batch_size: int
    micro_batch_size: int
    seed: int
    rank: int
    world: int
    group_by_length: bool
    workers: int
    classes: Rows | None = None

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.examples) // self.batch_size)

    def epoch(self, epoch: int, *, skip: int = 0) -> Iterator[tuple[int, list[MicroBatch]]]:
        """(rows in the whole step, this process's micro-batches) for every step of an epoch but the first `skip`."""
        lengths = self.examples.lengths if self.group_by_length else None
        steps = epoch_batches(
            len(self.examples),
            self.batch_size,
            seed=self.seed,
            epoch=epoch,
            lengths=lengths,
            classes=self.classes,
        )[skip:]
        plan = [micro_batches(s, rank=self.rank, world=self.world, size=self.micro_batch_size) for s in steps]
        # A process without a row of its own still takes part, with the step's first row and no weight.
        filled = [
            [piece if len(piece) else step[:1] for piece in mine]
            for step, mine in zip(steps, plan, strict=True)
        ]
        tensors = load(
            self.examples, self.collate, [piece for mine in filled for piece in mine], self.workers
        )
        for step, mine, pieces in zip(steps, plan, filled, strict=True):
            yield (
                len(step),
                [MicroBatch(f, next(tensors), counted=len(m) > 0) for m, f in zip(mine, pieces, strict=True)],
            )


def load(examples: Examples, collate: Collate, batches: Sequence[Rows], workers: int) -> Iterator[Batch]:
    """Batches of tensors for lists of rows, in order."""
    if not workers:
        at_once = examples.batch if isinstance(examples, Batches) else lambda rows: None
        return (at_once(rows) or collate([examples[int(row)] for row in rows]) for rows in batches)
    loader: DataLoader[Batch] = DataLoader(
        examples,  # type: ignore[arg-type]  # torch asks for its own base class where a sequence is enough
        batch_sampler=[batch.tolist() for batch in batches],
        collate_fn=collate,
        num_workers=workers,
        worker_init_fn=_without_tokens,
    )
    return _unwrapped(iter(loader))


def _without_tokens(worker: int) -> None:
    forget_tokens()


def _unwrapped(batches: Iterator[Batch]) -> Iterator[Batch]:
    """What a worker process raises comes as its whole traceback in one message: the user is told its last words."""
    try:
        yield from batches
    except HFTransferError as error:
        last = error.message.strip().splitlines()[-1]
        raise type(error)(last.partition(": ")[2] or last) from error


def evaluation_loader(
    examples: Examples, collate: Collate, *, size: int, rank: int, world: int, workers: int
) -> Iterator[tuple[Rows, Batch]]:
    """(rows, tensors) of this process's share of all rows, rows of like length together."""
    batches = list(evaluation_batches(len(examples), size, rank=rank, world=world, lengths=examples.lengths))
    yield from zip(batches, load(examples, collate, batches, workers), strict=True)
