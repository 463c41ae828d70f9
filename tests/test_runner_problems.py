"""Runs of several labels, of numbers and of long texts: what is scored, saved, asked and written is the same."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
import transformers
from scipy.stats import spearmanr
from sklearn.metrics import f1_score, mean_squared_error
from tiny import ANIMALS, COLOURS, FILLER
from toy import toy_recipe
from typer.testing import CliRunner

from hftransfer.cli import app
from hftransfer.errors import DataError, RecipeError
from hftransfer.recipe import Recipe
from hftransfer.result import Result
from hftransfer.runner import check, load_run, run

Make = Callable[[random.Random], dict[str, Any]]


def write(folder: Path, make: Make, sizes: tuple[int, int, int] = (96, 32, 32)) -> Path:
    """train.jsonl, validation.jsonl and test.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (split, count) in enumerate(zip(("train", "validation", "test"), sizes, strict=True)):
        draw = random.Random(seed)
        lines = [json.dumps(make(draw)) + "\n" for _ in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(lines))
    return folder


def words(draw: random.Random, *of: Sequence[str]) -> str:
    """A text of filler with some words of each of these lists."""
    chosen = [*draw.sample(FILLER, 4), *(draw.choice(some) for some in of for _ in range(2))]
    draw.shuffle(chosen)
    return " ".join(chosen)


def predictions(result: Result, split: str = "test") -> pd.DataFrame:
    return pd.read_parquet(result.run_dir / "predictions" / f"{split}.parquet")


def source(result: Result, split: str) -> Path:
    return Path(result.recipe.data.source) / f"{split}.jsonl"


def pipeline(result: Result) -> Any:
    return transformers.pipeline("text-classification", model=str(result.model), device="cpu")


def invoke(*arguments: str | Path) -> Any:
    done = CliRunner().invoke(app, [str(one) for one in arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.stderr
    return done


def is_proven_in_every_way(result: Result) -> bool:
    ways = {"AutoModelForSequenceClassification", "pipeline"}
    ways |= {"PeftModel"} if (result.run_dir / "adapter").is_dir() else set()
    return set(result.reload_check["ways"]) == ways and result.reload_check["max_difference"] < 1e-4


# --- several labels ------------------------------------------------------------------------------------------------


def labelled(draw: random.Random) -> dict[str, Any]:
    there = [name for name, share in (("animal", 0.6), ("colour", 0.3)) if draw.random() < share]
    return {
        "text": words(draw, *({"animal": ANIMALS, "colour": COLOURS}[name] for name in there)),
        "label": there,
    }


@pytest.fixture(scope="module")
def several(tiny_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("several")
    recipe = toy_recipe(
        tiny_checkpoint("bert"),
        write(folder / "data", labelled),
        task={"name": "text-classification", "problem_type": "multi_label_classification"},
        strategy="lora",
        epochs=20,
        learning_rate=1e-2,
    )
    metrics = ("f1", "f1_micro", "accuracy", "auroc", "average_precision")
    recipe = Recipe(**{**dict(recipe), "metrics": metrics})
    return run(recipe, output=folder / "run")


def indicators(result: Result, lists: pd.Series) -> np.ndarray:
    return np.array([[label in one for label in result.labels] for one in lists]).astype(int)


def test_several_labels_are_scored_by_what_is_written(several: Result) -> None:
    assert several.labels == ("animal", "colour")
    assert is_proven_in_every_way(several)
    for split in ("validation", "test"):
        table = predictions(several, split)
        given = [json.loads(line)["label"] for line in source(several, split).read_text().splitlines()]
        assert [list(one) for one in table["label"]] == given
        there, said = indicators(several, table["label"]), indicators(several, table["prediction"])
        assert several.metrics[split]["f1"] == pytest.approx(f1_score(there, said, average="macro"))
        assert several.metrics[split]["accuracy"] == (there == said).all(axis=1).mean()
        assert np.stack(table["scores"]).shape == (32, 2)
        shares = several.baselines["majority"][split]
        assert shares["accuracy"] == np.mean([one == ["animal"] for one in given])
    assert several.metrics["test"]["f1"] > 0.6 > several.baselines["majority"]["test"]["f1"]


def test_tuned_thresholds_are_in_the_artefact_and_decide(several: Result) -> None:
    config = json.loads((several.model / "config.json").read_text())
    thresholds = config["hftransfer"]["thresholds"]
    assert len(thresholds) == 2
    assert thresholds != [0.5, 0.5]
    table = predictions(several, "validation")
    scores = np.stack(table["scores"])
    said = indicators(several, table["prediction"])
    assert said.tolist() == (scores >= thresholds).astype(int).tolist()
    # They were tuned on the weights that were kept, not on earlier ones: no other cut is better on validation.
    there = indicators(several, table["label"])
    for label in range(2):
        found = f1_score(there[:, label], said[:, label])
        assert found == pytest.approx(
            max(f1_score(there[:, label], scores[:, label] >= cut) for cut in scores[:, label])
        )


def test_several_labels_predicted_again_are_the_same(several: Result) -> None:
    table, again = predictions(several), load_run(several.run_dir)
    answers = again.predict(table["text"].tolist())
    assert [set(one.labels) for one in answers] == [set(one) for one in table["prediction"]]
    assert {len(one.labels) for one in answers} >= {0, 1, 2}
    for one, scores in zip(answers, table["scores"], strict=True):
        assert [one.scores[label] for label in several.labels] == pytest.approx(list(scores), abs=1e-5)
    for split in ("validation", "test"):
        scored = again.evaluate(split=split).metrics
        assert scored == pytest.approx({name: several.metrics[split][name] for name in scored}, abs=1e-6)
    assert again.evaluate(source(several, "test")).metrics == pytest.approx(scored, abs=1e-6)


def test_a_pipeline_gives_the_same_scores_of_several_labels(several: Result) -> None:
    texts = predictions(several)["text"].tolist()
    for one, said in zip(several.predict(texts), pipeline(several)(texts, top_k=None), strict=True):
        assert {part["label"]: part["score"] for part in said} == pytest.approx(dict(one.scores), abs=1e-5)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_several_labels_written_to_a_file(several: Result, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    shown, answers = several.predict_file(source(several, "test"), output=output)
    table = predictions(several)
    assert [text for (text,) in shown] == table["text"].tolist()
    if suffix == "csv":
        written = pd.read_csv(output)
        for name in ("label", "prediction", "scores"):
            written[name] = [json.loads(cell) for cell in written[name]]
    else:
        written = pd.read_json(output, lines=True) if suffix == "jsonl" else pd.read_parquet(output)
    assert [list(one) for one in written["prediction"]] == [list(one.labels) for one in answers]
    assert [list(one) for one in written["label"]] == [list(one) for one in table["label"]]
    assert [set(one) for one in written["prediction"]] == [set(one) for one in table["prediction"]]
    assert [len(one) for one in written["scores"]] == [len(one) for one in written["prediction"]]


def test_rows_that_all_have_no_label_are_written(several: Result, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    nothing = [
        text
        for text, said in zip(*predictions(several)[["text", "prediction"]].T.values, strict=True)
        if not len(said)
    ]
    rows.write_text("text\n" + "".join(f"{text}\n" for text in nothing))
    for suffix in ("csv", "jsonl", "parquet"):
        _, answers = several.predict_file(rows, output=tmp_path / f"out.{suffix}")
        assert [one.labels for one in answers] == [()] * len(nothing)
    assert [list(one) for one in pd.read_parquet(tmp_path / "out.parquet")["prediction"]] == [[]] * len(
        nothing
    )


def test_several_labels_on_the_command_line(several: Result) -> None:
    both, none = "the cat dog red blue", "the a my your"
    one, other = several.predict([both, none])
    lines = invoke("predict", several.run_dir, both, none).stdout.splitlines()
    assert lines == [f"{one.line()}  {both}", f"{other.line()}  {none}"]
    (record,) = json.loads(invoke("predict", several.run_dir, both, "--json").stdout)
    (alone,) = several.predict([both])  # beside another text, the last digits may differ
    assert record == {"input": both, **alone.record()}
    assert "average_precision" in invoke("evaluate", several.run_dir).stdout


# --- numbers -------------------------------------------------------------------------------------------------------


def measured(draw: random.Random) -> dict[str, Any]:
    """How many words of two kinds there are, in units far from 0 and 1."""
    counts = [draw.randint(0, 4), draw.randint(0, 4)]
    chosen = [
        *draw.choices(ANIMALS, k=counts[0]),
        *draw.choices(COLOURS, k=counts[1]),
        *draw.sample(FILLER, 3),
    ]
    draw.shuffle(chosen)
    return {"text": " ".join(chosen), "weight": 500 + 40 * counts[0], "hue": -3 + 0.5 * counts[1]}


@pytest.fixture(scope="module", params=["one number", "two numbers"])
def numbers(
    request: pytest.FixtureRequest,
    tiny_checkpoint: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Result:
    folder, two = tmp_path_factory.mktemp("numbers"), request.param == "two numbers"
    recipe = toy_recipe(
        tiny_checkpoint("bert"),
        write(folder / "data", measured),
        task={"name": "text-classification", "problem_type": "regression"},
        strategy="lora" if two else "full",
        columns={"label": ("weight", "hue") if two else "weight"},
        epochs=12,
        learning_rate=1e-2 if two else 3e-3,
    )
    return run(recipe, output=folder / "run")


def as_table(result: Result, column: pd.Series) -> np.ndarray:
    """(N, T) of a column of predictions or labels."""
    if len(result.labels) == 1:
        return column.to_numpy()[:, None]
    return np.array(
        [[one[name] for name in result.labels] if isinstance(one, dict) else list(one) for one in column]
    )


def test_numbers_are_scored_by_what_is_written(numbers: Result) -> None:
    assert numbers.labels in (("weight",), ("weight", "hue"))
    assert numbers.best_metric == "mse"
    assert is_proven_in_every_way(numbers)
    for split in ("validation", "test"):
        table = predictions(numbers, split)
        given = pd.read_json(source(numbers, split), lines=True)[list(numbers.labels)].to_numpy(dtype=float)
        assert as_table(numbers, table["label"]).tolist() == given.tolist()
        said = as_table(numbers, table["prediction"])
        assert "scores" not in table
        assert numbers.metrics[split]["mse"] == pytest.approx(mean_squared_error(given, said))
        ranks = [spearmanr(given[:, t], said[:, t]).statistic for t in range(given.shape[1])]
        assert numbers.metrics[split]["spearman"] == pytest.approx(np.mean(ranks))
        assert numbers.metrics[split]["spearman"] > 0.5
        assert numbers.metrics[split]["mse"] < numbers.baselines["mean"][split]["mse"]
        assert numbers.baselines["mean"][split]["spearman"] is None


def test_the_loss_of_a_settled_model_is_that_of_training(numbers: Result) -> None:
    """In spreads of the targets: as the evaluation of the kept step, before the scale went into the head."""
    events = [json.loads(line) for line in (numbers.run_dir / "metrics.jsonl").read_text().splitlines()]
    (kept,) = [one for one in events if one["event"] == "evaluation" and one["step"] == numbers.best_step]
    assert numbers.metrics["validation"]["loss"] == pytest.approx(kept["metrics"]["loss"], rel=1e-3)
    assert numbers.metrics["validation"]["mse"] == pytest.approx(kept["metrics"]["mse"], rel=1e-3)


def test_whoever_loads_the_model_gets_the_targets_own_units(numbers: Result) -> None:
    assert "hftransfer" not in json.loads((numbers.model / "config.json").read_text())
    table = predictions(numbers)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(numbers.model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(numbers.model)
    batch = tokenizer(table["text"].tolist(), padding=True, return_tensors="pt")
    raw = model.eval()(**batch).logits.detach().numpy()
    assert raw == pytest.approx(as_table(numbers, table["prediction"]), rel=1e-4)
    assert raw[:, 0].mean() == pytest.approx(580, abs=40)


def test_numbers_predicted_again_are_the_same(numbers: Result) -> None:
    table, again = predictions(numbers), load_run(numbers.run_dir)
    answers = again.predict(table["text"].tolist())
    found = np.array([[one.values[name] for name in numbers.labels] for one in answers])
    assert found == pytest.approx(as_table(numbers, table["prediction"]), rel=1e-5)
    assert again.evaluate().metrics == pytest.approx(
        {name: value for name, value in numbers.metrics["test"].items() if name != "loss"}, rel=1e-4
    )
    assert again.evaluate(source(numbers, "test")).metrics == pytest.approx(again.evaluate().metrics)


def test_a_pipeline_gives_the_same_numbers(numbers: Result) -> None:
    texts = predictions(numbers)["text"].tolist()
    said = pipeline(numbers)(texts, top_k=None, function_to_apply="none")
    for one, parts in zip(numbers.predict(texts), said, strict=True):
        assert {part["label"]: part["score"] for part in parts} == pytest.approx(dict(one.values), rel=1e-4)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_numbers_written_to_a_file(numbers: Result, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    _, answers = numbers.predict_file(source(numbers, "test"), output=output)
    written = (
        pd.read_csv(output)
        if suffix == "csv"
        else pd.read_json(output, lines=True)
        if suffix == "jsonl"
        else pd.read_parquet(output)
    )
    if suffix == "csv" and len(numbers.labels) > 1:
        written["prediction"] = [json.loads(cell) for cell in written["prediction"]]
    assert list(written.columns) == ["text", "weight", "hue", "prediction"]
    expected = np.array([list(one.values.values()) for one in answers])
    assert as_table(numbers, written["prediction"]) == pytest.approx(expected, rel=1e-6)


def test_numbers_on_the_command_line(numbers: Result) -> None:
    text = "the cat dog red blue"
    (one,) = numbers.predict([text])
    assert invoke("predict", numbers.run_dir, text).stdout == f"{one.line()}  {text}\n"
    (record,) = json.loads(invoke("predict", numbers.run_dir, text, "--json").stdout)
    assert record == {"input": text, **one.record()}
    assert "spearman" in invoke("evaluate", numbers.run_dir).stdout


# --- long texts ----------------------------------------------------------------------------------------------------


def long(draw: random.Random) -> dict[str, Any]:
    """What the text is about is said after the first 20 words."""
    label = draw.choice(["animal", "colour"])
    about = draw.sample(ANIMALS if label == "animal" else COLOURS, 6)
    return {"text": " ".join([*draw.choices(FILLER, k=draw.choice([0, 20])), *about]), "label": label}


@pytest.fixture(scope="module")
def long_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("long"), long)


@pytest.fixture(scope="module")
def windows(
    tiny_checkpoint: Callable[..., Path], long_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Result:
    task = {"name": "text-classification", "max_length": 12, "long_texts": "windows", "overlap": 0.5}
    recipe = toy_recipe(tiny_checkpoint("bert"), long_data, task=task, epochs=8)
    return run(recipe, output=tmp_path_factory.mktemp("windows") / "run")


def test_a_long_text_is_one_row(windows: Result) -> None:
    assert is_proven_in_every_way(windows)
    assert windows.examples == {"train": 96, "validation": 32, "test": 32}
    for split in ("train", "validation", "test"):
        (said,) = [one for one in windows.findings if one.startswith(f"{split}:")]
        lengths = [
            len(json.loads(line)["text"].split()) for line in source(windows, split).read_text().splitlines()
        ]
        longer = sum(length > 10 for length in lengths)
        # 10 words in a window, 5 of them in the next one.
        count = sum(1 if length <= 10 else -(-(length - 5) // 5) for length in lengths)
        assert said == (
            f"{split}: {longer} of {len(lengths)} texts are longer than 12 tokens and were read in windows, "
            f"{count} in all"
        )
    for split in ("validation", "test"):
        table = predictions(windows, split)
        assert len(table) == 32
        assert windows.metrics[split]["accuracy"] == (table["label"] == table["prediction"]).mean()
    assert windows.metrics["test"]["accuracy"] > 0.8


def test_cut_texts_cannot_be_told_apart(
    windows: Result, tiny_checkpoint: Callable[..., Path], long_data: Path, tmp_path: Path
) -> None:
    """The control: where only the beginning is read, half of the rows say nothing."""
    task = {"name": "text-classification", "max_length": 12}
    cut = run(toy_recipe(tiny_checkpoint("bert"), long_data, task=task, epochs=8), output=tmp_path / "run")
    assert cut.metrics["test"]["accuracy"] < windows.metrics["test"]["accuracy"]
    assert any("were cut" in one for one in cut.findings)


def test_long_texts_predicted_again_are_the_same(windows: Result, tmp_path: Path) -> None:
    table, again = predictions(windows), load_run(windows.run_dir)
    notes: list[str] = []
    answers = again.predict(table["text"].tolist(), note=notes.append)
    assert [one.label for one in answers] == table["prediction"].tolist()
    assert [one.score for one in answers] == pytest.approx(table["score"].tolist(), abs=1e-5)
    assert len(notes) == 1
    assert "were read in windows" in notes[0]
    assert again.evaluate().metrics == pytest.approx(
        {name: value for name, value in windows.metrics["test"].items() if name != "loss"}
    )
    _, written = again.predict_file(source(windows, "test"), output=tmp_path / "out.csv")
    assert [one.label for one in written] == pd.read_csv(tmp_path / "out.csv")["prediction"].tolist()
    assert [one.label for one in written] == table["prediction"].tolist()


def test_a_pipeline_gives_the_mean_of_the_windows(windows: Result) -> None:
    """A pipeline reads a window at a time: of short texts it gives the same, of long ones the parts of the mean."""
    pipe, texts = pipeline(windows), predictions(windows)["text"].tolist()
    logit = {"function_to_apply": "none", "top_k": None}
    for one, text in zip(windows.predict(texts), texts, strict=True):
        parts = text.split()
        starts = range(0, max(len(parts) - 5, 1), 5)
        said = [pipe(" ".join(parts[start : start + 10]), **logit) for start in starts]
        logits = np.array(
            [
                [next(x["score"] for x in some if x["label"] == label) for label in windows.labels]
                for some in said
            ]
        )
        mean = logits.mean(axis=0)
        chances = np.exp(mean) / np.exp(mean).sum()
        assert [one.scores[label] for label in windows.labels] == pytest.approx(list(chances), abs=1e-5)


# --- what cannot be done -------------------------------------------------------------------------------------------


def problem(tiny: Path, data: Any, problem_type: str, metric: str, **columns: Any) -> Recipe:
    recipe = toy_recipe(
        tiny,
        data,
        task={"name": "text-classification", "problem_type": problem_type},
        columns=columns or None,
    )
    return Recipe(**{**dict(recipe), "metrics": [metric], "training": {"best_metric": metric}})


def rows(*labels: Any) -> list[dict[str, Any]]:
    return [{"text": f"cat {row}", "label": label} for row, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("problem_type", "metric", "train", "validation", "message"),
    [
        (
            "multi_label_classification",
            "average_precision",
            rows(["a"], ["b"], ["a", "b"]),
            rows(["a"], []),
            "is not defined on the validation rows: none has the label b",
        ),
        (
            "multi_label_classification",
            "auroc",
            rows(["a"], ["b"], ["a", "b"]),
            rows(["a"], ["a", "b"]),
            "is not defined on the validation rows",
        ),
        (
            "regression",
            "pearson",
            rows(1.0, 2.0, 3.0),
            rows(1.0, 1.0),
            "is not defined on the validation rows",
        ),
    ],
)
def test_a_best_metric_that_is_not_defined_is_refused(
    problem_type: str,
    metric: str,
    train: Any,
    validation: Any,
    message: str,
    tiny_checkpoint: Callable[..., Path],
    tmp_path: Path,
) -> None:
    recipe = problem(
        tiny_checkpoint("bert"), {"train": train, "validation": validation}, problem_type, metric
    )
    with pytest.raises(DataError) as caught:
        run(recipe, output=tmp_path / "run")
    assert caught.value.message == f"{metric}, which is to choose the best weights, {message}"
    assert caught.value.key == "training.best_metric"
    assert not (tmp_path / "run").exists()
    # Control: on the training rows it is defined.
    assert check(
        problem(tiny_checkpoint("bert"), {"train": train, "validation": train}, problem_type, metric)
    )


@pytest.mark.parametrize(
    ("problem_type", "metric"),
    [
        ("single_label_classification", "mse"),
        ("multi_label_classification", "confusion_matrix"),
        ("multi_label_classification", "spearman"),
        ("regression", "accuracy"),
    ],
)
def test_a_metric_of_another_problem_is_refused(problem_type: str, metric: str) -> None:
    with pytest.raises(RecipeError, match=f"has no metric `{metric}`"):
        problem(Path("/nowhere"), "data.csv", problem_type, metric)


def test_pairs_whose_first_text_fills_the_window_end_before_training(
    tiny_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    table = [{"text": "cat " * 80, "text_pair": "dog " * 80, "label": "ab"[row % 2]} for row in range(4)]
    recipe = toy_recipe(
        tiny_checkpoint("bert"),
        {"train": table, "validation": table},
        task={"name": "text-classification", "long_texts": "windows"},
    )
    with pytest.raises(DataError, match="4 of 4 rows of train have a first text that is too long") as caught:
        check(recipe)
    assert caught.value.key == "task.long_texts"
    with pytest.raises(DataError, match="too long to read the second"):
        run(recipe, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_dataset_of_named_classes(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.List(datasets.ClassLabel(names=["z", "a"]))}
    )
    table = datasets.Dataset.from_dict(
        {"text": ["cat", "red", "cat red", "the"] * 4, "label": [[0], [1], [0, 1], []] * 4}, features=features
    )
    recipe = toy_recipe(
        tiny_checkpoint("bert"),
        {"train": table, "validation": table},
        task={"name": "text-classification", "problem_type": "multi_label_classification"},
        epochs=1,
    )
    result = run(recipe, output=tmp_path / "run")
    assert result.labels == ("z", "a")
    assert json.loads((result.model / "config.json").read_text())["id2label"] == {"0": "z", "1": "a"}
    assert set(predictions(result, "validation")["label"].map(tuple)) == {("z",), ("a",), ("z", "a"), ()}
