"""The study's lock between real processes: one holder, and nobody waits for the dead."""

import json
import os
import re
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


def test_a_holder_on_another_host_is_believed_while_it_is_heard_of(path):
    written(path, age_s=lock.SILENCE_S - 20, host="elsewhere", pid=dead_pid())
    assert StudyLock(path).holder_alive()
    with pytest.raises(Locked, match="on elsewhere"), StudyLock(path):
        pass
    assert StudyLock(path).holder()["host"] == "elsewhere"


def test_a_holder_on_another_host_is_taken_for_dead_after_a_minute_of_silence(path):
    written(path, age_s=61, host="elsewhere")
    assert not StudyLock(path).holder_alive()
    assert can_be_taken(path)


def test_silence_on_this_host_means_nothing_while_the_process_lives(path):
    written(path, age_s=3600)
    assert not can_be_taken(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
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
