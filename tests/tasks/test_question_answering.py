"""Windows of contexts, their targets, and the answers that come out of scores: by every kind of tokenizer."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from tiny import ANIMALS, TEXT_FAMILIES
from toys.question_answering import make_question

from hftransfer.checkpoint import load_checkpoint
from hftransfer.errors import CheckpointError
from hftransfer.metrics.squad import f1
from hftransfer.recipe import CheckpointSection
from hftransfer.tasks.answer_spans import best_spans, best_threshold
from hftransfer.tasks.base import LABELS
from hftransfer.tasks.context_windows import Windows, taught
from hftransfer.tasks.losses import CrossEntropy
from hftransfer.tasks.pretrained import Pretrained
from hftransfer.tasks.question_answering import THRESHOLD, Answer, QuestionAnswering, SpanLoss

TASK = QuestionAnswering(stride=8)
NONE: dict[str, list[Any]] = {"text": [], "answer_start": []}


@pytest.fixture(params=TEXT_FAMILIES)
def pretrained(request: pytest.FixtureRequest, tiny_checkpoint: Callable[..., Path]) -> Pretrained:
    return of_family(tiny_checkpoint, request.param)


@pytest.fixture
def bert(tiny_checkpoint: Callable[..., Path]) -> Pretrained:
    return of_family(tiny_checkpoint, "bert")


def of_family(tiny_checkpoint: Callable[..., Path], family: str, limit: int | None = 64) -> Pretrained:
    folder = tiny_checkpoint(family)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return Pretrained(tokenizer, transformers.AutoConfig.from_pretrained(folder), limit)


def rows(*examples: tuple[str, str, str | None], question: str = "you like this cat") -> Any:
    """(context, answer): the answer is where it is found first; None for none."""
    columns: dict[str, list[Any]] = {"question": [], "context": [], "answers": []}
    for asked, context, answer in examples:
        columns["question"].append(asked or question)
        columns["context"].append(context)
        found = NONE if answer is None else {"text": [answer], "answer_start": [context.index(answer)]}
        columns["answers"].append(found)
    return datasets.Dataset.from_dict(columns)


def toys(count: int = 24) -> Any:
    draw = random.Random(0)
    made = [
        make_question(draw, words=draw.choice([6, 20, 70, 150]), unanswered=n % 6 == 5) for n in range(count)
    ]
    for one in made:
        one["answers"] = {key: [answer[key] for answer in one["answers"]] for key in ("text", "answer_start")}
    return datasets.Dataset.from_list(made)


def told(windows: Windows, index: int, table: Any) -> str | None:
    """The text that a window's target stands for; None where that is "not here"."""
    assert windows.targets is not None
    first, last = windows.targets[index].tolist()
    if first == windows.null[index]:
        assert last == first
        return None
    spans = windows.spans[index]
    start, end = spans[first - windows.first[index], 0], spans[last - windows.first[index], 1]
    text: str = table[int(windows.rows[index])]["context"][start:end]
    return text


class TestWindows:
    def test_targets_are_the_answers_wherever_a_window_holds_them(self, pretrained: Pretrained) -> None:
        table = toys()
        windows = TASK.encode(table, pretrained, name="train")
        assert windows.lengths.max() == 64
        assert set(windows.rows.tolist()) == set(range(len(table)))
        assert (np.diff(windows.rows) >= 0).all()
        found: dict[int, int] = {}
        for index, row in enumerate(windows.rows.tolist()):
            answers = table[row]["answers"]
            text = told(windows, index, table)
            if not answers["text"]:
                assert text is None
                continue
            start, end = taught(answers) or (0, 0)
            inside = windows.spans[index][0, 0] <= start and end <= windows.spans[index][-1, 1]
            assert (text is not None) == inside
            assert text is None or text.strip() == answers["text"][0]
            found[row] = found.get(row, 0) + inside
        assert set(found.values()) >= {1, 2}  # in one window, and in the tokens that two have in common
        assert sum(told(windows, index, table) is None for index in range(len(windows))) > len(table) // 2

    def test_windows_share_so_many_tokens_and_together_are_the_context(self, pretrained: Pretrained) -> None:
        table = toys()
        windows = TASK.encode(table, pretrained, name="train")
        for one, other in itertools.pairwise(range(len(windows))):
            if windows.rows[one] != windows.rows[other]:
                continue
            assert (windows.spans[one][-8:] == windows.spans[other][:8]).all()
            assert (windows.spans[one][-9] != windows.spans[other][0]).any()
        for row, example in enumerate(table):
            parts = [windows.spans[index] for index in np.flatnonzero(windows.rows == row)]
            whole = parts[0].tolist() + [span for part in parts[1:] for span in part[8:].tolist()]
            alone = pretrained.processor(
                example["context"], add_special_tokens=False, return_offsets_mapping=True, verbose=False
            )["offset_mapping"]
            assert len(whole) == len(alone)

    def test_what_a_user_must_know_is_counted(self, bert: Pretrained) -> None:
        long = " ".join(ANIMALS * 6)
        table = rows(
            ("", "the cat", "cat"),
            (" ".join(["cat"] * 17), "the dog", "dog"),
            ("", long, " ".join(ANIMALS * 5)),
        )
        assert TASK.encode(table, bert, name="train").findings == (
            "train: 1 of 3 questions are longer than 16 tokens (a quarter of a window) and were cut",
            "train: 1 of 3 contexts are longer than a window of 64 tokens holds and were read in several, 4 in all",
            "train: 1 of 3 answers are in no window as a whole and are not taught",
        )
        assert TASK.encode(rows(("", "the cat", "cat")), bert, name="train").findings == ()

    def test_a_long_question_is_cut_and_leaves_room(self, pretrained: Pretrained) -> None:
        for question in ("cat " * 500, "\u0107" * 500, " " * 300 + "which cat", "👩‍👩‍👧" * 40):
            table = rows((question, "the red dog", "dog"))
            windows = TASK.encode(table, pretrained, name="train")
            assert len(windows) == 1
            assert windows.lengths[0] <= 16 + 4 + len(windows.spans[0])
            assert (told(windows, 0, table) or "").strip() == "dog"

    @pytest.mark.parametrize(
        ("context", "answer"),
        [
            ("i saw \u200bthe\u200b red cat\u200b", "cat\u200b"),
            ("\u200bcat saw", "\u200bcat"),
            ("שלום עולם cat", "עולם"),
            ("مرحبا بالعالم", "بالعالم"),
            ("the\u00a0cat  \n\n\t red ", "red "),
            ("👩‍👩‍👧 saw 👨‍👦", "👨‍👦"),
            ("cafe\u0301 noir", "cafe\u0301"),
            ("x" * 30 + " cat", "cat"),
        ],
    )
    def test_places_are_those_of_the_text_as_it_is(
        self, pretrained: Pretrained, context: str, answer: str
    ) -> None:
        """A model that is sure of the target says the answer as it stands in the context, accents included."""
        table = rows(("", context, answer))
        windows = TASK.encode(table, pretrained, name="train")
        assert told(windows, 0, table) is not None
        assert len(windows) == 1
        said = TASK.decode([sure(windows, 0)], windows, table, pretrained).answers[0]
        assert context[said.start : said.end] == said.answer
        assert said.answer.strip("\u200b") == answer.strip().strip("\u200b")

    def test_signs_that_make_no_tokens(self, bert: Pretrained) -> None:
        table = rows(("", "\u200b\u200b", "\u200b"), ("\u200b", "the cat", "cat"))
        windows = TASK.encode(table, bert, name="train")
        assert [told(windows, index, table) for index in range(2)] == [None, "cat"]
        said = TASK.decode([sure(windows, 0), sure(windows, 1)], windows, table, bert)
        assert said.values == ["", "cat"]
        assert said.answers[0] == Answer("", 1.0, None, None, said.answers[0].candidates)

    def test_without_answers_there_are_no_targets(self, bert: Pretrained) -> None:
        windows = TASK.encode(rows(("", "the cat", "cat")).remove_columns("answers"), bert, name="rows")
        assert windows.targets is None
        assert LABELS not in TASK.collate([windows[0]], bert)

    def test_a_megabyte_of_context(self, bert: Pretrained) -> None:
        context = "we like this cat so very red " * 36_000 + "fox"
        windows = TASK.encode(rows(("", context, "fox")), bert, name="rows")
        assert len(context) > 1_000_000
        assert windows.targets is not None
        assert np.flatnonzero(windows.targets[:, 0]).tolist() == [len(windows) - 1]

    @pytest.mark.parametrize(
        ("task", "limit", "most", "stride"),
        [
            (QuestionAnswering(), 512, 384, 128),
            (QuestionAnswering(), None, 384, 128),
            (QuestionAnswering(), 64, 64, 21),
            (QuestionAnswering(max_length=48, stride=4), 64, 48, 4),
        ],
    )
    def test_lengths(self, task: Any, limit: int | None, most: int, stride: int, bert: Pretrained) -> None:
        table = rows(("", "cat dog " * 500, "cat"))
        windows = task.encode(table, Pretrained(bert.processor, bert.config, limit), name="rows")
        assert windows.lengths.max() == most
        assert windows.spans[1][0, 0] == windows.spans[0][-stride, 0]

    def test_lengths_that_cannot_be(self, bert: Pretrained) -> None:
        table = rows(("", "the cat", "cat"))
        with pytest.raises(
            CheckpointError, match=r"task.max_length is 65, but the checkpoint takes at most 64"
        ):
            QuestionAnswering(max_length=65).encode(table, bert, name="rows")
        with pytest.raises(CheckpointError, match=r"task.stride is 45, which leaves nothing new") as error:
            QuestionAnswering(stride=45).encode(table, bert, name="rows")
        assert error.value.key == "task.stride"
        QuestionAnswering(stride=44).encode(table, bert, name="rows")

    def test_a_tokenizer_without_places(self, bert: Pretrained) -> None:
        slow = Pretrained(transformers.CanineTokenizer(), bert.config, 64)
        with pytest.raises(CheckpointError, match="CanineTokenizer cannot tell which characters"):
            TASK.encode(rows(("", "the cat", "cat")), slow, name="rows")

    def test_the_answer_given_most_often_is_taught(self) -> None:
        assert taught({"text": ["a b", "b", "b"], "answer_start": [0, 2, 2]}) == (2, 3)
        assert taught({"text": ["a b", "b"], "answer_start": [0, 2]}) == (0, 3)
        assert taught({"text": [" a b\n"], "answer_start": [4]}) == (5, 8)
        assert taught(NONE) is None


def sure(windows: Windows, index: int, *, of: float = 9.0) -> np.ndarray:
    """Scores of a model that is sure of the target."""
    assert windows.targets is not None
    scores = np.zeros((windows.lengths[index], 2), dtype=np.float32)
    scores[windows.targets[index], [0, 1]] = of
    return scores


class TestBatches:
    def test_padding_on_the_left_moves_the_targets(self, pretrained: Pretrained) -> None:
        """And the loss, and what is kept of the outputs, are the same."""
        windows = TASK.encode(toys(), pretrained, name="rows")
        order = np.argsort(windows.lengths, kind="stable")
        examples = [windows[int(order[place])] for place in (0, len(order) // 4, -1)]
        assert len({len(one["input_ids"]) for one in examples}) > 1
        right = TASK.collate(examples, pretrained)
        pretrained.processor.padding_side = "left"
        left = TASK.collate(examples, pretrained)
        for batch in (right, left):
            ids = batch["input_ids"].gather(1, batch[LABELS])
            assert ids.tolist() == [one["input_ids"][one[LABELS]].tolist() for one in examples]
        assert (left[LABELS] != right[LABELS]).any()

        def output(batch: Any) -> Any:
            logits = batch["input_ids"].float().sin()
            return transformers.modeling_outputs.QuestionAnsweringModelOutput(
                start_logits=logits, end_logits=-logits
            )

        loss = TASK.make_loss(None, (), pretrained)
        assert loss.sum(output(left), left).item() == pytest.approx(loss.sum(output(right), right).item())
        kept = [TASK.outputs(output(batch), batch) for batch in (left, right)]
        for one, other, example in zip(*kept, examples, strict=True):
            assert one.shape == (len(example["input_ids"]), 2)
            assert (one == other).all()

    def test_the_loss_is_that_of_transformers(
        self, pretrained: Pretrained, tiny_checkpoint: Callable[..., Path]
    ) -> None:
        windows = TASK.encode(toys(), pretrained, name="rows")
        by_length = np.argsort(windows.lengths, kind="stable")
        batch = TASK.collate([windows[int(index)] for index in by_length[-8:]], pretrained)
        assert batch["attention_mask"].all()  # with padding transformers' own depends on how much there is
        model = transformers.AutoModelForQuestionAnswering.from_pretrained(pretrained.config._name_or_path)
        inputs = {key: value for key, value in batch.items() if key != LABELS}
        start, end = batch[LABELS].unbind(1)
        with torch.no_grad():
            output = model.eval()(**inputs, start_positions=start, end_positions=end)
        loss = SpanLoss(CrossEntropy())
        mean = loss.sum(output, batch) / loss.weight(batch)
        assert mean.item() == pytest.approx(output.loss.item(), rel=1e-5)
        assert loss.weight(batch) == 8

    def test_padding_is_no_token_to_choose(self, bert: Pretrained) -> None:
        table = rows(("", "the cat", "cat"), ("", "the cat " * 9, "cat"))
        windows = TASK.encode(table, bert, name="rows")
        loss = SpanLoss(CrossEntropy())

        def value(batch: Any, weights: Any) -> float:
            output = transformers.modeling_outputs.QuestionAnsweringModelOutput(
                start_logits=batch["input_ids"] * 0.1 + weights, end_logits=batch["input_ids"] * 0.2 + weights
            )
            return loss.sum(output, batch).item()

        alone = [TASK.collate([windows[index]], bert) for index in range(2)]
        both = TASK.collate([windows[0], windows[1]], bert)
        apart = sum(value(batch, 3.0) for batch in alone)
        assert value(both, 3.0) == pytest.approx(apart)
        assert value({**both, "attention_mask": torch.ones_like(both["attention_mask"])}, 3.0) != apart


def by_pairs(
    outputs: list[np.ndarray], windows: Windows, row: int, context: str, count: int, longest: int
) -> dict[tuple[int, int], float]:
    """transformers' utils_qa.py in plain words, over the tokens of the context: every pair, in a loop."""
    found: dict[tuple[int, int], float] = {}
    for index in np.flatnonzero(windows.rows == row):
        first, spans = windows.first[index], windows.spans[index]
        scores = outputs[index][first : first + len(spans)].astype(float)
        starts = sorted(range(len(spans)), key=lambda one: -scores[one, 0])[:count]
        ends = sorted(range(len(spans)), key=lambda one: -scores[one, 1])[:count]
        for start in starts:
            for end in ends:
                if start <= end < start + longest:
                    text = context[spans[start, 0] : spans[end, 1]]
                    place = spans[start, 0] + len(text) - len(text.lstrip()), spans[end, 1]
                    score = scores[start, 0] + scores[end, 1]
                    found[place] = max(found.get(place, -np.inf), score)
    return found


class TestAnswers:
    @pytest.mark.parametrize(("count", "longest"), [(20, 30), (5, 4), (1, 64)])
    def test_the_best_spans_are_those_of_a_plain_loop(
        self, pretrained: Pretrained, count: int, longest: int
    ) -> None:
        table = toys()
        windows = TASK.encode(table, pretrained, name="rows")
        draw = np.random.default_rng(0)
        outputs = [draw.normal(size=(length, 2)).astype(np.float32) for length in windows.lengths]
        spans = best_spans(outputs, windows, table["context"][:], count=count, longest=longest)
        for row, found in enumerate(spans):
            context = table[row]["context"]
            expected = by_pairs(outputs, windows, row, context, count, longest)
            ranked = sorted(expected.items(), key=lambda one: -one[1])[:count]
            assert [tuple(place) for place in found.places.tolist()] == [place for place, _ in ranked]
            assert found.scores == pytest.approx([score for _, score in ranked])
            nulls = [
                outputs[index][windows.null[index]].sum() for index in np.flatnonzero(windows.rows == row)
            ]
            assert found.null == pytest.approx(min(nulls))

    def test_what_is_sure_is_said(self, pretrained: Pretrained) -> None:
        """From the windows' targets to perfect scores; the control asks for nothing but wrong places."""
        table = toys()
        pretrained.remember({THRESHOLD: 0.0})
        windows = TASK.encode(table, pretrained, name="rows")
        outputs = [sure(windows, index) for index in range(len(windows))]
        said = TASK.decode(outputs, windows, table, pretrained)
        golds = TASK.references(table, ())
        assert said.values == [gold[0] if gold else "" for gold in golds]
        wrong = [np.roll(one, 3, axis=0) for one in outputs]
        assert f1(golds, TASK.decode(wrong, windows, table, pretrained).values) < 0.3

    def test_answers_with_their_candidates(self, bert: Pretrained) -> None:
        table = rows(("", "the red cat saw", "red cat"))
        windows = TASK.encode(table, bert, name="rows")
        scores = np.full((windows.lengths[0], 2), -9.0, dtype=np.float32)
        first = windows.first[0]
        scores[first + 1, 0] = scores[first + 2, 1] = 2
        scores[first + 2, 0] = 1
        scores[windows.null[0]] = [1, 0.5]
        answer = TASK.decode([scores], windows, table, bert).answers[0]
        assert (answer.answer, answer.start, answer.end) == ("red cat", 4, 11)
        weights = np.exp([4, 3])
        assert answer.score == pytest.approx(weights[0] / weights.sum(), rel=1e-4)
        assert answer.record(2)["candidates"][1] == {
            "answer": "cat",
            "score": pytest.approx(weights[1] / weights.sum(), rel=1e-4),
            "start": 8,
            "end": 11,
        }
        assert answer.line(2) == "red cat 0.7310, cat 0.2689"
        assert answer.columns() == {"prediction": "red cat", "score": answer.score, "start": 4, "end": 11}
        # The score of nothing is 1.5, so it trails by 2.5.
        for threshold, said in ((-2.4, "red cat"), (-2.6, "")):
            bert.remember({THRESHOLD: threshold})
            predictions = TASK.decode([scores], windows, table, bert)
            assert predictions.values == [said]
            answer = predictions.answers[0]
            assert answer.answer == said
            share = np.exp(1.5 if not said else 4) / np.exp([4, 3, 1.5]).sum()
            assert answer.score == pytest.approx(share, rel=1e-4)
        assert answer.line() == f"(no answer) {answer.score:.4f}"
        assert answer.record() == {"answer": "", "score": answer.score, "start": None, "end": None}

    def test_the_threshold_is_the_best_of_all(self) -> None:
        draw = np.random.default_rng(0)
        for _ in range(50):
            leads = draw.integers(-4, 5, 12).astype(float)
            answered, unanswered = draw.random(12), (draw.random(12) < 0.5).astype(float)

            def gained(threshold: float, leads: Any = leads, scores: Any = (answered, unanswered)) -> float:
                return float(np.where(leads > threshold, scores[1], scores[0]).sum())

            best = best_threshold(leads, answered, unanswered)
            assert gained(best) == pytest.approx(max(gained(one) for one in (-99, *leads, 99)))
        assert best_threshold([np.inf], [0], [1]) == 0
        assert best_threshold([1, 3, np.inf], [1, 0, 0], [0, 1, 1]) == 2

    def test_who_may_say_nothing_learns_it_from_the_training_rows(self, bert: Pretrained) -> None:
        answered = rows(("", "the cat", "cat"), ("", "the dog", "dog"))
        both = rows(("", "the cat", "cat"), ("", "the red", None))
        assert TASK.learn(answered, (), bert) == {}
        assert TASK.learn(both, (), bert) == {THRESHOLD: 0}
        fixed = QuestionAnswering(threshold=1.5)
        assert fixed.learn(both, (), bert) == {THRESHOLD: 1.5}
        windows = TASK.encode(both, bert, name="rows")
        outputs = [sure(windows, 0, of=3), sure(windows, 1, of=2)]  # it leads by -6 and by 4
        assert TASK.tune(outputs, windows, both, bert) == {}
        bert.remember({THRESHOLD: 0.0})
        assert TASK.tune(outputs, windows, both, bert) == {THRESHOLD: -1}
        assert fixed.tune(outputs, windows, both, bert) == {THRESHOLD: 0}

    def test_baseline(self) -> None:
        answered = rows(("", "the cat", "cat"))
        both = rows(("", "the cat", "cat"), ("", "the red", None))
        assert TASK.baseline(None, answered, ()) is None
        guess = TASK.baseline(None, both, ())
        assert guess is not None
        assert guess.values == ["", ""]
        perfect = TASK.perfect(both, ())
        assert perfect is not None
        assert perfect.values == ["cat", ""]
        assert TASK.told(both, ()) == [["cat"], []]


class TestCheckpoints:
    def test_a_head_for_answers_is_kept(self, tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
        plain = tiny_checkpoint("bert")
        first = load_checkpoint(CheckpointSection(name=str(plain)), TASK, ())
        assert first.fresh == {"qa_outputs.weight", "qa_outputs.bias"}
        first.model.save_pretrained(tmp_path)
        first.processor.save_pretrained(tmp_path)
        again = load_checkpoint(CheckpointSection(name=str(tmp_path)), TASK, ())
        assert not again.fresh
        weights, kept = first.model.state_dict(), again.model.state_dict()
        assert all(torch.equal(kept[name], weight) for name, weight in weights.items())

    @pytest.mark.parametrize("family", TEXT_FAMILIES)
    def test_a_classifier_of_four_labels_can_start_it(
        self, family: str, tiny_checkpoint: Callable[..., Path]
    ) -> None:
        folder = tiny_checkpoint(family, head=True)
        assert len(json.loads((folder / "config.json").read_text())["id2label"]) == 4
        loaded = load_checkpoint(CheckpointSection(name=str(folder)), TASK, ())
        assert loaded.model.config.num_labels == 2
        assert len(loaded.fresh) == 2
