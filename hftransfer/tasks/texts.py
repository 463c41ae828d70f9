"""Texts as token ids, cut or in windows, and as padded batches: what the tasks that read texts share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hftransfer.errors import CheckpointError, DataError
from hftransfer.heads.pairs import SECOND, sides
from hftransfer.sources.base import name_some
from hftransfer.tasks.base import LABELS, Batch, Examples
from hftransfer.tasks.makeup import Whole
from hftransfer.tasks.pretrained import Pretrained

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Tokenised so many rows at a time: bounds the memory of the tokenizer's own records.
CHUNK = 8192


@dataclass(frozen=True)
class EncodedTexts:
    """Token ids of every example, as the tokenizer names its outputs, and the targets where rows have them.

    labels: one a row. rows: see `Examples`. cut: how many texts have lost tokens; None where that is not known, or
    where they are read in windows. whole: of every text before; None where that is not known.
    """

    features: Mapping[str, list[NDArray[np.int32]]]
    labels: Sequence[Any] | None
    lengths: NDArray[np.int64]
    findings: tuple[str, ...]
    rows: NDArray[np.int64] | None = None
    cut: int | None = None
    whole: Whole | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        example: dict[str, Any] = {key: values[index] for key, values in self.features.items()}
        if self.labels is not None:
            example[LABELS] = self.labels[index if self.rows is None else int(self.rows[index])]
        return example


@dataclass(frozen=True)
class EncodedPairs:
    """Pairs whose texts are read apart; of every input the second text's begins with `SECOND`."""

    first: EncodedTexts
    second: EncodedTexts
    rows = None

    @property
    def lengths(self) -> NDArray[np.int64]:
        return self.first.lengths + self.second.lengths

    @property
    def cut(self) -> int:
        return (self.first.cut or 0) + (self.second.cut or 0)

    @property
    def whole(self) -> Whole | None:
        """Of the first texts and the second ones."""
        import numpy as np

        one, other = self.first.whole, self.second.whole
        if one is None or other is None:
            return None
        return replace(one, tokens=np.concatenate([one.tokens, other.tokens]))

    @property
    def findings(self) -> tuple[str, ...]:
        return (*self.first.findings, *self.second.findings)

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, index: int) -> dict[str, Any]:
        second = {f"{SECOND}{key}": value for key, value in self.second[index].items() if key != LABELS}
        return {**self.first[index], **second}


def encode_apart(rows: Any, tokenizer: Any, most: int | None, *, name: str) -> EncodedPairs:
    """The texts of pairs (columns `text` and `text_pair`), each by itself; targets from `label`."""
    firsts = rows.remove_columns(["text_pair"])
    seconds = rows.remove_columns(["text"]).rename_column("text_pair", "text")
    return EncodedPairs(
        encode_texts(firsts, tokenizer, most, name=name),
        encode_texts(seconds, tokenizer, most, name=f"{name}, second texts"),
    )


def sides_of(examples: Examples) -> tuple[Examples, ...]:
    """Examples of one text each: of pairs that are read apart those of the first and those of the second."""
    return (examples.first, examples.second) if isinstance(examples, EncodedPairs) else (examples,)


def bound(asked: int | None, pretrained: Pretrained, option: str = "max_length") -> int | None:
    """The most tokens of a text: what the recipe asks for (the task's `option`), or what the model takes.

    Raises CheckpointError when it asks for more than that.
    """
    limit = pretrained.limit
    if asked is not None and limit is not None and asked > limit:
        raise CheckpointError(
            f"task.{option} is {asked}, but the checkpoint takes at most {limit} tokens",
            hint=f"write {option}: {limit} or less, or leave it out",
            key=f"task.{option}",
        )
    return asked or limit


def room(most: int, tokenizer: Any, rows: Any) -> int:
    """Tokens of an example that are text and not special. Raises CheckpointError when there are none."""
    special: int = tokenizer.num_special_tokens_to_add(pair="text_pair" in rows.column_names)
    if most <= special:
        raise CheckpointError(
            f"task.max_length is {most}, but {special} tokens of every example are special: none is left for text",
            hint="write a larger max_length, or leave it out",
            key="task.max_length",
        )
    return most - special


def encode_texts(
    rows: Any, tokenizer: Any, most: int | None, *, name: str, overlap: int | None = None
) -> EncodedTexts:
    """Texts, or pairs of them (columns `text` and, perhaps, `text_pair`), as token ids; targets from `label`.

    most: tokens of an example, or None. overlap: None cuts longer texts; a number makes windows of them that have so
    many tokens in common (fewer than there is `room` for). name: what findings call the rows.

    Raises CheckpointError for a tokenizer that cannot make windows, DataError for pairs whose first text fills them.
    """
    import numpy as np

    windows = overlap is not None and most is not None
    features: dict[str, list[NDArray[np.int32]]] = {}
    examples: list[int] = []
    whole: list[NDArray[np.int64]] = []
    for start, encoded, texts, pairs in _chunks(rows, tokenizer, most, overlap if windows else None, name):
        if windows:
            first = np.asarray(encoded.pop("overflow_to_sample_mapping"), dtype=np.int64)
            examples += (first + start).tolist()
            begins = np.unique(first, return_index=True)[1].tolist()
        else:
            begins = range(len(texts))
        ids, both = encoded["input_ids"], {"text": texts, "text_pair": pairs}
        whole.append(_whole_lengths([ids[index] for index in begins], most, tokenizer, both))
        for key, values in encoded.items():
            features.setdefault(key, []).extend(np.asarray(ids, dtype=np.int32) for ids in values)
    lengths = np.array([len(ids) for ids in features["input_ids"]], dtype=np.int64)
    findings = []
    told = Whole(np.concatenate(whole), most, "read in windows" if windows else "cut")
    longer = told.over
    if longer:
        done = f"were read in windows, {len(lengths)} in all" if windows else "were cut"
        findings.append(f"{name}: {longer} of {len(rows)} texts are longer than {most} tokens and {done}")
    labels = rows["label"][:] if "label" in rows.column_names else None
    rows_of = np.asarray(examples) if windows and longer else None
    cut = None if overlap is not None else longer
    return EncodedTexts(features, labels, lengths, tuple(findings), rows_of, cut, told)


def token_ids(
    texts: Sequence[str], tokenizer: Any, most: int | None, *, targets: bool = False
) -> tuple[list[NDArray[np.int32]], Whole]:
    """(the token ids of every text, special ones included, cut at `most`; how long they were before).

    targets: whether the texts are to be written, not read, which some tokenizers tell apart.
    """
    import numpy as np

    made: list[NDArray[np.int32]] = []
    whole: list[NDArray[np.int64]] = []
    for start in range(0, len(texts), CHUNK):
        part: dict[str, Any] = {"text_target" if targets else "text": list(texts[start : start + CHUNK])}
        encoded = tokenizer(**part, max_length=most, truncation=most is not None, return_attention_mask=False)
        made.extend(np.asarray(ids, dtype=np.int32) for ids in encoded["input_ids"])
        whole.append(_whole_lengths(encoded["input_ids"], most, tokenizer, part))
    return made, Whole(np.concatenate(whole), most)


def pad(examples: Sequence[Mapping[str, Any]], tokenizer: Any) -> Batch:
    """Token ids as one batch, without the targets; of pairs that are read apart, each text by itself."""
    features = [{key: value for key, value in example.items() if key != LABELS} for example in examples]
    padded: Batch = {}
    for prefix, side in zip(("", SECOND), zip(*map(sides, features), strict=True), strict=False):
        batch = tokenizer.pad(list(side), padding=True, return_attention_mask=True, return_tensors="pt")
        padded |= {f"{prefix}{key}": value for key, value in batch.items()}
    return padded


def _chunks(
    rows: Any, tokenizer: Any, most: int | None, overlap: int | None, name: str
) -> Iterator[tuple[int, Any, Any, Any]]:
    """(first row, encoding, texts, pairs) of so many rows at a time."""
    texts, pairs = rows["text"], rows["text_pair"] if "text_pair" in rows.column_names else None
    if overlap is not None and not getattr(tokenizer, "is_fast", False):
        raise CheckpointError(
            f"{type(tokenizer).__name__} cannot make windows of long texts: it is not a fast tokenizer",
            hint="write long_texts: truncate",
            key="task.long_texts",
        )
    options: dict[str, Any] = {"truncation": most is not None}
    if overlap is not None:
        if pairs is not None and most is not None:
            _check_first_texts(rows, tokenizer, most, overlap, name)
        options = {
            "truncation": True if pairs is None else "only_second",
            "stride": overlap,
            "return_overflowing_tokens": True,
        }
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        encoded = tokenizer(
            texts[part], pairs and pairs[part], max_length=most, return_attention_mask=False, **options
        )
        yield start, encoded, texts[part], pairs and pairs[part]


def _check_first_texts(rows: Any, tokenizer: Any, most: int, overlap: int, name: str) -> None:
    """Raise DataError for pairs whose first text leaves the windows of the second no room: tokenizers panics there."""
    bare = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False}
    free = most - tokenizer.num_special_tokens_to_add(pair=True)
    bad: list[int] = []
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        firsts = [len(ids) for ids in tokenizer(part["text"], **bare)["input_ids"]]
        # A window takes more of the second text than the window before had, or it would never end.
        full = [row for row, first in enumerate(firsts) if free - first <= overlap]
        seconds = tokenizer([part["text_pair"][row] for row in full], **bare)["input_ids"] if full else []
        long = [row for row, ids in zip(full, seconds, strict=True) if firsts[row] + len(ids) > free]
        bad += [part["row"][row] + 1 if "row" in part else start + row + 1 for row in long]
    if bad:
        raise DataError(
            f"{len(bad)} of {len(rows)} rows of {name} have a first text that is too long to read the second beside "
            f"it in windows of {most} tokens, {overlap} of them in two: {name_some('row', bad)}",
            hint="write long_texts: truncate, a smaller task.overlap, a larger task.max_length, or map the longer "
            "text to text_pair",
            key="task.long_texts",
        )


def _whole_lengths(
    ids: Sequence[Any], most: int | None, tokenizer: Any, texts: Mapping[str, Sequence[str] | None]
) -> NDArray[np.int64]:
    """(N,) tokens of texts before any was cut. ids: what was made of each, of which only those that are full (`most`
    tokens) may have lost some: they are read again."""
    import numpy as np

    lengths = np.array([len(one) for one in ids], dtype=np.int64)
    full = [] if most is None else np.flatnonzero(lengths >= most).tolist()
    if full:
        some = {key: [values[row] for row in full] for key, values in texts.items() if values is not None}
        read = tokenizer(**some, truncation=False, return_attention_mask=False, verbose=False)
        lengths[full] = [len(one) for one in read["input_ids"]]
    return lengths
