"""Texts as blocks of tokens, each with the special tokens that the model expects around it; none is cut off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hftransfer.errors import CheckpointError
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.makeup import Whole
from hftransfer.tasks.texts import CHUNK

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int32]

WORDS = "words"
"""The key of an example that holds the number of the word that each token is a part of."""


@dataclass(frozen=True)
class Frame:
    """What a tokenizer puts before and after the tokens of a text, and between two texts."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    between: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Any) -> Frame:
        """Found by looking at a text, whatever the tokenizer calls its special tokens."""
        whole = tokenizer("a", return_special_tokens_mask=True, return_attention_mask=False)
        ids, special = list(whole["input_ids"]), list(whole["special_tokens_mask"])
        first, last = special.index(0), len(special) - special[::-1].index(0)
        separator = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
        return cls(tuple(ids[:first]), tuple(ids[last:]), () if separator is None else (separator,))

    def room(self, most: int) -> int:
        """Tokens of text in a block of `most`. Raises CheckpointError where there is none."""
        room = most - len(self.before) - len(self.after)
        if room < 1:
            raise CheckpointError(
                f"task.max_length is {most}, and the special tokens around a text take {most - room} of them",
                hint="write a larger one, or leave it out",
                key="task.max_length",
            )
        return room


@dataclass(frozen=True)
class Piece:
    """Tokens of one text. words: the number of the word that each belongs to, rising, or None where not asked for."""

    ids: Ids
    words: Ids | None

    def blocks(self, room: int | None) -> list[Piece]:
        """In pieces of at most `room` tokens; one without tokens where there are none."""
        starts = range(0, max(len(self.ids), 1), room or max(len(self.ids), 1))
        ends = [start + (room or len(self.ids)) for start in starts]
        return [
            Piece(self.ids[a:b], None if self.words is None else self.words[a:b])
            for a, b in zip(starts, ends, strict=True)
        ]

    def framed(self, frame: Frame) -> Piece:
        """With the special tokens around it, its words counted from 0."""
        import numpy as np

        ids = np.concatenate([frame.before, self.ids, frame.after]).astype(np.int32)
        if self.words is None:
            return Piece(ids, None)
        words = np.zeros(len(ids), np.int32)
        if len(self.ids):
            words[len(frame.before) : len(frame.before) + len(self.ids)] = self.words - self.words[0]
        return Piece(ids, words)


def pieces(texts: Sequence[str], tokenizer: Any, *, words: bool) -> Iterator[Piece]:
    """The tokens of every text, without special ones around it. words: whether to say which word each is a part of.

    Raises CheckpointError where words are asked of a tokenizer that does not know them.
    """
    import numpy as np

    if words and not getattr(tokenizer, "is_fast", False):
        raise CheckpointError(
            f"{type(tokenizer).__name__} does not say which tokens make a word: it is not a fast tokenizer",
            hint="write whole_words: false",
            key="task.whole_words",
        )
    for start in range(0, len(texts), CHUNK):
        part = list(texts[start : start + CHUNK])
        encoded = tokenizer(
            part,
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        for place, text in enumerate(part):
            ids = np.asarray(encoded["input_ids"][place], dtype=np.int32)
            yield Piece(ids, word_numbers(encoded.encodings[place], text) if words else None)


def word_numbers(encoding: Any, text: str) -> Ids:
    """The number of the word that each token is a part of, (T,), from 0.

    A word ends where the tokenizer says so, and at white space: some tokenizers take a whole sentence for a word.
    """
    import numpy as np

    starts = []
    number_before, end_before = None, -1
    for number, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
        spaced = start > end_before or text[start : start + 1].isspace()
        starts.append(number != number_before or number is None or (spaced and end > start))
        number_before, end_before = number, end
    return np.asarray(np.cumsum(starts) - 1, dtype=np.int32)


def packed(texts: Iterator[Piece], frame: Frame, room: int) -> Iterator[Piece]:
    """All texts one after the other, with a separator between two in a piece, cut into pieces of `room` tokens.

    The last piece holds what is left (RoBERTa's FULL-SENTENCES, Liu et al. 2019, section 4.2).
    """
    import numpy as np

    between = np.asarray(frame.between, dtype=np.int32)
    held: list[Piece] = []
    count = words = 0
    for text in texts:
        if not len(text.ids):
            continue
        if count and len(between):
            held.append(Piece(between, None if text.words is None else between * 0 + words))
            count, words = count + len(between), words + 1
        held.append(Piece(text.ids, None if text.words is None else text.words + words))
        count += len(text.ids)
        words += 0 if text.words is None else int(text.words[-1]) + 1
        if count >= room:
            cut = _joined(held).blocks(room)
            held = [cut.pop()] if len(cut[-1].ids) < room else []
            count = sum(len(piece.ids) for piece in held)
            yield from cut
    if held:
        yield _joined(held)


def _joined(held: Sequence[Piece]) -> Piece:
    import numpy as np

    words = [piece.words for piece in held if piece.words is not None]
    return Piece(np.concatenate([piece.ids for piece in held]), np.concatenate(words) if words else None)


@dataclass(frozen=True)
class EncodedBlocks:
    """See `Examples`. A block has `input_ids`; targets, where they are fixed; else `words`, where they are known.

    whole: of every text.
    """

    blocks: Sequence[Piece]
    targets: Sequence[NDArray[np.int64]] | None
    lengths: NDArray[np.int64]
    rows: NDArray[np.int64] | None
    findings: tuple[str, ...]
    whole: Whole

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, Any]:
        block = self.blocks[index]
        example: dict[str, Any] = {"input_ids": block.ids}
        if self.targets is not None:
            example[LABELS] = self.targets[index]
        elif block.words is not None:
            example[WORDS] = block.words
        return example


def pad_blocks(examples: Sequence[Mapping[str, Any]], tokenizer: Any, fill: Mapping[str, int]) -> Any:
    """Blocks as one batch of tensors. fill: key of what goes beside the token ids -> what stands at padding."""
    import numpy as np
    import torch

    ids = [{"input_ids": example["input_ids"]} for example in examples]
    batch = dict(tokenizer.pad(ids, padding=True, return_attention_mask=True, return_tensors="pt"))
    filled = batch["attention_mask"].bool()  # on whichever side the tokenizer pads
    for key, value in fill.items():
        if key in examples[0]:
            beside = torch.full(filled.shape, value, dtype=torch.int64)
            beside[filled] = torch.from_numpy(np.concatenate([example[key] for example in examples])).long()
            batch[key] = beside
    return batch
