"""Put a run's report on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hftransfer.errors import RunDirectoryError
from hftransfer.files import replacing, write_text
from hftransfer.report.page import page
from hftransfer.result import Result
from hftransfer.run_directory import REPORT_PAGE, RunDirectory


@dataclass(frozen=True)
class Report:
    """Where a report lies. page: the HTML file, which needs nothing else. plots: the same as PNG files, by name."""

    page: Path
    plots: dict[str, Path]


def write_report(result: Result, folder: Path | None = None) -> Report:
    """Write it into a folder of its own, beside and renamed; by default the run's `report/`.

    Raises RunDirectoryError where the folder holds anything that is no report; InputError without matplotlib.
    """
    final = folder or RunDirectory(result.run_dir).report
    check_place(final)
    text, images = page(result)
    with replacing(final) as new:
        for name, png in images.items():
            (new / f"{name}.png").write_bytes(png)
        write_text(new / REPORT_PAGE, text)
    return Report(final / REPORT_PAGE, {name: final / f"{name}.png" for name in images})


def check_place(folder: Path) -> None:
    """What was there goes when a report takes its place: it must be nothing, or a report."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RunDirectoryError(f"{folder} is a file; a report needs a folder", hint="give another --output")
    others = sorted(one.name for one in folder.iterdir() if one.name != REPORT_PAGE and one.suffix != ".png")
    if others or (any(folder.iterdir()) and not (folder / REPORT_PAGE).is_file()):
        what = f"`{others[0]}`" if others else "images that are of no report"
        raise RunDirectoryError(f"{folder} holds {what}; nothing was written", hint="give another --output")
