"""The study's lock between real processes: one holder, and nobody waits for the dead."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.results import lock
from orchestrator.results.lock import Locked, StudyLock, alive, started

PATIENCE_S = 30
HOLD = """
import sys
from pathlib import Path
from orchestrator.results.lock import StudyLock
with StudyLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s" / "study.lock"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def written(path: Path, age_s: float = 0, **changes: Any) -> None:
    """A lock file as somebody else left it `age_s` seconds ago."""
    content = {
        "token": "theirs",
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": started(os.getpid()),
        "machine": lock.this_machine(),
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**content, **changes}))
    os.utime(path, (time.time() - age_s,) * 2)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def files(path: Path) -> list[str]:
    """Files beside the lock and itself; an empty guard, which stays for the next taker, aside."""
    return [file.name for file in path.parent.iterdir() if file.suffix != ".guard"]


def can_be_taken(path: Path) -> bool:
    try:
        with StudyLock(path):
            return True
    except Locked:
        return False


def test_a_second_process_is_refused_and_told_host_and_pid(path, holder):
    expected = f"{path.parent} is being run by process {holder.pid} on {socket.gethostname()}; "
    with pytest.raises(Locked, match=re.escape(expected)), StudyLock(path):
        pass
    assert files(path) == ["study.lock"], "the refused one leaves nothing behind"
    assert StudyLock(path).holder_alive()


def test_the_same_process_is_refused_a_second_time(path):
    with StudyLock(path):
        assert not can_be_taken(path)
    assert can_be_taken(path)


def test_the_end_of_the_holder_releases_the_lock(path, holder):
    holder.communicate(timeout=PATIENCE_S)
    assert holder.returncode == 0
    assert files(path) == []
    assert not StudyLock(path).holder_alive()
    assert can_be_taken(path)


def test_an_error_inside_releases_the_lock(path):
    with pytest.raises(ValueError, match="inside"), StudyLock(path):
        raise ValueError("inside")
    assert files(path) == []


def test_a_killed_holder_s_lock_is_taken_over(path, holder):
    holder.kill()
    holder.wait()
    assert files(path) == ["study.lock"], "SIGKILL leaves it behind"
    assert not StudyLock(path).holder_alive()
    with StudyLock(path) as mine:
        assert mine.holder_alive()
        assert mine.holder()["pid"] == os.getpid()
    assert files(path) == []


def test_a_zombie_does_not_hold_the_lock(path, holder):
    holder.kill()
    os.waitid(
        os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT
    )  # dead, and not yet collected by its parent
    assert can_be_taken(path)


def test_a_reused_process_number_does_not_hold_the_lock(path):
    written(path)
    assert not can_be_taken(path), "this very process"
    written(path, started="1")
    assert not StudyLock(path).holder_alive()
    assert can_be_taken(path)


ELSEWHERE: dict[str, Any] = {"machine": "another one"}
"""A holder on another host, or in another container that has this one's host name."""


@pytest.mark.parametrize("host", ["elsewhere", socket.gethostname()])
@pytest.mark.parametrize("age_s", [0, 3600, -3600])
def test_a_holder_on_another_machine_is_believed_while_its_heartbeat_changes(
    path, monkeypatch, host, age_s
):
    """Whatever its clock says, and that of the file server."""
    monkeypatch.setattr(lock, "SILENCE_S", 5)
    written(path, age_s, host=host, pid=dead_pid(), **ELSEWHERE)
    over = threading.Event()

    def beat() -> None:
        beats = 0
        while not over.wait(0.1):
            beats += 1
            os.utime(path, (time.time() - age_s + 5 * beats,) * 2)

    thread = threading.Thread(target=beat)
    thread.start()
    told: list[str] = []
    with pytest.raises(Locked, match=f"on {host}"), StudyLock(path, tell=told.append):
        pass
    over.set()
    thread.join()
    assert len(told) == 1
    assert "waiting up to 5 s for a sign of life" in told[0]
    assert StudyLock(path).holder()["host"] == host


@pytest.mark.parametrize("age_s", [0, 3600, -3600])
def test_a_holder_on_another_machine_is_taken_for_dead_after_a_silence(path, monkeypatch, age_s):
    monkeypatch.setattr(lock, "SILENCE_S", 0.5)
    written(path, age_s, host="elsewhere", **ELSEWHERE)
    told: list[str] = []
    begin = time.monotonic()
    with StudyLock(path, tell=told.append) as mine:
        assert time.monotonic() - begin >= 0.5
        assert mine.holder()["pid"] == os.getpid()
    assert [sentence.split()[0] for sentence in told] == ["note:", "note:"]
    assert "this run takes over" in told[1]


def test_the_silence_of_a_lock_that_excludes_this_one_is_told_too(path, monkeypatch):
    monkeypatch.setattr(lock, "SILENCE_S", 0.3)
    written(path, host="elsewhere", **ELSEWHERE)
    told: list[str] = []
    with StudyLock(path.with_name("shard.lock"), r"study\.lock", told.append):
        pass
    assert len(told) == 2


def test_a_holder_on_another_machine_that_releases_its_lock_is_not_waited_for(path, monkeypatch):
    monkeypatch.setattr(lock, "SILENCE_S", 20)
    written(path, host="elsewhere", **ELSEWHERE)
    timer = threading.Timer(0.2, path.unlink)
    timer.start()
    begin = time.monotonic()
    assert can_be_taken(path)
    assert time.monotonic() - begin < 10
    timer.join()


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Quick heartbeats; signals that a lock sends to its own process, which are not delivered."""
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.02)
    sent: list[int] = []
    monkeypatch.setattr(lock.os, "kill", lambda pid, number: sent.append(number))
    return sent


def lose(path: Path, signals: list[int], how: Callable[[], Any], error: Exception | None) -> None:
    """Hold the lock until it is lost, then leave, with an error or without."""
    with StudyLock(path):
        how()
        wait_until(lambda: bool(signals))
        if error:
            raise error


def take_over(path: Path) -> None:
    written(path, token="new", host="elsewhere", **ELSEWHERE)


def test_a_holder_that_wakes_up_after_another_took_over_stops_with_a_sentence(path, signals):
    with pytest.raises(Locked, match=r"another run has taken over .* on elsewhere"):
        lose(path, signals, lambda: take_over(path), None)
    assert signals == [signal.SIGTERM]
    assert StudyLock(path).holder()["token"] == "new", "the new holder's lock stays"


def test_results_that_are_deleted_or_moved_end_the_run(path, signals):
    moved = path.parent.with_name("moved")
    with pytest.raises(Locked, match="was deleted or moved"):
        lose(path, signals, lambda: path.parent.rename(moved), None)
    assert signals == [signal.SIGTERM]
    assert not path.parent.exists(), "nothing is written there any more"


def test_an_error_of_the_run_is_not_hidden_by_the_loss_of_its_lock(path, signals):
    with pytest.raises(ValueError, match="inside"):
        lose(path, signals, lambda: take_over(path), ValueError("inside"))


def test_a_guard_that_a_stopped_process_holds_is_told(path, monkeypatch):
    monkeypatch.setattr(lock, "GUARD_S", 0.3)
    with lock.guarded(path.parent):
        expected = f"cannot be locked: process {os.getpid()} on {socket.gethostname()} has held"
        with pytest.raises(Locked, match=expected), StudyLock(path):
            pass
    assert can_be_taken(path)


@pytest.fixture
def no_space() -> Iterator[Callable[[], None]]:
    """Call it to have this process write no further byte to any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_lock_is_released_where_no_byte_can_be_written(path, no_space):
    """As on a full disk: leaving the lock raises nothing that would hide why a run ended."""
    with StudyLock(path):
        no_space()
    assert files(path) == []


def test_silence_on_this_host_means_nothing_while_the_process_lives(path):
    written(path, age_s=3600)
    assert not can_be_taken(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"7", b"[]", b"{}", b'{"token": 1}'])
def test_an_unreadable_lock_is_nobody_s(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    assert not StudyLock(path).holder_alive()
    assert can_be_taken(path)
    assert files(path) == []


def test_heartbeats_touch_the_file_until_the_end(path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.01)
    threads = threading.active_count()
    with StudyLock(path):
        for _ in range(2):
            os.utime(path, (0, 0))
            wait_until(lambda: path.stat().st_mtime > 0)
    assert threading.active_count() == threads


def test_the_heartbeat_survives_the_loss_of_its_file(path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(lock, "MISSED", 1000)
    with StudyLock(path):
        path.rename(path.with_name("away"))
        time.sleep(0.05)
        path.with_name("away").rename(path)
        os.utime(path, (0, 0))
        wait_until(lambda: path.stat().st_mtime > 0)


def test_a_holder_that_lost_its_lock_leaves_the_new_holder_s_alone(path):
    with StudyLock(path):
        written(path, token="new")
    assert StudyLock(path).holder()["token"] == "new"


def test_a_process_of_another_host_may_be_alive_and_a_dead_one_of_ours_is_not():
    assert alive("elsewhere", dead_pid())
    assert alive(socket.gethostname(), os.getpid())
    assert not alive(socket.gethostname(), dead_pid())
    assert started(os.getpid()) == started(os.getpid()) is not None


def winners(path: Path, takers: int) -> int:
    """How many of so many threads get a dead holder's lock while each winner keeps it until all have tried."""
    written(path, started="1")
    begin, end = (
        threading.Barrier(takers, timeout=PATIENCE_S),
        threading.Barrier(takers, timeout=PATIENCE_S),
    )
    won = []

    def take() -> None:
        begin.wait()
        try:
            with StudyLock(path):
                won.append(True)
                end.wait()
        except Locked:
            end.wait()

    threads = [threading.Thread(target=take) for _ in range(takers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files(path) == []
    return len(won)


@pytest.mark.parametrize("takers", [2, 8])
def test_of_several_takers_of_a_dead_lock_one_wins(path, monkeypatch, takers):
    def slowly(content: bytes) -> Any:
        time.sleep(
            0.001
        )  # as on a network's file system: widens the gap between reading a lock and acting on it
        return json.loads(content)

    monkeypatch.setattr(lock, "json", SimpleNamespace(loads=slowly, dumps=json.dumps))
    assert [winners(path, takers) for _ in range(25)] == [1] * 25
