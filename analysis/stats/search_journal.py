"""Journal of a search: Optuna's storage in one file, with checksums."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from analysis.results.study_plan import NoStudy
from trainable.storage.checksums import CHECKSUM, Damaged, signed, verified

BEFORE = "before"
"""Key of a line: the checksum of the line before it."""


class SignedJournal(JournalFileBackend):
    """A file of Optuna's log, one JSON object a line; other readers ignore what is added here.

    Each line has its checksum, and that of the line before it, so that no line can be changed,
    lost or added unnoticed. Lines of earlier versions have none, and are believed. There is one
    writer at a time.
    """

    def __init__(self, path: Path):
        super().__init__(str(path))
        self._read: str | None = None
        """Checksum of the last line that was read."""
        self._end: str | None = None
        """Checksum of the last line that was read or written."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines with their checksums; all others have been read before."""
        lines = []
        for log in logs:
            line = signed({**log, BEFORE: self._end})
            self._end = line[CHECKSUM]
            lines.append(line)
        super().append_logs(lines)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """Yield the lines from a number on. Raises Damaged, or ValueError for other content."""
        for log in super().read_logs(log_number_from):
            if not isinstance(log, dict):
                raise Damaged("a line is not a JSON object")
            content = verified(log, "a line")
            if content.pop(BEFORE, self._read) != self._read:
                raise Damaged("a line is lost")
            self._read = self._end = log.get(CHECKSUM)
            yield content


def open_journal(path: Path) -> JournalStorage:
    """Return the journal in a file, which is made if there is none.

    Raises:
        NoStudy: it is damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return JournalStorage(SignedJournal(path))
    except (Damaged, ValueError, LookupError, TypeError, AttributeError) as error:
        raise NoStudy(
            f"{path} is damaged ({error}). `run` of its study file renames it, and makes it "
            "anew from the folders of the trials"
        ) from None
