"""Journal of a search: Optuna's storage in one file of the study's folder."""

from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend


def write(path: Path) -> JournalStorage:
    """Return the journal, opened for writing; the caller holds the study's lock.

    A killed runner may have left two things, which are removed. An incomplete last line, after a
    power failure, is cut off: its content is rebuilt from the trial folders. A lock file of Optuna
    without its process would delay the run by half a minute.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{path}.lock").unlink(missing_ok=True)
    if path.exists():
        _cut_torn_line(path)
    return read(path)


def _cut_torn_line(path: Path) -> None:
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        whole_lines = content.rfind(b"\n") + 1
        with path.open("rb+") as file:
            file.truncate(whole_lines)


def read(path: Path) -> JournalStorage:
    """Return the journal, opened for reading."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(JournalFileBackend(str(path)))
