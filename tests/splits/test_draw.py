"""Hold-outs in proportion, and never a class's last row."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hftransfer.splits import draw


def drawn(counts: list[int], size: int, seed: int = 0) -> np.ndarray:
    ids = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    positions = draw.hold_out(ids, size, seed=seed, stream="hold out validation")
    assert len(set(positions.tolist())) == len(positions)
    assert positions.tolist() == sorted(positions.tolist())
    return np.bincount(ids[positions], minlength=len(counts))


@pytest.mark.parametrize(
    ("counts", "size", "expected"),
    [
        ([60, 40], 10, [6, 4]),
        ([50, 50], 5, [3, 2]),
        ([97, 2, 1], 10, [10, 0, 0]),
        ([97, 2, 1], 90, [89, 1, 0]),
        ([1, 1, 1], 2, [0, 0, 0]),
        ([2, 2], 4, [1, 1]),
        ([5, 0, 5], 4, [2, 0, 2]),
        ([3], 99, [2]),
    ],
)
def test_quotas(counts: list[int], size: int, expected: list[int]) -> None:
    assert drawn(counts, size).tolist() == expected


def test_always_in_proportion_and_never_the_last_row() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        counts = generator.integers(0, 30, generator.integers(1, 12))
        if counts.sum() == 0:
            continue
        size = int(generator.integers(1, counts.sum() + 1))
        found = drawn(counts.tolist(), size)
        room = np.maximum(counts - 1, 0)
        assert (found <= room).all()
        assert found.sum() == min(size, room.sum())
        if size < room.min():
            assert (np.abs(found - size * counts / counts.sum()) < 1).all()


@pytest.mark.parametrize("groups", [None, np.arange(1000), np.arange(1000)[::-1]])
@pytest.mark.parametrize(
    ("seed", "stream", "digest"),
    [
        (0, "hold out test", "a9a15169aed2d159"),
        (0, "hold out validation", "175740f26e15429f"),
        (7, "hold out test", "9ce06d470b30e00f"),
        (7, "hold out validation", "f0852ab7c91aaf6f"),
    ],
)
def test_rows_without_copies_are_drawn_as_ever(
    groups: np.ndarray, seed: int, stream: str, digest: str
) -> None:
    """Scores that were published are of these very rows."""
    ids = np.random.default_rng(5).integers(0, 77, 1000)
    positions = draw.hold_out(ids, 150, groups=groups, seed=seed, stream=stream)
    assert hashlib.sha256(positions.astype("<i8").tobytes()).hexdigest()[:16] == digest


def test_seeds_and_streams_are_different_draws() -> None:
    ids = np.zeros(100, np.int64)
    draws = {
        tuple(draw.hold_out(ids, 10, seed=seed, stream=stream))
        for seed in (0, 1)
        for stream in ("hold out validation", "hold out test")
    }
    assert len(draws) == 4


def test_limit() -> None:
    whole = draw.limit(50, 99, seed=0, stream="limit train")
    assert whole.tolist() == list(range(50))
    some = draw.limit(50, 10, seed=0, stream="limit train")
    assert set(some) < set(draw.limit(50, 20, seed=0, stream="limit train"))
    assert some.tolist() != draw.limit(50, 10, seed=1, stream="limit train").tolist()


class TestWholeGroups:
    def test_every_group_on_one_side_and_near_the_size(self) -> None:
        generator = np.random.default_rng(0)
        for seed in range(100):
            groups = np.unique(generator.integers(0, 60, 300), return_inverse=True)[1]
            held = draw.hold_out_whole(groups, 30, seed=seed, stream="hold out validation")
            left = np.delete(np.arange(300), held)
            assert not set(groups[held]) & set(groups[left])
            assert abs(len(held) - 30) <= np.bincount(groups).max() / 2
            assert held.tolist() == sorted(held.tolist())

    @pytest.mark.parametrize(
        ("groups", "size", "expected"), [([0, 0, 0], 1, 0), ([0, 1, 1], 3, None), ([], 1, 0)]
    )
    def test_one_is_taken_and_one_is_left(self, groups: list[int], size: int, expected: int | None) -> None:
        held = draw.hold_out_whole(np.array(groups, np.int64), size, seed=0, stream="hold out test")
        assert len(held) == expected if expected is not None else 0 < len(held) < len(groups)

    @pytest.mark.parametrize("pure", [True, False])
    def test_by_class_too(self, pure: bool) -> None:
        generator = np.random.default_rng(0)
        for seed in range(100):
            groups = np.unique(generator.integers(0, 250, 300), return_inverse=True)[1]
            ids = (groups if pure else generator.integers(0, 1000, 300)) % 5
            held = draw.hold_out(ids, 40, groups=groups, seed=seed, stream="hold out validation")
            left = np.delete(np.arange(300), held)
            assert not set(groups[held]) & set(groups[left])
            assert len(held) == 40
            assert set(ids[left].tolist()) == set(range(5))
            off = np.bincount(ids[held], minlength=5) - 40 * np.bincount(ids) / 300
            assert np.abs(off).max() < (2 if pure else 8)
            assert held.tolist() == sorted(held.tolist())

    @pytest.mark.parametrize(
        ("ids", "groups", "size", "expected"),
        [
            ([0] * 4 + [1] * 4, [0, 0, 1, 1, 2, 2, 3, 3], 2, 2),  # too large for either class's quota
            ([0] * 9, [0] * 3 + [1] * 6, 1, (3, 6)),  # too large for what is asked for
            ([0] * 9, [0] * 3 + [1] * 3 + [2] * 3, 5, 6),  # nearer than three
            ([0] * 9, [0] * 3 + [1] * 3 + [2] * 3, 4, 3),
            ([0, 0, 1, 1], [0, 0, 1, 1], 2, 0),  # all that a class has
            ([0, 1, 0, 1], [0, 0, 1, 1], 1, 2),  # of both classes
            ([], [], 1, 0),
        ],
    )
    def test_groups_that_are_large(
        self, ids: list[int], groups: list[int], size: int, expected: object
    ) -> None:
        several = [np.array(one, np.int64) for one in (ids, groups)]
        for seed in range(10):
            held = draw.hold_out(several[0], size, groups=several[1], seed=seed, stream="hold out test")
            assert len(held) in np.atleast_1d(expected)

    def test_rows_drawn_one_by_one_part_the_groups(self) -> None:
        groups = np.repeat(np.arange(20), 10)
        held = draw.hold_out(np.zeros(200, np.int64), 40, seed=0, stream="hold out validation")
        assert set(groups[held]) & set(np.delete(groups, held))
