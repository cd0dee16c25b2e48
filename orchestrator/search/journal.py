"""A search's journal: Optuna's storage in one file of the study's folder."""

from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend


def write(path: Path) -> JournalStorage:
    """The journal for the study's one runner (its lock is held), who may find what a killed one has left.

    Optuna appends whole lines under a lock file. A line that a power cut tore is cut off: the folders know what it
    said. A lock file that outlived its process would cost half a minute of waiting.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{path}.lock").unlink(missing_ok=True)
    if path.exists():
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            with path.open("rb+") as file:
                file.truncate(content.rfind(b"\n") + 1)
    return read(path)


def read(path: Path) -> JournalStorage:
    """The journal, for reading."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(JournalFileBackend(str(path)))
