"""Plain text files: documents without columns, under the one name `text`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hftransfer.errors import DataError
from hftransfer.sources.text_files import FileRows, read_text

Documents = Literal["line", "paragraph", "file"]

COLUMN = "text"
"""What their one column is called."""


def read_plain_text(path: Path, documents: Documents | None) -> FileRows:
    """One row a line (blank ones are skipped, and counted), a paragraph (lines between blank ones) or a file.

    documents: what is a row; None is a line. Raises DataError for a file that is no UTF-8 text, or holds no word.
    """
    import numpy as np
    import pyarrow as pa

    lines = [line.removesuffix("\r") for line in read_text(path).split("\n")]
    kept = [number for number, line in enumerate(lines) if line.strip()]
    if not kept:
        raise DataError(f"{path} holds no text: all of its lines are blank")
    if documents == "file":
        starts, texts = kept[:1], ["\n".join(lines[kept[0] : kept[-1] + 1])]
    elif documents == "paragraph":
        starts = [number for number in kept if number == 0 or not lines[number - 1].strip()]
        ends = [*starts[1:], len(lines)]
        texts = ["\n".join(lines[a:b]).rstrip() for a, b in zip(starts, ends, strict=True)]
    else:
        starts, texts = kept, [lines[number] for number in kept]
    # A last line that ends in a line break leaves an empty one behind it, which nobody wrote.
    blank = len(lines) - len(kept) - (not lines[-1])
    notes = (f"{path.name}: {blank} blank lines skipped",) if blank and documents in (None, "line") else ()
    return FileRows(pa.table({COLUMN: pa.array(texts, pa.string())}), np.array(starts) + 1, notes)
