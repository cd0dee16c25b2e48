"""Lock of a study, for one runner at a time: a file with host, pid and a heartbeat."""

import contextlib
import fcntl
import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from trainable.storage.names import LOCK_GUARD
from trainable.storage.trial_folder import replace

HEARTBEAT_S = 5.0
SILENCE_S = 60.0
"""Seconds without a heartbeat after which a holder on another host counts as dead."""


class Locked(Exception):
    """Another process runs this study."""


def started(pid: int) -> str | None:
    """Return the start time of a process of this host, in clock ticks since boot.

    None if it does not run, or is a zombie.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    dead = fields[0] in "ZX"
    return None if dead else fields[19]


def alive(host: str, pid: int) -> bool:
    """Return whether a process may still run; True for any process on another host."""
    if host != socket.gethostname():
        return True
    if Path("/proc/self/stat").exists():
        return started(pid) is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def is_this_process(holder: dict[str, Any]) -> bool:
    """Return whether a lock's holder is the calling process."""
    same_host: bool = holder["host"] == socket.gethostname()
    return same_host and holder["pid"] == os.getpid()


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Exclude other processes for a moment; the system frees the guard if its holder dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_GUARD).open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


class StudyLock:
    """Context manager that holds the lock of a study.

    Entering raises Locked if a living process holds the lock, or a lock in the same folder whose
    name matches `against`.
    """

    def __init__(self, path: Path, against: str = ""):
        self.path = path
        self.against = against
        self._token = secrets.token_hex(8)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def holder(self) -> dict[str, Any] | None:
        """Return the holder of the lock: token, host, pid, started; None if there is none."""
        try:
            content: dict[str, Any] | None = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return None
        return content

    def holder_alive(self) -> bool:
        """Return whether a living process holds the lock."""
        holder = self.holder()
        if holder is None:
            return False
        if holder["host"] == socket.gethostname():
            # A reused process number has another start time.
            pid = holder["pid"]
            return alive(holder["host"], pid) and holder["started"] == started(pid)
        try:
            return time.time() - self.path.stat().st_mtime < SILENCE_S
        except OSError:
            return False

    def __enter__(self) -> "StudyLock":
        pid = os.getpid()
        mine = {
            "token": self._token,
            "host": socket.gethostname(),
            "pid": pid,
            "started": started(pid),
        }
        # Check and take in one step, so that only one process replaces a dead holder.
        with guarded(self.path.parent):
            self._refuse_if_held()
            replace(self.path, json.dumps(mine).encode())
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()
        return self

    def _refuse_if_held(self) -> None:
        """Raise Locked if a living process holds this lock or a lock that it excludes."""
        folder = self.path.parent
        others = [path for path in folder.iterdir() if re.fullmatch(self.against, path.name)]
        for lock in [self, *map(StudyLock, others)]:
            holder = lock.holder() if lock.holder_alive() else None
            if holder:
                raise Locked(
                    f"{folder} is being run by process {holder['pid']} on {holder['host']}; "
                    "wait for it or stop it"
                )

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
        with guarded(self.path.parent):
            if (self.holder() or {}).get("token") == self._token:
                self.path.unlink()
