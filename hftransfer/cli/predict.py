"""hftransfer predict: what a finished run's model says of new rows, from arguments, a file or a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hftransfer.cli.arguments import AsJson, Columns, RunArgument, columns_given
from hftransfer.cli.console import command, err, out, print_json, print_line
from hftransfer.errors import DataError, InputError
from hftransfer.predictions import Output
from hftransfer.result import Result
from hftransfer.runner import load_run
from hftransfer.tasks.predictions import Prediction

PIPE = "-"


@command
def command_line(
    run: RunArgument,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Texts, or paths of files; of several parts, JSON objects such as "
            '\'{"text": "...", "text_pair": "..."}\'. `-` reads one a line from standard input.',
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Rows with the recipe's input columns: csv, tsv, jsonl, parquet, a folder; `-` is standard input."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the rows with what is predicted: .csv, .tsv, .jsonl or .parquet; `-` prints JSON lines."
        ),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, help="Tell so many alternatives, of predictions that have any.")
    ] = 1,
    column: Columns = None,
    as_json: AsJson = False,
) -> None:
    """Ask a finished run's model about new rows."""
    _check_together(inputs, file, output, column, as_json)
    result = load_run(run)
    to: Output | None = sys.stdout if output == Path(PIPE) else output

    def note(text: str) -> None:
        err.print(f"note  {text}", markup=False)

    if file is not None:
        rows, predictions = result.predict_file(file, output=to, columns=columns_given(column), note=note)
        shown = [" | ".join(row) for row in rows]
    else:
        shown = _lines() if inputs == [PIPE] else inputs or []
        asked = [_parsed(text, number, result) for number, text in enumerate(shown, 1)]
        predictions = result.predict(asked, output=to, note=note)
    if as_json:
        print_json([{"input": text, **one.record(top)} for text, one in zip(shown, predictions, strict=True)])
    elif output is None:
        for text, one in zip(shown, predictions, strict=True):
            print_line(f"{one.line(top)}  {text}")
    elif to is output:
        out.print(f"wrote {output}: {len(predictions):,} rows with {_added(predictions)}", markup=False)


def _check_together(
    inputs: list[str] | None, file: Path | None, output: Path | None, column: Columns, as_json: bool
) -> None:
    """Raises InputError for options that do not go together."""
    if bool(inputs) == (file is not None):
        raise InputError(
            "give either inputs or --file",
            hint='hftransfer predict RUN "a text" "another text"; or `-`, to read them from standard input',
        )
    if as_json and output == Path(PIPE):
        raise InputError(
            "--json and --output - both print", hint="give one of them; --output - prints JSON lines"
        )
    if column and file is None:
        raise InputError("--column names columns of --file, and none is given")


def _added(predictions: Sequence[Prediction]) -> str:
    return " and ".join(predictions[0].columns())


def _lines() -> list[str]:
    """The lines of standard input; blank ones at its end do not count. Raises DataError."""
    raw = sys.stdin.buffer.read()
    try:
        lines = raw.decode("utf-8-sig").rstrip().split("\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"line {line} of standard input is not UTF-8") from None
    blank = [number for number, line in enumerate(lines, 1) if not line.strip()]
    if blank == [1] and len(lines) == 1:
        raise DataError("there is nothing on standard input", hint="pipe one input a line into it")
    if blank:
        raise DataError(f"line {blank[0]} of standard input is blank", hint="one input a line; leave it out")
    return [line.removesuffix("\r") for line in lines]


def _parsed(text: str, number: int, result: Result) -> Any:
    """An argument as an input: JSON where the model takes several parts, or lists; else the text itself."""
    alone = len(result.inputs) == 1
    kind = result.recipe.task.columns[result.inputs[0]].kind
    if alone and (kind == "text" or not text.lstrip().startswith(("[", "{"))):
        return text
    try:
        return json.loads(text)
    except ValueError:
        if alone:
            return text
        raise DataError(
            f"this model takes {' and '.join(result.inputs)}; input {number} is {text!r}",
            hint="give each as JSON: '{" + ", ".join(f'"{role}": "..."' for role in result.inputs) + "}'",
        ) from None
