"""The feature store: what is written is found again, whole; what is damaged is not believed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hftransfer.errors import InputError
from hftransfer.features.store import (
    DIGEST,
    FeatureStore,
    cache_folder,
    clear,
    evict,
    kept_in,
    size_bound,
    stores,
)


def keys(*numbers: int) -> np.ndarray:
    made = np.zeros((len(numbers), DIGEST), np.uint8)
    made[:, -1] = numbers  # most bytes are zero, where texts would end
    return made


def values(*numbers: int) -> np.ndarray:
    return np.array([[n, n + 0.5] for n in numbers], np.float32)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureStore:
    monkeypatch.setenv("HFTRANSFER_CACHE", str(tmp_path))
    return FeatureStore(tmp_path / "features" / "one")  # not what a run would call it


def test_what_is_written_is_found_in_any_order(store: FeatureStore) -> None:
    assert store.read(keys(1))[0] is None
    store.write(keys(1, 2, 3), values(1, 2, 3))
    store.write(keys(7, 5), values(7, 5))
    features, found, damaged = store.read(keys(5, 3, 9, 3))
    assert features is not None
    assert found.tolist() == [True, True, False, True]
    assert features[found].tolist() == values(5, 3, 3).tolist()
    assert not features[~found].any()
    assert damaged == ()
    assert store.rows == 5


def test_a_look_at_what_is_known_changes_nothing(store: FeatureStore) -> None:
    assert store.known(keys(1)).tolist() == [False]
    assert not store.folder.exists()
    store.write(keys(1, 2), values(1, 2))
    os.utime(store.folder, (1, 1))
    store.write(keys(7), values(7))
    (store.folder / f"{'0' * 64}.safetensors").write_bytes(b"")  # damaged: left for a run to find
    before = sorted(store.folder.iterdir())
    os.utime(store.folder, (1, 1))
    assert store.known(keys(7, 3, 1, 7)).tolist() == [True, False, True, True]
    assert sorted(store.folder.iterdir()) == before
    assert store.used == 1


def test_meanwhile_kept_elsewhere(store: FeatureStore, tmp_path: Path) -> None:
    usual = cache_folder()
    with kept_in(tmp_path / "other"):
        assert cache_folder() == tmp_path / "other"
        with pytest.raises(KeyError), kept_in(tmp_path / "third"):
            raise KeyError
        assert cache_folder() == tmp_path / "other"
    assert cache_folder() == usual


@pytest.mark.parametrize("harm", ["flip", "cut", "empty"])
def test_a_damaged_file_is_removed_and_said(store: FeatureStore, harm: str) -> None:
    store.write(keys(1, 2), values(1, 2))
    (first,) = store.folder.glob("*.safetensors")
    store.write(keys(3), values(3))
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.write_bytes({"flip": bytes(content), "cut": bytes(content[:-5]), "empty": b""}[harm])
    features, found, damaged = store.read(keys(1, 3))
    assert found.tolist() == [False, True]
    assert features is not None
    assert len(damaged) == 1
    assert first.name in damaged[0]
    assert not first.exists()
    assert store.read(keys(1, 3))[2] == ()


def test_half_written_files_are_not_seen(store: FeatureStore) -> None:
    store.write(keys(1), values(1))
    (file,) = store.folder.glob("*.safetensors")
    (store.folder / f".{file.name}.123.new").write_bytes(file.read_bytes()[:40])
    assert store.read(keys(1))[1].all()
    assert store.rows == 1


def test_the_same_rows_from_two_runs(store: FeatureStore) -> None:
    store.write(keys(1, 2), values(1, 2))
    store.write(keys(1, 2), values(1, 2))  # the same bytes are the same file
    assert store.rows == 2
    store.write(keys(2, 4), values(2, 4))
    features, found, _ = store.read(keys(1, 2, 4))
    assert found.all()
    assert features is not None
    assert features.tolist() == values(1, 2, 4).tolist()


WRITE = """
import sys
import numpy as np
from pathlib import Path
from hftransfer.features.store import FeatureStore

store, number = FeatureStore(Path(sys.argv[1])), int(sys.argv[2])
print("ready", flush=True)
for n in range(200):
    keys = np.zeros((50, 16), np.uint8)
    keys[:, 0], keys[:, 1], keys[:, 2] = number, n, np.arange(50)
    store.write(keys, np.full((50, 64), number * 1000 + n, np.float32))
    store.read(keys[:1])
"""


def start(store: FeatureStore, number: int) -> Any:
    command = [sys.executable, "-c", WRITE, str(store.folder), str(number)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_two_processes_at_once_and_one_that_is_killed(store: FeatureStore) -> None:
    first, killed = start(store, 1), start(store, 2)
    while not list(store.folder.glob("*.safetensors")):
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert first.wait() == 0
    wanted = np.zeros((200, DIGEST), np.uint8)
    wanted[:, 0], wanted[:, 1] = 1, np.arange(200)
    features, found, damaged = store.read(wanted)
    assert found.all()
    assert damaged == ()
    assert features is not None
    assert (features[:, 0] == 1000 + np.arange(200)).all()


def test_what_was_used_last_stays(store: FeatureStore) -> None:
    made = [FeatureStore(store.folder.with_name(name * 32)) for name in "abc"]
    for age, one in enumerate(made):
        one.write(keys(1), values(1))
        os.utime(one.folder, (1000 - age, 1000 - age))
    size = made[0].size
    made[2].read(keys(1))  # used now
    assert [one.folder.name[0] for one in stores()] == ["c", "a", "b"]
    assert evict(2 * size) == size
    assert [one.folder.name[0] for one in stores()] == ["c", "a"]
    assert evict(0) == size  # the last is kept, whatever its size
    assert [one.folder.name[0] for one in stores()] == ["c"]
    assert clear() == size
    assert list(stores()) == []


def test_what_is_another_s_is_left_alone(store: FeatureStore) -> None:
    mine = FeatureStore(store.folder.with_name("0" * 32))
    mine.write(keys(1), values(1))
    theirs = store.folder.with_name("notes")
    theirs.mkdir()
    (theirs / "precious.csv").write_text("a,b")
    (store.folder.parent / "notes.txt").write_text("keep")
    assert [one.folder for one in stores()] == [mine.folder]
    evict(0)
    clear()
    assert not mine.folder.exists()
    assert (theirs / "precious.csv").exists()
    assert (store.folder.parent / "notes.txt").exists()


def test_one_that_may_be_read_alone(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(keys(1), values(1))

    def refuse(*arguments: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "utime", refuse)
    assert store.read(keys(1))[1].all()


def test_a_file_that_is_no_file_of_features_is_not_counted(store: FeatureStore) -> None:
    store.write(keys(1), values(1))
    (store.folder / "empty.safetensors").write_bytes(b"")
    assert store.rows == 1


def test_the_bound_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HFTRANSFER_CACHE_GB", "0.5")
    assert size_bound() == 500_000_000
    for wrong in ("much", "nan", "inf"):
        monkeypatch.setenv("HFTRANSFER_CACHE_GB", wrong)
        with pytest.raises(InputError, match=f"HFTRANSFER_CACHE_GB is '{wrong}'"):
            size_bound()


def test_a_folder_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = FeatureStore(tmp_path / "file" / "one")
    for write in (lambda: store.write(keys(1), values(1)), lambda: store.describe({})):
        with pytest.raises(InputError, match=r"cannot be kept in .*file/one: Not a directory") as caught:
            write()
        assert "HFTRANSFER_CACHE" in str(caught.value.hint)
        assert caught.value.key == "training.cache_features"
