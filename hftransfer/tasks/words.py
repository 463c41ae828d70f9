"""Sentences as token ids, each piece with the word it is of: what tagging words needs of a tokenizer.

    words     Ann   lives   in   Upminster
    pieces    ann   lives   in   up  ##minster        word of each: 0 1 2 3 3; the first piece of a word is labelled

A sentence that is longer than the model takes is read in overlapping windows. Each piece counts in one of them: in the
overlap, the earlier window has the first half and the later one the second, so that each has context on both sides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from hftransfer.errors import CheckpointError
from hftransfer.sources.base import name_some
from hftransfer.tasks.losses import IGNORED
from hftransfer.tasks.makeup import Whole
from hftransfer.tasks.pieces import NO_WORD, EncodedWords, Pieces, first_words
from hftransfer.tasks.texts import CHUNK

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hftransfer.tasks.pieces import Flags, Integers

DELIMITER = " "
"""What stands between words where they are written as one text; as in `transformers.pipeline`."""


def split_words(tokenizer: Any) -> None:
    """Let a tokenizer take words, in place: one that tells by a space where a word begins has to put it there itself.

    RoBERTa's kin read `Ann sleeps` as `Ann`, `Ġsleeps`, but the words [Ann, sleeps] as `Ann`, `sleeps`: two beginnings
    of words that no model knows inside of a text (transformers' own RoBERTa scripts ask for add_prefix_space, too).
    Raises CheckpointError for a tokenizer that does not say which word a token is of.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise CheckpointError(
            f"{type(tokenizer).__name__} does not say which word a token is of: it is not a fast tokenizer",
            hint="choose a checkpoint with a tokenizer.json, such as google-bert/bert-base-cased",
        )
    tokenizer.truncation_side = "right"  # windows go from left to right
    from tokenizers import Tokenizer

    backend = tokenizer.backend_tokenizer
    state = json.loads(backend.to_str())
    before = state["pre_tokenizer"] or {}
    first = (before.get("pretokenizers") or [before])[0]
    if first.get("type") != "ByteLevel" or first["add_prefix_space"]:
        return
    first["add_prefix_space"] = True
    after = state["post_processor"] or {}
    if "add_prefix_space" in after:
        after["add_prefix_space"] = True
    changed = Tokenizer.from_str(json.dumps(state))
    backend.pre_tokenizer, backend.post_processor = changed.pre_tokenizer, changed.post_processor
    # What is saved beside tokenizer.json, and believed when it is loaded.
    tokenizer.add_prefix_space = True
    tokenizer.init_kwargs["add_prefix_space"] = True


def encode_words(
    sentences: Sequence[Any],
    tags: Sequence[Sequence[int]] | None,
    tokenizer: Any,
    most: int | None,
    *,
    overlap: float,
    label_all: Mapping[int, int] | None,
    untold: str,
    name: str,
) -> EncodedWords:
    """Sentences (lists of words; or texts, split as the tokenizer does) as examples.

    tags: of every word; None without targets. most: tokens of an example, special ones included, or None.
    overlap: share of a window that is in the one before it. label_all: None labels the first piece of a word; else all
    of them, a tag going on as the one it is mapped to. untold: the tag of words of no pieces. name: what findings call
    the rows.
    """
    import numpy as np

    stride = 0
    if most is not None:
        stride = max(0, min(int(overlap * most), most - tokenizer.num_special_tokens_to_add() - 1))
    parts = [_part(*one, stride) for one in _chunks(sentences, tokenizer, most, stride)]
    features = {key: np.concatenate([part[0][key] for part in parts]) for key in parts[0][0]}
    pieces = _joined([part[1] for part in parts])
    split = not isinstance(sentences[0], str)
    sizes = np.array([len(one) for one in sentences]) if split else _sizes(pieces, len(sentences))
    targets = None if tags is None else _targets(pieces, sizes, tags, label_all)
    findings = [
        *_windows(pieces, len(sizes), most, name),
        *_unread(pieces, sizes, sentences, untold, name, split),
    ]
    counted = np.bincount(np.repeat(pieces.rows, np.diff(pieces.ends))[pieces.counts], minlength=len(sizes))
    whole = Whole(counted + tokenizer.num_special_tokens_to_add(), most, "read in windows")
    return EncodedWords(features, pieces, sizes, targets, tuple(findings), whole)


def text_of(sentence: str | Sequence[str]) -> str:
    """The text that offsets are in: a sentence of words has one space between them."""
    return sentence if isinstance(sentence, str) else DELIMITER.join(sentence)


def _chunks(
    sentences: Sequence[Any], tokenizer: Any, most: int | None, stride: int
) -> Iterator[tuple[int, Sequence[Any], Any]]:
    """(first row, sentences, encoding) of so many rows at a time."""
    options: dict[str, Any] = {"return_attention_mask": False, "verbose": False}
    if most is not None:
        options |= {
            "truncation": True,
            "max_length": most,
            "stride": stride,
            "return_overflowing_tokens": True,
        }
    split = not isinstance(sentences[0], str)
    for start in range(0, len(sentences), CHUNK):
        part = list(sentences[start : start + CHUNK])
        yield start, part, tokenizer(part, is_split_into_words=split, **options)


def _part(
    start: int, sentences: Sequence[Any], encoded: Any, stride: int
) -> tuple[dict[str, NDArray[np.int32]], Pieces]:
    """The features and pieces of some rows, of which the first has the number `start`."""
    import numpy as np

    mapping = encoded.pop("overflow_to_sample_mapping", range(len(sentences)))
    rows = np.asarray(mapping, dtype=np.int64)
    encodings = encoded.encodings
    lengths = np.array([len(one.ids) for one in encodings])
    ends = np.concatenate([[0], lengths.cumsum()])
    total = int(ends[-1])

    def flat(values: Iterator[Any], kind: Any) -> NDArray[Any]:
        return np.fromiter(chain.from_iterable(values), dtype=kind, count=total)

    special = flat((one.special_tokens_mask for one in encodings), bool)
    word = flat(([NO_WORD if w is None else w for w in one.word_ids] for one in encodings), np.int32)
    offsets = np.array(list(chain.from_iterable(one.offsets for one in encodings)), dtype=np.int64)
    example = np.repeat(np.arange(len(rows)), lengths)
    if not isinstance(sentences[0], str):
        sizes = [np.array([len(one) + len(DELIMITER) for one in words]) for words in sentences]
        begins = first_words(np.array([len(one) for one in sizes]))[rows]
        starts = np.concatenate([np.cumsum(one) - one for one in sizes])
        inside = ~special & (word != NO_WORD)
        offsets[inside] += starts[(begins[example] + word)[inside]][:, None]
    counts = _counted(rows, example, special, stride)
    word[special] = NO_WORD
    features = {key: flat(iter(values), np.int32) for key, values in encoded.items()}
    first = _first(rows[example], word, counts)
    return features, Pieces(ends, rows + start, word, offsets, counts, first)


def _counted(rows: Integers, example: Integers, special: Flags, stride: int) -> Flags:
    """Whether each piece counts in this example: of those in two windows, the half that is farther from its end."""
    import numpy as np

    pieces = np.bincount(example[~special], minlength=len(rows))  # of every example
    begins = np.cumsum(pieces) - pieces
    place = np.arange(len(example[~special])) - np.repeat(begins, pieces)
    again = np.concatenate([[False], rows[1:] == rows[:-1]])  # whether a window is before it
    more = np.concatenate([again[1:], [False]])
    earlier = stride - stride // 2  # how many of the overlap count in the earlier window
    lowest = np.where(again, earlier, 0)
    highest = np.where(more, pieces - (stride - earlier), pieces)
    counts = np.zeros(len(example), dtype=bool)
    counts[~special] = (place >= lowest[example[~special]]) & (place < highest[example[~special]])
    return counts


def _first(row: Integers, word: NDArray[np.int32], counts: Flags) -> Flags:
    """Whether a piece counts, and is the first of its word."""
    import numpy as np

    mine, words = row[counts], word[counts]
    new = np.ones(len(words), dtype=bool)
    new[1:] = (words[1:] != words[:-1]) | (mine[1:] != mine[:-1])
    first = np.zeros(len(word), dtype=bool)
    first[counts] = new & (words != NO_WORD)
    return first


def _joined(parts: Sequence[Pieces]) -> Pieces:
    import numpy as np

    lengths = np.concatenate([np.diff(part.ends) for part in parts])
    others = (
        np.concatenate([getattr(part, one) for part in parts])
        for one in ("word", "offsets", "counts", "first")
    )
    return Pieces(first_words(lengths), np.concatenate([part.rows for part in parts]), *others)


def _sizes(pieces: Pieces, rows: int) -> Integers:
    """The words of every row, where the tokenizer decides."""
    import numpy as np

    sizes = np.zeros(rows, dtype=np.int64)
    np.maximum.at(sizes, np.repeat(pieces.rows, np.diff(pieces.ends)), pieces.word + 1)
    return sizes


def _targets(
    pieces: Pieces, sizes: Integers, tags: Sequence[Sequence[int]], label_all: Mapping[int, int] | None
) -> Integers:
    import numpy as np

    flat = np.fromiter(chain.from_iterable(tags), dtype=np.int64)
    row = np.repeat(pieces.rows, np.diff(pieces.ends))
    word = first_words(sizes)[row] + pieces.word
    targets = np.full(len(word), IGNORED, dtype=np.int64)
    targets[pieces.first] = flat[word[pieces.first]]
    if label_all is not None:
        rest = pieces.counts & ~pieces.first & (pieces.word != NO_WORD)
        goes_on = np.array([label_all.get(tag, tag) for tag in range(int(flat.max(initial=0)) + 1)])
        targets[rest] = goes_on[flat[word[rest]]]
    return targets


def _windows(pieces: Pieces, rows: int, most: int | None, name: str) -> list[str]:
    import numpy as np

    longer = int((np.bincount(pieces.rows, minlength=rows) > 1).sum())
    if not longer:
        return []
    return [
        f"{name}: {longer} of {rows} texts are longer than {most} tokens and were read in windows, "
        f"{len(pieces.rows)} in all"
    ]


def _unread(
    pieces: Pieces, sizes: Integers, sentences: Sequence[Any], untold: str, name: str, split: bool
) -> list[str]:
    """A finding on words that the tokenizer makes nothing of."""
    import numpy as np

    if not split:
        return []
    row = np.repeat(pieces.rows, np.diff(pieces.ends))
    begins = first_words(sizes)
    seen = np.zeros(int(begins[-1]), dtype=bool)
    seen[(begins[row] + pieces.word)[pieces.first]] = True
    missing = np.flatnonzero(~seen)
    if not len(missing):
        return []
    rows = np.searchsorted(begins, missing, side="right") - 1
    shown = sentences[int(rows[0])][int(missing[0] - begins[rows[0]])]
    where = name_some("row", [one + 1 for one in np.unique(rows).tolist()])
    return [
        f"{name}: the tokenizer makes nothing of {len(missing)} words, such as {shown!r} ({where}, counted from 1); "
        f"they are tagged `{untold}` unread"
    ]
