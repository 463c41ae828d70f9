"""transformers and datasets, as users call them, with nothing but HF_ENDPOINT set."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hub import LoopbackHub

# One repository has one format: datasets takes the reader of the first configuration for all.
CARD = b"""---
configs:
- config_name: first
  data_files:
  - split: train
    path: first/train.csv
  - split: test
    path: first/test.csv
- config_name: second
  data_files: second/*.csv
---
# Two configurations
"""


def parquet(rows: dict[str, list[object]]) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.table(rows), written)
    return written.getvalue()


TABLES = {
    "README.md": CARD,
    "first/train.csv": b"text,label\nx,0\ny,1\n",
    "first/test.csv": b"text,label\nz,1\n",
    "second/a.csv": b"text,label\nq,1\n",
}
LINES = {"train.jsonl": b'{"text": "q", "label": 1}\n', "test.jsonl": b'{"text": "r", "label": 0}\n'}
COLUMNS = {"data/train-00000-of-00001.parquet": parquet({"text": ["a", "b"], "label": [0, 1]})}


def test_datasets_in_every_form(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create_repo("me/tables", TABLES, type="dataset", private=True)
    hub.create_repo("me/lines", LINES, type="dataset")
    hub.create_repo("me/columns", COLUMNS, type="dataset")
    code = """
import json
from datasets import load_dataset
said = {}
for name, config in (("tables", "first"), ("tables", "second"), ("lines", None), ("columns", None)):
    loaded = load_dataset(f"me/{name}", config)
    said[f"{name} {config}"] = {split: list(rows["text"]) for split, rows in loaded.items()}
streamed = load_dataset("me/tables", "first", streaming=True)["train"]
said["streamed"] = [row["text"] for row in streamed]
print(json.dumps(said))
"""
    done = hub.python(code, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "tables first": {"train": ["x", "y"], "test": ["z"]},
        "tables second": {"train": ["q"]},
        "lines None": {"train": ["q"], "test": ["r"]},
        "columns None": {"train": ["a", "b"]},
        "streamed": ["x", "y"],
    }
    assert not [one.path for one in hub.requests if not one.stage], "asked for, and unknown to this hub"


def test_a_model_through_auto_classes_and_a_pipeline(
    hub: LoopbackHub, tmp_path: Path, tiny_checkpoint: Callable[..., Path]
) -> None:
    folder = tiny_checkpoint("bert")
    hub.create_repo("me/x", folder, private=True)
    code = """
import json, sys, torch
from transformers import AutoModel, AutoTokenizer, pipeline
def vector(name):
    ids = AutoTokenizer.from_pretrained(name)("a text", return_tensors="pt")
    return AutoModel.from_pretrained(name).eval()(**ids).last_hidden_state[0, 0].tolist()
assert vector("me/x") == vector(sys.argv[1])
print(len(pipeline("feature-extraction", model="me/x")("a text")[0]))
"""
    done = hub.python(code, folder, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) > 1
    assert not [one.path for one in hub.requests if not one.stage], "asked for, and unknown to this hub"
    assert any("transformers/" in one.user_agent for one in hub.requests)
