"""The report: what it says is what the predictions hold, whatever the strings in them are."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from nasty import NASTY
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from tiny import make_images
from written import labelled, of_its_rows, write_run

from hftransfer import DataError, InputError, Result, RunDirectoryError
from hftransfer.report import view
from hftransfer.report.images import contact_sheet
from hftransfer.report.parts import Part, Picture, Say, Table
from hftransfer.report.reliability import Reliability
from hftransfer.report.verdict import verdict
from hftransfer.report.views.tags import compared

HARMLESS = {
    "html",
    "head",
    "meta",
    "link",
    "title",
    "style",
    "body",
    "header",
    "p",
    "h1",
    "h2",
    "dl",
    "div",
    "dt",
    "dd",
}
HARMLESS |= {
    "nav",
    "ul",
    "li",
    "a",
    "main",
    "section",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "code",
}
HARMLESS |= {"figure", "img", "figcaption", "b", "details", "summary", "pre", "footer", "span", "wbr"}


class Page(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return write_run(
        tmp_path_factory.mktemp("few") / "run", labelled(["no", "yes", "maybe"], 400), ["no", "yes", "maybe"]
    )


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Result:
    labels = [*dict.fromkeys(" ".join(one.split()) for one in NASTY), "{{7*7}}"]
    lint = [{"severity": "warning", "message": "<b>1</b> row", "rows": 1, "advice": "{{7*7}}"}]
    return write_run(
        tmp_path_factory.mktemp("nasty") / "run", labelled(labels, 500, texts=NASTY), labels, lint=lint
    )


def parts(result: Result) -> list[Any]:
    seen = view(result)
    return [*seen.fails(), *seen.data(), *seen.calibration()]


def table(result: Result, start: str) -> Table:
    return next(one for one in parts(result) if isinstance(one, Table) and one.caption.startswith(start))


def test_its_numbers_are_those_of_scikit_learn(few: Result) -> None:
    rows = labelled(few.labels, 400).to_pandas()
    expected = precision_recall_fscore_support(
        rows["label"], rows["prediction"], labels=list(few.labels), zero_division=0
    )
    told = {row[0]: row[1:5] for row in table(few, "Every label").rows}
    for label, *values in zip(few.labels, *expected, strict=True):
        assert told[label] == pytest.approx(values)
    matrix = confusion_matrix(rows["label"], rows["prediction"], labels=list(few.labels))
    assert (view(few).confused == matrix).all()  # type: ignore[attr-defined]
    row = table(few, "The mistakes").rows[0]
    assert row[2] == (matrix - np.diag(matrix.diagonal())).max()


def test_ece_is_guo_s_and_a_model_that_is_as_right_as_sure_has_none() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(size=200_000)
    honest, boasting = Reliability(), Reliability()
    for start in range(0, len(sure), 5000):
        some = sure[start : start + 5000]
        honest.add(some, random.uniform(size=5000) < some)
        boasting.add(some, random.uniform(size=5000) < some - 0.2)
    assert honest.error < 0.01
    assert 0.15 < boasting.error < 0.2
    assert boasting.lean > 0.15
    by_hand = Reliability()
    by_hand.add(np.array([0.9, 0.92, 0.5]), np.array([True, False, True]))
    assert by_hand.error == pytest.approx((abs(0.9 + 0.92 - 1) + 0.5) / 3)


def test_errors_are_wrong_and_the_surest_first(few: Result) -> None:
    rows = labelled(few.labels, 400).to_pandas()
    wrong = rows[rows["label"] != rows["prediction"]].sort_values("score", ascending=False)
    found = few.errors(7)
    assert found["row"].tolist() == wrong["row"].tolist()[:7]
    assert {"text", "label", "prediction", "score"} <= {*found.columns}


def test_a_swapped_label_is_found_among_the_likely_mistakes(tmp_path: Path) -> None:
    good = labelled(["a", "b", "c"], 300).to_pandas()
    right = good[(good["label"] == good["prediction"]) & (good["score"] > 0.9)].index[:5]
    good.loc[right, "label"] = [{"a": "b", "b": "c", "c": "a"}[one] for one in good.loc[right, "label"]]
    result = write_run(tmp_path / "run", pa.Table.from_pandas(good, preserve_index=False), ["a", "b", "c"])
    assert set(right) <= {*result.errors(8, labels=True)["row"]}


def test_the_page_needs_nothing_else_and_says_what_there_is(few: Result, tmp_path: Path) -> None:
    file = few.report()
    assert file == few.run_dir / "report" / "report.html"
    text = file.read_text(encoding="utf-8")
    page = Page(text)
    assert {tag for tag, _ in page.elements} <= HARMLESS
    pictures = [attributes for tag, attributes in page.elements if tag == "img"]
    assert len(pictures) == len([*file.parent.glob("*.png")]) >= 6
    assert all(one["alt"] and (one["src"] or "").startswith("data:image/png;base64,") for one in pictures)
    links = [one["href"] for tag, one in page.elements if tag in ("a", "link")]
    ids = {one["id"] for _, one in page.elements if "id" in one}
    assert all(link == "data:," or str(link)[1:] in ids for link in links)
    assert not re.search(r"https?://", text)
    assert "style" not in {key for _, one in page.elements for key in one}
    words = " ".join(page.text)
    for said in ("0.4000 to 0.6000", "majority", "2 texts were cut", "Expected calibration error", "abc"):
        assert said in words
    assert few.report(tmp_path / "there").read_bytes() == file.read_bytes()


def test_strings_of_the_data_are_shown_as_they_are(nasty: Result) -> None:
    page = Page(nasty.report().read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.elements} <= HARMLESS
    assert not [key for _, one in page.elements for key in one if key.startswith("on")]
    words = "".join(page.text)
    for said in ("<img src=x onerror=alert(1)>", "{{7*7}}", "<script>alert(1)</script>", "<b>1</b> row"):
        assert said in words
    assert "\u202e" not in words
    assert "\\u202e" in words


def test_a_folder_with_other_files_is_left_alone(few: Result, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(RunDirectoryError, match=r"mine\.txt"):
        few.report(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


def test_a_plot_by_name_is_a_figure_that_a_notebook_shows(few: Result) -> None:
    assert few.plot("calibration")._repr_png_().startswith(b"\x89PNG")
    assert few.plot("confusion").axes[0].get_xlabel() == "predicted"
    with pytest.raises(DataError, match="confusion"):
        few.plot("confusoin")


def test_a_plot_is_looked_for_no_further_than_it_is(few: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading all that comes after it may take long: images of the source again, every step of the training."""

    def curves(result: Result) -> Iterator[Part]:
        raise LookupError("further than was needed")
        yield

    monkeypatch.setattr("hftransfer.report.page.curves", curves)
    assert few.plot().axes[0].get_xlabel() == few.plot("confusion").axes[0].get_xlabel() == "predicted"
    with pytest.raises(LookupError, match="further"):
        few.plot("loss")


def test_without_matplotlib_it_says_what_to_install(few: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith("hftransfer.report.plots")]:
        monkeypatch.delitem(sys.modules, name)
    import hftransfer.report

    monkeypatch.delattr(hftransfer.report, "plots", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"hftransfer\[report\]"):
        few.plot()
    assert len(few.errors(3)) == 3  # a table needs none


def test_a_matrix_of_many_classes_puts_those_that_are_confused_together() -> None:
    from hftransfer.report.plots.confusion import confusion, order

    random = np.random.default_rng(0)
    size = 150
    pairs = random.permutation(size).reshape(-1, 2)
    counts = np.diag(np.full(size, 40))
    for one, other in pairs:
        counts[one, other] = counts[other, one] = 15
    places = np.argsort(order(counts))
    assert all(abs(places[one] - places[other]) == 1 for one, other in pairs)
    together = sum(abs(one - other) == 1 for one, other in pairs)
    assert together < 10  # the control: as they came, they were apart
    assert len(confusion(counts, [f"class {n}" for n in range(size)]).axes[0].get_xticklabels()) == size


def test_what_became_of_entities() -> None:
    true = [(0, 2, "PER"), (3, 5, "LOC"), (6, 7, "ORG"), (8, 10, "PER"), (12, 13, "LOC")]
    said = [(0, 2, "PER"), (3, 4, "LOC"), (6, 7, "LOC"), (9, 11, "ORG"), (20, 21, "ORG")]
    assert sorted(compared(true, said)) == sorted(
        [
            ("right", "PER"),
            ("boundary", "LOC"),
            ("type", "ORG"),
            ("boundary and type", "PER"),
            ("missing", "LOC"),
            ("spurious", "ORG"),
        ]
    )
    assert [*compared([], [])] == []


def numbers() -> tuple[pa.Table, dict[str, Any]]:
    true = np.linspace(0, 5, 100)
    table = {"row": range(100), "text": ["a b"] * 100, "label": true, "prediction": true + np.sin(true)}
    return pa.table({name: pa.array(value) for name, value in table.items()}), {
        "task": {"name": "text-classification", "problem_type": "regression"}
    }


def tags() -> tuple[pa.Table, dict[str, Any]]:
    given = [["B-PER", "O", "B-LOC"], ["O", "O", "O"]] * 30
    said = [["B-PER", "O", "O"], ["O", "B-LOC", "O"]] * 30
    table = {"row": [*range(60)], "tokens": [["Ann", "in", "Rome"]] * 60, "tags": given, "prediction": said}
    table |= {"words": table["tokens"], "scores": [[0.9, 0.8, 0.7]] * 60}
    return pa.table(table), {"task": "token-classification", "inputs": ("tokens",)}


def several() -> tuple[pa.Table, dict[str, Any]]:
    table = {"row": [*range(60)], "text": ["a b c"] * 60, "label": [["B-PER"], [], ["O", "B-LOC"]] * 20}
    table |= {
        "prediction": [["B-PER"], ["O"], ["O"]] * 20,
        "scores": [[0.1, 0.9, 0.2], [0.8, 0.1, 0.1], [0.7, 0.2, 0.4]] * 20,
    }
    task = {"name": "text-classification", "problem_type": "multi_label_classification"}
    return pa.table(table), {"task": task}


def answers() -> tuple[pa.Table, dict[str, Any]]:
    table = {"row": [*range(60)], "question": ["who?"] * 60, "context": ["Ann sleeps"] * 60}
    table |= {"answers": [["Ann"], [], ["Ann sleeps"]] * 20, "prediction": ["Ann", "sleeps", "sleeps"] * 20}
    table |= {"score": [0.9, 0.8, 0.7] * 20}
    return pa.table(table), {"task": "question-answering", "inputs": ("question", "context")}


def texts() -> tuple[pa.Table, dict[str, Any]]:
    table = {
        "row": [*range(60)],
        "text": ["a long story"] * 60,
        "summary": ["a story"] * 60,
        "prediction": ["", "story"] * 30,
    }
    return pa.table(table), {"task": "summarization"}


OTHERS = {
    "residuals": (numbers, ["score"], "off by"),
    "entity-errors": (tags, ["O", "B-PER", "B-LOC"], "word"),
    "labels": (several, ["O", "B-PER", "B-LOC"], "about"),
    "answers": (answers, [], "kind"),
    "written": (texts, [], "overlap"),
}


@pytest.mark.parametrize("plot", OTHERS)
def test_other_kinds_of_tasks(plot: str, tmp_path: Path) -> None:
    make, labels, column = OTHERS[plot]
    predictions, options = make()
    result = write_run(tmp_path / "run", predictions, labels, metrics={"loss": 0.3}, **options)
    assert plot in [one.name for one in parts(result) if isinstance(one, Picture)]
    assert result.plot(plot)._repr_png_().startswith(b"\x89PNG")
    assert column in result.errors(5).columns


def test_a_model_that_says_no_label_of_any_row(tmp_path: Path) -> None:
    """A column of empty lists has no type."""
    told, options = several()
    nothing: list[Any] = [[]] * len(told)
    said = told.set_column(told.column_names.index("prediction"), "prediction", pa.array(nothing))
    result = write_run(tmp_path / "run", said, ["O", "B-PER", "B-LOC"], metrics={"loss": 0.3}, **options)
    seen = view(result)
    assert seen.sums.said.tolist() == [0, 0, 0]  # type: ignore[attr-defined]
    assert seen.sums.there.tolist() == [20, 20, 20]  # type: ignore[attr-defined]
    assert set(result.errors(3)["about"].str.split().str[-1]) == {"missing"}


@pytest.mark.long
@pytest.mark.parametrize("plot", OTHERS)
def test_the_pages_of_other_kinds_of_tasks(plot: str, tmp_path: Path) -> None:
    make, labels, _ = OTHERS[plot]
    predictions, options = make()
    result = write_run(tmp_path / "run", predictions, labels, metrics={"loss": 0.3}, **options)
    page = Page(result.report().read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.elements} <= HARMLESS
    assert len([tag for tag, _ in page.elements if tag == "img"]) >= 3


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    result = write_run(tmp_path / "run", labelled(["a", "b"], 20), ["a", "b"])
    (tmp_path / "run" / "predictions" / "test.parquet").unlink()
    (tmp_path / "run" / "metrics.jsonl").unlink()
    words = "".join(Page(result.report().read_text(encoding="utf-8")).text)
    assert "the predictions of this run are not here" in words
    assert "no record of the training" in words


def test_images_are_looked_up_in_the_source_again_or_that_they_are_gone_is_said(tmp_path: Path) -> None:
    for seed, split in enumerate(("train", "validation", "test")):
        make_images(tmp_path / "images" / split, 6, 32, seed=seed)
    source, labels = (
        tmp_path / "images",
        sorted(one.name for one in (tmp_path / "images" / "train").iterdir()),
    )
    rows = labelled(labels, 6 * len(labels)).drop_columns(["text"])
    options: dict[str, Any] = {"task": "image-classification", "inputs": ("image",), "source": str(source)}
    result = write_run(tmp_path / "run", rows, labels, **options)
    drawn = of_its_rows(result).plot("sheet")
    shown = [axes for axes in drawn.axes if axes.images]
    assert len(shown) == len(result.errors(24)) > 0
    assert [axes.get_title(loc="left") for axes in shown] == result.errors(24)["label"].tolist()
    shutil.rmtree(source)
    (seen,) = contact_sheet(view(result))
    assert isinstance(seen, Say)
    assert seen.warning
    assert "cannot be shown" in seen.text


@pytest.mark.parametrize(
    ("metric", "value", "interval", "guess", "said"),
    [
        ("mse", 2.28, (2.15, 2.41), 2.34, "by mse alone these rows do not show the model to be better."),
        ("mse", 2.0, (1.9, 2.1), 2.34, "scores 2.340."),
        ("accuracy", 0.4, (0.3, 0.5), 0.6, "the model is worse than that."),
        ("rougeL", 0.224, None, 0.25, "the model does no better than that."),
        ("rougeL", 0.3, None, 0.25, "scores 0.250."),
        ("mse", 2.0, None, 2.0, "the model does no better than that."),
    ],
)
def test_what_a_run_without_evidence_comes_to(
    metric: str, value: float, interval: Any, guess: float, said: str
) -> None:
    """A score within the interval of another says little: the rows are the same, and other metrics may tell."""
    one: Any = SimpleNamespace(
        to_dict=dict,
        recipe=SimpleNamespace(metrics=[metric]),
        metrics={"test": {metric: value}},
        intervals={"test": {metric: interval}},
        baselines={"mean": {"test": {metric: guess}}},
        examples={"test": 100},
    )
    assert verdict(one).endswith(said)
