"""fill-mask: the hidden tokens of a text. So a model learns a domain's words from texts without labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from hftransfer.errors import CheckpointError, DataError
from hftransfer.splits import Column
from hftransfer.tasks.base import LABELS, Batch, Examples, Loss, Task, Where, forward, rows_of
from hftransfer.tasks.blocks import WORDS, EncodedBlocks, Frame, Piece, packed, pad_blocks, pieces
from hftransfer.tasks.fills import TOP, Fills, Shown, compared, fills_of, guesses, looked_at, scored
from hftransfer.tasks.losses import IGNORED, CrossEntropy
from hftransfer.tasks.makeup import Whole
from hftransfer.tasks.masking import hide, hide_fixed, mask_token, maskable
from hftransfer.tasks.predictions import Answers, Prediction, Predictions
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.texts import bound

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn


@dataclass(frozen=True)
class Guessed:
    """A model's output, and the places (B, T) that it is asked about."""

    logits: Tensor
    asked: Tensor


class FillMask(Task):
    """The tokens that stand where a text has masks (masked language modelling).

    Rows are scored on tokens that are hidden by the row's number: the same in every evaluation. A row that holds the
    mask token itself is asked about that; nobody knows the answer, so it counts for no metric.
    """

    target: ClassVar[str | None] = None
    model_class: ClassVar[str] = "AutoModelForMaskedLM"
    processor_class: ClassVar[str] = "AutoTokenizer"

    name: Literal["fill-mask"] = "fill-mask"
    max_length: int | None = Field(
        None, gt=2, description="tokens of a block, special ones included; by default all the model takes"
    )
    packing: Literal["packed", "per_line"] = Field(
        "packed",
        description="training rows one after the other, with separators, in blocks of max_length; or each row for "
        "itself. Either way a long row makes several blocks, and rows are scored each for itself",
    )
    whole_words: bool = Field(False, description="hide all tokens of a word, or none")
    mask_share: float = Field(
        0.15, gt=0, lt=1, description="share of the tokens that are to be guessed; anew in every epoch"
    )

    @property
    def columns(self) -> Mapping[str, Column]:
        return {"text": Column("text")}

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("perplexity", "masked_accuracy")

    @property
    def default_metrics(self) -> tuple[str, ...]:
        return self.metrics

    @property
    def added(self) -> tuple[str, ...]:
        return ("prediction", "score")

    def head_config(self, labels: Sequence[str]) -> dict[str, Any]:
        return {}

    def check_asked(self, rows: Any, pretrained: Pretrained, where: Where) -> None:
        mask = mask_token(pretrained.processor)
        without = [row for row, text in enumerate(rows["text"]) if mask not in text]
        if without:
            raise DataError(
                f"{len(without)} of {len(rows)} texts have no mask to fill: {where(without)}",
                hint=f"write {mask}, the mask token of this checkpoint, where a word is to be guessed",
            )

    def encode(self, rows: Any, pretrained: Pretrained, *, name: str) -> EncodedBlocks:
        import numpy as np

        tokenizer = pretrained.processor
        mask_token(tokenizer)
        frame, room = self._frame(pretrained)
        numbers = rows["row"] if "row" in rows.column_names else range(len(rows))
        blocks: list[Piece] = []
        targets: list[NDArray[Any]] = []
        examples: list[int] = []
        sizes: list[int] = []
        given = 0
        for row, text in enumerate(pieces(rows["text"], tokenizer, words=self.whole_words)):
            asked = bool((text.ids == tokenizer.mask_token_id).any())
            given += asked
            sizes.append(len(text.ids))
            for part, piece in enumerate(text.blocks(room)):
                block = piece.framed(frame)
                seen, hidden = block.ids, np.full(len(block.ids), IGNORED, np.int64)
                if not asked:
                    key = (int(numbers[row]), part)
                    seen, hidden = hide_fixed(
                        block.ids, block.words, tokenizer, share=self.mask_share, key=key
                    )
                blocks.append(Piece(seen, None))
                targets.append(hidden)
                examples.append(row)
        several = len(blocks) > len(rows)
        findings = [f"{name}: {len(rows)} texts are read in {len(blocks)} blocks"] if several else []
        if given and "row" in rows.column_names:
            mask = tokenizer.mask_token
            findings.append(
                f"{name}: {given} of {len(rows)} texts hold the mask token {mask} and count for no metric"
            )
        rows_of = np.asarray(examples) if several else None
        whole = _whole(sizes, frame, room)
        return EncodedBlocks(blocks, targets, _lengths(blocks), rows_of, tuple(findings), whole)

    def encode_train(self, rows: Any, pretrained: Pretrained, *, name: str) -> EncodedBlocks:
        import torch

        tokenizer = pretrained.processor
        mask_token(tokenizer)
        frame, room = self._frame(pretrained)
        sizes: list[int] = []
        texts = _counted(pieces(rows["text"], tokenizer, words=self.whole_words), sizes)
        if self.packing == "packed":
            if room is None:
                raise CheckpointError(
                    "the checkpoint takes texts of any length: nothing says how long a block is to be",
                    hint="write task.max_length, such as 512",
                    key="task.max_length",
                )
            cut = packed(texts, frame, room)
        else:
            cut = (piece for text in texts for piece in text.blocks(room))
        framed = [piece.framed(frame) for piece in cut]
        blocks = [one for one in framed if maskable(torch.from_numpy(one.ids), tokenizer).any()]
        if not blocks:
            raise DataError(f"{name}: none of the {len(rows)} texts has a token that the tokenizer knows")
        how = "in packed blocks" if self.packing == "packed" else "in blocks, a text or a part of one each"
        tokens = sum(len(block.ids) for block in blocks)
        findings = [f"{name}: {len(rows)} texts are read {how}: {len(blocks)} of them, {tokens} tokens"]
        if len(blocks) < len(framed):
            findings.append(
                f"{name}: {len(framed) - len(blocks)} blocks have no token to learn from and are left out"
            )
        whole = _whole(sizes, frame, room)
        return EncodedBlocks(blocks, None, _lengths(blocks), None, tuple(findings), whole)

    def _frame(self, pretrained: Pretrained) -> tuple[Frame, int | None]:
        """(the special tokens around a block, the tokens of text that fit between them or None for any number)."""
        frame, most = Frame.of(pretrained.processor), bound(self.max_length, pretrained)
        return frame, None if most is None else frame.room(most)

    def collate(self, examples: Sequence[Mapping[str, Any]], pretrained: Pretrained) -> Batch:
        batch: Batch = pad_blocks(examples, pretrained.processor, {WORDS: 0, LABELS: IGNORED})
        return batch

    def augment(self, batch: Batch, pretrained: Pretrained) -> Batch:
        """Hide tokens, others every time."""
        rest = {key: value for key, value in batch.items() if key != WORDS}
        seen, targets = hide(
            batch["input_ids"], batch.get(WORDS), pretrained.processor, share=self.mask_share
        )
        return {**rest, "input_ids": seen, LABELS: targets}

    def make_loss(self, rows: Any, labels: Sequence[str], pretrained: Pretrained) -> Loss:
        return CrossEntropy()

    def run(self, model: nn.Module, batch: Batch, pretrained: Pretrained) -> Guessed:
        asked = (batch[LABELS] != IGNORED) | (batch["input_ids"] == pretrained.processor.mask_token_id)
        return Guessed(forward(model, batch).logits, asked)

    def outputs(self, output: Guessed, batch: Batch) -> list[NDArray[Any]]:
        return looked_at(output.logits, batch[LABELS], output.asked)

    def decode(
        self, outputs: Sequence[NDArray[Any]], examples: Examples, rows: Any, pretrained: Pretrained
    ) -> Predictions:
        import numpy as np

        size = pretrained.config.get_text_config().vocab_size
        of_row: list[list[int]] = [[] for _ in range(len(rows))]
        for place, row in enumerate(rows_of(examples)):
            of_row[row].append(place)

        def answer(row: int) -> Fills:
            return Fills(
                tuple(
                    fills
                    for place in of_row[row]
                    for fills in fills_of(examples[place], outputs[place], size, pretrained.processor)
                )
            )

        values = [
            np.concatenate([scored(outputs[place], size) for place in of_row[row]])
            for row in range(len(rows))
        ]
        if "row" not in rows.column_names:
            return Predictions(values, None, Answers(len(rows), answer))  # nobody knows what is hidden there
        shown = Shown(pretrained.processor)

        def hidden(row: int) -> list[dict[str, Any]]:
            return [one for place in of_row[row] for one in guesses(outputs[place], size, shown)]

        def seen(row: int) -> list[str]:
            texts, first = [], 1
            for place in of_row[row]:
                texts.append(shown.text(examples[place], first))
                first += int(outputs[place][:, 0].sum())
            return texts

        beside = {"seen": Answers(len(rows), seen), "hidden": Answers(len(rows), hidden)}
        return Predictions(values, None, Answers(len(rows), answer), beside)

    def references(self, rows: Any, labels: Sequence[str]) -> Any:
        return [None] * len(rows)  # the texts themselves: what was hidden is known to the examples

    def told(self, rows: Any, labels: Sequence[str]) -> list[Any]:
        return [None] * len(rows)

    def example(self, row: Mapping[str, Any], tokens: Mapping[str, Any]) -> dict[str, Any]:
        """With the mask in place of the word in the middle."""
        words = str(row["text"]).split()
        mask = tokens["mask_token"]
        words[len(words) // 2] = mask["content"] if isinstance(mask, Mapping) else mask
        return {"text": " ".join(words)}

    def ask(self, pipe: Any, row: Mapping[str, Any], labels: Sequence[str]) -> Any:
        """The pipeline is given the tokens as they are scored: it has no way to hide the same ones of a text."""
        import datasets

        tokenizer = pipe.tokenizer
        limit = tokenizer.model_max_length if tokenizer.model_max_length < 10**9 else None
        pretrained = Pretrained(tokenizer, pipe.model.config, limit)
        examples = self.encode(datasets.Dataset.from_list([dict(row)]), pretrained, name="row")
        said: list[Any] = []
        for index in range(len(examples)):
            batch = self.collate([examples[index]], pretrained)
            del batch[LABELS]
            fills = pipe.postprocess(pipe.forward(batch), top_k=TOP)
            said += [fills] if fills and isinstance(fills[0], dict) else fills
        return [compared(fills) for fills in said]

    def expected(self, prediction: Prediction, labels: Sequence[str]) -> Any:
        return [compared(fills) for fills in prediction.record(TOP)["masks"]]


def _counted(texts: Iterator[Piece], sizes: list[int]) -> Iterator[Piece]:
    """The same, whose tokens are added to `sizes` as they pass."""
    for text in texts:
        sizes.append(len(text.ids))
        yield text


def _whole(sizes: Sequence[int], frame: Frame, room: int | None) -> Whole:
    import numpy as np

    special = len(frame.before) + len(frame.after)
    most = None if room is None else room + special
    return Whole(np.array(sizes, dtype=np.int64) + special, most, "read in blocks")


def _lengths(blocks: Sequence[Piece]) -> NDArray[Any]:
    import numpy as np

    return np.array([len(block.ids) for block in blocks], dtype=np.int64)
