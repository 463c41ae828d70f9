"""The process that answers questions stays for the next one, and nothing of one answer is seen by the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hftransfer import fresh
from hftransfer.errors import ReloadError
from hftransfer.fresh import FreshProcess
from hftransfer.stem import FORKS

pytestmark = pytest.mark.skipif(not FORKS, reason="no process stays where none can be forked")

ANSWERS = """
import os, sys, time
from pathlib import Path
from hftransfer import stem
SEEN = []
def answer(folder):
    SEEN.append(str(folder))
    exec((folder / "first.py").read_text())
    return {
        "pid": os.getpid(), "stem": os.getppid(), "seen": len(SEEN), "cwd": os.getcwd(),
        "environment": dict(os.environ),
    }
"""
"""What answers here: it imports nothing that takes long, and does first what the folder says."""
SERVES = ANSWERS + "stem.serve(answer)"


@pytest.fixture(autouse=True)
def stems(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[fresh._Stem]]:
    """What is kept for the next question; nothing of other tests."""
    free: list[fresh._Stem] = []
    monkeypatch.setattr(fresh, "_FREE", free)
    monkeypatch.setattr(fresh, "COMMAND", (sys.executable, "-c", SERVES))
    yield free
    fresh._end_all()


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """ask(first: Python that is run before the answer, **options of FreshProcess.ask) -> the answer."""

    def asked(first: str = "", **options: Any) -> dict[str, Any]:
        with FreshProcess() as process:
            return process.ask(question(tmp_path, first), **options)()

    return asked


def question(folder: Path, first: str = "") -> Path:
    (folder / "first.py").write_text(first)
    return folder


def is_alive(process: int) -> bool:
    """Whether there is such a process, and not only what is left of one until somebody asks how it ended."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def is_gone(process: int, within: float = 20.0) -> bool:
    end = time.monotonic() + within
    while is_alive(process) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_alive(process)


def wait_for(file: Path) -> str:
    end = time.monotonic() + 20
    while not (file.is_file() and file.read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return file.read_text()


def test_each_is_answered_by_a_new_process_and_the_stem_stays(ask: Callable[..., dict[str, Any]]) -> None:
    first, second = ask("SEEN += ['more']"), ask()
    assert first["stem"] == second["stem"]
    assert len({os.getpid(), first["stem"], first["pid"], second["pid"]}) == 4
    # Control: what the first has changed, it sees itself.
    assert (first["seen"], second["seen"]) == (2, 1)
    assert is_gone(first["pid"])
    assert is_alive(first["stem"])


def test_it_works_where_this_process_works_now(
    ask: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask("os.chdir('/')")
    monkeypatch.chdir(tmp_path)
    second = ask()
    assert (first["cwd"], second["cwd"]) == ("/", str(tmp_path))
    assert first["stem"] == second["stem"]


def test_another_environment_is_another_stem(
    ask: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries read most of it once, while they are imported."""
    first = ask()
    monkeypatch.setenv("HF_HUB_CACHE", "/somewhere/else")
    second = ask()
    assert second["environment"]["HF_HUB_CACHE"] == "/somewhere/else"
    assert first["environment"].get("HF_HUB_CACHE") != "/somewhere/else"
    assert second["stem"] != first["stem"]
    assert is_gone(first["stem"])


def test_what_not_all_answers_need_is_imported_once(ask: Callable[..., dict[str, Any]]) -> None:
    """One that is not there is none of the stem's business."""
    looks = "assert {there} == ('wave' in sys.modules)"
    ask(looks.format(there=False))
    ask(looks.format(there=True), imports=["wave", "nothing_like_it"])
    ask(looks.format(there=True))


def test_what_libraries_print_is_no_answer(
    ask: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While they are imported, before a question or for one."""
    (tmp_path / "talks.py").write_text("print('a'); import os; os.write(1, b'b\\n')")
    monkeypatch.syspath_prepend(tmp_path)
    speaks = "import os; print('c'); os.write(1, b'ready\\nd'); "
    monkeypatch.setattr(fresh, "COMMAND", (sys.executable, "-c", speaks + "import talks\n" + SERVES))
    first = ask("assert 'talks' in sys.modules", imports=["talks", "this"])
    assert ask("assert 'this' in sys.modules")["stem"] == first["stem"]


def test_what_lies_where_it_is_started_is_not_what_is_imported(
    ask: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A user's `evaluate.py` is not the library of that name, unless it is for this process, too."""
    library, mine = tmp_path / "library", tmp_path / "mine"
    for file, text in ((library / "serves.py", SERVES), (mine / "wave.py", "sys.exit('a script of mine')")):
        file.parent.mkdir()
        file.write_text(f"import sys\n{text}")
    monkeypatch.syspath_prepend(library)
    monkeypatch.setattr(fresh, "COMMAND", (sys.executable, "-m", "serves"))
    monkeypatch.chdir(mine)
    assert ask("import wave")["cwd"] == str(mine)
    monkeypatch.syspath_prepend("")
    with pytest.raises(ReloadError, match="a script of mine"):
        ask("import wave")


def test_what_concerns_this_process_alone_is_not_passed_on(
    ask: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what no answer reads needs no other stem."""
    first = ask()
    for name in ("HF_TOKEN", "RANK", "WORLD_SIZE", "HFTRANSFER_CACHE", "PYTEST_CURRENT_TEST"):
        monkeypatch.setenv(name, "/changed")
    second = ask()
    assert second["stem"] == first["stem"]
    assert "/changed" not in second["environment"].values()
    monkeypatch.setenv("HF_HOME", "/somewhere/else")
    third = ask()["environment"]
    assert {name for name, value in third.items() if value == "/changed"} <= {*fresh.UNREAD}
    assert third["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("print('x' * 200_000); raise ValueError('no such thing')", "ValueError: no such thing$"),
        ("import os; os.kill(os.getpid(), 11)", "exit code -11$"),
        ("print('good night', flush=True); os._exit(3)", "good night$"),
        ("sys.exit('told so')", "told so$"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt$"),
    ],
)
def test_a_child_that_fails_is_told_and_the_next_is_answered(
    ask: Callable[..., dict[str, Any]], first: str, told: str
) -> None:
    before = ask()
    with pytest.raises(ReloadError, match=f"cannot be loaded in a fresh process: .*{told}"):
        ask(first)
    assert ask()["stem"] == before["stem"]


def test_a_stem_that_was_killed_is_replaced(ask: Callable[..., dict[str, Any]]) -> None:
    first = ask()["stem"]
    os.kill(first, signal.SIGKILL)
    assert is_gone(first)
    assert ask()["stem"] != first


def test_a_stem_that_is_killed_while_it_is_asked_is_told_and_replaced(
    ask: Callable[..., dict[str, Any]],
) -> None:
    with pytest.raises(ReloadError, match=r"exit code -9$"):
        ask("os.kill(os.getppid(), 9); time.sleep(0.1)")
    assert ask()["seen"] == 1


def test_a_stem_that_cannot_start_says_why(
    ask: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh, "COMMAND", (sys.executable, "-c", "import nothing_like_it"))
    with pytest.raises(ReloadError, match="No module named 'nothing_like_it'"):
        ask()


def test_it_is_ready_before_it_is_asked_and_ends_when_it_is_not(
    ask: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        fresh, "COMMAND", (sys.executable, "-c", f"{ANSWERS}stem.IDLE = 0.3\nstem.serve(answer)")
    )
    with FreshProcess() as process:
        stem = process.start()
        process.ready()
        assert is_alive(stem)
        assert is_gone(stem, within=10)
        # It was asked too late: another one answers.
        assert process.ask(question(tmp_path))()["stem"] != stem
    # Asked in the very moment in which it ends, it has not seen the question.
    with FreshProcess() as process:
        stem = process.start()
        process.ready()
        monkeypatch.setattr(fresh._Stem, "is_alive", lambda self: True)
        assert is_gone(stem, within=10)
        waits = process.ask(question(tmp_path))
        monkeypatch.undo()
        monkeypatch.setattr(fresh, "COMMAND", (sys.executable, "-c", SERVES))
        assert waits()["stem"] != stem


def test_two_threads_have_one_each_and_one_is_kept(stems: list[fresh._Stem], tmp_path: Path) -> None:
    both = threading.Barrier(2)
    found: list[int] = []

    def run(name: str) -> None:
        (tmp_path / name).mkdir()
        with FreshProcess() as process:
            waits = process.ask(question(tmp_path / name))
            both.wait(20)
            found.append(waits()["stem"])

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len({*found}) == 2
    assert len(stems) == 1
    assert sum(is_alive(stem) for stem in found) == 1


def test_whoever_gives_up_waiting_leaves_nothing(ask: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """Such as a run that is interrupted."""
    sleeps = f"Path({str(tmp_path / 'child')!r}).write_text(str(os.getpid())); time.sleep(60)"
    with FreshProcess() as process:
        process.ask(question(tmp_path, sleeps))
        child, stem = int(wait_for(tmp_path / "child")), process.start()
        assert is_alive(child)
    assert is_gone(child, within=5)
    assert not is_alive(stem)
    assert ask()["stem"] != stem


def test_an_interrupt_of_all_processes_ends_no_stem(ask: Callable[..., dict[str, Any]]) -> None:
    """As a notebook's is: it reaches the stem, too."""
    first = ask()["stem"]
    os.kill(first, signal.SIGINT)
    assert ask()["stem"] == first


PARENT = f"""
import os, sys, time
from pathlib import Path
from hftransfer import fresh
fresh.COMMAND = (sys.executable, "-c", {SERVES!r})
folder = Path(sys.argv[1])
process = fresh.FreshProcess()
with process:
    process.ready()
    stem = process.start()
    (folder / "stem").write_text(str(stem))
"""


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", PARENT, tmp_path], check=True)
    assert not is_alive(int((tmp_path / "stem").read_text()))


def test_it_ends_with_whoever_started_it_and_was_killed(tmp_path: Path) -> None:
    """That can tell nobody: the stem sees that nobody is left to ask it anything. A process that was forked from there,
    such as one that loads data, does not keep it."""
    forks = """
if not os.fork():
    (folder / "forked").write_text(str(os.getpid()))
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", PARENT + forks, tmp_path])
    forked, stem = int(wait_for(tmp_path / "forked")), int((tmp_path / "stem").read_text())
    try:
        assert is_alive(stem)
        parent.kill()
        parent.wait(20)
        assert is_gone(stem, within=5)
        assert is_alive(forked)
    finally:
        os.kill(forked, signal.SIGKILL)


def test_a_child_ends_with_whoever_asked(tmp_path: Path) -> None:
    sleeps = f"Path({str(tmp_path / 'child')!r}).write_text(str(os.getpid())); time.sleep(60)"
    asks = "    process.ask(folder)()\n"
    question(tmp_path, sleeps)
    parent = subprocess.Popen([sys.executable, "-c", PARENT + asks, tmp_path])
    child = int(wait_for(tmp_path / "child"))
    assert is_alive(child)
    parent.kill()
    parent.wait(20)
    assert is_gone(child, within=5)
    assert is_gone(int((tmp_path / "stem").read_text()), within=5)


def test_where_nothing_can_be_forked_each_has_its_own(
    ask: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fresh, "COMMAND", (sys.executable, "-c", f"{ANSWERS}stem.FORKS = False\nstem.serve(answer)")
    )
    first, second = ask(), ask()
    assert first["pid"] != second["pid"]
    assert first["stem"] == second["stem"] == os.getpid()
    with pytest.raises(ReloadError, match="ValueError: no such thing"):
        ask("raise ValueError('no such thing')")
