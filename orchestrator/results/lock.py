"""Lock of a study, for one runner at a time: a file with machine, pid and a heartbeat.

A holder on the same machine is asked for by its process number. Of any other holder only the
heartbeat is known. It counts as dead if its heartbeat does not change for a minute of this
process's own clock, so clocks of machines and file servers are not compared.
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from trainable.storage.names import LOCK_GUARD
from trainable.storage.trial_folder import replace

HEARTBEAT_S = 5.0
SILENCE_S = 60.0
"""Seconds without a new heartbeat after which a holder on another machine counts as dead."""
GUARD_S = 30.0
"""Longest wait for the guard, which is held for a moment only."""
MISSED = 3
"""Heartbeats in a row for which the lock's file is missing before the lock counts as lost."""


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
    return _is_near(holder) and bool(holder["pid"] == os.getpid())


def this_machine() -> str:
    """Identify the machine, or the container, within which process numbers are unique."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Exclude other processes for a moment; the system frees the guard if its holder dies.

    Raises:
        Locked: another process, which may be stopped, holds the guard for too long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_GUARD).open("a+b", buffering=0) as guard:
        _take_guard(guard, folder)
        guard.truncate(0)
        with contextlib.suppress(OSError):  # a full disk: the guard is held without a name
            guard.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
        guard.truncate(0)


def _take_guard(guard: IO[bytes], folder: Path) -> None:
    deadline = time.monotonic() + GUARD_S
    while True:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                guard.seek(0)
                holder = guard.read().decode(errors="replace") or "another process"
                raise Locked(
                    f"{folder} cannot be locked: {holder} has held {LOCK_GUARD} for "
                    f"{GUARD_S:g} s. It may be stopped: let it continue, or end it"
                ) from None
            time.sleep(0.02)


class StudyLock:
    """Context manager that holds the lock of a study.

    Entering raises Locked if a living process holds the lock, or a lock in the same folder whose
    name matches `against`. A holder that loses its lock, for instance while it was suspended,
    interrupts its own process, and leaving raises Locked.

    Args:
        path: the lock's file.
        against: pattern of the names of other locks that exclude this one.
        tell: prints why entering takes a minute.
    """

    def __init__(
        self, path: Path, against: str = "", tell: Callable[[str], None] = lambda sentence: None
    ):
        self.path = path
        self.against = against
        self._tell = tell
        self._token = secrets.token_hex(8)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lost: str | None = None

    def holder(self) -> dict[str, Any] | None:
        """Return the holder of the lock: token, host, machine, pid, started; None: there is none.

        A file of another shape is damaged, and holds no lock.
        """
        try:
            content = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(content, dict) or not content.keys() >= {"token", "host", "pid"}:
            return None
        return content

    @property
    def _beat(self) -> tuple[str, int] | None:
        """The holder's token and its last heartbeat, in nanoseconds of a clock of its own."""
        holder = self.holder()
        try:
            return (holder["token"], self.path.stat().st_mtime_ns) if holder else None
        except OSError:
            return None

    def holder_alive(self) -> bool:
        """Return whether a living process seems to hold the lock, without waiting.

        Of a holder on another machine the clocks are compared, for display.
        """
        holder = self.holder()
        if holder is None:
            return False
        if _is_near(holder):
            return _runs(holder)
        try:
            return time.time() - self.path.stat().st_mtime < SILENCE_S
        except OSError:
            return False

    def __enter__(self) -> "StudyLock":
        pid = os.getpid()
        mine = {
            "token": self._token,
            "host": socket.gethostname(),
            "machine": this_machine(),
            "pid": pid,
            "started": started(pid),
        }
        silent = {lock.path: lock._silent_beat() for lock in self._excluding()}
        # Check and take in one step, so that only one process replaces a dead holder.
        with guarded(self.path.parent):
            for lock in self._excluding():
                holder = lock.holder()
                if holder is None:
                    continue
                alive = _runs(holder) if _is_near(holder) else lock._beat != silent.get(lock.path)
                if alive:
                    raise lock._refusal(holder)
            replace(self.path, json.dumps(mine).encode())
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()
        return self

    def _excluding(self) -> list["StudyLock"]:
        """Return this lock and the others of the folder that it excludes."""
        folder = self.path.parent
        if not folder.is_dir():
            return [self]
        others = [path for path in folder.iterdir() if re.fullmatch(self.against, path.name)]
        return [self, *(StudyLock(path, tell=self._tell) for path in others)]

    def _silent_beat(self) -> tuple[str, int] | None:
        """Return the last heartbeat of a holder on another machine, after a minute of silence.

        Raises:
            Locked: there is a new heartbeat.
        """
        holder = self.holder()
        before = self._beat
        if holder is None or before is None or _is_near(holder):
            return None
        self._tell(
            f"note: {self.path.parent} was run by process {holder['pid']} on {holder['host']}; "
            f"waiting up to {SILENCE_S:g} s for a sign of life"
        )
        deadline = time.monotonic() + SILENCE_S
        while time.monotonic() < deadline:
            time.sleep(min(1.0, SILENCE_S / 10))
            now = self._beat
            if now is None:  # released meanwhile
                return None
            if now != before:
                raise self._refusal(holder)
        self._tell(f"note: there was none for {SILENCE_S:g} s; this run takes over")
        return before

    def _refusal(self, holder: dict[str, Any]) -> Locked:
        return Locked(
            f"{self.path.parent} is being run by process {holder['pid']} on {holder['host']}; "
            "wait for it or stop it"
        )

    def _keep(self) -> None:
        """Touch the file until the end, or until the lock is lost."""
        missed = 0
        while not self._stop.wait(HEARTBEAT_S):
            holder = self.holder()
            if holder and holder["token"] != self._token:
                self._lose(
                    f"another run has taken over {self.path.parent}: process {holder['pid']} on "
                    f"{holder['host']}; this one was silent for a minute, and stops"
                )
                return
            try:
                os.utime(self.path)
                missed = 0
            except OSError:
                missed += 1
            if missed == MISSED:
                self._lose(f"{self.path} was deleted or moved; the run stops")
                return

    def _lose(self, reason: str) -> None:
        """End the run as an interrupt does: trials keep what they have."""
        self._lost = reason
        os.kill(os.getpid(), signal.SIGTERM)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
        if self.path.exists():
            with guarded(self.path.parent):
                if (self.holder() or {}).get("token") == self._token:
                    self.path.unlink()
        if self._lost and kind is None:
            raise Locked(self._lost)


def _is_near(holder: dict[str, Any]) -> bool:
    """Return whether a lock's holder is, or was, a process of this machine."""
    if "machine" in holder:
        return bool(holder["machine"] == this_machine())
    return bool(holder["host"] == socket.gethostname())


def _runs(holder: dict[str, Any]) -> bool:
    """Return whether a holder of this machine runs; a reused number has another start time."""
    pid = holder["pid"]
    return alive(holder["host"], pid) and holder.get("started") == started(pid)
