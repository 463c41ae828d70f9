"""`hftransfer init`: what it makes of data, that the recipe it writes is one, and that it can be run."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from cli_runner import hftransfer
from tiny import make_pairs, make_rows
from toy import write_images, write_pairs, write_texts
from toys import toy

from hftransfer.errors import DataError, InputError
from hftransfer.propose import Proposal, propose
from hftransfer.propose.columns import look_at
from hftransfer.propose.shapes import SHAPES
from hftransfer.recipe import load_recipe
from hftransfer.registry import TASKS
from hftransfer.runner import check, run

ENGLISH = "it is not what you have seen with the others, and that is for the best: {} {} {}"


def refused(done: CompletedProcess[str], *messages: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for message in messages:
        assert message in done.stderr


def write_csv(file: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return file


def write_jsonl(file: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def texts(count: int, *, seed: int = 0) -> list[str]:
    return [f"{text} {index}" for index, text in enumerate(make_rows(count, seed=seed)[0])]


# --- every shape: the columns, the task, the recipe that comes back, and one short run --------------------------


def one_text(folder: Path) -> str:
    return str(write_texts(folder / "texts", train=40, other=12))


def a_pair(folder: Path) -> str:
    return str(write_pairs(folder / "pairs", train=40, other=12))


def named_otherwise(folder: Path) -> str:
    rows, labels = make_rows(60)
    columns = {"id": range(60), "Review": rows, "Sentiment": labels, "lang": ["en", "fr"] * 30}
    return str(write_csv(folder / "reviews.csv", columns))


def lists_of_labels(folder: Path) -> str:
    kinds = [["animal"], ["colour", "odd"], []]
    rows = [{"text": text, "labels": kinds[i % 3]} for i, text in enumerate(texts(60))]
    return str(write_jsonl(folder / "several.jsonl", rows))


def a_column_a_label(folder: Path) -> str:
    rows = texts(60)
    marks = {"toxic": [0, 1] * 30, "insult": [1, 0, 0] * 20}
    return str(write_csv(folder / "toxic.csv", {"id": range(60), "comment_text": rows, **marks}))


def a_number(folder: Path) -> str:
    pairs, _ = make_pairs(60)
    first, second = zip(*pairs, strict=True)
    score = [round(index % 7 * 0.8, 2) for index in range(60)]
    return str(write_csv(folder / "similar.csv", {"sentence1": first, "sentence2": second, "score": score}))


def class_folders(folder: Path) -> str:
    return str(write_images(folder / "images"))


def paths_of_images(folder: Path) -> str:
    images = write_images(folder / "pictures") / "train"
    files = sorted(images.rglob("*.png"))
    columns = {"file": [f.relative_to(folder) for f in files], "colour": [f.parent.name for f in files]}
    return str(write_csv(folder / "pictures.csv", columns))


TEXT, IMAGE = "text-classification", "image-classification"
SHAPED: list[tuple[Callable[[Path], str], str, Mapping[str, Any], Mapping[str, Any], Sequence[str]]] = [
    (one_text, TEXT, {"text": "text", "label": "label"}, {}, ["accuracy", "f1"]),
    (a_pair, TEXT, {"text": "text", "text_pair": "text_pair", "label": "label"}, {}, ["accuracy", "f1"]),
    (named_otherwise, TEXT, {"text": "Review", "label": "Sentiment"}, {}, ["accuracy", "f1"]),
    (
        lists_of_labels,
        TEXT,
        {"text": "text", "label": "labels"},
        {"problem_type": "multi_label_classification"},
        ["f1", "f1_micro", "accuracy"],
    ),
    (
        a_column_a_label,
        TEXT,
        {"text": "comment_text", "label": ("toxic", "insult")},
        {"problem_type": "multi_label_classification"},
        ["f1", "f1_micro", "accuracy"],
    ),
    (
        a_number,
        TEXT,
        {"text": "sentence1", "text_pair": "sentence2", "label": "score"},
        {"problem_type": "regression"},
        ["mse", "mae", "r2", "pearson", "spearman"],
    ),
    (class_folders, IMAGE, {"image": "image", "label": "label"}, {}, ["accuracy", "f1"]),
    (paths_of_images, IMAGE, {"image": "file", "label": "colour"}, {}, ["accuracy", "f1"]),
]


@pytest.mark.parametrize(
    ("write", "task", "columns", "options", "metrics"), SHAPED, ids=[shape[0].__name__ for shape in SHAPED]
)
def test_a_shape_is_recognised_and_its_recipe_can_be_run(
    write: Callable[[Path], str],
    task: str,
    columns: Mapping[str, Any],
    options: Mapping[str, Any],
    metrics: Sequence[str],
    tiny_checkpoint: Callable[..., Path],
    tmp_path: Path,
) -> None:
    made = propose(write(tmp_path))
    assert made.recipe.task.name == task
    assert made.recipe.data.columns == columns
    assert {key: getattr(made.recipe.task, key) for key in options} == options
    assert list(made.recipe.metrics) == metrics
    file = tmp_path / "recipe.yaml"
    file.write_text(made.text, encoding="utf-8")
    assert load_recipe(file) == made.recipe
    assert load_recipe(file, "training.epochs=99") != made.recipe
    assert "refuses" not in " ".join(made.findings)
    tiny = f"checkpoint={tiny_checkpoint('bert' if task == TEXT else 'resnet')}"
    seen = check(load_recipe(file, tiny))
    assert seen.unchecked == ()
    assert seen.steps is not None
    short = load_recipe(file, tiny, "training.epochs=1", "training.steps=2", "training.warmup=0")
    result = run(short, output=tmp_path / "run")
    assert set(result.metrics["validation"]) == {"loss", *metrics}


@pytest.mark.parametrize("task", [name for name, _ in SHAPES if name in TASKS.names()])
def test_the_toy_data_of_every_task_are_recognised(
    task: str, tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    made = propose(str(toy(task).write(data)))
    assert made.recipe.task.name == task
    (tmp_path / "recipe.yaml").write_text(made.text, encoding="utf-8")
    tiny = f"checkpoint={tiny_checkpoint(toy(task).FAMILIES[0])}"
    assert load_recipe(tmp_path / "recipe.yaml") == made.recipe
    assert check(load_recipe(tmp_path / "recipe.yaml", tiny)).unchecked == ()


def test_every_shape_is_of_a_task_by_its_pipeline_tag() -> None:
    tags = [task for task, _ in SHAPES]
    assert len(set(tags)) == len(tags) > 8
    assert {TEXT, IMAGE} <= set(tags) & set(TASKS.names())


# --- shapes of tasks that may not be there ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "rows", "roles"),
    [
        (
            "token-classification",
            [{"tokens": ["Ada", "sleeps"], "ner_tags": ["B-PER", "O"], "pos_tags": ["NNP", "VBZ"]}] * 4,
            {"tokens": "tokens", "tags": "ner_tags"},
        ),
        (
            "question-answering",
            [{"id": "1", "question": "who is it?", "context": "it is Ada",
              "answers": {"text": ["Ada"], "answer_start": [6]}}] * 4,
            {"question": "question", "context": "context", "answers": "answers"},
        ),
        (
            "multiple-choice",
            [{"premise": "it was a long day for all of us", "choice1": "we slept", "choice2": "we sang",
              "label": i % 2} for i in range(8)],
            {"text": "premise", "choices": ("choice1", "choice2"), "label": "label"},
        ),
        (
            "translation",
            [{"en": f"a small cat sees me {i}", "fr": f"un petit chat me voit {i}"} for i in range(8)],
            {"source": "en", "target": "fr"},
        ),
        (
            "translation",
            [{"translation": {"en": f"a cat {i}", "de": f"eine Katze {i}"}} for i in range(8)],
            {"source": "translation.en", "target": "translation.de"},
        ),
        (
            "multiple-choice",
            [{"article": ENGLISH, "question": f"which is it {i}?", "options": ["a cat", "a dog"], "answer": "AB"[i % 2]}
             for i in range(8)],
            {"text": "article", "question": "question", "choices": "options", "label": "answer"},
        ),
        (
            "summarization",
            [{"document": ENGLISH.format(i, i, i) * 3, "summary": f"the best of {i}"} for i in range(8)],
            {"text": "document", "summary": "summary"},
        ),
        (
            "fill-mask",
            [{"text": ENGLISH.format(i, i, i)} for i in range(8)],
            {"text": "text"},
        ),
    ],
)  # fmt: skip
def test_the_shape_of_other_tasks(task: str, rows: list[dict[str, Any]], roles: dict[str, Any]) -> None:
    import datasets

    looks = look_at(datasets.Dataset.from_list(rows))
    fitting = [guess for _, shape in SHAPES if (guess := shape(looks, False)) is not None]
    assert fitting[0].task == task
    assert fitting[0].roles == roles


def test_a_title_and_a_label_make_no_summary() -> None:
    import datasets

    rows = [
        {"title": f"the best {i}", "body": ENGLISH.format(i, i, i), "label": "ab"[i % 2]} for i in range(40)
    ]
    looks = look_at(datasets.Dataset.from_list(rows))
    first = next(guess for _, shape in SHAPES if (guess := shape(looks, False)) is not None)
    assert (first.task, first.roles) == (TEXT, {"text": "body", "label": "label"})


# --- what it says ------------------------------------------------------------------------------------------------


def proposed(rows: Mapping[str, Sequence[Any]], folder: Path, **options: Any) -> Proposal:
    return propose(str(write_csv(folder / "rows.csv", rows)), **options)


def test_unbalanced_classes_are_weighed_and_f1_chooses(tmp_path: Path) -> None:
    even = proposed({"text": texts(400), "label": ["a", "b"] * 200}, tmp_path)
    assert even.recipe.metrics[0] == "accuracy"
    assert even.recipe.task.class_weights == "none"
    assert "class_weights" not in even.text
    odd = proposed({"text": texts(400), "label": ["a"] * 380 + ["b"] * 20}, tmp_path)
    assert odd.recipe.metrics[0] == odd.recipe.training.best_metric == "f1"
    assert odd.recipe.task.class_weights == "balanced"
    assert "19 times the rows of the rarest" in odd.text
    assert "2 labels, 380 to 20 rows: a, b" in odd.text


def test_lengths_are_of_99_rows_in_100_and_said_to_be_an_estimate(tmp_path: Path) -> None:
    short, long = "a cat sees you now", "word " * 300
    labels = ["a", "b"] * 100
    few = proposed({"text": [short] * 199 + [long], "label": labels}, tmp_path)
    assert few.recipe.task.max_length == 32
    assert "an estimate" in few.text
    assert "1 of 200 rows have more" in few.text
    many = proposed({"text": [short] * 150 + [long] * 50, "label": labels}, tmp_path)
    assert many.recipe.task.max_length == 400  # 300 words of 1.3 tokens and two special ones: 392
    assert "0 of 200 rows have more" in many.text
    most = proposed({"text": [long * 5] * 100 + [short] * 100, "label": labels}, tmp_path)
    assert most.recipe.task.max_length == 512
    assert "100 of 200 rows have more; long_texts: windows reads them whole" in most.text


@pytest.mark.parametrize(
    ("text", "checkpoint"),
    [
        ("this is not what you have seen {}", "google-bert/bert-base-uncased"),
        ("очень хороший фильм {}", "FacebookAI/xlm-roberta-base"),
        ("とても良い映画でした {}", "FacebookAI/xlm-roberta-base"),
        ("der schöne Film über große Bäume war gut {}", "FacebookAI/xlm-roberta-base"),
    ],
)
def test_the_checkpoint_fits_the_language(text: str, checkpoint: str, tmp_path: Path) -> None:
    rows = [text.format(index) for index in range(40)]
    made = proposed({"text": rows, "label": ["a", "b"] * 20}, tmp_path)
    assert made.recipe.checkpoint.name == checkpoint


def test_training_fits_the_number_of_rows(tmp_path: Path) -> None:
    made = {
        n: proposed({"text": texts(n), "label": ["a", "b"] * (n // 2)}, tmp_path) for n in (100, 1000, 4000)
    }
    assert [one.recipe.training.epochs for one in made.values()] == [20, 10, 3]
    assert [one.recipe.training.batch_size for one in made.values()] == [8, 16, 32]
    assert [one.recipe.data.hold_out.validation for one in made.values()] == [0.2, 0.1, 0.1]


@pytest.mark.parametrize(
    ("name", "rows_of_one", "said"),
    [("patient_id", 4, True), ("Speaker", 4, True), ("patient_id", 1, False), ("colour", 4, False)],
)
def test_rows_of_one_person_may_be_kept_together(
    name: str, rows_of_one: int, said: bool, tmp_path: Path
) -> None:
    whose = [f"p{number // rows_of_one}" for number in range(60)]
    made = proposed({"text": texts(60), "label": ["a", "b", "b"] * 20, name: whose}, tmp_path)
    assert made.recipe.data.hold_out.group is None  # which is for the user to say
    assert (f"on one side, add group: {name}" in " ".join(made.text.replace("#", "").split())) == said


def test_splits_are_found_and_a_test_without_labels_is_left_out(tmp_path: Path) -> None:
    for name, labels in (("train", ["a", "b"] * 30), ("dev", ["a", "b"] * 5), ("test", [""] * 10)):
        write_csv(tmp_path / "data" / f"{name}.csv", {"text": texts(len(labels)), "label": labels})
    made = propose(str(tmp_path / "data"))
    assert made.recipe.data.splits == {"train": "train", "validation": "dev"}
    assert any("test left out: no row of it has a label" in finding for finding in made.findings)
    alone = propose(str(tmp_path / "data" / "train.csv"))
    assert alone.recipe.data.splits == {}
    assert any("dev.csv, test.csv beside it not used" in finding for finding in alone.findings)


def test_what_data_hold_cannot_break_out_of_a_comment(tmp_path: Path) -> None:
    evil = "x\nstrategy: lora\u2028task: none"
    columns = {"text": texts(40), f"label {evil}": [f"a{evil}", "b\x07: #"] * 20}
    made = proposed(columns, tmp_path)
    (tmp_path / "evil.yaml").write_text(made.text, encoding="utf-8")
    assert load_recipe(tmp_path / "evil.yaml") == made.recipe
    assert made.recipe.strategy.name == "full"
    assert made.recipe.data.columns["label"] == f"label {evil}"


def test_rows_that_cannot_be_used_are_told_beside_the_recipe(tmp_path: Path) -> None:
    made = proposed({"text": [*texts(39), ""], "label": ["a", "b"] * 20}, tmp_path)
    (told,) = [finding for finding in made.findings if "refuses these rows as they are" in finding]
    assert "line 41 of rows.csv" in told


def test_columns_and_task_can_be_given(tmp_path: Path) -> None:
    rows = {"title": texts(40), "body": [f"{one} now" for one in texts(40)], "kind": ["x", "y"] * 20,
            "part": ["p", "q", "r", "s"] * 10}  # fmt: skip
    assert proposed(rows, tmp_path).recipe.data.columns == {"text": "body", "label": "kind"}
    given = {"text": "title", "text_pair": "body", "label": "part"}
    assert proposed(rows, tmp_path, columns=given).recipe.data.columns == given
    assert proposed(rows, tmp_path, columns={"label": "part"}).recipe.data.columns["label"] == "part"
    with pytest.raises(DataError, match="no column `bdy`") as error:
        proposed(rows, tmp_path, columns={"text": "bdy"})
    assert "did you mean `body`?" in str(error.value)
    with pytest.raises(InputError, match="no task is named `text-clasification`"):
        proposed(rows, tmp_path, task="text-clasification")
    with pytest.raises(DataError, match="does not show which columns are the image-classification's"):
        proposed(rows, tmp_path, task=IMAGE)
    with pytest.raises(DataError, match="no task that fits these columns has mask"):
        proposed(rows, tmp_path, columns={"mask": "body"})


# --- the command -------------------------------------------------------------------------------------------------


def test_a_recipe_that_is_printed_holds_the_path_as_given(tmp_path: Path) -> None:
    write_texts(tmp_path / "texts", train=40, other=12)
    done = hftransfer("init", "texts", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\n  source: texts\n" in done.stdout
    assert "keep it in this folder" in done.stdout
    (tmp_path / "mine.yaml").write_text(done.stdout, encoding="utf-8")
    assert load_recipe(tmp_path / "mine.yaml").data.source == str(tmp_path / "texts")
    checked = hftransfer("check", "mine.yaml", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "right as far as it was looked at" in checked.stdout
    assert "40 train, 12 validation, 12 test" in checked.stdout


def test_a_recipe_that_is_written_starts_at_its_own_folder_and_overwrites_nothing(tmp_path: Path) -> None:
    write_texts(tmp_path / "texts", train=40, other=12)
    (tmp_path / "recipes").mkdir()
    file = tmp_path / "recipes" / "mine.yaml"
    done = hftransfer("init", "texts", "--output", "recipes/mine.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "wrote recipes/mine.yaml: text-classification" in done.stdout
    assert "\n  source: ../texts" in file.read_text(encoding="utf-8")
    assert load_recipe(file).data.source == str(tmp_path / "texts")
    file.write_text("precious")
    refused(hftransfer("init", "texts", "--output", "recipes/mine.yaml", cwd=tmp_path), "exists already")
    refused(hftransfer("init", "texts", "--output", "no/mine.yaml", cwd=tmp_path), "no folder no")
    assert file.read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "content", "messages"),
    [
        ("gone.csv", None, ["no such file", "gone.csv"]),
        ("empty.csv", b"", ["empty.csv is empty"]),
        ("header.csv", b"text,label\n", ["holds a header (text, label) and no rows"]),
        ("latin.csv", "text,label\ncaf\u00e9,a\n".encode("latin-1"), ["is not UTF-8"]),
        ("one.csv", b"label\n" + b"a\nb\n" * 20, ["has one column", "`label` (texts)"]),
        ("numbers.csv", b"a,b\n" + b"1,2.5\n" * 20, ["no columns that look like", "--column text=NAME"]),
        ("rows.xlsx", b"PK", ["cannot tell what a `.xlsx` file holds"]),
        ("broken.parquet", b"PAR1", ["is not a whole parquet file"]),
    ],
)
def test_what_cannot_be_looked_at_is_refused(
    name: str, content: bytes | None, messages: list[str], tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused(hftransfer("init", tmp_path / name), *messages)


def test_a_hub_dataset_that_is_out_of_reach_is_refused() -> None:
    refused(hftransfer("init", "nobody/nothing-at-all"), "the Hub dataset nobody/nothing-at-all")
