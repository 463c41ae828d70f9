"""Command lines that are nearly right: what to write instead, beside the parser's own message."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

CALLED = {
    "run": ("train", "fit", "finetune", "fine-tune"),
    "evaluate": ("test", "score"),
    "check": ("validate", "lint"),
    "predict": ("infer", "inference"),
    "push": ("publish", "upload"),
}
"""What other programs call our commands."""
OVERRIDES = "overrides"
"""The parameter of a command that takes KEY=VALUE."""


class SuggestingCommand(TyperCommand):
    """A command that knows a recipe's key when it is written as an option: `--epochs 1` for `training.epochs=1`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            option = getattr(error, "option_name", None)
            own = [text for one in self.params for text in one.opts if text.startswith("--")]
            if option is None or any(text.startswith(option) for text in own):
                raise  # `--out`: the parser knows the nearest itself
            if any(one.name == OVERRIDES for one in self.params):
                _add(error, _as_override(option, given))
            raise


class SuggestingGroup(TyperGroup):
    """The program: knows a command's option when it stands before the command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if getattr(error, "option_name", None) is not None:
                _add(error, self._after_the_command(given))
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:
            ours = next((name for name, others in CALLED.items() if args and args[0].lower() in others), None)
            if ours is not None:
                _add(error, f"`{args[0]}` is called `{ours}` here: hftransfer {' '.join([ours, *args[1:]])}")
            raise

    def _after_the_command(self, args: list[str]) -> str | None:
        """The same words with those options that are the command's own behind it."""
        place = next((place for place, word in enumerate(args) if word in self.commands), None)
        if place is None:
            return None
        name, before, rest = args[place], args[:place], args[place + 1 :]
        own = {text: one for one in self.commands[name].params for text in getattr(one, "opts", ())}
        kept: list[str] = []
        moved: list[str] = []
        while before:
            word = before.pop(0)
            option = own.get(word.partition("=")[0])
            (kept if option is None else moved).append(word)
            if option is not None and not getattr(option, "is_flag", False) and "=" not in word:
                moved += before[:1]
                del before[:1]
        if not moved:
            return None
        return f"`{moved[0]}` is an option of {name}: hftransfer {' '.join([*kept, name, *rest, *moved])}"


def _add(error: Any, suggestion: str | None) -> None:
    if suggestion is not None:
        error.possibilities = None  # by letters alone: `--processes` for `--epochs`
        error.message = f"{error.message}\n{suggestion}"


def _as_override(option: str, args: list[str]) -> str | None:
    """`--epochs 1`, `--epochs=1` and `--learning-rate 1e-4` as the overrides that they mean."""
    from hftransfer.recipe import key_like

    name = option.lstrip("-").replace("-", "_")
    key = key_like(name)
    if key is None:
        return None
    place = next(place for place, word in enumerate(args) if word.partition("=")[0] == option)
    _, equals, value = args[place].partition("=")
    following = args[place + 1] if place + 1 < len(args) else ""
    if not equals and following and not re.match(r"--?[a-z]", following) and "=" not in following:
        value = following
    return f"a recipe's keys are given as KEY=VALUE: {key}={value or 'VALUE'}"
