"""multiple-choice: choices as one batch, those that are missing left out, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from tiny import ANIMALS, COLOURS, MAX_LENGTH, TEXT_FAMILIES

from hftransfer.checkpoint import load_checkpoint
from hftransfer.errors import DataError
from hftransfer.inputs import input_rows
from hftransfer.recipe import CheckpointSection
from hftransfer.splits.kinds import KINDS
from hftransfer.tasks.base import LABELS, forward
from hftransfer.tasks.multiple_choice import MultipleChoice
from hftransfer.tasks.pretrained import Pretrained

Tiny = Callable[..., Path]
RAGGED = [["cat", "dog", "red horse"], ["blue cow and sheep", "goat"], ["pig", "duck", "red", "mouse"]]
RIGHT = [2, 0, 3]


def rows(choices: list[list[str]] = RAGGED, labels: list[int] | None = None, **columns: Any) -> Any:
    table = {"text": [f"we saw the {ANIMALS[n]}" for n in range(len(choices))], "choices": choices, **columns}
    return datasets.Dataset.from_dict(table if labels is None else {**table, "label": labels})


def pretrained_of(folder: Path) -> Pretrained:
    config = transformers.AutoConfig.from_pretrained(folder)
    return Pretrained(transformers.AutoTokenizer.from_pretrained(folder), config, MAX_LENGTH)


@pytest.fixture(params=TEXT_FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def model_of(folder: Path) -> Any:
    torch.manual_seed(0)
    return transformers.AutoModelForMultipleChoice.from_pretrained(folder, dtype=torch.float32).eval()


def test_rows_together_are_as_each_alone(tiny_checkpoint: Tiny, family: str) -> None:
    """Logits and losses of rows with 2, 3 and 4 choices, in one batch, alone, and computed by transformers itself."""
    task, pretrained = MultipleChoice(), pretrained_of(tiny_checkpoint(family))
    model = model_of(tiny_checkpoint(family))
    table = rows(labels=RIGHT)
    examples = task.encode(table, pretrained, name="test")
    loss = task.make_loss(table, (), pretrained)
    with torch.inference_mode():
        batch = task.collate([examples[n] for n in range(3)], pretrained)
        output = forward(model, batch)
        together = task.outputs(output, batch)
        total = loss.sum(output, batch)
        assert batch["input_ids"].shape[:2] == (3, 4)
        assert [len(one) for one in together] == [3, 2, 4]
        expected = 0.0
        for n, choices in enumerate(RAGGED):
            text = [table["text"][n]] * len(choices)
            theirs = pretrained.processor(text, choices, padding=True, return_tensors="pt")
            one = model(**{k: v[None] for k, v in theirs.items()}, labels=torch.tensor([RIGHT[n]]))
            np.testing.assert_allclose(together[n], one.logits[0].numpy(), atol=1e-4)
            expected += float(one.loss)
    assert float(total) == pytest.approx(expected, rel=1e-4)
    assert float(loss.weight(batch)) == 3
    # Without looking at which choices are there, the sum is another.
    wrong = torch.nn.functional.cross_entropy(output.logits, batch[LABELS], reduction="sum")
    assert float(wrong) != pytest.approx(expected, rel=1e-3)


def test_a_question_stands_before_every_choice(tiny_checkpoint: Tiny) -> None:
    task, pretrained = MultipleChoice(), pretrained_of(tiny_checkpoint("bert"))
    examples = task.encode(rows(question=["so", "now", "very"]), pretrained, name="test")
    told = [pretrained.processor.decode(one["input_ids"]) for one in examples[1]["choices"]]
    assert told == [
        "[CLS] we saw the dog [SEP] now blue cow and sheep [SEP]",
        "[CLS] we saw the dog [SEP] now goat [SEP]",
    ]


def test_long_texts_are_cut_and_counted(tiny_checkpoint: Tiny) -> None:
    task, pretrained = MultipleChoice(max_length=16), pretrained_of(tiny_checkpoint("bert"))
    table = datasets.Dataset.from_dict(
        {"text": [" ".join(ANIMALS), "a"], "choices": [COLOURS[:2], COLOURS[:3]]}
    )
    examples = task.encode(table, pretrained, name="test")
    assert examples.findings == (
        "test (texts with a choice): 2 of 5 texts are longer than 16 tokens and were cut",
    )
    assert examples.lengths.tolist() == [16, 5]
    ends = [pretrained.processor.decode(one["input_ids"][-2:]) for one in examples[0]["choices"]]
    assert ends == ["red [SEP]", "green [SEP]"]  # the choices are whole


def test_what_is_said(tiny_checkpoint: Tiny) -> None:
    task = MultipleChoice()
    outputs = [np.array([0.0, 3.0, 1.0]), np.array([2.0, 2.0]), np.array([-1.0, 0.0, 0.0, 5.0])]
    pretrained = pretrained_of(tiny_checkpoint("bert"))
    said = task.decode(outputs, task.encode(rows(), pretrained, name="test"), rows(), pretrained)
    assert said.values.tolist() == [1, 0, 3]
    first = said.answers[0]
    scores = np.exp(outputs[0]) / np.exp(outputs[0]).sum()
    assert first.columns()["prediction"] == "dog"
    assert first.columns()["index"] == 1
    np.testing.assert_allclose(first.columns()["scores"], scores)
    assert first.record() == {"choice": "dog", "index": 1, "score": pytest.approx(scores[1])}
    assert [text for text, _ in first.record(2)["scores"]] == ["dog", "red horse"]
    assert first.line(2) == f"dog {scores[1]:.4f}, red horse {scores[2]:.4f}"


def test_the_baseline_is_the_commonest_place() -> None:
    guess = MultipleChoice().baseline(rows(labels=[1, 0, 1]), rows(), "0123")
    assert guess is not None
    assert guess.values.tolist() == [1, 1, 1]


def test_inputs_of_predict(tiny_checkpoint: Tiny) -> None:
    tiny = tiny_checkpoint("bert")
    task = MultipleChoice()
    given = [{"text": "we saw a", "choices": ["cat", "dog"]}, ("so", ("now", "here", "there"))]
    table = input_rows(task, given, roles=("text", "choices"))
    assert list(table["choices"]) == [["cat", "dog"], ["now", "here", "there"]]
    for bad, message in (
        ({"text": "a", "choices": "cat"}, "input 1: `choices` is a str, not a list of texts"),
        ({"text": "a", "choices": ["cat", ""]}, "number 2 of the list is ''"),
        ({"text": "a", "choices": []}, "an empty list"),
        ({"text": "a"}, "1 of the 2 parts"),
    ):
        with pytest.raises(DataError, match=message):
            input_rows(task, [bad], roles=("text", "choices"))
    # The only choice is always the best: whoever asks that has lost the others.
    lonely = input_rows(task, [given[0], ("so", ("now",))], roles=("text", "choices"))
    with pytest.raises(DataError, match=r"1 of 2 rows have fewer than 2 choices: .1."):
        task.check_asked(lonely, pretrained_of(tiny), str)
    assert KINDS["choices"].feature() == datasets.List(datasets.Value("string"))


def test_a_trained_head_is_kept_whatever_the_choices_are_called(
    tiny_checkpoint: Tiny, tmp_path: Path
) -> None:
    """From four choices to two: the head scores one choice at a time."""
    model_of(tiny_checkpoint("bert")).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("bert")).save_pretrained(tmp_path)
    checkpoint = load_checkpoint(CheckpointSection(name=str(tmp_path)), MultipleChoice(), ("0", "1"))
    assert not checkpoint.fresh
    theirs = model_of(tmp_path).state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in checkpoint.model.state_dict().items())
    fresh = load_checkpoint(
        CheckpointSection(name=str(tiny_checkpoint("bert"))), MultipleChoice(), ("0", "1")
    ).fresh
    assert fresh == {"classifier.weight", "classifier.bias"}
