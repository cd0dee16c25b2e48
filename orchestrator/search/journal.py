"""A search's journal: Optuna's storage in one file of the study's folder."""

from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend


def write(path: Path) -> JournalStorage:
    """The journal for the study's one runner, whose lock is held.

    It may find what a killed runner has left. Optuna appends whole lines under a lock file. A line
    that a power cut tore is cut off: the folders know what it said. A lock file that outlived its
    process would cost half a minute of waiting.
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
    """The journal, for reading."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(JournalFileBackend(str(path)))
