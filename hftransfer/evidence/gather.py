"""Trains what a run is compared with, on the same rows, and puts what that shows into its result.

    evidence/words/  evidence/random-weights/  evidence/frozen/  evidence/seed-1/ ...

Each is finished or it is not: one that is there is not trained again, and a killed one goes on where it was. All
processes train every arm together, in the same order; what costs no training is the main process's alone.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from accelerate import Accelerator

from hftransfer.errors import DataError, HFTransferError, TrainingError
from hftransfer.evidence.arms import Scored, arm_recipe, chosen, seed_recipe, with_what_was
from hftransfer.evidence.verdict import facts
from hftransfer.evidence.words import words_arm
from hftransfer.files import sha256
from hftransfer.job import Clock
from hftransfer.one_run import one_run, write_card
from hftransfer.recipe import Arm, Recipe, dump_recipe
from hftransfer.resampled import on_resamples, read_resampled
from hftransfer.result import Result
from hftransfer.run_directory import RunDirectory
from hftransfer.splits import Splits
from hftransfer.training.compute import forget_peak_memory

TITLES: dict[str, str] = {
    "words": "words and pairs of words (TF-IDF), and a linear model",
    "random-weights": "the same architecture from random weights",
    "frozen": "a linear probe on the frozen backbone",
}


def with_evidence(
    result: Result, recipe: Recipe, splits: Splits, run_dir: RunDirectory, compute: Accelerator, clock: Clock
) -> Result:
    """The result of a finished run with its `evidence`, and the arms among its `baselines`; result.json and the card
    say it, too. An arm that fails is told, and costs nothing but itself; on several processes, where all of them fail.

    Raises DataError where the rows are not those of the run, TrainingError where one process of several fails.
    """
    recipe = with_what_was(recipe, result)
    work = _Work(result, recipe, splits, run_dir, compute, clock)
    work.check_rows()
    run_dir.save_recipe(dump_recipe(recipe))  # it may ask for more than the run was started with
    arms, left_out = chosen(recipe)
    clock.note(f"not compared with {arm}: {why}" for arm, why in left_out.items())
    first = recipe.training.seed
    every = range(first + 1, first + recipe.evidence.seeds)
    work.total = len(every) + sum(arm != "majority" for arm in arms)
    found = [one for arm in arms if (one := work.arm(arm)) is not None]
    seeds = {seed: one for seed in every if (one := work.seed(seed)) is not None}
    if not compute.is_main_process:
        return result
    ours = scored(recipe.strategy.name, result, run_dir, None)
    evidence = facts(
        ours,
        found,
        recipe,
        result,
        {first: ours, **seeds},
        left_out={**left_out, **work.left_out},
        failed=work.failed,
    )
    compared = {one.name: one.metrics for one in found}
    result = replace(result, evidence=evidence, baselines={**result.baselines, **compared})
    result = _on_card(result, run_dir, clock)
    run_dir.finish(result.to_dict())
    return result


def scored(name: str, result: Result, run_dir: RunDirectory, run: str | None) -> Scored:
    """A finished run, as it is compared. Raises RunDirectoryError for one that has not kept what that takes."""
    return Scored(
        name=name,
        metrics=result.metrics,
        intervals=result.intervals,
        resampled=read_resampled(run_dir.resampled),
        seconds=round(result.seconds["total"] - result.seconds.get("data", 0.0), 3),
        trained=result.parameters["trained"],
        peak_memory_bytes=result.peak_memory_bytes,
        run=run,
        improving=0 < result.steps == result.best_step,
    )


@dataclass
class _Work:
    """failed: arm -> what went wrong. left_out: arm -> why there is no such thing for these rows.

    begun, total: of what takes time.
    """

    result: Result
    recipe: Recipe
    splits: Splits
    run_dir: RunDirectory
    compute: Accelerator
    clock: Clock
    can_tell_memory: bool = True
    begun: int = 0
    total: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def check_rows(self) -> None:
        then = json.loads(self.run_dir.data.read_text(encoding="utf-8"))["fingerprint"]
        if then != self.splits.fingerprint:
            raise DataError(
                f"the data is not what the run in {self.run_dir.path} was made from: nothing can be compared on it",
                hint="put the old one back, or start a new run with another --output",
                key="data.source",
            )

    def arm(self, name: Arm) -> Scored | None:
        """An arm on this run's rows; None where it failed, or there is none, and on every process but the main one."""
        if name == "majority":
            return self._majority() if self.compute.is_main_process else None
        if name == "words":
            words = lambda: words_arm(self.recipe, self.splits, self.run_dir.evidence(name))  # noqa: E731
            return self._attempt(name, TITLES[name], words) if self.compute.is_main_process else None
        return self._attempt(name, TITLES[name], lambda: self._trained(name, arm_recipe(self.recipe, name)))

    def seed(self, seed: int) -> Scored | None:
        """The run itself with another seed."""
        name = f"seed-{seed}"
        title = f"{self.recipe.strategy.name} with seed {seed}"
        return self._attempt(name, title, lambda: self._trained(name, seed_recipe(self.recipe, seed)))

    def _majority(self) -> Scored | None:
        task, splits = self.recipe.task, self.splits
        resampled = {}
        for split in self.result.metrics:
            rows = splits.by_name[split]
            guess = task.baseline(splits.train, rows, splits.labels)
            if guess is None:
                self.left_out["majority"] = f"there is no such guess for {task.name}"
                return None
            references = task.references(rows, splits.labels)
            resampled[split] = on_resamples(
                self.recipe.metrics, guess, references, splits.labels, splits.groups.get(split)
            )
        return Scored(
            task.baseline_name,
            metrics=self.result.baselines[task.baseline_name],
            intervals={split: one.intervals for split, one in resampled.items()},
            resampled=resampled,
        )

    def _attempt(self, name: str, title: str, make: Callable[[], Scored | None]) -> Scored | None:
        self.begun += 1
        try:
            with self._part(name)(f"evidence {name}", title):
                return make()
        except Exception as error:
            told = error.message if isinstance(error, HFTransferError) else _first_line(error)
            if self.compute.num_processes > 1 and name != "words" and not _seen_by_all(error):
                raise TrainingError(
                    f"evidence {name} failed: {told}",
                    hint=f"the run itself is finished, in {self.run_dir.path}; --resume tries the rest again: on one "
                    "process, an arm that fails costs nothing but itself",
                ) from error
            self.failed[name] = told
            self.clock.note([f"not compared with {name}, which failed: {told}"])
            return None

    def _trained(self, name: str, recipe: Recipe) -> Scored | None:
        at, recipe = self.run_dir.evidence(name), _of_commit(recipe, self.result)
        if at.result.is_file():
            result = Result.read(at.path)
        else:
            begun = at.recipe.is_file()
            at = RunDirectory.open(at.path, dump_recipe(recipe), resume=begun, writes=at.writes)
            self.compute.wait_for_everyone()  # all have looked before one writes
            self._forget_what_was()
            result = one_run(recipe, self.splits, at, self.compute, self._part(name))
            at.forget_checkpoints()
        if not self.compute.is_main_process:
            return None
        arm = scored(name, result, at, f"evidence/{name}")
        return arm if self.can_tell_memory else replace(arm, peak_memory_bytes=None)

    def _part(self, name: str) -> Clock:
        """The clock of an arm: what it tells says which of them that is."""
        return Clock(self.clock.tell, f"{name} ({self.begun} of {self.total})")

    def _forget_what_was(self) -> None:
        self.compute.free_memory()
        gc.collect()
        self.can_tell_memory = forget_peak_memory()


def _of_commit(recipe: Recipe, result: Result) -> Recipe:
    """Of a hub's checkpoint the commit that the run had, though there be a newer one by now."""
    kind, _, commit = str(result.checkpoint["fingerprint"]).partition(":")
    if kind != "commit" or commit == "unknown":
        return recipe
    return recipe.model_copy(update={"checkpoint": recipe.checkpoint.model_copy(update={"revision": commit})})


def _seen_by_all(error: Exception) -> bool:
    """Whether every process raises it at the same place: a loss that is no number, since all add it up. One process's
    want of memory is a TrainingError, too, and has a cause; the others would wait for it."""
    return isinstance(error, TrainingError) and error.__cause__ is None


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0].removesuffix(": ")


def _on_card(result: Result, run_dir: RunDirectory, clock: Clock) -> Result:
    """The card with the evidence in it, unless somebody has edited the card."""
    if run_dir.card.is_file() and sha256(run_dir.card) == result.card:
        return write_card(result, run_dir, clock)
    clock.note(["the model card is not the one that was written, and is left as it is: without the evidence"])
    return result
