"""Rows that are there twice: counted, shown with their places, and much of it refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lint.looking import TEXT, found, look, made, names, rows, texts
from PIL import Image
from tiny_audio import write_sounds

from hftransfer.errors import DataError
from hftransfer.lint import Finding, lint, refuse_leakage
from hftransfer.splits import Column

IMAGES = {"image": Column("image"), "label": Column("class")}
AUDIO = {"audio": Column("audio"), "label": Column("class")}


def leaking(count: int) -> dict[str, Any]:
    """200 training rows, 100 for validation, so many of them from train; a test split without any."""
    train = rows(200)
    return {
        "train": train,
        "validation": [*train[:count], *rows(100 - count, seed=1)],
        "test": rows(50, seed=2),
    }


class TestLeakage:
    def test_nothing_is_found_where_there_is_nothing(self) -> None:
        assert look(leaking(0)) == ()

    def test_shared_inputs_are_counted_and_shown(self) -> None:
        source = leaking(5)
        one = found(look(source), "leakage")
        assert (one.rows, one.of, one.share, one.severity) == (5, 100, 0.05, "warning")
        assert one.splits == ("validation", "train")
        assert one.message == "5 of 100 validation rows have the same inputs as a row of train"
        assert len(one.examples) == 3
        second = one.examples[1]
        assert (second.split, second.row, second.text) == ("validation", 1, source["train"][1]["text"])
        assert second.of is not None
        assert (second.of.split, second.of.row) == ("train", 1)
        assert "row 2 of `validation` (counted from 1)" in str(second)
        assert "row 2 of `train` (counted from 1)" in str(second)

    def test_a_pair_is_the_same_only_as_a_whole_and_in_order(self) -> None:
        def pairs(*values: tuple[str, str]) -> list[dict[str, str]]:
            return [{"text": a, "text_pair": b, "label": "xy"[i % 2]} for i, (a, b) in enumerate(values)]

        train = pairs(("a", "b"), ("c", "d"), ("e", "f"), ("g", "h"))
        assert "leakage" not in names(look({"train": train, "validation": pairs(("b", "a"), ("a", "d"))}))
        assert found(look({"train": train, "validation": pairs(("b", "a"), ("a", "b"))}), "leakage").rows == 1

    @pytest.mark.parametrize(
        ("count", "accept", "refused"), [(10, 0.1, False), (11, 0.1, True), (11, 0.11, False)]
    )
    def test_more_than_is_accepted_is_refused(self, count: int, accept: float, refused: bool) -> None:
        findings = look(leaking(count), accept=accept)
        assert found(findings, "leakage").severity == ("error" if refused else "warning")
        if not refused:
            refuse_leakage(findings)
            return
        assert findings[0].severity == "error"  # the most serious first
        with pytest.raises(DataError) as error:
            refuse_leakage(findings)
        assert error.value.exit_code == 2
        assert error.value.key == "data.accept_leakage"
        assert (
            "11 of 100 validation rows have the same inputs as a row of train (11.0%" in error.value.message
        )
        assert "row 1 of `validation`" in error.value.message
        assert "data.accept_leakage=0.11" in str(error.value.hint)

    def test_a_handful_is_told_and_not_refused(self) -> None:
        train = rows(60)
        source = {"train": train, "validation": [*train[:9], *rows(3, seed=1)]}
        assert found(look(source), "leakage").severity == "warning"
        source["validation"].append(train[20])
        assert found(look(source), "leakage").severity == "error"

    def test_lines_of_text_come_again_by_nature(self) -> None:
        columns = {"text": Column("text")}
        source = {"train": rows(60), "validation": rows(60)}
        assert found(look(source, columns), "leakage").severity == "warning"
        assert found(look(source), "leakage").severity == "error"

    def test_what_is_set_aside_has_no_copy_in_train(self) -> None:
        twice = [*rows(200), *({**row, "text": row["text"].upper() + "!"} for row in rows(200))]
        findings = look(twice, hold_out={"validation": 0.5}, accept=0)
        assert {"near-duplicates"} == {*names(findings)}
        assert {one.splits for one in findings} == {("train",), ("validation",)}

    def test_what_a_column_sets_aside_is_compared_too(self) -> None:
        """Of two people who say the same, one may be set aside."""
        twice = [{**row, "who": str(number)} for number, row in enumerate([*rows(200), *rows(200)])]
        one = found(look(twice, hold_out={"validation": 0.5, "group": "who"}, accept=1), "leakage")
        assert one.splits == ("validation", "train")
        assert 60 < one.rows < 140


class TestFiles:
    def test_images_are_compared_by_their_bytes(self, tmp_path: Path) -> None:
        import numpy as np

        for split, seed in (("train", 0), ("validation", 1)):
            draw = np.random.default_rng(seed)
            for number in range(8):
                path = tmp_path / split / "ab"[number % 2] / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(draw.integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(path)
        assert "leakage" not in names(look(str(tmp_path), IMAGES))
        copy = tmp_path / "validation" / "a" / "copy.png"
        copy.write_bytes((tmp_path / "train" / "a" / "2.png").read_bytes())
        (tmp_path / "train" / "b" / "again.png").write_bytes(
            (tmp_path / "train" / "b" / "3.png").read_bytes()
        )
        findings = look(str(tmp_path), IMAGES)
        leaked = found(findings, "leakage")
        assert (leaked.rows, leaked.of) == (1, 9)
        assert str(leaked.examples[0]) == f"{copy} (a) as {tmp_path / 'train' / 'a' / '2.png'} (a)"
        assert found(findings, "duplicates").rows == 1
        assert (
            "in 0 of 16 different images; 16 are smaller than" in found(findings, "near-duplicates").message
        )

    def test_sounds_are_compared_by_their_bytes(self, tmp_path: Path) -> None:
        folder, other = write_sounds(tmp_path / "one", 6), write_sounds(tmp_path / "other", 2, seed=3)
        (other / "low" / "1.wav").write_bytes((folder / "low" / "2.wav").read_bytes())
        findings = look({"train": str(folder), "validation": str(other)}, AUDIO)
        assert found(findings, "leakage").rows == 1
        assert "not looked for" in found(findings, "near-duplicates").message


class TestTestAsValidation:
    def test_the_same_rows_under_both_names(self) -> None:
        held = rows(40, seed=1)
        one = found(look({"train": rows(100), "validation": held, "test": held[::-1]}), "test-as-validation")
        assert (one.rows, one.of, one.severity) == (40, 40, "warning")
        assert one.message.startswith("test is used as validation: 40 of 40 test rows")

    def test_most_of_one_in_the_other(self) -> None:
        held = rows(100, seed=1)
        findings = look({"train": rows(100), "validation": held[:10], "test": held})
        assert "test is used as validation" in found(findings, "test-as-validation").message

    def test_a_few_are_counted_alone(self) -> None:
        held = rows(80, seed=1)
        findings = look({"train": rows(100), "validation": held[:42], "test": held[40:]})
        one = found(findings, "test-as-validation")
        assert (one.rows, one.severity) == (2, "info")
        assert "is used as" not in one.message


class TestDuplicates:
    def test_only_what_repeats_counts(self) -> None:
        train = rows(90)
        one = found(
            look({"train": [*train, train[4], train[4]], "validation": rows(9, seed=1)}), "duplicates"
        )
        assert (one.splits, one.rows, one.of, one.severity) == (("train",), 2, 92, "info")
        assert [(e.row, e.of and e.of.row) for e in one.examples] == [(90, 4), (91, 4)]

    def test_many_are_told(self) -> None:
        train = rows(90)
        findings = look({"train": [*train, *train[:11]], "validation": rows(9, seed=1)})
        assert found(findings, "duplicates").severity == "warning"


def near(train: list[str], validation: list[str]) -> tuple[Finding, ...]:
    def labelled(texts: list[str]) -> list[dict[str, str]]:
        return [{"text": text, "label": "abba"[number % 4]} for number, text in enumerate(texts)]

    return look({"train": labelled(train), "validation": labelled(validation)})


class TestNear:
    def test_across_splits(self) -> None:
        train, other = texts(60), texts(20, seed=1)
        shouted, longer = train[7].upper().replace(" ", "  ") + "!", train[8] + " too"
        findings = near(train, [*other, train[6], shouted, longer])
        assert found(findings, "leakage").rows == 1
        one = found(findings, "near-leakage")
        assert (one.rows, one.of, one.severity) == (2, 23, "warning")
        assert (
            "80% of their four-letter pieces; 1 of them but for case, spaces and punctuation" in one.message
        )
        assert [(e.row, e.of and e.of.row) for e in one.examples] == [(21, 7), (22, 8)]
        assert one.examples[1].text == longer

    def test_within_a_split_the_later_one_counts(self) -> None:
        train = texts(60)
        chain = [train[5] + " one", train[5] + " one two", train[5] + " ONE"]
        findings = near([*train, *chain], texts(20, seed=1))
        one = found(findings, "near-duplicates")
        assert (one.splits, one.rows, one.severity) == (("train",), 3, "info")
        assert [e.row for e in one.examples] == [60, 61, 62]

    def test_exact_copies_are_not_counted_again(self) -> None:
        train = texts(60)
        findings = near([*train, train[4]], [*texts(20, seed=1), train[7]])
        assert set(names(findings)) == {"leakage", "duplicates"}

    def test_what_is_left_out_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from hftransfer.lint import similar

        train = texts(60)
        monkeypatch.setattr(similar, "MOST_TEXTS", 30)
        findings = near([*train, train[5] + " too"], [*texts(20, seed=1), train[6] + "!"])
        assert found(findings, "near-leakage").rows == 1  # what is scored is compared first
        one = found(findings, "near-duplicates")
        assert (one.rows, one.severity) == (0, "info")
        assert "in 30 of 81 different texts" in one.message

    def test_the_same_every_time(self) -> None:
        source = {"train": [*rows(80), *rows(9)], "validation": rows(30, seed=1)}
        splits = made(source)
        assert lint(splits, TEXT) == lint(made(source), TEXT)
        assert lint(splits, TEXT) != lint(made({**source, "train": rows(80)}), TEXT)
