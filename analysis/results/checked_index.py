"""Index of finished trials whose files were found to be as they were written, `checked.json`.

It has a digest of the modification times (ns), sizes and inodes of each trial's files. While they
are the same, no checksum is computed again. It is a shortcut and nothing else: it may be deleted at
any time, a damaged one is like none, and `verify` ignores it. It uses the standard library
only.
"""

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

from trainable.storage import names
from trainable.storage.checksums import Damaged, read_signed, signed
from trainable.storage.trial_folder import replace

FILES = (names.TRIAL, names.SUMMARY, names.METRICS_FILE, names.SAMPLES)
SETTLED_S = 2.0
"""A file may change again without a new time if it was written less than so many seconds ago."""


class CheckedIndex:
    """The index of the study in `root`, as it was when it was read, and what was checked since."""

    def __init__(self, root: Path):
        self._path = root / names.CHECKED
        self._known: dict[str, str] = {}
        self._new = False
        with contextlib.suppress(OSError, Damaged):
            self._known = read_signed(self._path, compulsory=True)

    def knows(self, name: str, digest: str | None) -> bool:
        """Return whether the files of a trial with this digest were checked."""
        return digest is not None and self._known.get(name) == digest

    def add(self, name: str, digest: str | None) -> None:
        """Note that the files of a trial with this digest are as they were written."""
        if digest is not None:
            self._known[name] = digest
            self._new = True

    def save(self) -> None:
        """Write what is new; without an effect where nothing can be written."""
        if self._new:
            with contextlib.suppress(OSError):
                replace(self._path, json.dumps(signed(self._known)).encode())


def digest(folder: Path, checksums: bool) -> str | None:
    """Return 16 hex digits for the state of a trial's files; None if one was written just now.

    Args:
        folder: the trial's folder.
        checksums: whether they are compulsory; that is part of what was checked.
    """
    state: list[int | str] = [checksums]
    newest = 0
    try:
        with os.scandir(folder) as entries:
            there = {entry.name: entry.stat() for entry in entries if entry.name in FILES}
    except OSError:
        return None
    for name, found in sorted(there.items()):
        state += [name, found.st_mtime_ns, found.st_size, found.st_ino]
        newest = max(newest, found.st_mtime_ns)
    if newest > time.time_ns() - SETTLED_S * 1e9:
        return None
    return hashlib.sha256(repr(state).encode()).hexdigest()[:16]
