"""What a model says of hidden tokens: kept as a small table, told as `transformers.pipeline("fill-mask")` tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hftransfer.tasks.base import LABELS
from hftransfer.tasks.losses import IGNORED
from hftransfer.tasks.predictions import Prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

TOP = 10
"""Fills of a mask that are kept."""
AT_ONCE = 1024
"""Masks looked at together: each has a probability for every token of the vocabulary."""


@dataclass(frozen=True)
class Fill:
    """A token in a mask's place: its number, its text, its probability, and the whole text with it."""

    token: int
    token_str: str
    score: float
    sequence: str


@dataclass(frozen=True)
class Fills(Prediction):
    """What may stand at every mask token of a text, the likeliest first; at most `TOP` of each."""

    masks: tuple[tuple[Fill, ...], ...]

    def columns(self) -> dict[str, Any]:
        return {
            "prediction": [fills[0].token_str for fills in self.masks],
            "score": [fills[0].score for fills in self.masks],
        }

    def record(self, top: int = 1) -> dict[str, Any]:
        """In the words of `transformers.pipeline`, a list for every mask."""
        return {"masks": [[vars(fill) for fill in fills[:top]] for fills in self.masks]}

    def line(self, top: int = 1) -> str:
        masks = (
            ", ".join(f"{fill.token_str} {fill.score:.4f}" for fill in fills[:top]) for fills in self.masks
        )
        return " | ".join(masks)


def looked_at(logits: Tensor, targets: Tensor, asked: Tensor) -> list[NDArray[Any]]:
    """Of every example (M, 3 + 2K), a line for each of its M places that the model is asked about:

    whether the right token is known; that token; its log-likelihood; the K likeliest tokens; their probabilities.
    Tokens are given as shares of the vocabulary, so that all numbers are of one magnitude.
    logits: (B, T, V). targets: (B, T), `IGNORED` where the right token is not known. asked: (B, T).
    """
    import torch

    places, size = asked.nonzero(), logits.shape[-1]
    top = min(TOP, size)
    lines = [logits.new_zeros(0, 3 + 2 * top)]
    for row, column in (part.T for part in torch.split(places, AT_ONCE)):
        logs = logits[row, column].float().log_softmax(-1)
        right = targets[row, column][:, None]
        known = right != IGNORED
        likelihood = logs.gather(1, right.clamp(min=0)) * known
        best = logs.topk(top)
        lines.append(
            torch.cat(
                [known, right * known / size, likelihood, best.indices / size, best.values.exp()], dim=1
            )
        )
    counts = asked.sum(1).tolist()
    return [one.numpy() for one in torch.cat(lines).float().cpu().split_with_sizes(counts)]


def scored(lines: NDArray[Any], size: int) -> NDArray[Any]:
    """(M, 2) of the places whose right token is known: its log-likelihood, and 1 where it was the likeliest."""
    import numpy as np

    lines = lines[lines[:, 0] == 1]
    return np.stack([lines[:, 2], np.rint((lines[:, 1] - lines[:, 3]) * size) == 0], axis=1)


class Shown:
    """Tokens as text, each looked up once."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[int, str] = {}
        kept = {tokenizer.mask_token_id, tokenizer.unk_token_id}
        self._frame = [one for one in tokenizer.all_special_ids if one not in kept]

    def token(self, number: int) -> str:
        if number not in self._known:
            self._known[number] = self._tokenizer.decode([number])
        return self._known[number]

    def text(self, example: Mapping[str, Any], first: int) -> str:
        """As the model reads it, without what frames a text. What it is asked about has a number, from `first` on: [1]
        where a mask stands, [2: word] where a token does, the right one or another."""
        import numpy as np

        ids, parts, start = example["input_ids"], [], 0
        asked = np.flatnonzero(example[LABELS] != IGNORED).tolist()
        for number, place in enumerate(asked, first):
            masked = ids[place] == self._tokenizer.mask_token_id
            told = f"[{number}]" if masked else f"[{number}: {self.token(int(ids[place])).strip()}]"
            parts += [self._decoded(ids[start:place]), told]
            start = place + 1
        return " ".join(part for part in [*parts, self._decoded(ids[start:])] if part)

    def _decoded(self, ids: NDArray[Any]) -> str:
        import numpy as np

        kept = ids[~np.isin(ids, self._frame)]
        return str(self._tokenizer.decode(kept)).strip() if len(kept) else ""


def guesses(lines: NDArray[Any], size: int, shown: Shown) -> list[dict[str, Any]]:
    """[{"token", "said", "surprise"}, ...] of the places whose right token is known, in order: that token, the
    likeliest one, and minus the natural logarithm of the right one's probability. lines: see `looked_at`."""
    import numpy as np

    known = lines[lines[:, 0] == 1]
    right, said = (np.rint(known[:, column] * size).astype(int).tolist() for column in (1, 3))
    return [
        {"token": shown.token(one), "said": shown.token(other), "surprise": -surprise}
        for one, other, surprise in zip(right, said, known[:, 2].tolist(), strict=True)
    ]


def fills_of(
    example: Mapping[str, Any], lines: NDArray[Any], size: int, tokenizer: Any
) -> list[tuple[Fill, ...]]:
    """What may stand at every mask token of an example: as `FillMaskPipeline.postprocess` tells it.

    lines: see `FillMask.outputs`. Of several masks, the others stay in the text.
    """
    import numpy as np

    ids = example["input_ids"]
    asked = np.flatnonzero((example[LABELS] != IGNORED) | (ids == tokenizer.mask_token_id))
    shown = [
        (place, line)
        for place, line in zip(asked, lines, strict=True)
        if ids[place] == tokenizer.mask_token_id
    ]
    found = []
    for place, line in shown:
        tokens, scores = np.split(line[3:], 2)
        fills = []
        for token, score in zip(np.rint(tokens * size).astype(int).tolist(), scores.tolist(), strict=True):
            filled = ids.copy()
            filled[place] = token
            text = tokenizer.decode(
                filled[filled != tokenizer.pad_token_id], skip_special_tokens=len(shown) == 1
            )
            fills.append(Fill(token, tokenizer.decode([token]), score, text))
        found.append(tuple(fills))
    return found


def compared(fills: Sequence[Mapping[str, Any]]) -> Any:
    """What must be the same of a mask's fills, wherever two of them are not equally likely."""
    scores = [fill["score"] for fill in fills]
    clear = scores[0] - scores[1] > 0.01
    return {"scores": scores, "best": [fills[0]["token_str"], fills[0]["sequence"]] if clear else None}
