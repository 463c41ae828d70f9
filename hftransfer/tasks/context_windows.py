"""Questions with their contexts as token ids: a long context in overlapping windows, each behind the whole question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hftransfer.errors import CheckpointError
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.makeup import Whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.integer[Any]]

CHUNK = 2_000_000
"""Characters that are tokenised at a time: bounds the memory of the tokenizer's own records."""

QUESTION_SHARE = 4
"""A question may take one part in so many of a window; a longer one is cut."""


@dataclass
class Windows:
    """Questions with a window of their context each, as the tokenizer names its outputs. See `Examples`.

    spans: of every window the characters [start, end) of its context tokens, (K, 2). first: (N,) place of the first of
    them among the window's tokens. null: (N,) place that stands for "not answered here". targets: (N, 2) places of the
    answer's first and last token, or None where rows have no answers. whole: of every question with its context.
    """

    features: dict[str, list[Ints]] = field(default_factory=dict)
    spans: list[Ints] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    null: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    targets: NDArray[np.int64] | None = None
    findings: tuple[str, ...] = ()
    whole: Whole | None = None

    @property
    def rows(self) -> NDArray[np.int64]:
        import numpy as np

        return np.asarray(self.parents, dtype=np.int64)

    @property
    def lengths(self) -> NDArray[np.int64]:
        import numpy as np

        return np.array([len(ids) for ids in self.features["input_ids"]], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.parents)

    def __getitem__(self, index: int) -> dict[str, Any]:
        example: dict[str, Any] = {key: values[index] for key, values in self.features.items()}
        if self.targets is not None:
            example[LABELS] = self.targets[index]
        return example


def encode_windows(rows: Any, tokenizer: Any, most: int, stride: int | None, *, name: str) -> Windows:
    """Columns `question`, `context` and, perhaps, `answers` as windows of at most `most` tokens.

    stride: tokens of the context that a window shares with the one before it; None for 128, or a third of a window
    where that is less. name: what findings call the rows. Raises CheckpointError: a tokenizer that does not know the
    characters of its tokens, or a stride that leaves no room for new ones.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise CheckpointError(
            f"{type(tokenizer).__name__} cannot tell which characters its tokens are: it is not a fast tokenizer",
            hint="choose a checkpoint with a tokenizer.json",
            key="checkpoint",
        )
    contexts = rows["context"][:]
    questions, cut = _cut_questions(rows["question"][:], tokenizer, most // QUESTION_SHARE)
    stride = _stride(stride, most, tokenizer)
    windows = Windows()
    for part in _parts(contexts):
        encoded = tokenizer(
            questions[part],
            contexts[part],
            truncation="only_second",
            max_length=most,
            stride=stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_attention_mask=False,
        )
        _add(windows, encoded, part.start, tokenizer)
    windows.whole = Whole(_whole_lengths(windows, len(contexts), stride), most, "read in windows")
    lost = 0
    if "answers" in rows.column_names:
        windows.targets, lost = _targets(windows, rows["answers"][:])
    windows.findings = tuple(f"{name}: {one}" for one in _noticed(windows, len(contexts), most, cut, lost))
    return windows


def _noticed(windows: Windows, total: int, most: int, cut: int, lost: int) -> Iterator[str]:
    """What a user must know. cut: how many questions were; lost: how many answers are in no window."""
    several = sum(count > 1 for count in Counter(windows.parents).values())
    if cut:
        longest = f"{most // QUESTION_SHARE} tokens (a quarter of a window)"
        yield f"{cut} of {total} questions are longer than {longest} and were cut"
    if several:
        held = f"longer than a window of {most} tokens holds"
        yield f"{several} of {total} contexts are {held} and were read in several, {len(windows)} in all"
    if lost:
        yield f"{lost} of {total} answers are in no window as a whole and are not taught"


def taught(answers: Mapping[str, Sequence[Any]]) -> tuple[int, int] | None:
    """The characters [start, end) of the answer that is trained on: the one given most often, the first of equals.

    Without the white space around it. None where there is no answer.
    """
    if not answers["text"]:
        return None
    given = Counter(zip(answers["answer_start"], answers["text"], strict=True))
    start, text = max(given, key=given.__getitem__)
    inner = text.lstrip()
    start += len(text) - len(inner)
    return start, start + len(inner.rstrip())


def _stride(asked: int | None, most: int, tokenizer: Any) -> int:
    room = most - most // QUESTION_SHARE - tokenizer.num_special_tokens_to_add(pair=True)
    if asked is not None and asked >= room:
        raise CheckpointError(
            f"task.stride is {asked}, which leaves nothing new to a window of {most} tokens with a long question",
            hint=f"write less than {room}, or a longer max_length",
            key="task.stride",
        )
    return min(128, most // 3, room - 1) if asked is None else asked


def _cut_questions(questions: Sequence[str], tokenizer: Any, most: int) -> tuple[list[str], int]:
    """(questions of at most so many tokens, how many had to be cut), without the white space around them."""
    kept = [question.strip() for question in questions]
    cut = 0
    for start in range(0, len(kept), 8192):
        part = kept[start : start + 8192]
        encoded = tokenizer(part, add_special_tokens=False, return_attention_mask=False, verbose=False)
        for row, ids in enumerate(encoded["input_ids"], start):
            if len(ids) > most:
                kept[row] = _cut(kept[row], tokenizer, most)
                cut += 1
    return kept, cut


def _cut(question: str, tokenizer: Any, most: int) -> str:
    while True:
        offsets = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
            "offset_mapping"
        ]
        if len(offsets) <= most:
            return question
        # Cut where the first token too many starts: always shorter, though it may make other tokens.
        question = question[: offsets[most][0]].rstrip()


def _parts(contexts: Sequence[str]) -> Iterator[slice]:
    """So many rows at a time that they hold about CHUNK characters."""
    start, size = 0, 0
    for row, context in enumerate(contexts):
        size += len(context)
        if size > CHUNK:
            yield slice(start, row + 1)
            start, size = row + 1, 0
    if start < len(contexts):
        yield slice(start, len(contexts))


def _add(windows: Windows, encoded: Any, start: int, tokenizer: Any) -> None:
    import numpy as np

    windows.parents += [start + row for row in encoded.pop("overflow_to_sample_mapping")]
    offsets = encoded.pop("offset_mapping")
    for key, values in encoded.items():
        windows.features.setdefault(key, []).extend(np.asarray(ids, dtype=np.int32) for ids in values)
    for index, ids in enumerate(encoded["input_ids"]):
        of_context = [place for place, part in enumerate(encoded.sequence_ids(index)) if part == 1]
        first, last = (of_context[0], of_context[-1] + 1) if of_context else (0, 0)
        spans = np.asarray(offsets[index][first:last], dtype=np.int32).reshape(-1, 2)
        # Tokens that stand for no character say (0, 0); rising places are what they are looked up by.
        windows.spans.append(np.maximum.accumulate(spans, axis=0))
        windows.first.append(first)
        windows.null.append(ids.index(tokenizer.cls_token_id) if tokenizer.cls_token_id in ids else 0)


def _whole_lengths(windows: Windows, rows: int, stride: int) -> NDArray[np.int64]:
    """(N,) tokens of every question with its whole context: a later window adds what the one before it has not."""
    import numpy as np

    new = windows.lengths
    for index in np.flatnonzero(np.diff(windows.rows) == 0) + 1:
        new[index] = len(windows.spans[index]) - stride
    return np.bincount(windows.rows, weights=new, minlength=rows).astype(np.int64)


def _targets(
    windows: Windows, answers: Sequence[Mapping[str, Sequence[Any]]]
) -> tuple[NDArray[np.int64], int]:
    """(the target of every window, how many rows have an answer that is in none as a whole)."""
    import numpy as np

    edges: dict[int, tuple[int, int]] = {}
    for row, spans in zip(windows.parents, windows.spans, strict=True):
        if len(spans):
            low, high = edges.get(row, (int(spans[0, 0]), int(spans[-1, 1])))
            edges[row] = min(low, int(spans[0, 0])), max(high, int(spans[-1, 1]))
    wanted = [taught(one) for one in answers]
    targets = np.stack([windows.null, windows.null], axis=1).astype(np.int64)
    found = set()
    for index, row in enumerate(windows.parents):
        answer, spans = wanted[row], windows.spans[index]
        place = None if answer is None or not len(spans) else _place(*answer, spans, *edges[row])
        if place is not None:
            targets[index] = place + windows.first[index]
            found.add(row)
    return targets, sum(one is not None for one in wanted) - len(found)


def _place(start: int, end: int, spans: Ints, low: int, high: int) -> NDArray[np.int64] | None:
    """The first and the last token of an answer; None where the window cuts it off.

    low, high: the characters that the windows of the context reach from and to; what lies outside of them (white space,
    signs that the tokenizer drops) is no token of any.
    """
    import numpy as np

    if (start < spans[0, 0] and low < spans[0, 0]) or (end > spans[-1, 1] and high > spans[-1, 1]):
        return None
    first = int(np.searchsorted(spans[:, 1], start, side="right"))
    last = int(np.searchsorted(spans[:, 0], end, side="left")) - 1
    return np.array([first, last]) if first <= last else None
