"""fill-mask: examples, scores and fills; equal to what transformers says of the same tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from tiny import ANIMALS, MAX_LENGTH, make_rows
from tiny_mlm import FAMILIES
from toy import toy_recipe, train_only
from toys import fill_mask as toy

from hftransfer.checkpoint import load_checkpoint
from hftransfer.errors import CheckpointError, DataError, InputError
from hftransfer.inference import Predictor
from hftransfer.metrics.masked_tokens import masked_accuracy, perplexity
from hftransfer.recipe import CheckpointSection
from hftransfer.registry import STRATEGIES
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.fill_mask import FillMask
from hftransfer.tasks.losses import IGNORED, CrossEntropy
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.training.events import Step

Tiny = Callable[..., Path]


def predictor(tiny_checkpoint: Tiny, family: str = "bert-mlm", **options: Any) -> Predictor:
    return Predictor(tiny_checkpoint(family), FillMask(**options), limit=MAX_LENGTH)


def rows(texts: list[str], first: int | None = None) -> Any:
    numbers = {} if first is None else {"row": list(range(first, first + len(texts)))}
    return datasets.Dataset.from_dict({"text": texts, **numbers})


def pretrained_of(
    tiny_checkpoint: Tiny, family: str = "bert-mlm", limit: int | None = MAX_LENGTH
) -> Pretrained:
    folder = tiny_checkpoint(family)
    config = transformers.AutoConfig.from_pretrained(folder)
    return Pretrained(transformers.AutoTokenizer.from_pretrained(folder), config, limit)


@pytest.mark.parametrize("family", FAMILIES)
def test_predict_equals_the_pipeline(tiny_checkpoint: Tiny, family: str) -> None:
    ours = predictor(tiny_checkpoint, family)
    mask = ours.pretrained.processor.mask_token
    texts = [
        f"i saw the {mask} and the dog today",
        f"my {mask} is near that {mask}",
        f"{mask}",
        f"zebra {mask}",
    ]
    pipe = transformers.pipeline("fill-mask", model=str(tiny_checkpoint(family)), device="cpu")
    for text, answer in zip(texts, ours.predict(rows(texts)).answers, strict=True):
        expected = pipe(text, top_k=5)
        masks = expected if isinstance(expected[0], list) else [expected]
        told = answer.record(5)["masks"]
        for ours_of, theirs_of in zip(told, masks, strict=True):
            for one, other in zip(ours_of, theirs_of, strict=True):
                assert one.pop("score") == pytest.approx(other.pop("score"), rel=1e-4)
                assert one == other
    # Of another text another answer: the comparison can fail.
    assert pipe(f"the {mask} cow", top_k=1)[0]["score"] != pytest.approx(
        pipe(texts[0], top_k=1)[0]["score"], rel=1e-4
    )


def test_the_forms_of_an_answer(tiny_checkpoint: Tiny) -> None:
    (answer,) = predictor(tiny_checkpoint).predict(rows(["the [MASK] and the [MASK]"])).answers
    first, second = answer.masks  # type: ignore[attr-defined]
    assert answer.columns() == {
        "prediction": [first[0].token_str, second[0].token_str],
        "score": [first[0].score, second[0].score],
    }
    assert answer.line(2).count(",") == 2
    assert " | " in answer.line()


def test_a_text_without_a_mask_cannot_be_asked_about(tiny_checkpoint: Tiny) -> None:
    pretrained = pretrained_of(tiny_checkpoint, "roberta-mlm")
    asked = rows(["<mask> is fine", "nothing", "[MASK]"])
    with pytest.raises(DataError, match=r"2 of 3 texts have no mask to fill: \[1, 2\]") as error:
        FillMask().check_asked(asked, pretrained, str)
    assert "<mask>" in str(error.value.hint)


def test_scores_are_those_of_the_model(tiny_checkpoint: Tiny) -> None:
    """Loss, perplexity and accuracy, computed here from transformers' own output."""
    ours = predictor(tiny_checkpoint, max_length=16)
    table = rows([*make_rows(9)[0], " ".join(ANIMALS * 2)], first=0)
    examples = ours.task.encode(table, ours.pretrained, name="validation")
    said = ours.predict(table)
    losses, right = [], []
    for index in range(len(examples)):
        batch = ours.task.collate([examples[index]], ours.pretrained)
        with torch.no_grad():
            output = ours.model(input_ids=batch["input_ids"], labels=batch[LABELS])
        targets = batch[LABELS][0]
        losses += [float(output.loss)] * int((targets != IGNORED).sum())
        right += (output.logits[0].argmax(-1) == targets)[targets != IGNORED].tolist()
    references = ours.task.references(table, ())
    assert perplexity(references, said.values) == pytest.approx(math.exp(np.mean(losses)), rel=1e-4)
    assert masked_accuracy(references, said.values) == pytest.approx(np.mean(right))
    assert len(losses) > len(table)
    assert len(said.values) == len(said.answers) == len(references) == len(table)
    # Hidden elsewhere, the score is another.
    other = ours.predict(rows(list(table["text"]), first=100))
    assert perplexity(references, other.values) != pytest.approx(math.exp(np.mean(losses)), rel=1e-4)


def test_what_was_hidden_is_kept_beside_with_the_text_it_was_hidden_in(tiny_checkpoint: Tiny) -> None:
    ours = predictor(tiny_checkpoint, max_length=16)
    texts = [*make_rows(40)[0], " ".join(ANIMALS * 2), "the [MASK] dog"]
    said = ours.predict(rows(texts, first=0))
    hidden, seen = (list(said.beside[name]) for name in ("hidden", "seen"))
    for values, kept in zip(said.values, hidden, strict=True):
        assert [-one["surprise"] for one in kept] == pytest.approx(values[:, 0].tolist())
        assert [one["token"] == one["said"] for one in kept] == values[:, 1].astype(bool).tolist()
    for text, kept, blocks in zip(texts[:-1], hidden, seen, strict=False):
        numbered = re.findall(r"\[(\d+)(?:: ([^]]+))?\]", " ".join(blocks))
        assert [int(number) for number, _ in numbered] == [*range(1, len(kept) + 1)]
        whole = " ".join(blocks)
        for (number, instead), one in zip(numbered, kept, strict=True):
            told = f"[{number}: {instead}]" if instead else f"[{number}]"
            whole = whole.replace(told, one["token"])
        # The tokens put back, the text is what it was, but for spaces.
        assert whole.replace("##", "").replace(" ", "") == text.replace(" ", "")
    assert {
        bool(instead) for blocks in seen for _, instead in re.findall(r"\[(\d+)(: )?", " ".join(blocks))
    } == {True, False}
    assert (seen[-1], hidden[-1]) == (["the [MASK] dog"], [])
    assert not ours.predict(rows(["the [MASK] dog"])).beside  # asked by a user: nobody knows


def test_a_row_is_scored_alike_in_any_company(tiny_checkpoint: Tiny) -> None:
    ours = predictor(tiny_checkpoint, max_length=16)
    table = rows([*make_rows(12)[0], " ".join(ANIMALS * 2)], first=0)
    whole, part = ours.predict(table), ours.predict(table.select([12, 3]))
    for row, place in ((12, 0), (3, 1)):
        np.testing.assert_allclose(whole.values[row], part.values[place], atol=1e-5)


def test_rows_with_masks_count_for_no_metric(tiny_checkpoint: Tiny) -> None:
    ours = predictor(tiny_checkpoint)
    table = rows(["the [MASK] dog", "the cow and the goat"], first=0)
    said = ours.predict(table)
    assert [len(one) for one in said.values] == [0, 1]
    (finding,) = ours.task.encode(table, ours.pretrained, name="test").findings
    assert finding == "test: 1 of 2 texts hold the mask token [MASK] and count for no metric"
    assert perplexity([None], said.values[:1]) is None


def test_what_is_kept_of_an_output_is_small(tiny_checkpoint: Tiny) -> None:
    ours = predictor(tiny_checkpoint)
    examples = ours.task.encode(rows(make_rows(8)[0], first=0), ours.pretrained, name="test")
    batch = ours.task.collate([examples[index] for index in range(8)], ours.pretrained)
    with torch.inference_mode():
        kept = ours.task.outputs(ours.task.run(ours.model, batch, ours.pretrained), batch)
    assert all(one.shape == (1, 23) and abs(one).max() < 30 for one in kept)


def test_only_hidden_tokens_count_for_the_loss() -> None:
    logits = torch.randn(2, 3, 7, requires_grad=True)
    targets = torch.tensor([[IGNORED, 2, IGNORED], [IGNORED] * 3])
    loss = CrossEntropy()
    loss.sum(SimpleNamespace(logits=logits), {LABELS: targets}).backward()
    assert logits.grad is not None
    assert (logits.grad.abs().sum(-1) > 0).tolist() == (targets != IGNORED).tolist()
    assert loss.weight({LABELS: targets}) == 1


def test_training_blocks(tiny_checkpoint: Tiny) -> None:
    pretrained = pretrained_of(tiny_checkpoint)
    texts = [*make_rows(20)[0], "", " ".join(ANIMALS * 2)]
    packed = FillMask(max_length=16).encode_train(rows(texts), pretrained, name="train")
    lines = FillMask(max_length=16, packing="per_line").encode_train(rows(texts), pretrained, name="train")
    assert set(packed.lengths[:-1].tolist()) == {16}
    assert len(lines) == 20 + 3 > len(packed)
    assert "1 blocks have no token to learn from" in lines.findings[1]
    assert LABELS not in packed[0]
    with pytest.raises(DataError, match="none of the 2 texts has a token"):
        FillMask().encode_train(rows(["¿ ¿", ""]), pretrained, name="train")


@pytest.mark.parametrize("whole_words", [False, True])
def test_every_step_hides_other_tokens(tiny_checkpoint: Tiny, whole_words: bool) -> None:
    task, pretrained = FillMask(max_length=16, whole_words=whole_words), pretrained_of(tiny_checkpoint)
    examples = task.encode_train(rows(make_rows(20)[0]), pretrained, name="train")
    batch = task.collate([examples[0], examples[1]], pretrained)
    before = {key: value.clone() for key, value in batch.items()}

    def hidden(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        made = task.augment(batch, pretrained)
        assert set(made) == {"input_ids", "attention_mask", LABELS}
        return made[LABELS]

    assert torch.equal(hidden(1), hidden(1))
    assert not torch.equal(hidden(1), hidden(2))
    assert all(torch.equal(value, batch[key]) for key, value in before.items())


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_stands_on_the_tokenizers_side(tiny_checkpoint: Tiny, side: str) -> None:
    task, pretrained = FillMask(), pretrained_of(tiny_checkpoint)
    pretrained.processor.padding_side = side
    examples = task.encode(rows(["cat", "the cow and the goat"], first=0), pretrained, name="test")
    batch = task.collate([examples[0], examples[1]], pretrained)
    row = batch[LABELS][0] != IGNORED
    assert row.tolist() == [False, True, False, False, False, False, False][:: 1 if side == "right" else -1]


def test_checkpoints_that_cannot(tiny_checkpoint: Tiny) -> None:
    pretrained = pretrained_of(tiny_checkpoint, limit=None)
    with pytest.raises(CheckpointError, match="nothing says how long"):
        FillMask().encode_train(rows(["a"]), pretrained, name="train")
    with pytest.raises(
        CheckpointError, match=r"special tokens around a text take 2 of them|max_length is 65"
    ):
        FillMask(max_length=65).encode(rows(["a"]), pretrained_of(tiny_checkpoint), name="test")
    pretrained.processor.mask_token = None
    with pytest.raises(CheckpointError, match="has no mask token"):
        FillMask().encode(rows(["a"]), pretrained, name="test")


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "modernbert"])
def test_a_checkpoint_without_the_head(tiny_checkpoint: Tiny, family: str) -> None:
    """Its head starts from random, but the decoder, which is the embedding, and a bias of zeros."""
    torch.manual_seed(0)
    checkpoint = load_checkpoint(CheckpointSection(name=str(tiny_checkpoint(family))), FillMask(), ())
    model = checkpoint.model
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight  # type: ignore[operator]
    assert checkpoint.fresh
    assert any("start from random" in finding for finding in checkpoint.findings)
    STRATEGIES.get("frozen")().apply(model, checkpoint.fresh)
    assert not model.get_input_embeddings().weight.requires_grad  # type: ignore[operator]
    adapted = STRATEGIES.get("lora")().apply(model, checkpoint.fresh)
    bias = model.get_output_embeddings().bias  # type: ignore[operator]
    assert not bias.requires_grad  # it belongs to no module that could be copied, and stays what it starts as
    assert not bias.any()
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert any("modules_to_save" in name for name in trained)
    # A bias that holds something would be lost.
    whole = load_checkpoint(CheckpointSection(name=str(tiny_checkpoint(family))), FillMask(), ())
    whole.model.get_output_embeddings().bias.data.fill_(0.1)  # type: ignore[operator]
    with pytest.raises(InputError, match="lora cannot train the fresh weight"):
        STRATEGIES.get("lora")().apply(whole.model, whole.fresh)


def test_a_trained_head_is_kept(tiny_checkpoint: Tiny) -> None:
    folder = tiny_checkpoint("bert-mlm")
    checkpoint = load_checkpoint(CheckpointSection(name=str(folder)), FillMask(), ())
    assert not checkpoint.fresh
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(folder).state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in checkpoint.model.state_dict().items())


def test_resumed_equals_uninterrupted(tiny_checkpoint: Tiny, tmp_path: Path) -> None:
    recipe = toy_recipe(
        tiny_checkpoint("bert-mlm"),
        toy.write(tmp_path),
        task={"name": "fill-mask", "max_length": 32, "whole_words": True},
        epochs=2,
        checkpoint_every=1,
    )

    def crash(event: Any) -> None:
        if isinstance(event, Step) and event.step == 5:
            raise KeyboardInterrupt

    whole = train_only(recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_only(recipe, tmp_path / "stopped", crash)
    resumed = train_only(recipe, tmp_path / "stopped")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    other = train_only(
        recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": 1})}),
        tmp_path / "other",
    )
    assert not all(torch.equal(value, other[name]) for name, value in whole.items())
