"""Parts that a recipe chooses by name, and the tables they stand in.

A table fills itself on first use by importing its home package and any entry points of the same name
(`[project.entry-points."hftransfer.tasks"]`), so a recipe can be checked against every part without a lower
layer importing a higher one. Importing a part never imports torch: heavy imports live inside its methods.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from hftransfer.errors import InputError, did_you_mean

T = TypeVar("T")


class Options(BaseModel):
    """Base of everything that a recipe holds: closed (an unknown key is an error), typed, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False)

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises InputError for an option: what has been checked does not change."""
        if name in type(self).model_fields:
            raise InputError(
                f"a recipe does not change: `{name}` stays {getattr(self, name)!r}",
                hint='make another: ht.Recipe(**{**dict(recipe), "training": {"epochs": 5}})',
            )
        super().__setattr__(name, value)


class Part(Options):
    """Base of a task or a strategy: its fields are the options a recipe may give it.

    A subclass narrows `name` to one literal: `name: Literal["lora"] = "lora"`.
    """

    name: str


class UnknownNameError(InputError):
    """A part was asked for by a name that is not in its table."""


class Registry(Generic[T]):
    """A table of parts by name: `add`, `get` (with the nearest name when there is none), `names`."""

    def __init__(self, kind: str, home: str) -> None:
        """kind: what a user calls the parts ("strategy"). home: the package whose import fills the table."""
        self.kind = kind
        self.home = home
        self._parts: dict[str, T] = {}
        self._filled = False

    def add(self, name: str, part: T) -> T:
        """Add a part under a name that is not taken."""
        if self._parts.get(name, part) is not part:
            raise ValueError(f"there is a {self.kind} named {name!r} already")
        self._parts[name] = part
        return part

    def get(self, name: str) -> T:
        """The part of that name. Raises UnknownNameError, naming the nearest and all that there are."""
        self._fill()
        if name not in self._parts:
            raise UnknownNameError(f"no {self.kind} is named `{name}`", hint=did_you_mean(name, self.names()))
        return self._parts[name]

    def names(self) -> tuple[str, ...]:
        """Every name, sorted."""
        self._fill()
        return tuple(sorted(self._parts))

    def __iter__(self) -> Iterator[T]:
        return iter([self.get(name) for name in self.names()])

    def _fill(self) -> None:
        if self._filled:
            return
        self._filled = True  # first, since parts may look at the table while it fills
        importlib.import_module(self.home)
        for point in entry_points(group=self.home):
            self.add(point.name, point.load())


TASKS: Registry[Any] = Registry("task", "hftransfer.tasks")
STRATEGIES: Registry[Any] = Registry("strategy", "hftransfer.strategies")
METRICS: Registry[Any] = Registry("metric", "hftransfer.metrics")
