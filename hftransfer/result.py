"""What came out of a run: the facts in result.json, and the trained model that they are about."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftransfer.by_split import BySplit, IntervalsBySplit
from hftransfer.errors import DataError, RunDirectoryError, did_you_mean
from hftransfer.inputs import input_rows
from hftransfer.other_rows import counted, only_table, open_rows, section_for, shown
from hftransfer.outcome import SCHEMA
from hftransfer.predictions import Output, check_output, check_rows, write_rows
from hftransfer.recipe import MEMORY, Recipe, Weights, load_recipe, read_recipe
from hftransfer.run_directory import RunDirectory
from hftransfer.sources import open_source
from hftransfer.sources.places import ALIASES
from hftransfer.splits import OneSplit, make_splits, read_split
from hftransfer.summary import Summarized
from hftransfer.tasks.predictions import Prediction

if TYPE_CHECKING:
    import pandas

    from hftransfer import Pushed
    from hftransfer.inference import Predictor
    from hftransfer.report.plots.style import Plot

Note = Callable[[str], None]


@dataclass(frozen=True)
class Scored:
    """Metrics of a model on some rows. data: the split or file they come from. intervals: metric -> (low, high) at
    95 %, as those of `Outcome`."""

    data: str
    rows: int
    metrics: Mapping[str, Any]
    intervals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, repr=False)
class Result(Summarized):
    """A finished run: its facts (metrics, baselines, cost and all else that `Outcome` tells), and the trained model."""

    def __post_init__(self) -> None:
        # As JSON they are mappings; here they say what to write where somebody forgets the split.
        object.__setattr__(self, "metrics", BySplit(self.metrics))
        object.__setattr__(self, "intervals", IntervalsBySplit(self.intervals))

    @classmethod
    def read(cls, run_dir: Path) -> Result:
        """The result of a finished run. Raises RunDirectoryError when there is none, or of a newer version."""
        file = RunDirectory(run_dir).result
        if not file.is_file():
            unfinished = RunDirectory(run_dir).recipe.is_file()
            raise RunDirectoryError(
                f"the run in {run_dir} is not finished" if unfinished else f"there is no run in {run_dir}",
                hint=f"go on with it: hftransfer run {RunDirectory(run_dir).recipe} --output {run_dir} --resume, "
                f"or in Python: ht.run(recipe, output={str(run_dir)!r}, resume=True)"
                if unfinished
                else _runs_in(run_dir),
            )
        facts = json.loads(file.read_text(encoding="utf-8"))
        if facts.pop("schema", None) != SCHEMA:
            raise RunDirectoryError(
                f"{file} was written by another version of hftransfer", hint="update hftransfer"
            )
        known = {one.name for one in dataclasses.fields(cls)}
        facts = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in facts.items()
            if key in known
        }
        return cls(run_dir=run_dir, **facts)

    @property
    def model(self) -> Path:
        """The folder that transformers loads: `AutoModel...from_pretrained(result.model)`."""
        return RunDirectory(self.run_dir).model

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe of the run, fully resolved. Where its rows were in memory, `data.source` is an empty table."""
        document = read_recipe(RunDirectory(self.run_dir).recipe)
        if not self._rows_are_gone:
            return load_recipe(document.path)
        import pandas

        return Recipe(**{**document.value, "data": {**document.value["data"], "source": pandas.DataFrame()}})

    @cached_property
    def _rows_are_gone(self) -> bool:
        document = read_recipe(RunDirectory(self.run_dir).recipe)
        return str(document.value["data"]["source"]).startswith(MEMORY)

    def predict(
        self,
        inputs: Sequence[Any],
        *,
        output: str | Output | None = None,
        note: Note = lambda text: None,
    ) -> list[Prediction]:
        """Predictions for texts (or (text, text_pair), or mappings of the task's columns), for images (paths, PIL), or
        for sounds (paths, bytes, {"array", "sampling_rate"}).

        output: where to write the inputs with their predictions, too; see `predict_file`.
        note: is told what a user must know (texts cut). Raises DataError for inputs that are not what the task takes.
        """
        task = self.recipe.task
        rows = input_rows(task, inputs, roles=self.inputs, columns=self.recipe.data.columns)
        output = Path(output) if isinstance(output, str) else output
        if output is not None:
            check_output(output)
        task.check_asked(rows, self.predictor.pretrained, partial(counted, "input"))
        predictions = list(self.predictor.predict(rows, name="inputs", note=note).answers)
        if output is not None:
            write_rows(rows, predictions, output)
        return predictions

    def predict_file(
        self,
        file: str | Path,
        *,
        output: str | Output | None = None,
        columns: Mapping[str, str] | None = None,
        note: Note = lambda text: None,
    ) -> tuple[list[tuple[str, ...]], list[Prediction]]:
        """Predictions for the rows of a file with the recipe's input columns; a label column is not needed.

        file: `-` is standard input. output: where to write all columns of the file with those of the predictions
        (`Prediction.columns`) added: a file (.csv, .tsv, .jsonl or .parquet), or a stream of JSON lines.
        columns: role -> the file's name of it, where that is not the recipe's. note: is told what a user must know.
        Returns the inputs, as text, and the predictions, in order. Raises DataError.
        """
        data = section_for(self.recipe, Path(file), self.inputs, columns)
        output = Path(output) if isinstance(output, str) else output
        if output is not None:
            check_output(output)
        source, name = open_rows(data)
        needed = {role: replace(self.recipe.task.columns[role], required=True) for role in self.inputs}
        table = None
        if output is not None:
            table = only_table(source)
            check_rows(table, self.recipe.task, output)
        there = read_split(source, data, columns=needed, labels=self.labels)
        rows = there.rows
        for finding in there.findings:
            if not finding.startswith("columns ignored"):  # they are not: the output keeps them
                note(finding)
        self.recipe.task.check_asked(rows, self.predictor.pretrained, partial(counted, "row"))
        predictions = list(self.predictor.predict(rows, name=name, note=note).answers)
        if output is not None:
            write_rows(table, predictions, output)
        return [tuple(shown(row[role]) for role in self.inputs) for row in rows], predictions

    def evaluate(
        self,
        data: Any = None,
        *,
        split: str | None = None,
        columns: Mapping[str, str] | None = None,
        note: Note = lambda text: None,
    ) -> Scored:
        """The recipe's metrics on labelled rows.

        data: a file or folder with the recipe's columns, `-` for standard input, or a table in memory; by default the
        run's own data, read again. split: which split of it; by default test where there is one, else validation (of
        a file: its only one). columns: role -> the table's name of it, where that is not the recipe's.
        Raises DataError.
        """
        task = self.recipe.task
        if data is None:
            there, name = self.own_rows(split)
        else:
            roles = (*self.inputs, *([task.target] if task.target else []))
            section = section_for(self.recipe, data, roles, columns)
            source, name = open_rows(section)
            needed = {role: replace(task.columns[role], required=True) for role in roles}
            there = read_split(
                source, section, columns=needed, labels=self.labels, split=split, check_rows=task.check_rows
            )
        for finding in there.findings:
            note(finding)
        from hftransfer.resampled import on_resamples
        from hftransfer.training.evaluation import score_predictions

        said = self.predictor.predict(there.rows, name=name, note=note)
        references, names = task.references(there.rows, self.labels), self.recipe.metrics
        metrics = score_predictions(names, said, references, self.labels)
        resampled = on_resamples(names, said, references, self.labels, there.groups)
        return Scored(name, len(there.rows), metrics, resampled.intervals)

    def own_rows(self, split: str | None = None, *, look: bool = True) -> tuple[OneSplit, str]:
        """(rows of the run's own data, read again, with a finding where they have changed since; the split's name).

        split: by default test where there is one, else validation. look: see `make_splits`. Raises DataError.
        """
        recipe = self.recipe
        if self._rows_are_gone:
            raise DataError(
                "the rows of this run were in memory and are not kept", hint="give the rows to score"
            )
        splits = make_splits(
            open_source(recipe.data),
            recipe.data,
            columns=recipe.task.columns,
            seed=recipe.data_seed,
            check_rows=recipe.task.check_rows,
            look=look,
        )
        there = list(splits.by_name)
        name = split or there[-1]
        if name not in there:
            meant = next((ours for ours in there if name.lower() in ALIASES[ours]), name)
            raise DataError(f"the run has no split `{name}`", hint=did_you_mean(meant, there))
        written = json.loads(RunDirectory(self.run_dir).data.read_text(encoding="utf-8"))
        changed = written["fingerprint"] != splits.fingerprint
        findings = ("the data have changed since the run",) * changed
        return OneSplit(splits.by_name[name], findings, splits.groups.get(name)), name

    def errors(self, n: int = 10, *, split: str | None = None, labels: bool = False) -> pandas.DataFrame:
        """The worst errors on a split that was scored, the worst first: wrong with the highest score, or furthest off.

        split: by default test where there is one, else validation. labels: instead, rows whose label is probably a
        mistake, by confident learning (Northcutt et al. 2021, arXiv:1911.00068); none for tasks of more than one label.
        Columns: row (from 0 in the source), the inputs but images and sounds, what is, what was said, and the score.
        Raises DataError where no row is right or wrong by itself.
        """
        import pandas

        from hftransfer.report import view

        seen = view(self, split)
        rows = seen.doubtful(n) if labels else seen.errors(n)
        return (
            pandas.DataFrame(rows) if rows else pandas.DataFrame(columns=["row", *self.inputs, "prediction"])
        )

    def plot(self, name: str | None = None) -> Plot:
        """A plot of the run, as a matplotlib figure: `confusion`, `loss`, ...; by default what says most of the task.

        Raises DataError naming those there are for another name; InputError without matplotlib.
        """
        from hftransfer.report import pictures

        there = []
        for one in pictures(self):
            if not name or one.name == name:
                return one.draw()
            there.append(one.name)
        raise DataError(f"the run has no plot `{name or ''}`", hint=did_you_mean(name or "", there))

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report, a page that needs nothing else, and its plots; returns the page.

        path: a folder of its own for both; by default `report` in the run's directory.
        Raises RunDirectoryError for a folder that holds other files; InputError without matplotlib.
        """
        from hftransfer.report import write_report

        return write_report(self, None if path is None else Path(path)).page

    def push(
        self,
        repo: str = "",
        *,
        public: bool = False,
        weights: Weights | None = None,
        note: Note = lambda text: None,
    ) -> Pushed:
        """Publish the model as `repo` (OWNER/NAME): see `hftransfer.push`. Without one, an InputError says so."""
        import hftransfer  # its names are loaded when they are used: what publishes stands above a result

        return hftransfer.push(self.run_dir, repo, public=public, weights=weights, tell=note)

    @cached_property
    def predictor(self) -> Predictor:
        """The trained model, loaded from the run directory once."""
        from hftransfer.inference import Predictor

        return Predictor(self.model, self.recipe.task, limit=self.max_length)


def _runs_in(folder: Path) -> str:
    """What to say of a folder that is no run: the newest of those that are in it."""
    inside = [one.parent for one in folder.glob(f"*/{RunDirectory(folder).result.name}")]
    if not inside:
        return "a run is the folder that `hftransfer run` names at its end, and `result.run_dir` in Python"
    newest = max(inside, key=lambda run: RunDirectory(run).result.stat().st_mtime)
    return f"runs are in it; the newest that is finished: {newest}"
