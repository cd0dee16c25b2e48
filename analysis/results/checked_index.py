"""Index of finished trials whose files were found to be as they were written, `checked.json`.

It has a digest of the modification times (ns), sizes and inodes of each trial's files, and what
commands need of `trial.json` and `summary.json`. While the digest is the same, no file of the trial
is opened. The index is a shortcut and nothing else: it may be deleted at any time, a damaged one or
one of another version is like none, and `verify` ignores it. It uses the standard library only.
"""

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from trainable.storage import names
from trainable.storage.trial_folder import replace

VERSION = 2
"""Raise it when what an entry means changes; an index of another version is made anew."""
FILES = (names.TRIAL, names.SUMMARY, names.METRICS_FILE, names.SAMPLES)
SETTLED_S = 2.0
"""Age in seconds below which a file may change again without a new time."""


class Entry(NamedTuple):
    """A finished trial: the digest of its files, and what is needed of two of them."""

    digest: str
    trial: dict[str, Any]
    summary: dict[str, Any]


class CheckedIndex:
    """The index of the study in `root`, as it was when it was read, and what was checked since.

    Of two processes that write at the same time, the later one's index stays. What it lacks is
    checked again.
    """

    def __init__(self, root: Path):
        self._path = root / names.CHECKED
        self._entries = _read(self._path)
        self._new = False

    def get(self, name: str, digest: str | None) -> Entry | None:
        """Return a trial's entry if its files are as they were when they were checked."""
        entry = self._entries.get(name)
        return entry if entry is not None and entry.digest == digest else None

    def add(self, name: str, entry: Entry) -> None:
        """Note that the files of a trial are as they were written."""
        self._entries[name] = entry
        self._new = True

    def save(self) -> None:
        """Write what is new; without an effect where nothing can be written."""
        if self._new:
            content = json.dumps(self._entries).encode()
            with contextlib.suppress(OSError):
                replace(self._path, _header(content) + b"\n" + content)


def _read(path: Path) -> dict[str, Entry]:
    """Return the entries of an index; none if it is absent, damaged or of another version."""
    try:
        header, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return {}
    if header != _header(content):
        return {}
    return {name: Entry(*entry) for name, entry in json.loads(content).items()}


def _header(content: bytes) -> bytes:
    """Return the first line of an index: its version, and the checksum of what follows."""
    return f"checked trials {VERSION} sha256 {hashlib.sha256(content).hexdigest()}".encode()


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
