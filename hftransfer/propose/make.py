"""From the name of some data to a recipe for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.errors import DataError, InputError, RecipeError, did_you_mean
from hftransfer.lint import lint, sentences
from hftransfer.propose import choices
from hftransfer.propose.columns import Look, look_at
from hftransfer.propose.facts import token_bounds, told
from hftransfer.propose.shapes import SHAPES, Guess
from hftransfer.propose.split import Chosen, choose, siblings
from hftransfer.propose.write import Entry, render, settings
from hftransfer.recipe import DataSection, Recipe
from hftransfer.registry import TASKS
from hftransfer.sources import Source, open_source
from hftransfer.splits import make_splits
from hftransfer.splits.columns import names_in

if TYPE_CHECKING:
    import datasets

FORMS = {
    "text": "texts", "whole": "whole numbers", "number": "numbers", "class": "classes", "list": "lists",
    "mapping": "mappings", "image": "images", "audio": "sounds", "other": "something else",
}  # fmt: skip


@dataclass(frozen=True)
class Proposal:
    """text: the recipe's YAML. recipe: the same. findings: what was assumed or noticed, in sentences."""

    text: str
    recipe: Recipe
    findings: tuple[str, ...]


def propose(
    data: str,
    *,
    task: str | None = None,
    columns: Mapping[str, str] | None = None,
    config: str | None = None,
    output: Path | None = None,
) -> Proposal:
    """A recipe for a file, a folder or a Hub dataset, by what its columns look like.

    task: its name, where it is known. columns: role -> the source's column, likewise. config: of a Hub dataset.
    output: the file that the text is to be written to; relative paths in it start there, or else at the current folder.
    Raises InputError: nothing there, nothing that can be read, or nothing that looks like something to train on.
    """
    if task is not None:
        TASKS.get(task)
    source = open_source(DataSection(source=data, config=config))
    source.check()
    loaded, noticed = _load(source)
    chosen = choose(loaded)
    guess, looks = _guess(source, look_at(loaded[chosen.splits["train"]]), task, columns or {})
    chosen = chosen.without_unlabelled(loaded, guess)
    part = TASKS.get(guess.task).model_validate({"name": guess.task, **guess.options})
    facts = told(part, guess, looks)
    notes = (*guess.notes, *facts.notes, *chosen.notes, *siblings(data))
    rows = chosen.training_rows(loaded)
    entries = [
        choices.checkpoint(guess, looks),
        Entry("data", _data(data, config, output, guess, facts.columns, chosen, loaded)),
        _task(part, guess, facts.options, token_bounds(part, guess, looks)),
        choices.strategy(guess, rows),
        Entry("training", choices.training(rows)),
        choices.metrics(part, facts.counts),
    ]
    plain = settings(entries)
    plain["data"]["source"] = data
    recipe = Recipe(**plain)
    head = _head(guess, data, output, notes)
    return Proposal(render(head, entries), recipe, (*notes, *noticed, *_tried(recipe)))


def _load(source: Source) -> tuple[dict[str, datasets.Dataset], tuple[str, ...]]:
    """(every split, what was noticed): a column that cannot be read is left out."""
    try:
        return source.load(), ()
    except RecipeError as error:
        if [problem.key for problem in error.problems] != ["data.config"]:
            raise
        raise InputError(error.problems[0].message, hint=f"--config NAME; {error.problems[0].hint}") from None
    except DataError as error:
        loaded = source.load(())
        return loaded, (f"left out: {error.message}",)


def _guess(
    source: Source, looks: dict[str, Look], task: str | None, given: Mapping[str, str]
) -> tuple[Guess, dict[str, Look]]:
    """(the first shape that fits, the columns). given: role -> column; it stands under the role's name meanwhile."""
    unknown = [name for name in given.values() if name not in looks]
    if unknown:
        raise DataError(
            f"{source.describe()} has no column `{unknown[0]}`", hint=did_you_mean(unknown[0], looks)
        )
    named = {role: name for role, name in given.items() if role != name}
    seen = {name: look for name, look in looks.items() if name not in (*named.values(), *named)}
    seen = {**{role: replace(looks[name], name=role) for role, name in named.items()}, **seen}
    unavailable = []
    for name, shape in SHAPES:
        if task not in (None, name):
            continue
        guess = shape(seen, task is not None)
        if guess is None or not given.keys() <= guess.roles.keys():
            continue
        if name in TASKS.names() and _fits(guess):
            return _named_back(guess, named), looks
        unavailable.append(name)
    if task is not None:
        return _named_back(_by_roles(source, seen, task), named), looks
    raise _nothing_fits(source, looks, unavailable, given)


def _fits(guess: Guess) -> bool:
    """Whether the task has these roles, and no other that it needs."""
    columns = TASKS.get(guess.task).model_validate({"name": guess.task, **guess.options}).columns
    required = {role for role, column in columns.items() if column.required}
    return required <= set(guess.roles) <= set(columns)


def _named_back(guess: Guess, named: Mapping[str, str]) -> Guess:
    why = {role: "as given" if role in named else why for role, why in guess.why.items()}
    return replace(
        guess, roles={role: named.get(role, column) for role, column in guess.roles.items()}, why=why
    )


def _by_roles(source: Source, looks: Mapping[str, Look], task: str) -> Guess:
    """Columns that have the very names of the task's roles. Raises DataError for those that are missing."""
    columns = TASKS.get(task)().columns
    missing = [role for role, column in columns.items() if column.required and role not in looks]
    if missing:
        raise DataError(
            f"{source.describe()} does not show which columns are the {task}'s {', '.join(columns)}; "
            f"its columns: {_described(looks)}",
            hint="say which: " + " ".join(f"--column {role}=NAME" for role in missing),
        )
    return Guess(
        task, {role: role for role in columns if role in looks}, dict.fromkeys(columns, "by its name")
    )


def _nothing_fits(
    source: Source, looks: Mapping[str, Look], unavailable: list[str], given: Mapping[str, str]
) -> DataError:
    if given:
        roles = ", ".join(given)
        return DataError(
            f"no task that fits these columns has {roles}; there are: {_described(looks)}",
            hint=f"name the task, too: --task NAME; known: {', '.join(TASKS.names())}",
        )
    like = f" (they look like {unavailable[0]}, which is no task here)" if unavailable else ""
    one = "has one column, and a text or an image and a label were expected" if len(looks) == 1 else (
        "has no columns that look like something to predict, and something to predict it from"
    )  # fmt: skip
    return DataError(
        f"{source.describe()} {one}{like}: {_described(looks)}",
        hint="is it the right file? if it is, say which column is which: --column text=NAME --column label=NAME",
    )


def _described(looks: Mapping[str, Look]) -> str:
    return ", ".join(f"`{name}` ({FORMS[look.form]})" for name, look in list(looks.items())[:20])


def _data(
    data: str,
    config: str | None,
    output: Path | None,
    guess: Guess,
    facts: Mapping[str, str],
    chosen: Chosen,
    loaded: Mapping[str, Any],
) -> list[Entry]:
    written, where = data, ""
    if os.path.lexists(Path(data).expanduser()) and not os.path.isabs(Path(data).expanduser()):
        written = os.path.relpath(data, output.parent) if output is not None else data
        where = (
            "; relative to this file"
            if output is not None
            else "; relative to this file: keep it in this folder"
        )
    used = {name for names in guess.roles.values() for name in names_in(names)}
    entries = [Entry("source", written, chosen.sizes(loaded) + where)]
    entries += [Entry("config", config)] if config else []
    columns = [
        Entry(role, list(column) if isinstance(column, tuple) else column, "; ".join(
            part for part in (guess.why.get(role, ""), facts.get(role, "")) if part
        ))
        for role, column in guess.roles.items()
    ]  # fmt: skip
    return [*entries, Entry("columns", columns), *chosen.entries(loaded, used)]


def _task(part: Any, guess: Guess, options: list[Entry], bounds: list[Entry]) -> Entry:
    own = [Entry(key, value) for key, value in guess.options.items()]
    known = type(part).model_fields
    rest = [entry for entry in (*bounds, *options) if entry.key in known]
    if not own and not rest:
        return Entry("task", guess.task)
    return Entry("task", [Entry("name", guess.task), *own, *rest])


def _head(guess: Guess, data: str, output: Path | None, notes: tuple[str, ...]) -> list[str]:
    columns = [
        name if isinstance(name, str) else " and ".join(name[:3]) + (" ..." if len(name) > 3 else "")
        for name in guess.roles.values()
    ]
    file = output.name if output is not None else "recipe.yaml"
    head = [
        f"{guess.task} on {data}: {', '.join(columns)}.",
        f"   hftransfer check {file}",
        f"   hftransfer run {file}",
        "Written by `hftransfer init` from what the rows show; nothing was tried out. Change what you know better.",
    ]
    return head + [f"- {note}" for note in notes]


def _tried(recipe: Recipe) -> tuple[str, ...]:
    """What making the splits and looking at them says: the findings, or why it cannot be done with these rows."""
    try:
        splits = make_splits(
            open_source(recipe.data),
            recipe.data,
            columns=recipe.task.columns,
            seed=recipe.data_seed,
            check_rows=recipe.task.check_rows,
        )
    except InputError as error:
        return (f"`hftransfer check` refuses these rows as they are: {error}",)
    return (*splits.findings, *sentences(lint(splits, recipe.task.columns)))
