"""The example notebook, and what else people do in a notebook, in a real kernel: one for all of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from interactive.kernels import Kernel, Shown
from toy import write_texts

QUICKSTART = Path(__file__).parents[2] / "recipes" / "notebooks" / "quickstart.ipynb"


WAITS = """
import gc, time

def waits(kind, key, value):
    def watch(event):
        if type(event).__name__ == kind and getattr(event, key) == value:
            print("waiting", flush=True)
            time.sleep(60)
    return watch
"""
"""In the kernel: a watcher that waits at an event to be interrupted."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    kernel = Kernel(folder, QUICKSTART)
    yield kernel
    kernel.close()


@pytest.fixture(scope="module")
def recipe(kernel: Kernel, folder: Path, tiny_checkpoint: Callable[..., Path]) -> str:
    """The name of a recipe in the kernel that takes a few seconds."""
    write_texts(folder / "texts", other=12)
    shown = kernel(
        f"""
toy = ht.Recipe(
    checkpoint={str(tiny_checkpoint("bert"))!r},
    data={{split: pd.read_csv(f"texts/{{split}}.csv") for split in ("train", "validation")}},
    task="text-classification",
    training={{"epochs": 5, "batch_size": 4, "learning_rate": 1e-3, "checkpoint_every": 5}},
)
"""
    )
    kernel(WAITS)
    assert shown.status == "ok", shown.error
    return "toy"


# --- the example -----------------------------------------------------------------------------------------------


def outputs(kernel: Kernel, start: str) -> list[nbformat.NotebookNode]:
    """Of the notebook's cell that has a line beginning so."""
    (cell,) = [
        cell for cell in kernel.notebook.cells
        if cell.cell_type == "code" and any(line.startswith(start) for line in cell.source.splitlines())
    ]  # fmt: skip
    return list(cell.outputs)


def test_the_notebook_as_it_lies_has_no_outputs() -> None:
    for cell in nbformat.read(QUICKSTART, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_the_notebook_runs_without_a_word_on_standard_error(kernel: Kernel) -> None:
    streams = [
        (out.name, out.text)
        for cell in kernel.notebook.cells
        if cell.cell_type == "code"
        for out in cell.outputs
        if out.output_type == "stream"
    ]
    assert {name for name, _ in streams} == {"stdout"}
    said = "".join(text for _, text in streams)
    assert "did you mean `text-classification`?" in said
    assert "runs/text-classification-frozen" in said


def test_the_run_is_shown_and_then_its_result(kernel: Kernel) -> None:
    progress, result = outputs(kernel, "result = ht.run")
    assert progress.data["text/plain"].splitlines()[1].startswith("done in ")
    assert "best so far" in progress.data["text/html"]
    assert "note: no validation split: 30 of 300 training rows set aside" in progress.data["text/plain"]
    for shown in (result.data["text/plain"], result.data["text/html"]):
        assert "test (75)" in shown
        assert "majority" in shown
        assert "result.predict" in shown


def test_its_model_is_better_than_chance(kernel: Kernel) -> None:
    (said,) = outputs(kernel, "print(f")
    accuracy = float(said.text.split()[1])
    assert accuracy > 0.6
    assert "majority class 0.13" in said.text
    (later,) = outputs(kernel, "result.evaluate")
    assert "accuracy" in later.data["text/plain"]


def test_its_rows_are_looked_at_first(kernel: Kernel) -> None:
    (seen,) = outputs(kernel, "ht.check")
    assert seen.data["text/plain"].startswith(
        "recipe      is right\ndata        195 train, 30 validation, 75 test; 10"
    )
    assert "parameters are trained" in seen.data["text/html"]


def test_its_verdict_errors_picture_and_page(kernel: Kernel, folder: Path) -> None:
    (verdict,) = outputs(kernel, "print(result.evidence")
    assert "Better than majority: +0." in verdict.text
    assert "words: " in verdict.text
    (errors,) = outputs(kernel, "result.errors")
    assert "prediction" in errors.data["text/html"]
    (plot,) = outputs(kernel, "result.plot")
    assert plot.data["image/png"].startswith("iVBOR")
    (link,) = outputs(kernel, "FileLink")
    page = "runs/text-classification-frozen/report/report.html"
    assert f"href='{page}'" in link.data["text/html"]
    assert verdict.text.partition(" on ")[0] in (folder / page).read_text()


# --- mistakes --------------------------------------------------------------------------------------------------


def test_a_mistake_is_told_and_no_wall_of_frames(kernel: Kernel) -> None:
    shown = kernel("ht.Recipe(checkpoint='x', data=messages, task='text-classification', strategy='frozn')")
    assert shown.status == "error"
    assert shown.error.splitlines() == [
        "RecipeError: recipe: strategy: no strategy is named `frozn`",
        "    did you mean `frozen`? known: bitfit, frozen, full, gradual, ia3, layer-decay, lora, partial, "
        "probe-then-full",
        "  (%tb shows the whole traceback)",
    ]
    assert 'File "' in kernel("%tb").error


def test_an_error_of_another_kind_keeps_its_frames(kernel: Kernel) -> None:
    """The control: IPython shows frames where nobody says otherwise."""
    assert len(kernel("def f(): raise ValueError('no')\nf()").error.splitlines()) > 3


def test_a_wrong_column_is_answered_in_python(kernel: Kernel) -> None:
    shown = kernel("ht.run(ht.Recipe(**{**dict(recipe), 'data': messages}))")
    assert shown.error.startswith("DataError: the table in memory has no column `label`")
    assert 'data={"source": ..., "columns": {"label": "intent"}}' in shown.error
    assert "failed after " in shown.texts[0]


def test_a_name_in_place_of_a_recipe(kernel: Kernel) -> None:
    assert "write ht.load_recipe('quickstart') in its place" in kernel("ht.run('quickstart')").error


def test_a_recipe_is_shown_without_its_rows(kernel: Kernel) -> None:
    shown = kernel("recipe").text
    assert "source: 'memory: 300 rows'" in shown
    assert "parcel" not in shown


# --- interrupts ------------------------------------------------------------------------------------------------


def stopped(kernel: Kernel, code: str) -> Shown:
    """A cell that is interrupted once it has printed that it waits."""
    shown = kernel(code, seen=lambda text: kernel.interrupt() if text == "waiting\n" else None)
    assert shown.status == "error"
    return shown


def test_a_stopped_cell_says_how_to_go_on_and_goes_on(kernel: Kernel, recipe: str, folder: Path) -> None:
    shown = stopped(kernel, f"ht.run({recipe}, output='runs/toy', watch=waits('Step', 'step', 12))")
    first, how, _ = shown.error.splitlines()
    assert first == "Interrupted: interrupted after step 12"
    assert how == "  to go on from the last checkpoint: ht.run(recipe, output='runs/toy', resume=True)"
    assert "\ninterrupted after " in shown.text
    models = "gc.collect(); sum(hasattr(one, 'forward') for one in gc.get_objects()"
    left = kernel(f"{models} if type(one).__name__ == 'BertForSequenceClassification')")
    assert left.text == "0"

    again = f"ht.run({recipe}, output='runs/toy', resume=True, watch=waits('Step', 'step', 20))"
    assert "interrupted after step 20" in stopped(kernel, again).error
    lines = (folder / "runs" / "toy" / "metrics.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [one["step"] for one in events if one["event"] == "step"] == list(range(1, 21))
    (begin,) = [one for one in events if one["event"] == "begin"]
    assert begin["step"] == 10


def test_a_stop_before_training_leaves_nothing(kernel: Kernel, recipe: str, folder: Path) -> None:
    shown = stopped(
        kernel, f"ht.run({recipe}, output='runs/nothing', watch=waits('Stage', 'name', 'checkpoint'))"
    )
    assert "interrupted before training began; nothing was written" in shown.error
    assert not (folder / "runs" / "nothing").exists()


def test_nothing_is_shown_where_nobody_wants_it(kernel: Kernel) -> None:
    shown = kernel("_ = ht.run(recipe, output=result.run_dir, resume=True, progress=False)")
    assert (shown.status, shown.texts) == ("ok", [])
    # The control: it is the argument that silences it.
    assert "is finished already" in kernel("_ = ht.run(recipe, output=result.run_dir, resume=True)").text
