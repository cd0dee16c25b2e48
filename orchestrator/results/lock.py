"""One runner a study: a lock file with host, pid and a heartbeat."""

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
"""A holder on another host that was silent for this long is taken for dead."""


class Locked(Exception):
    """Another process runs this study."""


def started(pid: int) -> str | None:
    """When a process of this host started, in clock ticks since boot.

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
    """Whether a process may still run; one on another host is given the benefit of the doubt."""
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
    """Whether a lock's holder is the process that asks."""
    same_host: bool = holder["host"] == socket.gethostname()
    return same_host and holder["pid"] == os.getpid()


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """One process at a time, for a moment only: the system frees the guard if its holder dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_GUARD).open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


class StudyLock:
    """A context manager; entering raises Locked if a living process holds the lock.

    It also raises Locked if a living process holds a lock in the same folder whose name matches
    `against`.
    """

    def __init__(self, path: Path, against: str = ""):
        self.path = path
        self.against = against
        self._token = secrets.token_hex(8)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def holder(self) -> dict[str, Any] | None:
        """Who holds the lock: token, host, pid, started."""
        try:
            content: dict[str, Any] | None = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return None
        return content

    def holder_alive(self) -> bool:
        """Whether the lock is held by a living process."""
        holder = self.holder()
        if holder is None:
            return False
        if holder["host"] == socket.gethostname():
            # The start time tells a reused process number from the holder's.
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
        # Look and take in one step: of several that find a dead holder, one takes the lock.
        with guarded(self.path.parent):
            self._refuse_if_held()
            replace(self.path, json.dumps(mine).encode())
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()
        return self

    def _refuse_if_held(self) -> None:
        """Raise Locked if a living process holds this lock, or one that it excludes."""
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
