"""The folder of one trial: configuration, rows, checkpoints, summary, failure, owner.

Files contain bytes or JSON. Every file except the rows is replaced atomically, so a crash leaves
the old or the new content. Rows are appended and flushed to disk *before* the checkpoint of the
same epoch, so every epoch of a checkpoint has its row. `summary.json` is written last: it exists if
and only if the trial is done. The module imports the standard library only, because the analysis
and the orchestrator read these folders without torch.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainable.storage import names
from trainable.storage.checksums import Damaged, read_signed, signed
from trainable.storage.last_epochs import last_epochs
from trainable.storage.result import FILES, files_of_result, read_result
from trainable.storage.rows import read_rows, rows_checksum, rows_text

PLACE = re.compile(r"([a-z0-9_][a-z0-9_.=+,-]*/){1,3}seed=\d+")
"""Allowed paths of a trial's folder below `runs/`; they cannot point outside of it."""
_MAGIC = b"dividemix-checkpoint sha256 "


class LostFolder(Exception):
    """Another process has claimed this trial's folder; this process must not write any more."""


class TrialFolder:
    """Files of one trial; reading needs no claim, writing needs `claim` first.

    Methods that write raise LostFolder if another process has claimed the folder since.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self._token: str | None = None

    # --- owner ---

    def claim(self) -> None:
        """Become the only writer.

        A previous writer that still runs, for instance on a disconnected node, finds another token
        at its next write and stops.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._token = secrets.token_hex(8)
        owner = {
            "token": self._token,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": time.time(),
        }
        replace(self.path / names.OWNER, json.dumps(owner).encode())
        for partial in self.path.glob(".*.tmp"):  # of a previous writer
            partial.unlink(missing_ok=True)

    def release(self) -> None:
        """Release the folder if this process still owns it."""
        owner = self.owner if self._token else None
        if owner and owner.get("token") == self._token:
            (self.path / names.OWNER).unlink(missing_ok=True)
        self._token = None

    @property
    def owner(self) -> dict[str, Any] | None:
        """`owner.json`: token, host, pid, since (seconds since 1970)."""
        return _shaped(_json(self.path / names.OWNER), token=str, host=str, pid=int)

    def _check_owner(self) -> None:
        owner = self.owner
        if self._token is None or owner is None or owner.get("token") != self._token:
            if not self.path.is_dir():
                raise LostFolder(f"{self.path} was deleted or moved")
            raise LostFolder(f"{self.path} belongs to another process: {owner}")

    def _rename(self, temporary: Path, name: str) -> None:
        """Give a complete temporary file its name; the next owner deletes temporary files."""
        try:
            temporary.replace(self.path / name)
        except FileNotFoundError:
            self._check_owner()
            raise
        _sync_folder(self.path)

    # --- small files ---

    def write(self, name: str, content: bytes) -> None:
        """Replace a file of the folder atomically."""
        self._check_owner()
        self._rename(_write_synced(self.path / name, content), name)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Replace a JSON file atomically, with a checksum. Raises ValueError for NaN, infinity."""
        self.write(name, json.dumps(signed(content), indent=1, allow_nan=False).encode())

    def remove(self, *files: str) -> None:
        """Delete files that may be absent."""
        self._check_owner()
        for name in files:
            (self.path / name).unlink(missing_ok=True)

    def set_aside(self, name: str) -> str:
        """Rename a damaged file to `*.damaged`, and return its new name."""
        self._check_owner()
        path = self.path / name
        damaged = path.with_suffix(".damaged")
        path.replace(damaged)
        return damaged.name

    @property
    def trial(self) -> dict[str, Any] | None:
        """`trial.json`: id, config, format, fingerprint; None if it is missing or damaged."""
        about = _json(self.path / names.TRIAL)
        if about is None:
            return None
        sections = (about.get("config", {}), about.get("fingerprint", {}))
        return about if all(isinstance(section, dict) for section in sections) else None

    @property
    def summary(self) -> dict[str, Any] | None:
        """`summary.json`: final metrics; None unless the trial is done and its files are whole."""
        try:
            return read_result(self.path)
        except Damaged:
            return None

    @property
    def stopped(self) -> dict[str, Any] | None:
        """`stopped.json`: epoch and reason; it exists if and only if a search stopped the trial."""
        stopped = _shaped(_json(self.path / names.STOPPED), epoch=int, reason=str)
        if stopped is not None:
            stopped.pop("rows", None)  # their checksum, see `storage.result`
        return stopped

    @property
    def failure(self) -> dict[str, Any] | None:
        """`failure.json`: kind, message, traceback, retry, attempts."""
        return _shaped(
            _json(self.path / names.FAILURE), kind=str, message=str, retry=bool, attempts=int
        )

    def stop(self, epoch: int, reason: str) -> None:
        """Mark the trial as stopped; it is never resumed.

        No claim is needed, because the search stops a trial while an actor owns the folder.
        """
        content = {"epoch": epoch, "reason": reason, "rows": rows_checksum(self.path, epoch)}
        replace(self.path / names.STOPPED, json.dumps(signed(content)).encode())

    def log(self, message: str) -> None:
        """Append a line with the time to `train.log`."""
        self._check_owner()
        path = self.path / names.LOG
        with _named(path), path.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {message}\n")

    # --- rows ---

    def append_row(self, row: dict[str, Any]) -> None:
        """Add one epoch's metrics and flush them to disk. Raises ValueError for NaN or infinity."""
        self._check_owner()
        line = json.dumps(row, allow_nan=False)
        path = self.path / names.METRICS_FILE
        with _named(path), path.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows; lines that are no rows are left out, as after a crash the last one."""
        return read_rows(self.path)

    def keep_rows(self, epochs: int) -> None:
        """Delete rows of epochs after `epochs`, the epoch of the checkpoint that is resumed."""
        self._check_owner()
        rows = [row for row in self.rows() if row["epoch"] <= epochs]
        self.write(names.METRICS_FILE, rows_text(rows))

    # --- checkpoints ---

    def save_checkpoint(self, state: bytes) -> None:
        """Write a complete state with its checksum; the previous one is `checkpoint.prev.pt`."""
        self._check_owner()
        newest = self.path / names.CHECKPOINT
        fresh = _write_synced(newest, _header(state) + b"\n" + state)
        with contextlib.suppress(FileNotFoundError):
            newest.replace(self.path / names.PREVIOUS_CHECKPOINT)
        self._rename(fresh, names.CHECKPOINT)

    def load_checkpoints(self) -> Iterator[bytes]:
        """Yield states from the newest to the oldest.

        A damaged checkpoint is skipped and renamed to `*.damaged`, with a line in `train.log`.
        """
        for name in (names.CHECKPOINT, names.PREVIOUS_CHECKPOINT):
            path = self.path / name
            try:
                header, _, state = path.read_bytes().partition(b"\n")
            except FileNotFoundError:
                continue
            if header == _header(state):
                yield state
            else:
                kept = self.set_aside(name)
                self.log(
                    f"{name} does not match its checksum: kept as {kept}; the previous checkpoint "
                    "is used"
                )

    @property
    def has_checkpoint(self) -> bool:
        """Whether a checkpoint exists."""
        newest = self.path / names.CHECKPOINT
        previous = self.path / names.PREVIOUS_CHECKPOINT
        return newest.exists() or previous.exists()

    # --- end ---

    def fail(self, kind: str, message: str, traceback: str, retry: bool) -> None:
        """Write `failure.json` of an attempt; `retry` is whether another attempt may succeed."""
        attempts = (self.failure or {}).get("attempts", 0) + 1
        rows = self.rows()
        epoch = rows[-1]["epoch"] if rows else 0
        self.log(f"failed after epoch {epoch}: {kind}: {message}")
        about = {
            "kind": kind,
            "message": message,
            "epoch": epoch,
            "retry": retry,
            "attempts": attempts,
            "traceback": traceback,
        }
        self.write_json(names.FAILURE, about)

    def finish(self, summary: dict[str, Any]) -> None:
        """Mark the trial as done; checkpoints are deleted after the summary is on disk."""
        self.write_json(names.SUMMARY, {**summary, FILES: files_of_result(self.path)})
        self.remove(names.CHECKPOINT, names.PREVIOUS_CHECKPOINT, names.FAILURE)


def score(rows: list[dict[str, Any]], metric: str) -> float | None:
    """Return a trial's score: the mean over its last epochs.

    Metrics `work/…` are summed over all epochs. None: there are no rows, or a row does not have the
    metric.
    """
    values = [row[metric] for row in rows if metric in row]
    if not rows or len(values) < len(rows):
        return None
    if metric.startswith("work/"):
        return float(sum(values))
    last = values[-last_epochs(len(values)) :]
    return float(sum(last) / len(last))


def replace(path: Path, content: bytes) -> None:
    """Write a file atomically: a crash leaves the old or the new content."""
    _write_synced(path, content).replace(path)
    _sync_folder(path.parent)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the file in an error of a write, such as a full disk, which names none."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _header(state: bytes) -> bytes:
    """Return the first line of a checkpoint: the checksum of what follows."""
    return _MAGIC + hashlib.sha256(state).hexdigest().encode()


def _write_synced(path: Path, content: bytes) -> Path:
    """Write a temporary file next to `path` and flush it to disk; the caller renames it."""
    # Processes of two containers may have the same number.
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    with _named(path), fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return fresh


def _sync_folder(path: Path) -> None:
    """Flush a folder to disk; a rename survives a power failure only after that."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _json(path: Path) -> dict[str, Any] | None:
    """Return the object in a JSON file; None if the file is absent or damaged."""
    try:
        return read_signed(path)
    except (FileNotFoundError, Damaged):
        return None


def _shaped(content: dict[str, Any] | None, **kinds: type) -> dict[str, Any] | None:
    """Return an object if it has these keys with values of these types; else None."""
    if content is None:
        return None
    right = all(isinstance(content.get(key), kind) for key, kind in kinds.items())
    return content if right else None
