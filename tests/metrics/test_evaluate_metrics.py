"""The `evaluate.Metric` classes on their own: as evaluate's, but with neither network nor files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import pytest
from metric_rows import FIT

from hftransfer.metrics import METRICS
from hftransfer.metrics.accuracy import Accuracy
from hftransfer.metrics.auroc import RocAuc
from hftransfer.metrics.confusion_matrix import ConfusionMatrix
from hftransfer.metrics.mcc import MatthewsCorrelation
from hftransfer.metrics.precision_recall_f1 import F1, Precision, Recall

REFERENCES = [0, 1, 1, 0]
PREDICTIONS = [0, 1, 0, 0]
ALL = (Accuracy, Precision, Recall, F1, MatthewsCorrelation, ConfusionMatrix)


@pytest.mark.parametrize("kind", ALL)
def test_lists_and_arrays_give_one_entry_named_as_the_metric(kind: type[Any]) -> None:
    made = kind()
    found = made.compute(predictions=PREDICTIONS, references=REFERENCES)
    again = made.compute(predictions=np.array(PREDICTIONS), references=np.array(REFERENCES))
    assert list(found) == [made.name]
    np.testing.assert_equal(again, found)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("several", [False, True])
def test_whole_arrays_give_what_a_table_of_them_gives(kind: type[Any], several: bool) -> None:
    if several and kind in (MatthewsCorrelation, ConfusionMatrix):
        return  # of one class a row alone
    options = {"average": "macro"} if several and kind in (Precision, Recall, F1) else {}
    rows = {"predictions": np.array(PREDICTIONS), "references": np.array(REFERENCES)}
    if several:
        rows = {name: np.stack([values, 1 - values], axis=1) for name, values in rows.items()}
    np.testing.assert_equal(kind().of_arrays(**rows, **options), kind().compute(**rows, **options))
    other = kind().of_arrays(predictions=1 - rows["references"], references=rows["references"], **options)
    assert str(other) != str(kind().of_arrays(**rows, **options))


def test_values_by_hand() -> None:
    rows = {"predictions": PREDICTIONS, "references": REFERENCES}
    assert Accuracy().compute(**rows) == {"accuracy": 0.75}
    assert Precision().compute(**rows) == {"precision": 1.0}
    assert Recall().compute(**rows) == {"recall": 0.5}
    assert F1().compute(**rows) == {"f1": pytest.approx(2 / 3)}
    assert F1().compute(**rows, average=None)["f1"] == pytest.approx(np.array([0.8, 2 / 3]))
    assert Precision().compute(**rows, pos_label=0) == {"precision": pytest.approx(2 / 3)}
    assert MatthewsCorrelation().compute(**rows) == {"matthews_correlation": pytest.approx(3**-0.5)}
    assert ConfusionMatrix().compute(**rows)["confusion_matrix"].tolist() == [[2, 0], [1, 1]]


def test_scores_are_of_the_positive_class_or_of_all() -> None:
    positive = [0.1, 0.9, 0.4, 0.6]
    found = RocAuc().compute(references=REFERENCES, prediction_scores=positive)
    assert found == {"roc_auc": 0.75}
    both = [[1 - score, score] for score in positive]
    assert RocAuc().compute(references=REFERENCES, prediction_scores=both) == found
    one_class = RocAuc().compute(references=[1, 1], prediction_scores=[0.1, 0.9])
    assert np.isnan(one_class["roc_auc"])


def test_works_as_evaluates_own_do() -> None:
    batches = Accuracy()
    batches.add_batch(predictions=PREDICTIONS[:2], references=REFERENCES[:2])
    batches.add(prediction=PREDICTIONS[2], reference=REFERENCES[2])
    batches.add(prediction=PREDICTIONS[3], reference=REFERENCES[3])
    assert batches.compute() == {"accuracy": 0.75}
    both = evaluate.combine([Accuracy(), Recall()])
    assert both.compute(predictions=PREDICTIONS, references=REFERENCES) == {"accuracy": 0.75, "recall": 0.5}
    with pytest.raises(ValueError, match="Mismatch in the number of predictions"):
        Accuracy().compute(predictions=[1], references=REFERENCES)


CASES = {
    "2 classes": {
        "references": np.array(REFERENCES),
        "predictions": np.array(PREDICTIONS),
        "scores": np.array([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4], [0.7, 0.3]]),
    },
    "several labels": {
        "references": np.array([[0, 1], [1, 1], [1, 0]]),
        "predictions": np.array([[0, 1], [0, 1], [1, 1]]),
        "scores": np.array([[0.1, 0.9], [0.4, 0.7], [0.8, 0.6]]),
    },
    "3 numbers": {
        "references": np.array([[0.5, 2.0, -1.0], [1.0, 0.0, 0.25]]),
        "predictions": np.array([[0.0, 3.0, -1.0], [1.0, 1.0, 0.5]]),
    },
}
TOGETHER = [(name, kind) for name, kind in FIT if kind in CASES]

# Run in a process of its own: no socket can be opened, and its HOME is empty.
SCRIPT = """
import json, socket, sys

def refuse(*args, **options):
    raise RuntimeError("the network was used")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
heavy = ("torch", "transformers", "datasets", "evaluate", "sklearn", "pandas", "numpy")
loaded = lambda: [name for name in heavy if name in sys.modules]

from hftransfer.registry import METRICS

metrics = [METRICS.get(name) for name in METRICS.names()]
assert all(metric.summary for metric in metrics)
together = json.loads(sys.argv[2])
[METRICS.get(name).check_labels(["no", "yes"]) for name, _ in together]
before = loaded()

import numpy as np

given = json.loads(sys.argv[1])
cases = {kind: {name: np.array(value) for name, value in rows.items()} for kind, rows in given.items()}
values = [
    METRICS.get(name).compute(**cases[kind], labels=["no", "yes"]) for name, kind in together
]
try:
    socket.create_connection(("localhost", 9))
except RuntimeError as error:
    blocked = str(error)
print(json.dumps({"before": before, "after": loaded(), "values": values, "blocked": blocked}))
"""


def test_two_processes_at_once_without_network_leave_no_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "XDG_"))}
    places = dict.fromkeys(("HOME", "HF_HOME", "TMPDIR", "XDG_CACHE_HOME"), str(home))
    cases = json.dumps(
        {kind: {name: value.tolist() for name, value in rows.items()} for kind, rows in CASES.items()}
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, cases, json.dumps(TOGETHER)],
            cwd=home,
            env=kept | places,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [json.loads(process.communicate(timeout=300)[0]) for process in started]
    assert list(home.rglob("*")) == []

    expected = [METRICS.get(name).compute(**CASES[kind], labels=["no", "yes"]) for name, kind in TOGETHER]
    assert None not in expected
    for output in outputs:
        assert output["values"] == expected
        assert output["before"] == [], "the table alone must import nothing heavy"
        # Controls: the heavy modules are seen once they are there, and the network was really shut.
        assert {"evaluate", "sklearn", "numpy"} <= set(output["after"])
        assert output["blocked"] == "the network was used"


def test_evaluates_own_way_would_leave_a_folder(tmp_path: Path) -> None:
    """Control for the test above, and the reason for `InMemoryMetric`."""
    rows = {"predictions": PREDICTIONS, "references": REFERENCES}
    assert Accuracy(cache_dir=str(tmp_path)).compute(**rows) == {"accuracy": 0.75}
    assert list(tmp_path.rglob("*")) == []
    assert Accuracy(cache_dir=str(tmp_path), keep_in_memory=False).compute(**rows) == {"accuracy": 0.75}
    assert list(tmp_path.rglob("*")) != []
