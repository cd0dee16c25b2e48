"""Pass Tune's reports of trials on to the run's progress."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune

from orchestrator.execution.progress import Progress, note_death
from orchestrator.ray_backend.node_watch import is_dead
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.job import TrialJob


class ProgressCallback(tune.Callback):  # type: ignore[misc] # untyped Ray
    """Pass on what Tune reports; `progress` is None in the copy that Tune pickles.

    Args:
        progress: hears of the trials.
        died: called if Ray itself has died: its trials have not failed.
    """

    def __init__(self, progress: Progress | None, died: Callable[[], None] | None = None):
        self.progress = progress
        self.died = died

    def __getstate__(self) -> dict[str, Any]:  # Tune pickles its callbacks; a terminal cannot be
        return {"progress": None, "died": None}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that a trial has a slot."""
        if self.progress:
            self.progress.started(_name(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Note a report of a trial."""
        if self.progress:
            self.progress.reported(_name(trial), result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that a trial has ended."""
        if self.progress:
            self.progress.ended(_name(trial))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that a trial has used up its attempts, unless Ray has died under it."""
        if self.progress and self.died and is_dead():
            self.died()
        elif self.progress:
            folder = TrialFolder(TrialJob.from_config(trial.config).folder)
            if folder.failure is None:
                error = _error(trial)
                note_death(folder, _summary(error), details=error)
            self.progress.ended(_name(trial))


def _error(trial: Any) -> str:
    """Return what Tune knows of a trial's death; at this moment it is in Tune's local folder."""
    try:
        return Path(trial.error_file).read_text()
    except (OSError, TypeError):
        return ""


def _summary(error: str) -> str:
    """Return one line of Tune's text about a death, whose first line is `Failure # 1 (…)`."""
    lines = [line for line in error.splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 else "its process died"


def _name(trial: Any) -> str:
    return TrialJob.from_config(trial.config).name
