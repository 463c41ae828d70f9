"""The data that travel with the package: complete, balanced, clean, and no row twice in other words."""

from __future__ import annotations

import csv
import re
from collections import Counter
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent / "recipes" / "data" / "support-desk"
SPLITS = {"train": 60, "validation": 15, "test": 25}
INTENTS = (
    "app_bug",
    "cancel_subscription",
    "change_plan",
    "damaged_item",
    "delivery_status",
    "login_problem",
    "refund_request",
    "return_item",
    "update_payment_method",
    "wrong_charge",
)
MOST_JACCARD, MOST_RATIO = 0.5, 0.75


def read(split: str) -> list[dict[str, str]]:
    with (FOLDER / f"{split}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, strict=True))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [row["text"] for split in SPLITS for row in read(split)]


def near_duplicates(texts: list[str]) -> list[tuple[str, str]]:
    """Pairs that share more than half of their words, or are alike letter by letter."""
    lower = [text.lower() for text in texts]
    words = [frozenset(re.findall(r"\w+", text)) for text in lower]
    letters = counts(lower)
    lengths = letters.sum(axis=1)
    found = []
    for i in range(1, len(texts)):
        # Letters in common, wherever they stand, are at least those that match: a bound that costs little.
        common = np.minimum(letters[:i], letters[i]).sum(axis=1)
        may_be_alike = 2 * common > MOST_RATIO * (lengths[:i] + lengths[i])
        for j in range(i):
            shared = len(words[i] & words[j])
            same_words = shared > MOST_JACCARD * (len(words[i]) + len(words[j]) - shared)
            if same_words or (may_be_alike[j] and alike(lower[j], lower[i])):
                found.append((texts[j], texts[i]))
    return found


def counts(texts: list[str]) -> np.ndarray:
    """How often every letter is in every text: (texts, letters)."""
    alphabet = sorted(set("".join(texts)))
    return np.array([[text.count(letter) for letter in alphabet] for text in texts])


def alike(one: str, other: str) -> bool:
    # What difflib matches is a common subsequence: the longest is a bound, much sooner found.
    bound = 2 * longest_common_subsequence(one, other) / (len(one) + len(other))
    return bound > MOST_RATIO and SequenceMatcher(None, one, other, autojunk=False).ratio() > MOST_RATIO


@cache
def places_of(text: str) -> dict[str, int]:
    """Letter -> an integer with a bit for every place it stands at."""
    return {letter: sum(1 << i for i, its in enumerate(text) if its == letter) for letter in set(text)}


def longest_common_subsequence(one: str, other: str) -> int:
    """Its length, by bits of one integer (Hyyrö 2004, "Bit-parallel LCS-length computation revisited")."""
    places = places_of(one)
    every = (1 << len(one)) - 1
    row = every
    for letter in other:
        matches = row & places.get(letter, 0)
        row = ((row + matches) | (row - matches)) & every
    return len(one) - row.bit_count()


@pytest.mark.parametrize(("split", "each"), SPLITS.items())
def test_every_intent_has_its_share(split: str, each: int) -> None:
    assert Counter(row["intent"] for row in read(split)) == dict.fromkeys(INTENTS, each)


@pytest.mark.parametrize("split", SPLITS)
def test_the_files_are_clean(split: str) -> None:
    raw = (FOLDER / f"{split}.csv").read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in raw
    for number, row in enumerate(read(split), 1):
        text = row["text"]
        assert set(row) == {"text", "intent"}
        assert text == text.strip(), number
        assert not re.search(r"\s\s|[\x00-\x1f\x7f\ufffd]", text), number
        assert 5 <= len(text) <= 400, number


def test_no_row_is_there_twice_in_other_words(texts: list[str]) -> None:
    assert len(texts) == 1000
    assert near_duplicates(texts) == []


def test_a_row_in_other_words_is_found(texts: list[str]) -> None:
    """The negative control: each of the two measures finds what it is for."""
    some, first = texts[:50], texts[3]
    same_words = " ".join(sorted(first.split(), reverse=True))
    same_letters = first.replace("e", "3").replace("a", "4")
    assert near_duplicates([*some, same_words]) == [(first, same_words)]
    assert near_duplicates([*some, same_letters]) == [(first, same_letters)]
    assert near_duplicates([*some, "The bagpipes are on fire and I love it"]) == []
    assert longest_common_subsequence("nematode knowledge", "empty bottle") == 7


def test_the_licence_stands_beside_the_data() -> None:
    note = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "CC0 1.0" in note
    assert all(intent in note for intent in INTENTS)
