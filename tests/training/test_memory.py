"""Halving until it fits, with torch's own out-of-memory error."""

from __future__ import annotations

import pytest
import torch

from hftransfer.errors import InputError
from hftransfer.training.memory import largest_that_fits


def attempt_up_to(bound: int, tried: list[int]) -> object:
    def attempt(size: int) -> None:
        tried.append(size)
        if size > bound:
            raise torch.OutOfMemoryError("CUDA out of memory")

    return attempt


def test_halves_until_it_fits() -> None:
    tried: list[int] = []
    assert largest_that_fits(attempt_up_to(10, tried), 64, lambda fits: fits) == 8  # type: ignore[arg-type]
    assert tried == [64, 32, 16, 8]


def test_every_process_must_agree() -> None:
    answers = iter([False, True])
    assert largest_that_fits(attempt_up_to(100, []), 64, lambda fits: next(answers)) == 32  # type: ignore[arg-type]


def test_not_even_one_is_an_input_error() -> None:
    with pytest.raises(InputError, match="not even one example fits"):
        largest_that_fits(attempt_up_to(0, []), 4, lambda fits: fits)  # type: ignore[arg-type]


def test_other_errors_are_not_swallowed() -> None:
    def broken(size: int) -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        largest_that_fits(broken, 4, lambda fits: fits)
