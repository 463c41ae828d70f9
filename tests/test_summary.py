"""What a result shows of itself: everywhere the same facts, and nothing that a label or a path could break."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hftransfer.result import Result

NASTY = '<b onclick="x">&'


def result(**changes: Any) -> Result:
    facts: dict[str, Any] = {
        "run_dir": Path("runs") / NASTY,
        "task": "text-classification",
        "strategy": "lora",
        "checkpoint": {"name": NASTY},
        "inputs": ("text",),
        "labels": ("a", NASTY),
        "metrics": {
            "validation": {"loss": 0.25, "accuracy": 0.875, "confusion_matrix": [[1, 2]], "auroc": None},
            "test": {"loss": 0.5, "accuracy": 0.75, "confusion_matrix": [[1, 2]], "auroc": 0.5},
        },
        "baselines": {
            "majority": {"validation": {"accuracy": 0.5}, "test": {"accuracy": 0.4375}},
            "words": {"validation": {"accuracy": 0.6}, "test": {"accuracy": 0.6}},
        },
        "parameters": {"total": 22_000_000, "trained": 1_000},
        "examples": {"train": 1000, "validation": 2000, "test": 3000},
        "steps": 1200,
        "best_step": 1100,
        "best_metric": "accuracy",
        "seconds": {"train": 60.0, "total": 75.4},
        "peak_memory_bytes": 3 * 2**29,
        "reload_check": {"max_difference": 1e-7, "rows": 16, "ways": {"pipeline": 1e-7, "PeftModel": 0.0}},
        "max_length": 512,
        "findings": (),
        "intervals": {"test": {"accuracy": (0.7, 0.8)}},
    }
    return Result(**{**facts, **changes})


def test_the_scores_stand_beside_their_intervals_and_the_baseline() -> None:
    header, *rows = str(result()).splitlines()[2:6]
    assert re.split(r"\s{2,}", header) == [
        "metric", "validation (2,000)", "95 %", "majority", "test (3,000)", "95 %", "majority"
    ]  # fmt: skip
    assert [row.split() for row in rows] == [
        ["loss", "0.2500", "0.5000"],
        ["accuracy", "0.8750", "0.5000", "0.7500", "0.700", "to", "0.800", "0.4375"],
        ["auroc", "0.5000"],
    ]
    assert "confusion_matrix" not in str(result())


def test_cost_proof_and_place_are_told() -> None:
    text = str(result())
    assert (
        "75 s, 60 s of it training; 1,200 steps, the best after 1,100; 1,000 of 22,000,000 parameters" in text
    )
    assert "1.5 GiB of memory at most" in text
    assert "loaded afresh by pipeline, PeftModel: 16 rows, largest difference 1.0e-07" in text
    assert f"runs/{NASTY}/model" in text
    assert "fitted once" in str(result(steps=0))


def test_the_lines_to_go_on_with_are_python() -> None:
    assert "  result.predict(['your text here'])\n" in str(result())
    assert "  result.predict(['photo.jpg'])\n" in str(result(inputs=("image",)))
    assert "  result.predict([{'text': '...', 'text_pair': '...'}])\n" in str(
        result(inputs=("text", "text_pair"))
    )
    for line in str(result()).rpartition("next\n")[2].splitlines():
        compile(line.strip(), "next", "eval")


def test_one_line_names_it_in_a_list() -> None:
    shown = repr([result()])
    assert shown == f"[<Result runs/{NASTY}: text-classification, lora, test accuracy 0.7500>]"
    only = {"validation": {"loss": 0.1}}
    assert "validation loss 0.1000" in repr(result(metrics=only, best_metric="loss"))


def test_ipython_in_a_terminal_shows_the_text() -> None:
    told: list[str] = []
    result()._repr_pretty_(SimpleNamespace(text=told.append), False)
    assert told == [str(result())]


def test_html_holds_what_the_text_holds_and_is_escaped() -> None:
    html = result()._repr_html_()
    for fact in ("0.700 to 0.800", "0.4375", "test (3,000)", "75 s, 60 s", "largest difference 1.0e-07"):
        assert fact in html
        assert fact in str(result())
    assert NASTY not in html
    assert "&lt;b onclick=&quot;x&quot;&gt;&amp;" in html
    assert html.count("<div") == html.count("</div") == 2


def test_html_names_no_colour_and_needs_nothing_from_elsewhere() -> None:
    """So that it is read on a light page as on a dark one, and where styles and scripts are dropped."""
    html = result()._repr_html_()
    for word in ("color", "background", "<style", "<script", "class=", "http", "src="):
        assert word not in html


def test_what_it_was_compared_with() -> None:
    evidence = {
        "metric": "accuracy",
        "split": "test",
        "arms": [
            {
                "name": "lora",
                "title": "lora",
                "value": 0.75,
                "interval": [0.7, 0.8],
                "seconds": 75.0,
            },
            {"name": NASTY, "title": NASTY, "value": 0.6, "interval": None, "seconds": 2.0},
        ],
        "comparisons": [{"arm": NASTY, "difference": 0.15, "verdict": "better"}],
        "verdict": "lora is better than words.",
    }
    calibration = {
        "temperature": 1.25,
        "why": "",
        "folded": True,
        "ece": {"test": {"before": 0.1, "after": 0.02}},
    }

    compared = replace(result(), evidence=evidence, calibration=calibration)
    text = str(compared)
    assert [line.split() for line in text.splitlines() if line.startswith(("lora", NASTY))] == [
        ["lora", "0.7500", "0.700", "to", "0.800", "75", "s"],
        ["<b", 'onclick="x">&', "0.6000", "0.1500", "better", "2", "s"],
    ]
    assert "verdict     lora is better than words." in text
    told = "temperature 1.25, fitted on validation, in the saved weights: calibration error (ECE) 0.1000 before, 0.0200"
    assert f"scores      {told} after on test" in text
    assert "&lt;b onclick" in compared._repr_html_()
    seeds = [{"seed": 0, "value": 0.75, "collapsed": False}, {"seed": 1, "value": 0.4, "collapsed": True}]
    several = str(replace(result(), evidence={**evidence, "seeds": seeds}))
    assert [line.split() for line in several.splitlines() if line.startswith("seed ")] == [
        ["seed", "0", "0.7500"],
        ["seed", "1", "0.4000", "collapsed"],
    ]
    # The control: nothing of it where nothing was compared.
    assert "compared" not in str(result())
    assert "verdict" not in str(result())
