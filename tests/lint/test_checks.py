"""Every other check finds what is planted, and nothing where nothing is."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from lint.looking import TEXT, found, look, names, rows, texts
from PIL import Image

from hftransfer.lint import sentences
from hftransfer.splits import Column, MaskColumn

SEVERAL = {"text": Column("text"), "label": Column("classes")}
TAGS = {"tokens": Column("words"), "tags": Column("tags")}
NUMBERS = {"text": Column("text"), "label": Column("numbers")}
CHOICES = {"text": Column("text"), "choices": Column("choices"), "label": Column("choice")}
ANSWERS = {"question": Column("text"), "context": Column("text"), "answers": Column("answers")}
MASKS = {"image": Column("image"), "mask": MaskColumn("mask")}


def with_validation(train: list[dict[str, Any]], **settings: Any) -> Any:
    return look({"train": train, "validation": rows(20, seed=9)}, **settings)


class TestContradictions:
    def test_one_label_a_row(self) -> None:
        train = rows(200)
        again = {"text": f" {train[3]['text'].upper()} ", "label": "b" if train[3]["label"] == "a" else "a"}
        one = found(with_validation([*train, again]), "contradictory-labels")
        assert (one.rows, one.of, one.severity) == (2, 221, "info")
        (example,) = one.examples
        assert (example.row, example.label) == (3, train[3]["label"])
        assert example.of is not None
        assert (example.of.row, example.of.label) == (200, again["label"])
        assert "contradictory-labels" not in names(
            with_validation([*train, {**again, "label": train[3]["label"]}])
        )

    def test_punctuation_may_make_another_text(self) -> None:
        train = [*rows(50), {"text": "so be it :)", "label": "a"}, {"text": "so be it :(", "label": "b"}]
        assert "contradictory-labels" not in names(with_validation(train))

    def test_across_splits_and_many_are_told(self) -> None:
        train = rows(60)
        turned = [{**row, "label": "ab"[row["label"] == "a"]} for row in train[:3]]
        findings = look({"train": train, "validation": [*rows(20, seed=9), *turned]})
        one = found(findings, "contradictory-labels")
        assert (one.rows, one.severity) == (6, "warning")
        assert one.message in sentences(findings)

    def test_several_labels_a_row(self) -> None:
        train = [{"text": text, "label": ["x", "y"] if n % 2 else ["x"]} for n, text in enumerate(texts(40))]
        source = {"train": train, "validation": train[:4]}
        assert "contradictory-labels" not in names(look(source, SEVERAL))
        turned = [{**train[1], "label": ["y", "x"]}]  # the order of labels says nothing
        assert "contradictory-labels" not in names(look({**source, "validation": turned}, SEVERAL))
        source["validation"] = [{**train[0], "label": []}]
        one = found(look(source, SEVERAL), "contradictory-labels")
        assert one.rows == 2
        assert [e.label for e in (one.examples[0], one.examples[0].of) if e] == ["x", "no label"]

    def test_tags_of_the_same_words(self) -> None:
        train = [{"tokens": text.split(), "tags": ["O"] * 8 + ["B-X"]} for text in texts(30)]
        other = {"tokens": train[2]["tokens"], "tags": ["B-X"] * 9}
        louder = {"tokens": [word.upper() for word in train[2]["tokens"]], "tags": ["B-X"] * 9}
        assert "contradictory-labels" not in names(look({"train": train, "validation": [louder]}, TAGS))
        assert found(look({"train": train, "validation": [other]}, TAGS), "contradictory-labels").rows == 2

    def test_choices(self) -> None:
        train = [
            {"text": text, "choices": ["x", "y", "z"], "label": n % 3} for n, text in enumerate(texts(40))
        ]
        other = {**train[4], "text": train[4]["text"].upper(), "label": 2}
        assert names(look({"train": train, "validation": [{**other, "label": 1}]}, CHOICES)) == [
            "near-leakage"
        ]
        one = found(look({"train": train, "validation": [other]}, CHOICES), "contradictory-labels")
        assert [e.label for e in (one.examples[0], one.examples[0].of) if e] == ["1", "2"]

    def test_answers_with_nothing_in_common(self) -> None:
        def asked(text: str, *places: int) -> dict[str, Any]:
            words = [text.split()[place] for place in places]
            starts = [text.index(word) for word in words]
            return {"question": "which", "context": text, "answers": {"text": words, "answer_start": starts}}

        contexts = texts(40)
        train = [asked(text, 2, 3) for text in contexts]
        near = {"train": train, "validation": [asked(contexts[5], 3)]}
        assert "contradictory-labels" not in names(look(near, ANSWERS))
        one = found(
            look({"train": train, "validation": [asked(contexts[5], 4)]}, ANSWERS), "contradictory-labels"
        )
        first, second, third = contexts[5].split()[2:5]
        assert [e.label for e in (one.examples[0], one.examples[0].of) if e] == [
            f"{first} or {second}",
            third,
        ]
        # What nobody contradicts stands first: the example is of the two others.
        three = [asked(contexts[7], 2, 3), asked(contexts[7], 2), asked(contexts[7], 3)]
        one = found(look({"train": train[:7], "validation": three}, ANSWERS), "contradictory-labels")
        assert (one.rows, one.examples[0].row) == (3, 1)
        assert one.examples[0].of is not None
        assert one.examples[0].of.row == 2

    def test_masks_of_one_image(self) -> None:
        def file(values: np.ndarray) -> bytes:
            stream = io.BytesIO()
            Image.fromarray(values.astype(np.uint8)).save(stream, "PNG")
            return stream.getvalue()

        draw = np.random.default_rng(0)
        pictures = [file(draw.integers(0, 256, (6, 6, 3))) for _ in range(20)]
        train = [{"image": one, "mask": file(draw.integers(0, 2, (6, 6)))} for one in pictures]
        assert "contradictory-labels" not in names(look({"train": train, "validation": train[:1]}, MASKS))
        other = {"train": train, "validation": [{**train[3], "mask": train[4]["mask"]}]}
        one = found(look(other, MASKS), "contradictory-labels")
        assert (one.rows, one.examples[0].row) == (2, 3)

    def test_numbers_that_are_far_apart(self) -> None:
        train = [{"text": text, "label": n / 10} for n, text in enumerate(texts(50))]
        near = {"train": train, "validation": [{**train[10], "label": 1.4}]}
        assert "contradictory-labels" not in names(look(near, NUMBERS))
        near["validation"][0]["label"] = 1.6
        one = found(look(near, NUMBERS), "contradictory-labels")
        assert [e.label for e in (one.examples[0], one.examples[0].of) if e] == ["1", "1.6"]


@pytest.mark.parametrize(
    ("labels", "alike"),
    [
        (("Yes", "yes ", "no"), True),
        (("card_arrival", "card-arrival", "Card  Arrival"), True),
        (("ﬁne", "fine", "bad"), True),
        (("C", "C++", "C#"), False),
        (("-1", "1", "0"), False),
    ],
)
def test_variants_of_a_label(labels: tuple[str, ...], alike: bool) -> None:
    train = [{"text": text, "label": labels[n % 3]} for n, text in enumerate(texts(60))]
    findings = look({"train": train, "validation": train[:20]}, accept=1)
    assert ("label-variants" in names(findings)) == alike
    if alike:
        one = found(findings, "label-variants")
        assert f"`{labels[0]}` (27 rows)" in one.message
        assert one.severity == "warning"
        several = [labels.index(label) for label in labels if label not in ("no", "bad")]
        assert (
            one.rows == sum(27 if place < 2 else 26 for place in several) - 27
        )  # without the commonest of them


def test_an_id_is_not_hidden_by_variants_of_the_label() -> None:
    labels = ("Yes", "yes ", "no")
    train = [
        {"text": text, "label": labels[n % 3], "id": f"{labels[n % 3][0].lower()}{n}"}
        for n, text in enumerate(texts(60))
    ]
    findings = look({"train": train, "validation": train[:20]}, accept=1)
    assert (
        "the column `id` tells the label by its value without digits"
        in found(findings, "label-in-column").message
    )


class TestMissingLabels:
    def test_in_validation_alone(self) -> None:
        findings = look(
            {"train": rows(40), "validation": rows(30, seed=1, labels="abc")}, labels=["a", "b", "c"]
        )
        one = found(findings, "missing-labels")
        assert (one.splits, one.rows, one.of) == (("validation", "train"), 10, 30)
        assert one.message == "10 validation rows have a label that no training row has: `c`"
        assert one.examples[0].label == "c"

    def test_in_train_alone(self) -> None:
        findings = look({"train": rows(90, labels="abc"), "validation": rows(30, seed=1)})
        one = found(findings, "missing-labels")
        assert (one.splits, one.rows) == (("train", "validation"), 30)
        assert one.message == "1 of 3 labels have no validation row: `c`"

    def test_rare_tags_are_no_matter(self) -> None:
        train = [{"tokens": text.split(), "tags": ["X", "Y"] + ["O"] * 7} for text in texts(30)]
        held = [{"tokens": text.split(), "tags": ["X"] * 9} for text in texts(5, seed=1)]
        findings = look({"train": train, "validation": held}, TAGS)
        assert found(findings, "missing-labels").severity == "info"


class TestImbalance:
    def test_ten_times_as_many(self) -> None:
        held = rows(20, seed=9)
        train = [*rows(180, labels="a"), *rows(18, seed=1, labels="b")]
        one = found(look({"train": train, "validation": held}), "imbalance")
        assert one.message == "train: `a` has 10 times the rows of `b` (180 and 18)"
        assert one.rows == 18
        assert "imbalance" not in names(look({"train": train[1:], "validation": held}))

    def test_rare_labels(self) -> None:
        train = [*rows(30), *rows(4, seed=1, labels="c")]
        held = rows(30, seed=2, labels="abc")
        one = found(look({"train": train, "validation": held}), "imbalance")
        assert one.message == "train: 1 of 3 labels have fewer than 5 rows: `c`"
        more = [*train, {"text": "one more", "label": "c"}]
        assert "imbalance" not in names(look({"train": more, "validation": held}))


def test_texts_without_a_letter() -> None:
    train = [*rows(40), {"text": "?!", "label": "a"}, {"text": "", "label": "b"}, {"text": "7", "label": "b"}]
    one = found(with_validation(train), "empty-texts")
    assert (one.rows, one.of, one.severity) == (2, 43, "info")
    assert [e.row for e in one.examples] == [40, 41]


def test_texts_that_are_longer_than_a_model_reads() -> None:
    train = [*rows(40), {"text": "word " * 500, "label": "a"}]
    one = found(with_validation(train), "long-texts")
    assert (one.rows, one.examples[0].row) == (1, 40)
    assert len(one.examples[0].text) == 100
    assert "512 tokens, by an estimate" in one.message
    train[-1]["text"] = "word " * 350
    assert "long-texts" not in names(with_validation(train))
    train[-1]["text"] = "中文字" * 180  # without spaces, every one of them is read
    assert found(with_validation(train), "long-texts").rows == 1


class TestNumbers:
    def train(self, values: Any) -> list[dict[str, Any]]:
        return [{"text": text, "label": float(v)} for text, v in zip(texts(len(values)), values, strict=True)]

    def test_outliers(self) -> None:
        values = np.random.default_rng(0).normal(size=200)
        assert "outliers" not in names(look(self.train(values), NUMBERS))
        one = found(
            look({"train": self.train([*values, 300]), "validation": self.train(values)[:5]}, NUMBERS),
            "outliers",
        )
        assert (one.rows, one.examples[0].row, one.examples[0].label) == (1, 200, "300")

    def test_one_value_alone(self) -> None:
        source = {"train": self.train([2.5] * 30), "validation": self.train([1, 2])}
        one = found(look(source, NUMBERS), "constant-target")
        assert one.message == "every training row has the same `label`, 2.5"


class TestTelling:
    @pytest.mark.parametrize("place", ["first", "last"])
    def test_a_word_that_gives_the_label_away(self, place: str) -> None:
        def marked(row: dict[str, Any]) -> dict[str, Any]:
            mark = {"a": "REF-1", "b": "REF-2"}[row["label"]]
            return {**row, "text": f"{mark} {row['text']}" if place == "first" else f"{row['text']} {mark}"}

        one = found(with_validation([marked(row) for row in rows(60)]), "label-in-text")
        assert f"the {place} word of `text` tells the label in 100.0%" in one.message
        assert one.severity == "warning"

    def test_an_id_at_the_end_that_gives_the_label_away(self) -> None:
        def numbered(mark: str) -> list[dict[str, Any]]:
            return [{**r, "text": f"{r['text']} {mark or r['label']}-{n}"} for n, r in enumerate(rows(60))]

        one = found(with_validation(numbered("")), "label-in-text")
        assert "the last word of `text`, its digits left out, tells the label in 100.0%" in one.message
        assert "label-in-text" not in names(with_validation(numbered("c")))

    def test_a_column_that_gives_sets_of_labels_away(self) -> None:
        train = [{"text": text, "label": ["x", "y"][: n % 3]} for n, text in enumerate(texts(60))]
        told = [{**row, "id": f"x{n}"} for n, row in enumerate(train)]
        coded = [{**row, "group": len(row["label"])} for row in train]
        assert found(look({"train": coded, "validation": train[:2]}, SEVERAL), "label-in-column").rows == 60
        assert "label-in-column" not in names(look({"train": told, "validation": train[:2]}, SEVERAL))

    @pytest.mark.parametrize(
        ("ids", "how"),
        [
            (lambda n, label: f"{label}_{n:03}.txt", "its value without digits"),
            (lambda n, label: ord(label) * 10, "its value"),
            (lambda n, label: n + 1000 * (label == "b"), "its order"),
            (lambda n, label: f"x{n + 1000 * (label == 'b')}", "its order"),
            (lambda n, label: n, None),
            (lambda n, label: f"x{n}", None),
        ],
    )
    def test_a_column_that_gives_the_label_away(self, ids: Any, how: str | None) -> None:
        train = [{**row, "id": ids(n, row["label"])} for n, row in enumerate(rows(200))]
        findings = look({"train": train, "validation": train[:5]})
        if how is None:
            assert "label-in-column" not in names(findings)
        else:
            one = found(findings, "label-in-column")
            assert one.message == f"the column `id` tells the label by {how}; it is not used"
            assert one.severity == "info"

    def test_rows_in_the_order_of_their_labels(self) -> None:
        train = rows(200)
        assert "sorted-by-label" not in names(with_validation(train))
        assert (
            found(with_validation(sorted(train, key=lambda row: row["label"])), "sorted-by-label").rows == 200
        )


def test_findings_are_plain_json() -> None:
    train = rows(60)
    for one in look({"train": [*train, train[0]], "validation": train[:3]}):
        facts = json.loads(json.dumps(one.to_dict()))
        assert {*facts} == {"check", "severity", "splits", "rows", "share", "message", "advice", "examples"}
        assert facts["share"] == pytest.approx(one.share, abs=1e-6)
        assert facts["examples"][0]["of"]["split"] == "train"


def test_optional_columns_that_are_not_there() -> None:
    assert look({"train": rows(30), "validation": rows(9, seed=1)}, TEXT) == ()
