"""Journal of a search: Optuna's storage in one file of the study's folder."""

from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.storages import JournalStorage

from analysis.results.study_plan import NoStudy
from analysis.stats.search_journal import open_journal


def write(path: Path, tell: Callable[[str], None]) -> JournalStorage:
    """Return the journal, opened for writing; the caller holds the study's lock.

    A killed runner may have left two things, which are removed. An incomplete last line, after a
    power failure, is cut off: its content is rebuilt from the trial folders. A lock file of Optuna
    without its process would delay the run by half a minute. A damaged journal is renamed to
    `*.damaged`, and made anew from the trial folders; `tell` says so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{path}.lock").unlink(missing_ok=True)
    if path.exists():
        _cut_torn_line(path)
    try:
        return open_journal(path)
    except NoStudy:
        damaged = path.replace(path.with_suffix(".damaged"))
        tell(f"{path} is damaged: renamed to {damaged.name}, and made anew from the trial folders")
        return open_journal(path)


def finished(path: Path, search: str) -> int:
    """Return how many trials of a search have ended.

    Raises:
        NoStudy: the journal is damaged.
    """
    try:
        study = optuna.load_study(study_name=search, storage=open_journal(path))
    except KeyError:  # it has not begun
        return 0
    return sum(trial.state.is_finished() for trial in study.trials)


def _cut_torn_line(path: Path) -> None:
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        whole_lines = content.rfind(b"\n") + 1
        with path.open("rb+") as file:
            file.truncate(whole_lines)
