"""A section of a recipe that may be written as its main field alone: `checkpoint: bert-base-uncased`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from hftransfer.registry import Options


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
