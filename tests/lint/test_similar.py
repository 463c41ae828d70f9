"""The pairs that are found are those that a comparison of everything with everything finds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from itertools import combinations

import pytest
from lint.looking import texts

from hftransfer.lint import similar as module
from hftransfer.lint.similar import LEAST, similar
from hftransfer.splits.copies import without_punctuation


@cache
def pieces(text: str) -> frozenset[str]:
    padded = f" {text} "
    return frozenset(padded[i : i + 4] for i in range(len(padded) - 3))


def overlap(first: str, second: str) -> float:
    a, b = pieces(first), pieces(second)
    return len(a & b) / len(a | b) if min(len(a), len(b)) >= LEAST else 0.0


def all_pairs(columns: Sequence[Sequence[str]], threshold: float) -> dict[tuple[int, int], float]:
    pairs = combinations(range(len(columns[0])), 2)
    overlaps = {(a, b): min(overlap(column[a], column[b]) for column in columns) for a, b in pairs}
    return {pair: one for pair, one in overlaps.items() if one >= threshold}


def changed(text: str, draw: random.Random) -> str:
    """A word left out, written twice or exchanged; or a letter."""
    words = text.split()
    place = draw.randrange(len(words))
    change = draw.randrange(4)
    if change == 0:
        del words[place]
    elif change == 1:
        words.insert(place, words[place])
    elif change == 2:
        words[place] = draw.choice(words)
    else:
        words[place] = words[place][1:]
    return " ".join(words)


def mixture(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    made = texts(count, seed=seed)
    for _ in range(count):
        made.append(changed(draw.choice(made), draw))
    return list(dict.fromkeys(made))


@pytest.mark.parametrize("threshold", [0.6, 0.8, 0.9])
def test_every_pair_is_found_and_no_other(threshold: float) -> None:
    made = mixture(80, seed=3)
    expected = all_pairs([made], threshold)
    seen = similar([made], threshold)
    pairs = dict(
        zip(zip(seen.first.tolist(), seen.second.tolist(), strict=True), seen.similarity, strict=True)
    )
    assert len(expected) > 10
    assert pairs == pytest.approx(expected)
    assert pairs.keys() != all_pairs([made], threshold - 0.1).keys()


def test_of_pairs_of_texts_both_must_be_alike() -> None:
    firsts, seconds = mixture(60, seed=1)[:100], mixture(60, seed=2)[:100]
    firsts[50:], seconds[50:] = firsts[:50], [*seconds[:25], *seconds[75:]]
    columns = [[f"{one} {number % 7}" for number, one in enumerate(firsts)], seconds]
    seen = similar(columns, 0.8)
    expected = all_pairs(columns, 0.8)
    assert set(zip(seen.first.tolist(), seen.second.tolist(), strict=True)) == set(expected)
    assert len(expected) < len(all_pairs(columns[:1], 0.8))


def test_long_texts_are_compared_by_a_sample() -> None:
    a, b = texts(2, words=2000)
    almost = " ".join(a.split()[:1900])
    seen = similar([[a, b, almost]], 0.8)
    assert list(zip(seen.first, seen.second, strict=True)) == [(0, 2)]
    assert seen.similarity[0] == pytest.approx(overlap(a, almost), abs=0.1)


def test_short_texts_are_not_compared() -> None:
    seen = similar(
        [["thank you", "thank you 1", "thank you so much for it all", "thank you so much for it al"]], 0.5
    )
    assert list(zip(seen.first, seen.second, strict=True)) == [(2, 3)]
    assert (seen.short, seen.left_out) == (2, 0)


def test_what_cannot_be_afforded_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = texts(10)
    made += made
    assert len(similar([made], 0.8).first) == 10
    monkeypatch.setattr(module, "MOST_PIECES", sum(map(len, made[:12])))
    seen = similar([made], 0.8)
    assert (len(seen.first), seen.left_out) == (2, 8)


def test_nothing_to_compare() -> None:
    for columns in ([[]], [[""]], [["", ""], ["", ""]]):
        assert len(similar(columns, 0.8).first) == 0


def test_parts_read_one_after_the_other_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made = mixture(80, seed=5)
    whole = similar([made], 0.8)
    monkeypatch.setattr(module, "CHARACTERS", 200)
    monkeypatch.setattr(module, "PAIRS", 3)
    parts = similar([made], 0.8)
    assert len(whole.first)
    assert whole.first.tolist() == parts.first.tolist()
    assert whole.second.tolist() == parts.second.tolist()


def test_punctuation_goes_and_signs_stay() -> None:
    assert without_punctuation(["It\u2019s  OK!", "its ok", "C++", "C", "?!", "ﬁne\t„so“", "yes 👍"]) == [
        "its ok",
        "its ok",
        "c++",
        "c",
        "?!",
        "fine so",
        "yes 👍",
    ]
