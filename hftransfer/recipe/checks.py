"""What contradicts what in a recipe: mistakes that no single key shows.

They are looked for in what was written, section by section, so that a mistake in one key hides none
elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from hftransfer.errors import InputError, Problem, did_you_mean, nearest
from hftransfer.recipe import heads
from hftransfer.recipe.expect import Expected, of_field
from hftransfer.recipe.foreign import METRICS as METRIC_NAMES
from hftransfer.recipe.memory import MEMORY
from hftransfer.recipe.parts import PartOf, part_class
from hftransfer.recipe.problems import dotted, mismatch
from hftransfer.recipe.yaml import Key
from hftransfer.registry import METRICS

if TYPE_CHECKING:
    from hftransfer.recipe.data import DataSection
    from hftransfer.recipe.schema import CheckpointSection, TrainingSection


@dataclass(frozen=True)
class Written:
    """The pieces of a recipe that can be read; None for those that cannot."""

    checkpoint: CheckpointSection | None
    task: Any
    strategy: Any
    training: TrainingSection | None
    data: DataSection | None
    source_key: str
    metrics: tuple[tuple[Key, str], ...]

    @property
    def computed(self) -> tuple[str, ...]:
        """Names of the metrics that this recipe computes."""
        return tuple(name for _, name in self.metrics) or tuple(getattr(self.task, "default_metrics", ()))


def contradictions(
    recipe: type[BaseModel], sections: Mapping[str, Any], known: Sequence[Problem]
) -> list[Problem]:
    """Every contradiction in `sections`, as written, beyond the problems that are `known` already."""
    wrong = {problem.key for problem in known}
    written = Written(
        checkpoint=_readable(recipe, "checkpoint", sections, wrong),
        task=_part(recipe, "task", sections, wrong),
        strategy=_part(recipe, "strategy", sections, wrong),
        training=_readable(recipe, "training", sections, wrong),
        data=_readable(recipe, "data", sections, wrong),
        # {train: ..., test: ...} may stand directly under `data`.
        source_key="data.source" if _has(sections.get("data"), "source") else "data",
        metrics=_names(sections.get("metrics")),
    )
    found = [
        *_booleans(Expected(recipe), sections, ()),
        *_random_weights(written),
        *_metrics(written),
        *(_training(written.training, written) if written.training else ()),
        *(_data(written.data, written) if written.data else ()),
        *heads.contradictions(written.task, written.strategy, written.training),
    ]
    return [problem for problem in found if not _covered(problem.key, wrong)]


def numbers_in(metrics: Sequence[str]) -> tuple[str, ...]:
    """Those of the named metrics that are single numbers, and the loss: what can choose the best weights."""
    known = METRICS.names()
    numbers = (name for name in metrics if name in known and METRICS.get(name).scalar)
    return (*dict.fromkeys(numbers), "loss")


def _readable(recipe: type[BaseModel], name: str, sections: Mapping[str, Any], wrong: Collection[str]) -> Any:
    """A section built from those of its keys that are right; None when even they do not make one."""
    value = sections.get(name, {})
    (option,) = of_field(recipe.model_fields[name]).options
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if not _touched(f"{name}.{key}", wrong)}
    try:
        return option.annotation.model_validate(value)
    except ValidationError:
        return None


def _part(recipe: type[BaseModel], name: str, sections: Mapping[str, Any], wrong: Collection[str]) -> Any:
    """The task or strategy, with those of its options that are right; None when it is not known which."""
    value = sections.get(name)
    part = part_class(_part_of(recipe, name), value)
    if part is None or isinstance(value, part):
        return part and value
    options = dict(value) if isinstance(value, Mapping) else {}
    try:
        return part.model_validate(
            {key: item for key, item in options.items() if not _touched(f"{name}.{key}", wrong)}
        )
    except ValidationError:
        return part()


def _touched(key: str, wrong: Collection[str]) -> bool:
    return any(other == key or other.startswith(f"{key}.") for other in wrong)


def _covered(key: str, wrong: Collection[str]) -> bool:
    return any(key == other or key.startswith(f"{other}.") for other in wrong if other)


def _part_of(recipe: type[BaseModel], name: str) -> Any:
    return next(note.registry for note in recipe.model_fields[name].metadata if isinstance(note, PartOf))


def _has(value: Any, key: str) -> bool:
    return hasattr(value, key) or (isinstance(value, Mapping) and key in value)


def _names(value: Any) -> tuple[tuple[Key, str], ...]:
    if not isinstance(value, list | tuple):
        return ()
    return tuple((("metrics", place), name) for place, name in enumerate(value) if isinstance(name, str))


def _booleans(expected: Expected, value: Any, path: Key) -> Iterator[Problem]:
    """`epochs: true`: pydantic would take it for the number 1."""
    if isinstance(value, bool):
        if not expected.takes(bool) and (expected.takes(int) or expected.takes(float)):
            yield mismatch(path, expected, value)
    elif isinstance(value, dict):
        for key, item in value.items():
            below = expected.at(key, value)
            if below is not None:
                yield from _booleans(_chosen_part(below, item), item, (*path, key))
    elif isinstance(value, list | tuple):
        below = expected.at(0, value)
        for place, item in enumerate(value if below is not None else ()):
            yield from _booleans(below or expected, item, (*path, place))


def _chosen_part(expected: Expected, value: Any) -> Expected:
    for note in expected.metadata:
        if isinstance(note, PartOf) and (part := part_class(note.registry, value)) is not None:
            return Expected(part)
    return expected


def _random_weights(written: Written) -> Iterator[Problem]:
    strategy = written.strategy
    if written.checkpoint and written.checkpoint.random_weights and strategy and strategy.name != "full":
        message = f"found true, and strategy {strategy.name} is about weights that have learned something"
        yield Problem("checkpoint.random_weights", message, "write strategy: full, or leave it out")


def _metrics(written: Written) -> Iterator[Problem]:
    counts = Counter(name for _, name in written.metrics)
    for path, name in written.metrics:
        if name not in METRICS.names():
            names = written.task.metrics if written.task else METRICS.names()
            yield Problem(dotted(path), f"no metric is named `{name}`", _close(name, names))
        elif written.task and name not in written.task.metrics:
            known = f"it has: {', '.join(written.task.metrics)}"
            yield Problem(dotted(path), f"the task {_task_name(written.task)} has no metric `{name}`", known)
        elif counts[name] > 1:
            counts[name] = 1
            yield Problem("metrics", f"`{name}` is named twice", "keep one of them")
        elif written.data and written.data.labels:
            try:
                METRICS.get(name).check_labels(written.data.labels)
            except InputError as error:
                yield Problem(dotted(path), error.message, error.hint)


def _training(training: TrainingSection, written: Written) -> Iterator[Problem]:
    warmup, steps = training.warmup, training.steps
    if warmup >= 1 and warmup != int(warmup):
        message = f"expected a share of all steps (below 1) or a whole number of steps, found `{warmup}`"
        yield Problem("training.warmup", message)
    elif steps is not None and warmup >= steps:
        message = f"the warm-up takes {warmup:g} steps, but training ends after {steps} (training.steps)"
        yield Problem("training.warmup", message, "a share of all steps, such as 0.06, fits any length")
    micro, batch = training.micro_batch_size, training.batch_size
    if micro is not None and micro > batch:
        message = (
            f"{micro} examples per forward pass are more than a whole step's {batch} (training.batch_size)"
        )
        yield Problem("training.micro_batch_size", message, f"write {batch} or less, or leave it out")
    if training.optimizer.name == "sgd" and training.optimizer.nesterov and not training.optimizer.momentum:
        yield Problem(
            "training.optimizer.nesterov", "nesterov needs a momentum above 0", "write momentum: 0.9"
        )
    twice = [name for name, count in Counter(training.trackers).items() if count > 1]
    if twice:
        yield Problem("training.trackers", f"`{twice[0]}` is named twice", "keep one of them")
    least = getattr(written.strategy, "least_epochs", 1)
    if training.epochs < least:
        message = f"found {training.epochs}, and strategy {written.strategy.name} needs {least} at least"
        yield Problem(
            "training.epochs", message, "write training.epochs: 3 or more, or use the strategy full"
        )
    heads = getattr(written.strategy, "heads", None)
    if heads is not None and not training.cache_features:
        message = "found false, but strategy.grid trains heads on what the backbone said of every row, once"
        yield Problem("training.cache_features", message, "leave it out, or leave strategy.grid out")
    if heads is not None and training.learning_rate not in (None, written.strategy.peak):
        message = f"found {training.learning_rate:g}, but strategy.grid tries learning rates of its own"
        yield Problem(
            "training.learning_rate", message, "leave it out, or write strategy.grid.learning_rates"
        )
    yield from _best_metric(training.best_metric, written.computed)


def _best_metric(best: str | None, computed: tuple[str, ...]) -> Iterator[Problem]:
    known = numbers_in(computed)
    if best is None or not computed or best in known:
        return
    if best not in METRICS.names():
        yield Problem(
            "training.best_metric", f"no metric is named `{best}`", _close(best, (*METRICS.names(), "loss"))
        )
        return
    message = f"`{best}` is not a single number that this recipe computes"
    add = "add it to `metrics`, or {}" if METRICS.get(best).scalar else "{}"
    yield Problem("training.best_metric", message, add.format(f"write one of: {', '.join(known)}"))


def _data(data: DataSection, written: Written) -> Iterator[Problem]:
    yield from _source(data, written.source_key)
    if data.hold_out.validation + data.hold_out.test >= 1:
        yield Problem(
            "data.hold_out", "validation and test together leave no training rows", "their sum is below 1"
        )
    twice = [label for label, count in Counter(data.labels or ()).items() if count > 1]
    if twice:
        yield Problem(
            "data.labels", f"`{twice[0]}` is listed twice", "a label's place is its number: list it once"
        )
    yield from _distinct("splits", data.splits, "two splits are the same rows of the source")
    yield from _distinct(
        "columns", data.columns, "two of the task's columns are the same column of the source"
    )
    roles = list(written.task.columns) if written.task else list(data.columns)
    for role in data.columns:
        if role not in roles:
            message = f"the task {_task_name(written.task)} has no column `{role}`"
            yield Problem(f"data.columns.{role}", message, _role_hint(role, data.columns[role], roles))


def _source(data: DataSection, key: str) -> Iterator[Problem]:
    source = data.source
    if isinstance(source, str) and source.startswith(MEMORY):
        message = f"this recipe was made in Python, from data in memory ({source.removeprefix(MEMORY)})"
        yield Problem(key, message, "give the data again: data.source=FILE, or data=... in Python")
    if type(source) is not dict or not any(isinstance(part, str | list) for part in source.values()):
        return
    known = ("train", "validation", "test", *data.splits.values())
    if all(isinstance(part, list) and len(part) > 1 for part in source.values()) and not {*known} & {*source}:
        message = (
            f"found a mapping of {' and '.join(f'`{name}`' for name in source)} to lists, which are no splits"
        )
        yield Problem(key, message, "of columns, make a table: pandas.DataFrame({...})")
        return
    for split in source:
        if split not in known:
            meant = {"val": "validation", "valid": "validation", "dev": "validation", "eval": "validation"}
            hint = f"write `{meant[split]}`" if split in meant else did_you_mean(str(split), known)
            yield Problem(f"{key}.{split}", f"`{split}` is not the name of a split", hint)


def _distinct(key: str, names: Mapping[Any, str | tuple[str, ...]], message: str) -> Iterator[Problem]:
    listed = {our: (one,) if isinstance(one, str) else one for our, one in names.items()}
    for name, count in Counter(name for several in listed.values() for name in several).items():
        if count > 1:
            ours = " and ".join(f"`{our}`" for our in listed if name in listed[our])
            yield Problem(f"data.{key}", f"{message}: {ours} are both `{name}`")


def _role_hint(role: str, column: str | tuple[str, ...], roles: Sequence[str]) -> str:
    if column in roles:  # written the wrong way round
        return f"the task's column comes first: `{column}: {role}`"
    return did_you_mean(role, roles)


def _close(name: str, names: Sequence[str]) -> str:
    """The nearest name alone, where there is one: there are many metrics."""
    found = METRIC_NAMES.get(name.lower()) or nearest(name, names)
    return f"did you mean `{found}`?" if found else f"known: {', '.join(names)}"


def _task_name(task: Any) -> str:
    return str(task.name)
